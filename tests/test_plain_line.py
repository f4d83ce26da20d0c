"""The plain form of a run, read without click: it means what click reads in the same words, or is left to click."""

from __future__ import annotations

import itertools

import click
import pytest

from awsudo_py.cli import main
from awsudo_py.cli.plain import Line, plain_line
from awsudo_py.grammar.options import RUN, Option
from awsudo_py.grammar.registry import SUBCOMMANDS

_TAILS = [
    ["dev", "true"],
    ["dev"],
    ["dev", "--", "true", "-q"],
    ["--", "true", "--help"],
    ["dev", "", "\udcff", "--"],
    ["list"],
    [":list"],
    ["-", "x"],
    ["--"],
    [],
]


def by_click(words: list[str]) -> Line | None:
    """The line as click reads it; None if that is not a run."""
    try:
        with main.main.make_context("awsudo", list(words)) as context:
            rest, dashed = context.args, context.meta["dashed"]
            if rest and context.params["profile"] is None and not dashed and main._subcommand(rest[0]):
                return None
            return Line({option.field: context.params[option.field] for option in RUN}, tuple(rest), dashed)
    except (click.ClickException, click.exceptions.Exit):
        return None


def _written(option: Option) -> list[list[str]]:
    """The ways to write an option, right and wrong."""
    value = option.values[0] if option.strict else "x"
    return [
        *([flag] for flag in option.flags),
        *([flag, each] for flag in option.flags for each in (value, "", "-", "-q", "--", "--quiet", "\udcff")),
        *([f"{flag}={value}"] for flag in option.flags),
        *([f"{flag}="] for flag in option.flags),
        *([f"{flag}{value}"] for flag in option.flags),
        [option.flags[-1], value, option.flags[0], value],
        [option.flags[-1][:-1], value],
        ["-q" + option.flags[0][1:], value],
    ]


@pytest.mark.parametrize("option", RUN, ids=lambda option: option.field)
def test_each_option_reads_as_click_reads_it(option: Option) -> None:
    """However it is written, and whatever follows: the same values, words and dashes, or nothing."""
    for written, tail in itertools.product(_written(option), _TAILS):
        for words in ([*written, *tail], [*written, "-p", "base", *tail], ["--quiet", *written, *tail]):
            line = plain_line(words)
            assert line is None or line == by_click(words), words


@pytest.mark.parametrize("words", [["dev", "true"], ["-p", "base", "-d", "15m", "--tag=a=b", "--tag", "c=d", "x", "y"]])
def test_a_plain_line_is_read(words: list[str]) -> None:
    """Short and long options, with their values as the next word or behind =; nothing is left to click."""
    assert plain_line(words) == by_click(words) is not None


def test_a_subcommand_is_left_to_click() -> None:
    """All of them, and their short forms."""
    assert [name for each in SUBCOMMANDS for name in (each, f":{each}") if plain_line([name, "dev"])] == []
