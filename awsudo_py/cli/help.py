"""Writes the pages of `awsudo help`: the first page, all options, examples."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING

from awsudo_py.cli.output import terminal_width
from awsudo_py.display import coloured, styled
from awsudo_py.grammar import texts
from awsudo_py.grammar.options import HELP, REQUEST, RUN, VERSION
from awsudo_py.grammar.registry import GROUPS, SUBCOMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from awsudo_py.grammar.options import Option
    from awsudo_py.grammar.registry import Subcommand

#: A page is at most this wide, even on a wider terminal: long lines are hard to read.
_WIDEST = 100
_FIRST_COLUMN = 27


def page() -> str:
    """The first page: usage, subcommands, the common options."""
    common = [option for field in texts.COMMON for option in RUN if option.field == field]
    return "\n".join(
        [
            f"{_bold('awsudo')}: {texts.SUMMARY}",
            "",
            *_usage(),
            "",
            *(line for word in texts.WORDS for line in _wrapped(word, indent=2)),
            "",
            *_groups(),
            "",
            _bold("Common options:"),
            *_definitions(_option(option) for option in (*common, HELP, VERSION)),
            "",
            *_two("All options: awsudo help options", "Examples: awsudo help examples"),
            *_two("A subcommand: awsudo help NAME", "Manual: man awsudo"),
            "",
        ]
    )


def options() -> str:
    """All options of a run, the variables, the guard rails of a profile, and the exit codes."""
    return "\n".join(
        [
            _bold("Options of a run:"),
            *_definitions(_option(option) for option in (*RUN, HELP, VERSION)),
            "",
            _bold("Variables:"),
            *_definitions(texts.VARIABLES),
            *_wrapped(texts.PRECEDENCE, indent=2),
            "",
            _bold("Guard rails, in a profile:"),
            *_definitions(texts.RAILS),
            *_wrapped(texts.ABOUT_RAILS, indent=2),
            "",
            _bold("Exit codes:"),
            *_definitions(texts.EXIT_CODES, first=8),
            "",
        ]
    )


def examples() -> str:
    """Lines to type."""
    return "\n".join([_bold("Examples:"), *_lines_to_type(texts.EXAMPLES), ""])


def subcommand(path: str, line: Subcommand, text: str) -> str:
    """The page of a subcommand. text: the docstring of its function, where a line with \\b alone keeps its lines."""
    lines = [f"{_bold('Usage:')} awsudo {path} {usage(line)}".rstrip()]
    for block in (text or line.help).split("\n\n"):
        preformatted = block.partition("\b\n")[2]
        lines += ["", *(preformatted.split("\n") if preformatted else _wrapped(" ".join(block.split()), indent=2))]
    if line.subs:
        lines += [
            "",
            _bold("Subcommands:"),
            *_definitions(((each.name, each.help) for each in line.subs.values()), first=9),
        ]
        lines += ["", f"More about each: awsudo help {path} NAME"]
    own = [*line.options, HELP] if line.options != REQUEST else []
    if set(REQUEST) < set(line.options):
        own = [option for option in own if option not in REQUEST]
    if own and not line.subs:
        first = min(max(len(flags(option)) for option in own) + 2, _FIRST_COLUMN)
        lines += ["", _bold("Options:"), *_definitions((_option(option) for option in own), first=first)]
    if set(REQUEST) <= set(line.options):
        lines += ["", f"  {'It also' if own else 'It'} takes the options of a run: awsudo help options"]
    return "\n".join([*lines, ""])


def usage(line: Subcommand) -> str:
    """What follows a subcommand's name."""
    if line.subs:
        return "SUBCOMMAND ..."
    words = [*(["[OPTIONS]"] if line.options else []), *(argument.usage for argument in line.arguments)]
    return " ".join(
        [*words, *(["TARGET COMMAND..."] if line.runs else []), *(["-- COMMAND..."] if line.dashed else [])]
    )


def _wrapped(text: str, *, indent: int = 0) -> list[str]:
    lines = textwrap.wrap(text, _width() - indent, break_on_hyphens=False, break_long_words=False)
    return [" " * indent + line for line in lines]


def _usage() -> list[str]:
    widest = max(len(form) for form, _ in texts.USAGE)
    lines = []
    for number, (form, what) in enumerate(texts.USAGE):
        lead = "Usage: " if number == 0 else "       "
        # if it does not fit, the form alone is enough
        what = what if len(lead) + widest + 2 + max(len(each) for _, each in texts.USAGE) <= _width() else ""
        lines.append(f"{lead}{form:<{widest}}  {what}".rstrip())
    return lines


def _groups() -> list[str]:
    lines = []
    for group in GROUPS:
        names = "  ".join(each.name for each in of_group(group))
        if not names:
            continue
        lead = f"{group}:"
        wrapped = textwrap.wrap(names, _width() - 11, break_on_hyphens=False) or [""]
        lines.append(f"{_bold(lead)}{' ' * (11 - len(lead))}{wrapped[0]}")
        lines += [f"{' ' * 11}{line}" for line in wrapped[1:]]
    return lines


def of_group(group: str) -> list[Subcommand]:
    """The subcommands of a group, the most used first."""
    found = [each for each in SUBCOMMANDS.values() if each.group == group]
    return sorted(found, key=lambda each: texts.ORDER.index(each.name) if each.name in texts.ORDER else 99)


def _option(option: Option) -> tuple[str, str]:
    return flags(option), option.help


def flags(option: Option) -> str:
    """How an option is written, for help and the man page."""
    return ", ".join(option.flags) + (f" {option.metavar}" if option.metavar else "")


def _definitions(pairs: Iterable[tuple[str, str]], *, first: int = _FIRST_COLUMN) -> list[str]:
    lines = []
    for term, text in pairs:
        wrapped = textwrap.wrap(text, _width() - first - 2, break_on_hyphens=False, break_long_words=False) or [""]
        fits = len(term) <= first - 2
        lines.append(f"  {term:<{first}}{wrapped[0]}" if fits else f"  {term}")
        lines += [f"  {' ' * first}{line}" for line in wrapped[1 if fits else 0 :]]
    return lines


def _lines_to_type(pairs: Sequence[tuple[str, str]]) -> list[str]:
    widest = max(len(line) for line, _ in pairs)
    return [f"  {line:<{widest}}   {what}" for line, what in pairs]


def _two(left: str, right: str) -> list[str]:
    return [f"{left:<{38}}{right}"] if _width() >= 38 + len(right) else [left, right]


def _width() -> int:
    return min(terminal_width() or 80, _WIDEST)


def _bold(text: str) -> str:
    return styled(text, "bold") if coloured(sys.stdout, os.environ) else text
