"""awsudo-use: a shell that becomes a target in place, and nobody again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import needs
from tests.readers import in_shell
from tests.screens import Screen
from tests.servers.strict_sts import StrictSts
from tests.test_hit_path import imported_by
from tests.world import AWSUDO, Done, World

DEV = "arn:aws:iam::111111111111:role/dev"
#: The line that stands in an rc file, without the shell's name: awsudo finds out who calls.
LINE = {"fish": "awsudo shell-init | source", "tcsh": 'eval "`awsudo shell-init`"'}
_LINE = 'eval "$(awsudo shell-init)"'
#: Each shell, and ways to have set it up.
WAYS = [
    pytest.param(shell, before, id=f"{shell} {before}".strip(), marks=needs(shell))
    for shell, before in (
        ("dash", ""),
        ("dash", "set -eu -C"),
        ("mksh", "set -eu -o noclobber"),
        ("bash", ""),
        ("bash", "set -euo pipefail -o noclobber; shopt -s failglob extglob; IFS=:"),
        ("bash", "set -o posix; set -eu"),
        ("zsh", ""),
        ("zsh", "setopt err_exit no_unset no_clobber warn_create_global ksh_arrays sh_word_split"),
        ("zsh", "emulate sh; set -eu"),
        ("fish", ""),
        ("tcsh", ""),
        ("tcsh", "set backslash_quote noclobber nonomatch; set echo_style = both"),
    )
]


@pytest.fixture
def in_use(world: World) -> World:
    """The world, with awsudo on PATH."""
    world.env["PATH"] = f"{Path(AWSUDO).parent}:{world.env['PATH']}"
    return world


def _in(world: World, shell: str, before: str, *lines: str) -> Done:
    script = "\n".join((before, LINE.get(shell, _LINE), *lines))
    return in_shell(shell, script, environ=world.environ(), cwd=world.home)


def _stored(world: World, *words: str) -> None:
    """Put the session in the cache, quicker than awsudo does in a shell: what the shell makes of it is the test's."""
    assert world.run(*words, "dev", "true").code == 0


_SHOW = 'env printenv AWSUDO_TARGET AWSUDO_ROLE_ARN AWS_REGION || echo nobody'  # fmt: skip
_SHOW_FISH = "printenv AWSUDO_TARGET AWSUDO_ROLE_ARN AWS_REGION; or echo nobody"


@pytest.mark.parametrize(("shell", "before"), WAYS)
def test_a_shell_uses_a_target_and_drops_it_again(in_use: World, shell: str, before: str) -> None:
    """awsudo-use TARGET sets what the target's command would get, --unset takes all of it away; nothing else shows."""
    show = _SHOW_FISH if shell == "fish" else _SHOW
    _stored(in_use, "--region", "us-east-2")

    done = _in(in_use, shell, before, "awsudo-use dev --region us-east-2", show, "awsudo-use --unset", show)

    assert (done.code, done.err) == (0, "")
    assert done.out.split() == ["dev", DEV, "us-east-2", "us-east-2", "nobody"]


@pytest.mark.parametrize(("shell", "before"), WAYS)
def test_a_failure_keeps_the_exit_code_and_the_environment(in_use: World, shell: str, before: str) -> None:
    """A typo changes nothing: the shell is who it was, and hears awsudo's own exit code; so does a wrong option."""
    code = "echo $status" if shell in ("fish", "tcsh") else 'echo "$?"'
    stored = "awsudo-use dev"
    if shell == "fish":
        lines = [stored, "awsudo-use prdo", code, "awsudo-use --bogus", code, "printenv AWSUDO_TARGET"]
    else:
        lines = [stored, f"awsudo-use prdo || {code}", f"awsudo-use --bogus || {code}", "printenv AWSUDO_TARGET"]
    _stored(in_use)

    done = _in(in_use, shell, before, *lines)

    assert done.out.split() == ["125", "2", "dev"], done.err
    assert "no profile 'prdo'" in done.err


@pytest.mark.parametrize(("shell", "before"), WAYS)
def test_an_invalid_environment_is_reported_and_never_evaluated(in_use: World, shell: str, before: str) -> None:
    """--help is help; a format that the shell does not read cannot be asked for."""
    _stored(in_use)

    done = _in(in_use, shell, before, "awsudo-use --help", "awsudo-use dev --format=json", "printenv AWSUDO_TARGET")

    assert (done.code, done.err) == (0, "")
    assert "Usage: awsudo export" in done.out and done.out.endswith("\ndev\n")


