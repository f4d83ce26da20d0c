"""What the first word means, which mistake is reported first, and what a hint says about the word that was wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pexpect
import pytest

from awsudo_py.errors import did_you_mean
from awsudo_py.grammar.registry import RESERVED, SUBCOMMANDS
from tests import messages
from tests.screens import terminal
from tests.servers.strict_sts import StrictSts
from tests.world import World

DEV = "arn:aws:iam::111111111111:role/dev"
TARGET = ("printenv", "AWSUDO_TARGET")


def _profiles(world: World, *names: str) -> None:
    with (world.home / ".aws" / "config").open("a") as config:
        config.writelines(f"[profile {name}]\nrole_arn = {DEV}\nsource_profile = base\n" for name in names)


# issue 10, 1: a profile wins over a subcommand of the same name


def test_a_profile_wins_over_every_subcommand_of_its_name_that_is_not_reserved(world: World, sts: StrictSts) -> None:
    """No release can change what a line does: cold and warm, the profile's role runs the command."""
    names = [name for name in SUBCOMMANDS if name not in RESERVED]
    _profiles(world, *SUBCOMMANDS)
    world.settle()

    for name in names:
        assert world.run(name, *TARGET) == world.run(name, *TARGET) == (0, f"{name}\n", "")
    assert len(sts.calls) == 1 and {"keys", "clear", "help", "demo"} <= set(names)


@pytest.mark.parametrize("name", [name for name in RESERVED if name in SUBCOMMANDS])
def test_a_reserved_word_is_the_subcommand_whatever_the_profiles_are(world: World, name: str) -> None:
    """Scripts and shell start-up files rely on these; -p reaches the profile."""
    _profiles(world, name)

    assert f"awsudo {name}" in world.run(name, "--help").out
    assert world.run("-p", name, *TARGET).out == f"{name}\n"


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_the_short_form_is_always_the_subcommand(world: World, name: str) -> None:
    """`awsudo :NAME`, with a profile of the name and one of the short form itself."""
    _profiles(world, name, f":{name}")

    assert f"Usage: awsudo {name}" in world.run(f":{name}", "--help").out


def test_a_hidden_subcommand_is_named_where_it_was_probably_meant(world: World) -> None:
    """Typed alone, or with a word of the subcommand in the command's place: one line says how to reach it."""
    _profiles(world, "keys", "clear")

    alone, word, option = world.run("clear"), world.run("keys", "rotate", "base"), world.run("clear", "--store", "file")

    assert alone.code == 2 and "  clear is a profile; for the subcommand: awsudo :clear\n" in alone.err
    assert word.err.splitlines()[:2] == [
        "awsudo: command not found: rotate",
        "  keys is a profile; for the subcommand: awsudo :keys rotate base",
    ]
    assert "awsudo :clear --store file" in option.err


def test_a_hidden_subcommand_is_named_when_a_shell_opens(world: World) -> None:
    """On a terminal a shell opens as the profile, and the line stands above it."""
    _profiles(world, "clear")
    with terminal(world, "clear", env={"SHELL": "/bin/sh", "PS1": "> "}) as shell:
        shell.expect_exact("clear is a profile; for the subcommand: awsudo :clear")
        shell.sendline("exit")
        shell.expect(pexpect.EOF)


def test_an_unknown_short_form_is_a_usage_error(world: World, sts: StrictSts) -> None:
    """It can be nothing else, and runs nothing."""
    done = world.run(":kyes", "list")

    assert (done.code, done.err, sts.calls) == (2, "awsudo: no subcommand 'kyes'\n  did you mean keys?\n", [])


def test_completion_knows_that_a_profile_wins(world: World) -> None:
    """TAB offers the profile, and the subcommand in the form that reaches it; what follows is completed accordingly."""
    _profiles(world, "keys")

    first = world.run("_complete", "zsh", "awsudo", "").out
    after = world.run("_complete", "fish", "awsudo", "keys", "").out
    short = world.run("_complete", "fish", "awsudo", ":keys", "rot").out
    begun = world.run("_complete", "fish", "awsudo", ":cl").out

    words = {tuple(line.replace("\\", "").split("\t")[:2]) for line in first.splitlines()}
    assert {("profile", "keys"), ("subcommand", ":keys")} <= words and ("subcommand", "keys") not in words
    assert after.startswith("child 1") or after.startswith("child 2")
    assert "rotate\t" in short and ":clear\t" in begun


