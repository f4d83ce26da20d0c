"""awsudo completion: prints each shell's script, and installs it into the shell's own files on request."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from awsudo_py.cli import man
from awsudo_py.grammar.registry import COMPLETED, PROMPTED, SWITCHED
from awsudo_py.shell.prompt import _WRAPPED
from awsudo_py.shell.scripts import FILES
from awsudo_py.shell.shell_init import TEXTS
from tests import messages
from tests.conftest import needs
from tests.screens import Screen
from tests.test_hit_path import imported_by
from tests.world import AWSUDO, World

ROOT = Path(__file__).parents[1]
RC = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/completions/awsudo.fish"}
SHELLS = [pytest.param(name, marks=needs(name)) for name in RC]
_BEFORE = "# mine\nalias ll='ls -l'"


def test_the_registry_knows_every_script_and_text() -> None:
    """The names that completion offers are those that there is something for."""
    assert (set(COMPLETED), set(SWITCHED), set(PROMPTED)) == (set(FILES), set(TEXTS), set(_WRAPPED))


@pytest.mark.parametrize("shell", COMPLETED)
def test_a_script_is_printed_as_it_is(world: World, shell: str) -> None:
    """The one copy in completions/, and no import that is not needed for it: it may stand in an rc file."""
    done = world.run("completion", shell)

    assert (done.code, done.out) == (0, (ROOT / "completions" / FILES[shell]).read_text(encoding="utf-8"))
    assert not {"click", "typing", "re"} & imported_by(world, "completion", shell)


def test_the_wheel_puts_the_scripts_where_shells_look(tmp_path: Path) -> None:
    """bash-completion, zsh, fish and man each find theirs in share/, and `awsudo completion` beside its modules."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)

    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        data = next(name.partition("/")[0] for name in names if ".data/" in name)
        found = {
            name.removeprefix(f"{data}/data/"): wheel.read(name)
            for name in names
            if "fish" in name or "_awsudo" in name or "bash" in name or "man1" in name
        }
    scripts = {shell: (ROOT / "completions" / name).read_bytes() for shell, name in FILES.items()}
    assert found["share/bash-completion/completions/awsudo"] == scripts["bash"]
    assert found["share/zsh/site-functions/_awsudo"] == scripts["zsh"]
    assert found["share/fish/vendor_completions.d/awsudo.fish"] == scripts["fish"]
    assert found["share/man/man1/awsudo.1"].decode() == man.page()
    assert {name: found[f"awsudo_py/completions/{name}"] for name in FILES.values()} == {
        name: scripts[shell] for shell, name in FILES.items()
    }


@pytest.mark.parametrize("shell", COMPLETED)
def test_what_would_change_is_shown_and_nothing_is_done_without_a_yes(world: World, shell: str) -> None:
    """Without a terminal there is nobody to ask: the difference is shown, and the file stays as it is."""
    file = world.home / RC[shell]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_BEFORE)

    done = world.run("completion", "--install", shell)

    assert done.code == 125 and "--yes" in done.err
    assert done.out.startswith(f"--- {file}\n+++ {file}\n") and "+# >>> awsudo completion >>>" in done.out
    assert file.read_text() == _BEFORE


@pytest.mark.parametrize("shell", COMPLETED)
@pytest.mark.parametrize("before", [None, "", _BEFORE, f"{_BEFORE}\n", "caf\xe9\r\n"])
def test_installing_twice_is_installing_once_and_can_be_undone(world: World, shell: str, before: str | None) -> None:
    """The lines stand between marks, once; taking them out leaves what was there, and no file where there was none."""
    file = world.home / RC[shell]
    file.parent.mkdir(parents=True, exist_ok=True)
    if before is not None:
        file.write_bytes(before.encode("latin-1"))

    first = world.run("completion", "--install", "--yes", shell)
    installed = file.read_bytes()
    second = world.run("completion", "--install", "--yes", shell)

    assert (first.code, second.code, second.out) == (0, 0, "") and messages.ALREADY_SET_UP in second.err
    assert file.read_bytes() == installed and installed.count(b"# >>> awsudo completion >>>\n") == 1

    undone = world.run("completion", "--uninstall", "--yes", shell)
    again = world.run("completion", "--uninstall", "--yes", shell)

    assert (undone.code, again.code) == (0, 0) and "no awsudo completion" in again.err
    assert (
        not file.exists() if not before else file.read_bytes().rstrip(b"\n") == before.encode("latin-1").rstrip(b"\n")
    )