@pytest.mark.parametrize(
    "shell", [pytest.param(name, marks=needs(name)) for name in ("dash", "bash", "zsh", "fish", "tcsh")]
)
def test_a_login_shell_survives_whatever_is_wrong(in_use: World, shell: str) -> None:
    """Broken AWS files, an impossible cache, no home: no message, and the next line of the rc file runs."""
    (in_use.home / ".aws" / "config").write_text("[broken\n")
    in_use.env["AWSUDO_CACHE_DIR"] = "/dev/null/none"
    strict = "" if shell in ("fish", "tcsh") else "set -eu"

    done = _in(in_use, shell, strict, "echo next")

    assert (done.code, done.out, done.err) == (0, "next\n", "")


@pytest.mark.parametrize("shell", [pytest.param(name, marks=needs(name)) for name in ("dash", "bash", "zsh", "fish")])
def test_the_line_of_the_readme_prints_nothing_where_awsudo_is_missing(in_use: World, shell: str) -> None:
    """Dotfiles travel to machines without awsudo."""
    in_use.env["PATH"] = "/usr/bin:/bin"
    line = {
        "fish": "command -q awsudo; and awsudo shell-init fish | source",
    }.get(shell, 'if command -v awsudo >/dev/null; then eval "$(awsudo shell-init)"; fi')
    strict = "" if shell == "fish" else "set -eu"

    done = in_shell(shell, f"{strict}\n{line}\necho next", environ=in_use.environ(), cwd=in_use.home)

    assert (done.code, done.out, done.err) == (0, "next\n", "")


@needs("bash")
def test_the_code_of_a_device_is_prompted_for_on_the_terminal(in_use: World, sts: StrictSts) -> None:
    """awsudo-use reads what awsudo prints, and still awsudo can ask: on the terminal, not on stdout."""
    serial = "arn:aws:iam::111111111111:mfa/alice"
    device = sts.add_mfa("alice", serial)
    sts.add_role(DEV, mfa_required=True)
    with (in_use.home / ".aws" / "config").open("a") as config:
        config.write(f"mfa_serial = {serial}\n")
    in_use.env["PS1"] = "> "
    with Screen(["bash", "--noprofile", "--norc", "-i"], in_use.environ(), cwd=str(in_use.home)) as screen:
        screen.until("^>")
        screen.type(f"{_LINE}; awsudo-use dev && echo now $AWSUDO_TARGET\n").until("MFA code of ")

        displayed = screen.type(f"{device.code()}\n").until("^now dev$")

    assert "ASIA" not in displayed


def _stands(screen: Screen, expected: str, _shown: str) -> bool:
    return screen.before_cursor == expected


@pytest.mark.parametrize(
    ("shell", "rc", "start"),
    [
        pytest.param("bash", ".bashrc", ["bash", "--noprofile", "-i"], marks=needs("bash")),
        pytest.param("zsh", ".zshrc", ["zsh", "-i"], marks=needs("zsh")),
        pytest.param("fish", ".config/fish/config.fish", ["fish", "-i"], marks=needs("fish")),
    ],
)
def test_one_line_gives_completion_too(in_use: World, shell: str, rc: str, start: list[str]) -> None:
    """After shell-init, TAB completes awsudo-use's targets (and awsudo's words, where nothing else does)."""
    prompts = {
        "bash": "PS1='> '\n",
        "zsh": "PROMPT='> '; unsetopt prompt_sp; setopt no_beep; autoload -Uz compinit; compinit -u -D\n",
        "fish": "function fish_prompt; printf '> '; end; function fish_right_prompt; end; set -g fish_greeting\n",
    }
    line = LINE.get(shell, _LINE)
    file = in_use.home / rc
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{prompts[shell]}{line}\n")
    words = ("awsudo-use ba",) if shell == "fish" else ("awsudo-use ba", "awsudo ba", "awsudo-use -p ba")
    with Screen(start, in_use.environ(), cwd=str(in_use.home)) as screen:
        screen.until(lambda displayed: screen.before_cursor == "> ")

        for typed in words:
            whole = f"> {typed}se "
            screen.type(f"{typed}\t").until(lambda _: screen.before_cursor == whole)  # noqa: B023 (called at once)
            screen.type("\x15\x0c").until(lambda displayed: displayed == ">" and screen.before_cursor == "> ")


def test_the_line_costs_a_login_shell_next_to_nothing(world: World) -> None:
    """What stands in an rc file imports neither click nor anything of AWS."""
    imported = imported_by(world, "shell-init", "zsh")

    assert imported == {
        "__future__",
        "awsudo_py",
        "awsudo_py.__main__",
        "awsudo_py.shell",
        "awsudo_py.shell.shell_init",
    }
    assert not {"click", "typing", "re", "json"} & imported_by(world, "shell-init")


