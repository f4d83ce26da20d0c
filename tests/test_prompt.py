"""awsudo prompt: the segment that says which target a shell is, and how long for."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.grammar.registry import PROMPTED
from awsudo_py.shell.prompt import LONGEST, segment
from tests.conftest import needs
from tests.readme import blocks
from tests.screens import Screen
from tests.test_hit_path import imported_by
from tests.world import AWSUDO, World

NOW = 1_900_000_000.0
RED, YELLOW, OFF = "\x1b[1;31m", "\x1b[33m", "\x1b[0m"


def _segment(target: str, left: float | None = 3000, shell: str = "plain", **more: str) -> str:
    until = {} if left is None else {"AWSUDO_EXPIRATION": rfc3339(NOW + left)}
    return segment(shell, {"AWSUDO_TARGET": target, **until, **more}, NOW)


@pytest.mark.parametrize(
    ("target", "left", "displayed"),
    [
        ("dev", 2520, "dev 42m"),
        ("dev", 3600, "dev 1h"),
        ("dev", 43_199, "dev 11h 59m"),
        ("dev", 59, "dev <1m"),
        ("dev", 0, "dev expired"),
        ("dev", -99_999, "dev expired"),
        ("dev", None, "dev"),
        ("my profile", 600, "my profile 10m"),
        ("arn:aws:iam::123456789012:role/team/ops", 600, "123456789012:team/ops 10m"),
        ("arn:aws-cn:iam::123456789012:role/ops", 600, "aws-cn:123456789012:ops 10m"),
        ("123456789012:ops", 600, "123456789012:ops 10m"),
        ("x" * 200, 600, "x" * (LONGEST - 1) + "… 10m"),
    ],
)
def test_target_and_time_left_are_shown(target: str, left: float | None, displayed: str) -> None:
    """Short, and readable at a glance."""
    assert _segment(target, left) == displayed


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(moment=st.integers(0, 8_000_000_000))
def test_the_time_left_is_right_at_every_moment(moment: int) -> None:
    """What awsudo writes as an expiration is read back to the second, leap days included."""
    environ = {"AWSUDO_TARGET": "t", "AWSUDO_EXPIRATION": rfc3339(moment)}

    assert segment("plain", environ, moment - 7200.0) == "t 2h"
    assert segment("plain", environ, moment - 7199.0) == "t 1h 59m"


@pytest.mark.parametrize(
    "written", ["", "soon", "2030-01-01", "2030-01-01T00:00:00+01:00", "$(x)", "2030-01-01T00:00:0"]
)
def test_an_empty_expiration_is_left_out(written: str) -> None:
    """A prompt never fails, and shows nothing that it does not know."""
    assert segment("plain", {"AWSUDO_TARGET": "dev", "AWSUDO_EXPIRATION": written}, NOW) == "dev"


@pytest.mark.parametrize(
    ("target", "role", "red"),
    [
        ("prod", "", True),
        ("acme-prod-eu", "", True),
        ("Production", "", True),
        ("live", "", True),
        ("dev", "arn:aws:iam::1:role/prod/admin", True),
        ("arn:aws:iam::1:role/prd", "", True),
        ("product", "", False),
        ("reproduce", "", False),
        ("nonprod", "", False),
        ("non-prod", "", False),
        ("pre_prod", "", False),
        ("olive", "", False),
        ("dev", "arn:aws:iam::1:role/admin", False),
    ],
)
def test_production_is_red(target: str, role: str, red: bool) -> None:
    """A whole word of production in target or role, unless it says that it is not."""
    displayed = _segment(target, shell="fish", AWSUDO_ROLE_ARN=role)

    assert (RED in displayed) is red


def test_production_can_be_configured() -> None:
    """AWSUDO_PROMPT_PRODUCTION lists other words, account ids among them; empty, it means that nothing is."""
    role = "arn:aws:iam::123456789012:role/admin"
    assert RED in _segment("acme", shell="fish", AWSUDO_ROLE_ARN=role, AWSUDO_PROMPT_PRODUCTION="crown, 123456789012")
    assert RED not in _segment("prod", shell="fish", AWSUDO_PROMPT_PRODUCTION="crown")
    assert RED not in _segment("prod", shell="fish", AWSUDO_PROMPT_PRODUCTION="")


def test_a_session_near_its_end_is_yellow_and_plain_with_no_color() -> None:
    """Less than five minutes stand out; NO_COLOR and `plain` have no escapes at all."""
    assert _segment("dev", 299, "fish") == f"dev {YELLOW}4m{OFF}"
    assert _segment("dev", 301, "fish") == "dev 5m"
    assert _segment("prod", 1, "fish", NO_COLOR="1") == _segment("prod", 1) == "prod <1m"


def test_colours_are_wrapped_for_each_shell() -> None:
    """Otherwise the shell counts them as width, and long lines are drawn over themselves."""
    assert _segment("prod", None, "bash") == f"\x01{RED}\x02prod\x01{OFF}\x02"
    assert _segment("prod", None, "zsh") == f"%{{{RED}%}}prod%{{{OFF}%}}"


_HOSTILE = (
    "$(touch pwned)",
    "`touch pwned`",
    "${x:-$(touch pwned)}",
    "%(!.x.)%n%{",
    "\\$(touch pwned)\\u",
    "!!",
    "\x1b[2J",
)


@pytest.mark.parametrize("target", _HOSTILE)
@pytest.mark.parametrize("shell", PROMPTED)
def test_nothing_that_a_prompt_could_expand_is_left(target: str, shell: str) -> None:
    """Whatever a target is called, its segment holds no character that any shell expands."""
    assert not re.search(r"[$`%!\\\x00-\x1f(){}]", _segment(target, None, shell))


def test_no_session_is_nothing(world: World) -> None:
    """Outside of a session there is no segment, no error, and exit code 0."""
    done = world.run("prompt")

    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("words", [("--shell", "bash"), ("--shell=bash",)])
def test_both_spellings_of_its_option_work(world: World, words: tuple[str, ...]) -> None:
    """As everywhere on the command line."""
    done = world.run("prompt", *words, env={"AWSUDO_TARGET": "prod"})

    assert (done.code, done.out) == (0, f"\x01{RED}\x02prod\x01{OFF}\x02")


@pytest.mark.parametrize("words", [("--shell", "tcsh"), ("--shell",), ("x",), ("--bogus",)])
def test_other_words_are_refused_as_everywhere(world: World, words: tuple[str, ...]) -> None:
    """What the short way does not know, click judges."""
    done = world.run("prompt", *words)

    assert (done.code, done.out) == (2, "") and done.err.startswith("awsudo: ")


def test_a_prompt_imports_next_to_nothing(world: World) -> None:
    """It is drawn before every command."""
    imported = imported_by(world, "prompt", "--shell", "zsh")

    # itertools is part of the interpreter
    assert imported - {"itertools"} == {
        "__future__",
        "awsudo_py",
        "awsudo_py.__main__",
        "awsudo_py.durations",
        "awsudo_py.shell",
        "awsudo_py.shell.prompt",
    }


def _line(language: str) -> str:
    """What the README says for this shell."""
    return next(
        block.text for block in blocks() if (block.heading, block.language) == ("Show it in the prompt", language)
    )


#: How each shell is started, its rc file, and what that holds: the README's own lines.
_RC = {
    "bash": (["bash", "--noprofile", "-i"], ".bashrc", _line("sh")),
    "zsh": (["zsh", "-i"], ".zshrc", f"unsetopt prompt_sp\n{_line('zsh')}"),
    "fish": (["fish", "-i"], ".config/fish/config.fish", f"set -g fish_greeting\n{_line('fish')}"),
}


@pytest.mark.parametrize("shell", [pytest.param(name, marks=needs(name)) for name in _RC])
@pytest.mark.parametrize("target", ["prod", "$(touch pwned)`touch pwned`"])
def test_a_shell_draws_it_and_runs_nothing(world: World, shell: str, target: str) -> None:
    """In the prompt of a real shell the segment is text: it takes the room that it shows, and executes nothing."""
    command, rc, text = _RC[shell]
    world.env["PATH"] = f"{Path(AWSUDO).parent}:{world.env['PATH']}"
    file = world.home / rc
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    until = rfc3339(time.time() + 125)
    displayed = "prod 2m" if target == "prod" else "??touch pwned??touch pwned? 2m"
    env: dict[str, str | None] = {"AWSUDO_TARGET": target, "AWSUDO_EXPIRATION": until}
    with Screen(command, world.environ(env), cwd=str(world.home)) as screen:
        screen.until(lambda now: screen.before_cursor.startswith(displayed))
        length = len(screen.before_cursor)

        # a line that is longer than the screen is wide comes out whole only if the prompt's width was counted right
        screen.type("echo " + "x" * 100 + "\x15echo ok").until(lambda now: screen.before_cursor[length:] == "echo ok")

    assert not (world.home / "pwned").exists()
