"""Reads the plain form of a run, options TARGET COMMAND…, from the table of options: click takes longer than the run.

What is written in any other way (`-qv`, `-d15m`, --help, a subcommand), and every mistake, is left to click.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.grammar.options import RUN
from awsudo_py.grammar.registry import SHORT_FORM, SUBCOMMANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.grammar.options import Option


class Line(NamedTuple):
    """A command line of awsudo itself."""

    values: dict[str, Any]  # of the options, by field
    words: tuple[str, ...]  # the target and the command
    dashed: bool  # whether a `--` stands right before the words


def plain_line(argv: Sequence[str]) -> Line | None:
    """The command line, if it has the plain form; None if click must read it."""
    flags = {flag: option for option in RUN for flag in option.flags}
    values: dict[str, Any] = {each.field: () if each.many else None if each.metavar else False for each in RUN}
    rest = list(argv)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        option = flags.get(name)
        if option is None or (equals and not option.metavar):
            return None
        if option.metavar and not equals:
            if not rest or rest[0].startswith("--"):
                return None
            value = rest.pop(0)
        if not _read(option, value, values):
            return None
    dashed = rest[:1] == ["--"]
    words = tuple(rest[dashed:])
    if not words or (not dashed and (words[0] in SUBCOMMANDS or words[0].startswith(SHORT_FORM))):
        return None
    return Line(values, words, dashed)


def _read(option: Option, value: str, values: dict[str, Any]) -> bool:
    """Add an option to the values; returns whether its value is valid."""
    if option.strict and value not in option.values:
        return False
    values[option.field] = (*values[option.field], value) if option.many else value if option.metavar else True
    return True