# issue 10, 2 and 23: what was taken for the target is looked up first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-u", "terraform", "plan"), "no profile 'terraform'"),
        (("aws", "s3", "ls"), "no profile 'aws'"),
        (("stagng", "terrafrom", "plan"), "no profile 'stagng'"),
        (("list-all",), "no profile 'list-all'"),
        (("111111111111:", "nope"), "111111111111:"),
        (("-p", "nope", DEV, "no-such-command"), "no profile 'nope'"),
    ],
    ids=" ".join,
)
def test_the_target_is_looked_up_before_the_command(
    world: World, sts: StrictSts, words: tuple[str, ...], message: str
) -> None:
    """A typo or an unset variable is reported as the target that it was read as, without a word about commands."""
    done = world.run(*words)

    assert done.code in (2, 125) and message in done.err.splitlines()[0]
    assert "command not found" not in done.err and sts.calls == []


def test_a_name_that_others_contain_is_suggested(world: World) -> None:
    """`payments` for payments-prod and payments-dev; the shortest first, three at most."""
    _profiles(world, "payments-prod", "payments-dev")

    done = world.run("payments", "true")

    assert done.err.splitlines()[1] == "  did you mean payments-dev or payments-prod?"
    assert did_you_mean("x", ["a-x-b"]) == ""
    assert did_you_mean("prod", ["a-prod", "b-prod", "c-prod", "d-prod"]).count("prod") == 3


def test_a_subcommand_that_was_mistyped_is_suggested(world: World) -> None:
    """`awsudo kyes` is not a profile, and close to a subcommand."""
    done = world.run("kyes", "list")

    assert done.code == 125 and "a subcommand? did you mean keys?" in done.err


# issue 10, 3: the hint of command-not-found fits the word


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("VAR=1", "awsudo TARGET env VAR=1 COMMAND…"),
        ("A=b c", "awsudo TARGET env 'A=b c' COMMAND…"),
        (
            "aws s3 ls",
            "leave the quotes out (awsudo TARGET aws …), or let a shell split it: awsudo TARGET sh -c 'aws s3 ls'",
        ),
        ("./no-such", "no such file"),
        ("/no/where/x", "there is no directory /no/where"),
        ("ll", "if it is an alias or a shell function, let your shell run it: awsudo TARGET zsh -ic ll"),
        ("-d", messages.OPTIONS_BEFORE_TARGET),
        ("", "is a variable unset?"),
    ],
)
def test_the_hint_fits_the_word_that_is_not_a_command(world: World, word: str, hint: str) -> None:
    """Only a plain word can be an alias; cold and warm alike."""
    world.env["SHELL"] = "/bin/zsh"
    world.settle()

    cold = world.run("dev", word)
    world.run("dev", "true")
    warm = world.run("dev", word)

    assert cold.code == 127 and hint in cold.err and warm == cold
    assert ("alias" in cold.err) is (word == "ll")


def test_a_script_that_cannot_start_names_the_reason(world: World, tmp_path: Path) -> None:
    """The interpreter that is missing is named; line ends of Windows, and a missing x bit, with what mends them."""
    made = {"gone": "#!/no/such/sh -e\n", "crlf": "#!/bin/sh\r\n", "plain": "#!/bin/sh\n"}
    for name, text in made.items():
        (tmp_path / name).write_bytes(text.encode())
        os.chmod(tmp_path / name, 0o644 if name == "plain" else 0o755)

    gone, crlf, plain = (world.run("dev", f"./{name}", cwd=tmp_path) for name in made)

    assert (gone.code, crlf.code, plain.code) == (127, 127, 126)
    assert gone.err.startswith("awsudo: cannot run ./gone: its interpreter /no/such/sh is missing\n")
    assert "CR LF" in crlf.err and "sed -i" in crlf.err
    assert "chmod +x ./plain" in plain.err


# issue 10, 4: AWS_PROFILE where no target is named