@pytest.mark.parametrize("words", [("elvish",), ("bash", "zsh")])
def test_another_shell_is_refused(world: World, words: tuple[str, ...]) -> None:
    """A text that a shell cannot read is not printed."""
    done = world.run("shell-init", *words)

    assert (done.code, done.out) == (2, "") and done.err.startswith("awsudo: ")


@needs("tcsh")
def test_an_interactive_tcsh_becomes_a_target(in_use: World) -> None:
    """Where history substitution is on, too: what is typed after the line of ~/.tcshrc works."""
    (in_use.home / ".tcshrc").write_text('set prompt = "> "\neval "`awsudo shell-init`"\n')
    with Screen(["tcsh"], in_use.environ(), cwd=str(in_use.home)) as screen:
        screen.until(lambda _: screen.before_cursor == "> ")

        displayed = screen.type("awsudo-use dev && echo now $AWSUDO_TARGET\n").until("^now ")

    assert "now dev" in displayed and "ASIA" not in displayed


@needs("elvish")
def test_a_shell_without_a_format_gets_the_command_to_run_as_a_target(in_use: World) -> None:
    """sh text would be evaluated as something else, or not at all: nothing is printed, and the way out works."""
    for line, instead in (
        ("awsudo export 'de v'", "awsudo 'de v' elvish"),
        ("awsudo export --unset", "awsudo TARGET elvish"),
        ("awsudo shell-init", "awsudo TARGET elvish"),
    ):
        done = in_shell("elvish", line, environ=in_use.environ(), cwd=in_use.home)

        assert done.out == "" and "elvish" in done.err.splitlines()[0]
        assert f"start one as the target: {instead}" in done.err

    done = in_use.run("dev", "elvish", "-c", "echo $E:AWSUDO_TARGET")

    assert (done.code, done.out) == (0, "dev\n")
    named = in_shell("elvish", "awsudo export dev --format json", environ=in_use.environ(), cwd=in_use.home)
    assert named.out.startswith("{")


@pytest.mark.parametrize(
    ("shell", "rc", "start"),
    [
        pytest.param("dash", "rc", ["dash"], marks=needs("dash")),
        pytest.param("bash", ".bashrc", ["bash", "--noprofile", "-i"], marks=needs("bash")),
        pytest.param("zsh", ".zshrc", ["zsh", "-i"], marks=needs("zsh")),
        pytest.param("fish", ".config/fish/config.fish", ["fish", "-i"], marks=needs("fish")),
        pytest.param("tcsh", ".tcshrc", ["tcsh"], marks=needs("tcsh")),
    ],
)
def test_awsudo_use_alone_opens_the_list_and_prints_the_target(
    in_use: World, shell: str, rc: str, start: list[str]
) -> None:
    """The shell is what was picked; one line names it; Esc leaves everything as it was."""
    prompts = {
        "zsh": "PROMPT='> '; unsetopt prompt_sp; setopt no_beep\n",
        "fish": "function fish_prompt; printf '> '; end; function fish_right_prompt; end; set -g fish_greeting\n",
        "tcsh": 'set prompt = "> "\n',
        "bash": "PS1='> '\n",
    }
    file = in_use.home / rc
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{prompts.get(shell, '')}{LINE.get(shell, _LINE)}\n")
    in_use.env |= {"PS1": "> ", "ENV": str(file)}
    with Screen(start, in_use.environ(), cwd=str(in_use.home)) as screen:
        screen.until(lambda _: screen.before_cursor.endswith("> "))
        screen.type("awsudo-use\n").until("^awsudo>")

        greeting = screen.type("dev\r").until("^awsudo: now dev ")
        screen.type("env printenv AWSUDO_TARGET\n").until(r"^(> )?dev$")
        screen.type("clear; awsudo-use\n").until("^awsudo>")
        displayed = screen.type("\x1b").until("nothing picked")

    who = DEV.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    assert f"now dev ({who}/" in greeting.replace("\n", "")
    assert "now dev" not in displayed and "ASIA" not in screen.raw


def test_export_opens_the_picker_only_on_request(in_use: World) -> None:
    """A script whose variable is empty must not wait for anybody."""
    done = in_use.run("export")

    assert done.code == 2 and "no target" in done.err
    without_terminal = in_use.run("export", "--pick", prefix=("setsid", "-w"))
    assert without_terminal.code == 2 and "no target" in without_terminal.err