def test_a_link_stays_a_link_and_a_mode_stays_a_mode(world: World) -> None:
    """Dotfiles are kept in repositories, and linked."""
    stored = world.home / "dotfiles" / "bashrc"
    stored.parent.mkdir()
    stored.write_text(_BEFORE)
    stored.chmod(0o640)
    (world.home / ".bashrc").symlink_to(stored)

    world.run("completion", "--install", "--yes", "bash")

    assert (world.home / ".bashrc").is_symlink() and "awsudo" in stored.read_text()
    assert stat.S_IMODE(stored.stat().st_mode) == 0o640
    assert os.listdir(stored.parent) == ["bashrc"]


def test_places_that_variables_move_are_followed(world: World) -> None:
    """zsh reads $ZDOTDIR/.zshrc, fish $XDG_CONFIG_HOME/fish."""
    world.env |= {"ZDOTDIR": str(world.home / "z"), "XDG_CONFIG_HOME": str(world.home / "c")}

    for shell in ("zsh", "fish"):
        assert world.run("completion", "--install", "--yes", shell).code == 0

    assert (world.home / "z" / ".zshrc").exists() and (
        world.home / "c" / "fish" / "completions" / "awsudo.fish"
    ).exists()


def test_a_mark_without_its_end_is_left_alone(world: World) -> None:
    """Where it is not clear what is ours, nothing is taken out."""
    text = "# >>> awsudo completion >>>\nmine\n"
    (world.home / ".bashrc").write_text(text)

    done = world.run("completion", "--uninstall", "--yes", "bash")

    assert done.code == 125 and "by hand" in done.err
    assert (world.home / ".bashrc").read_text() == text


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_the_question_is_asked_on_the_terminal(world: World, answer: str) -> None:
    """Only a yes is a yes; the calling shell is the one that is meant."""
    script = f"'{AWSUDO}' completion --install; echo code $?"
    with Screen(["bash", "--noprofile", "--norc", "-c", script], world.environ(), cwd=str(world.home)) as screen:
        screen.until(r"\[y/N\]")

        displayed = screen.type(f"{answer}\n").until("code 0")

    assert (world.home / ".bashrc").exists() is (answer == "y")
    assert (messages.NOTHING_CHANGED in displayed) is (answer != "y")


def test_a_line_added_while_the_question_waits_is_not_lost(world: World) -> None:
    """An installer that appends to ~/.bashrc meanwhile: nothing is written over it, and the next run works."""
    rc = world.home / ".bashrc"
    rc.write_text(_BEFORE)
    script = f"'{AWSUDO}' completion --install; echo code $?"
    with Screen(["bash", "--noprofile", "--norc", "-c", script], world.environ(), cwd=str(world.home)) as screen:
        screen.until(r"\[y/N\]")
        rc.write_text(f"{_BEFORE}\nadded\n")

        displayed = screen.type("y\n").until("code 125")

    assert "by another program" in displayed.replace("\n", "")
    assert rc.read_text() == f"{_BEFORE}\nadded\n"
    assert world.run("completion", "--install", "--yes", "bash").code == 0
    assert rc.read_text().startswith(f"{_BEFORE}\nadded\n# >>>")


@pytest.mark.parametrize(
    ("words", "code"), [(("--install", "--uninstall", "bash"), 2), (("tcsh",), 2), (("bash", "zsh"), 2), ((), 2)]
)
def test_words_that_make_no_sense_are_refused(world: World, words: tuple[str, ...], code: int) -> None:
    """Without a name it is the calling shell's; a test runner is not a shell."""
    done = world.run("completion", *words)

    assert (done.code, done.out) == (code, "") and done.err.startswith("awsudo: ")


@pytest.mark.parametrize("shell", SHELLS)
def test_after_installing_the_next_shell_completes(world: World, shell: str) -> None:
    """From a bare home to TAB: what was installed works, with nothing else set up; and no awsudo runs at start."""
    prompts = {
        "bash": (".bashrc", "PS1='> '\n"),
        "zsh": (".zshrc", "PROMPT='> '; unsetopt prompt_sp; setopt no_beep\n"),
        "fish": (
            ".config/fish/config.fish",
            "function fish_prompt; printf '> '; end; function fish_right_prompt; end; set -g fish_greeting\n",
        ),
    }
    rc, text = prompts[shell]
    (world.home / rc).parent.mkdir(parents=True, exist_ok=True)
    (world.home / rc).write_text(text)
    world.env["PATH"] = f"{Path(AWSUDO).parent}:{world.env['PATH']}"
    assert world.run("completion", "--install", "--yes", shell).code == 0
    start = ["bash", "--noprofile", "-i"] if shell == "bash" else [shell, "-i"]
    with Screen(start, world.environ(), cwd=str(world.home)) as screen:
        screen.until(lambda displayed: screen.before_cursor == "> ")

        screen.type("awsudo ba\t").until(lambda displayed: screen.before_cursor == "> awsudo base ")