def test_without_a_terminal_aws_profile_is_the_target_of_a_bare_command(world: World) -> None:
    """`awsudo -- COMMAND` in a job that sets AWS_PROFILE; AWS_DEFAULT_PROFILE too, and none is still no target."""
    named = world.run("--", *TARGET, env={"AWS_PROFILE": "dev"})
    default = world.run("-q", "--", *TARGET, env={"AWS_DEFAULT_PROFILE": "dev"})
    neither = world.run("--", *TARGET)

    assert named == default == (0, "dev\n", "")
    assert neither.code == 2 and "no target" in neither.err


def test_on_a_terminal_the_list_opens_with_the_profile_of_the_environment_first(world: World, tmp_path: Path) -> None:
    """Enter takes it."""
    _profiles(world, "aaa", "zzz")
    (tmp_path / "printenv").symlink_to("/usr/bin/printenv")  # and no fzf: the list is awsudo's own
    env = {"AWS_PROFILE": "zzz", "PATH": str(tmp_path), "TERM": "xterm"}

    with terminal(world, "--", *TARGET, env=env) as picking:
        picking.expect_exact("> zzz")
        picking.send("\r")
        picking.expect_exact("zzz\r\n")
        picking.expect(pexpect.EOF)


# issue 10, 24: one meaning everywhere


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (("-d", "15m", "keys", "list"), "--duration"),
        (("--no-cache", "completion", "bash"), "--no-cache"),
        (("--region", "eu-west-1", "clear"), "--region"),
    ],
    ids=" ".join,
)
def test_an_option_before_a_subcommand_that_does_not_take_it_is_refused(
    world: World, words: tuple[str, ...], flag: str
) -> None:
    """Ignored, it would be a silent mistake."""
    done = world.run(*words)

    assert done.code == 2 and f"does not take {flag}" in done.err and "--help" in done.err


@pytest.mark.parametrize("words", [("clear", "-d", "15m"), ("clear", "--region", "x"), ("clear", "dev", "true")])
def test_clear_refuses_inputs_that_it_does_not_use(world: World, words: tuple[str, ...]) -> None:
    """It takes -p, a target and --store; the hint names its own help."""
    done = world.run(*words)

    assert done.code == 2 and done.err.splitlines()[1] == "  see awsudo clear --help"


def test_clear_accepts_a_profile_and_a_store(world: World) -> None:
    """-p ROLE as in a run; --store keeps to one store."""
    world.run("dev", "true")

    keyring = world.run("clear", "--store", "keyring")
    profile = world.run("clear", "-p", "dev")

    assert keyring.err == "awsudo: deleted 0 sessions\n" and "deleted 1 session of dev" in profile.err


@pytest.mark.parametrize(("words", "form"), [(("--json",), "json"), (("--process",), "process")])
def test_export_accepts_json_and_process_as_others_do(world: World, words: tuple[str, ...], form: str) -> None:
    """The same as --format; two formats exclude each other."""
    assert world.run("export", "dev", *words).out == world.run("export", "dev", "--format", form).out
    assert world.run("export", "dev", *words, "--format", "sh").code == 2


@pytest.mark.parametrize("words", ["keys list --bogus", "clear -x", "export --format xml", "export -d", "keys add"])
def test_a_usage_error_names_the_help_of_the_subcommand(world: World, words: str) -> None:
    """Not that of awsudo as a whole."""
    path = words.partition(" -")[0]

    assert f"  see awsudo {path} --help\n" in world.run(*words.split()).err


# issue 10, 15: after Ctrl-Z and fg the question is shown again


def test_a_question_is_prompted_again_after_ctrl_z_and_fg(world: World) -> None:
    """While it is stopped the shell has its terminal as it was; then the question comes again."""
    with (world.home / ".aws" / "config").open("a") as config:
        config.write("mfa_serial = arn:aws:iam::111111111111:mfa/alice\n")
    environ = world.environ({"PS1": "$ ", "TERM": "dumb"})
    shell = pexpect.spawn("bash", ["--norc", "--noprofile", "-i"], env=environ, encoding="utf-8", timeout=20)
    shell.expect_exact("$ ")

    shell.sendline(f"{world.command()[0]} dev true")
    shell.expect_exact("for profile base: ")
    shell.send("\x1a")
    shell.expect_exact("Stopped")
    shell.sendline("stty -a | tr ' ' '\\n' | grep echo$")
    shell.expect_exact("\r\necho\r\n")
    shell.sendline("fg")
    shell.expect_exact("for profile base: ")
    shell.send("\x03")
    shell.expect_exact("$ ")
