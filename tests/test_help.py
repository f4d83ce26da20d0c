"""Help and the man page: whole, made from the same tables, and fit to 80 columns."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from awsudo_py.durations import brief
from awsudo_py.grammar.options import REQUEST
from awsudo_py.grammar.registry import GROUPS, SUBCOMMANDS, Subcommand
from tests.conftest import needs
from tests.world import World


def _every_subcommand() -> list[tuple[str, Subcommand]]:
    found = []
    for name, line in SUBCOMMANDS.items():
        found += [(name, line), *((f"{name} {sub}", inner) for sub, inner in line.subs.items())]
    return found


@pytest.mark.parametrize("topic", ["", "options", "examples", *(path for path, _ in _every_subcommand())])
def test_every_page_of_help_fits_80_columns_without_breaking_words(world: World, topic: str) -> None:
    """`awsudo help TOPIC`; no line is longer, and none ends within a word."""
    done = world.run("help", *topic.split())

    assert (done.code, done.err) == (0, "")
    assert [line for line in done.out.splitlines() if len(line) > 80] == []
    assert not re.search(r"\w-\n +\w", done.out)


def test_the_first_page_groups_the_subcommands_and_leads_on(world: World) -> None:
    """-h, --help and help are the same page."""
    pages = {world.run(word).out for word in ("-h", "--help", "help")}

    (page,) = pages
    listed = {group: re.findall(rf"^{group}: +(.*(?:\n {{11}}.*)*)", page, re.MULTILINE) for group in GROUPS}
    for name, line in SUBCOMMANDS.items():
        assert not line.group or name in listed[line.group][0].split()
    assert "awsudo help options" in page and "awsudo help examples" in page and len(page.splitlines()) < 45


def test_an_unknown_topic_is_a_usage_error(world: World) -> None:
    """With the nearest one."""
    done = world.run("help", "optoins")

    assert (done.code, done.out) == (2, "") and "did you mean options?" in done.err


def test_headings_are_bold_on_a_terminal_only(world: World) -> None:
    """NO_COLOR and a dumb terminal have none."""

    def shown(**env: str | None) -> str:
        environ = world.environ({"TERM": "xterm", **env})
        return str(pexpect.run(f"{world.command()[0]} help", env=environ, encoding="utf-8"))

    assert "\x1b[1mRun:\x1b[0m" in shown()
    assert "\x1b" not in shown(NO_COLOR="1") + shown(TERM="dumb") + world.run("help").out


def test_the_first_line_of_an_error_is_bold_and_awss_words_are_dim(world: World) -> None:
    """Where a terminal has them."""
    environ = world.environ({"TERM": "xterm"})
    line = f"{world.command()[0]} -n nobody@here -p base 999999999999:none true"

    shown = str(pexpect.run(line, env=environ, encoding="utf-8"))
    plain = str(pexpect.run(line, env={**environ, "NO_COLOR": "1"}, encoding="utf-8"))

    assert re.search(r"\x1b\[1mawsudo: .*\x1b\[0m\r\n\x1b\[2m  AWS: .*\x1b\[0m\r\n", shown), shown
    assert "\x1b" not in plain


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-5, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (2520, "42m"),
        (3600, "1h"),
        (7800, "2h 10m"),
        (42_180, "11h 43m"),
        (86_400, "1d"),
        (273_600, "3d 4h"),
        (86_700, "1d"),
    ],
)
def test_durations_have_one_style(seconds: float, text: str) -> None:
    """The two largest units, rounded down."""
    assert brief(seconds) == text
    assert brief(seconds, parts=1) == text.split()[0]


def test_prompt_ends_with_a_newline_on_a_terminal_only(world: World) -> None:
    """A person's own prompt does not begin behind it; a shell that reads it gets no newline."""
    env: dict[str, str | None] = {"AWSUDO_TARGET": "dev"}
    shown = pexpect.run(f"{world.command()[0]} prompt", env=world.environ(env), encoding="utf-8")

    assert shown == "dev\r\n" and world.run("prompt", env=env).out == "dev"


# the man page


def _page() -> str:
    return subprocess.run(
        [sys.executable, "-m", "awsudo_py.cli.man"], capture_output=True, text=True, check=True
    ).stdout


@needs("man")
def test_the_man_page_is_whole_and_fits_80_columns(tmp_path: Path) -> None:
    """man finds no fault with it; every option, subcommand, exit code and example is in it."""
    path = tmp_path / "awsudo.1"
    path.write_text(_page())

    done = subprocess.run(
        ["man", "--warnings=w", "-E", "ascii", "-l", str(path)],
        env={
            "PATH": "/usr/bin:/bin",
            "MANWIDTH": "80",
            "MANPAGER": "cat",
            "MAN_KEEP_FORMATTING": "",
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    text = re.sub(r".\x08", "", done.stdout)
    words = " ".join(text.split())
    assert done.stderr == ""
    assert [line for line in text.splitlines() if len(line) > 80] == []
    for path_of, line in _every_subcommand():
        assert f"awsudo {path_of}" in words
        for option in line.options:
            assert all(flag in words for flag in option.flags)
    for option in REQUEST:
        assert all(flag in words for flag in option.flags)
    for heading in ("SYNOPSIS", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        assert heading in text


def test_no_text_becomes_a_request_of_roff() -> None:
    """Nothing that a table or a docstring says begins a line with a dot or a quote."""
    requests = {line.split()[0] for line in _page().splitlines() if line[:1] in (".", "'")}

    assert requests <= {".TH", ".SH", ".SS", ".PP", ".TP", ".nf", ".fi", ".BR"}
