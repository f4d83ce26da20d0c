"""The command line as a contract: every form, every exit code, every message."""

from __future__ import annotations

import errno
import importlib
import os
import re
import resource
import subprocess
import typing
from pathlib import Path

import pexpect
import pytest

from awsudo_py.cli import core_dumps
from awsudo_py.cli.options import Options, RunOptions
from awsudo_py.errors import of_system
from awsudo_py.grammar.options import REQUEST
from awsudo_py.grammar.registry import SUBCOMMANDS, Subcommand
from tests import messages
from tests.conftest import needs
from tests.keyring_session import KeyringSession
from tests.screens import PseudoTerminal, terminal
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, World

DEV = "arn:aws:iam::111111111111:role/dev"
ECHO = ("sh", "-c", 'printf "%s|" "$AWSUDO_ROLE_ARN" "$@"', "sh")


@pytest.fixture
def base(world: World) -> World:
    """The world with the ambient profile `base`, and profiles that are called like subcommands."""
    config = world.home / ".aws" / "config"
    role = f"role_arn = {DEV}\nsource_profile = base\n"
    config.write_text(
        config.read_text() + "".join(f"[profile {name}]\n{role}" for name in ("export", "list", "111111111111:x"))
    )
    world.env["AWS_PROFILE"] = "base"
    return world


@pytest.mark.parametrize(
    "before",
    [
        ("dev",),
        ("dev", "--"),
        ("exec", "dev"),
        ("exec", "dev", "--"),
        ("-p", "dev"),
        ("-p", "dev", "--"),
        ("-u", "dev"),
        ("--profile=dev",),
        ("-p", "export"),
        ("exec", "export"),
        ("list",),
        (DEV,),
        (f'"{DEV}"',),
        (f"'{DEV}'",),
        ("111111111111:dev",),
        ("aws:111111111111:dev",),
        ("111111111111:x",),
        ("-p", "base", DEV),
        ("-p", "base", "111111111111:dev", "--"),
        ("-p", "base", "-d", "900", DEV),
        ("-d", "900", "-p", "base", "-n", "ann", DEV),
        ("-q", "dev"),
        ("-d", "15m", "exec", "dev"),
        ("exec", "-d", "15m", "-p", "base", DEV),
    ],
    ids=" ".join,
)
def test_a_form_of_the_command_line_runs_the_command_as_the_role(base: World, before: tuple[str, ...]) -> None:
    """However it is written, the command runs as the role and gets its words, the second time as the first."""
    words = ("-l", "--help", "--", "", "a b", "-p", "$HOME", "*")
    base.settle()

    cold = base.run(*before, *ECHO, *words)
    warm = base.run(*before, *ECHO, *words)

    assert (cold.code, cold.out) == (0, f"{DEV}|" + "".join(f"{word}|" for word in words)), cold.err
    assert warm == cold


#: What stands before the command, the words from there on, and which of them is the command.
DASHES = [
    (("dev",), ("--", *ECHO, "--"), ("--",)),
    (("exec", "-q", "--", "dev"), ("--", *ECHO, "--", "-l"), ("--", "-l")),
    (("-p", "dev", "--"), (*ECHO, "x"), ("x",)),
    (("-p", "base", "--quiet", DEV), ("--", *ECHO, "-p", "x"), ("-p", "x")),
    (("exec", "--", "dev"), ("--", *ECHO, ""), ("",)),
    (("-vqd15m", "-p", "base", DEV), (*ECHO, "-vqd15m"), ("-vqd15m",)),
    (("--duration=900", "-pbase", DEV), (*ECHO, "--duration=900"), ("--duration=900",)),
]


@pytest.mark.parametrize(("before", "words", "arrived"), DASHES, ids=[" ".join(case[0]) for case in DASHES])
def test_the_first_word_other_than_an_option_ends_the_options_and_one_dash_dash_is_dropped(
    base: World, before: tuple[str, ...], words: tuple[str, ...], arrived: tuple[str, ...]
) -> None:
    """Cold and warm alike; every later -- is the command's own."""
    base.settle()

    cold = base.run(*before, *words)
    warm = base.run(*before, *words)

    assert (cold.code, cold.out) == (0, f"{DEV}|" + "".join(f"{word}|" for word in arrived)), cold.err
    assert warm == (0, cold.out, "")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("dev", "--", "--", "true"), "--"),
        (("-p", "dev", "--", "--", "true"), "--"),
        (("dev", "-d", "900", "true"), "-d"),
        (("dev", "--help"), "--help"),
        (("dev", "-v", "true"), "-v"),
        (("-p", "dev", "exec", "true"), "exec"),
        (("-p", "base", "--", DEV, "true"), DEV),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_what_stands_where_the_command_stands_is_the_command(
    base: World, sts: StrictSts, words: tuple[str, ...], command: str
) -> None:
    """No word behind the target is an option or a role, whatever it looks like: it is looked for, and not found."""
    done = base.run(*words)

    assert (done.code, sts.calls) == (127, [])
    assert done.err.startswith(f"awsudo: command not found: {command}\n")


def test_an_option_after_the_target_is_an_error_with_the_order(world: World) -> None:
    """`awsudo dev -d 15m CMD` is what many type once: the hint says how it is written."""
    done = world.run("dev", "-d", "15m", "true")

    assert done.err == (f"awsudo: command not found: -d\n  {messages.OPTIONS_BEFORE_TARGET}\n")


def test_a_profile_that_is_called_like_a_subcommand_can_be_reached(world: World) -> None:
    """Each subcommand that --help names leaves two ways to a profile of its name: -p and exec."""
    names = [*SUBCOMMANDS]
    with (world.home / ".aws" / "config").open("a") as config:
        config.writelines(f"[profile {name}]\nrole_arn = {DEV}\nsource_profile = base\n" for name in names)

    for name in names:
        output = [world.run(*before, name, "printenv", "AWSUDO_TARGET") for before in (("-p",), ("exec",))]

        assert output == [(0, f"{name}\n", "")] * 2

    assert {"exec", "export"} <= set(names)


@pytest.mark.parametrize("words", [("-p", "", DEV, "true"), ("-p", "", "dev", "true"), ("exec", "-p", "", DEV, "true")])
def test_an_empty_profile_falls_back_on_nothing(base: World, sts: StrictSts, words: tuple[str, ...]) -> None:
    """`-p "$UNSET" ROLE` must not run with whatever credentials are at hand, nor take the next word for the target."""
    done = base.run(*words)

    assert done.code in (2, 125)
    assert done.err.startswith("awsudo: ")
    assert sts.calls == []


def test_a_bad_value_is_a_usage_error_only_where_it_was_typed(world: World, sts: StrictSts) -> None:
    """2 for an option, 125 for a variable: a script with a correct line gets no usage error."""
    typed = world.run("-d", "soon", "dev", "true")
    found = world.run("dev", "true", env={"AWSUDO_DURATION": "soon"})

    assert (typed.code, found.code, sts.calls) == (2, 125, [])
    assert typed.err.startswith("awsudo: --duration: ") and found.err.startswith("awsudo: AWSUDO_DURATION: ")


@pytest.mark.parametrize(
    ("words", "code", "output"),
    [
        ((), 2, "no target"),
        (("--bogus", "dev", "true"), 2, "--bogus"),
        (("-d",), 2, "requires an argument"),
        (("dev",), 2, "no command for dev, and no terminal"),
        (("export",), 2, "no target"),
        (("export", "dev", "true"), 2, "unexpected extra argument"),
        (("export", "--unset", "dev"), 2, "does not accept a target"),
        (("export", "dev", "--format", "xml"), 2, "xml"),
        (("keys",), 2, "keys needs a subcommand: add, list,"),
        (("keys", "lits"), 2, "did you mean list?"),
        (("keys", "add"), 2, "missing argument"),
        (("keys", "add", "x", "--from-env", "--import"), 2, messages.EXCLUSIVE),
        (("keys", "add", "x", "--backup"), 2, "goes with --import"),
        (("keys", "rotate", "nope"), 125, "no key is stored as 'nope'"),
        (("keys", "mfa", "dve"), 125, "did you mean dev?"),
        (("prdo", "true"), 125, "no profile 'prdo'"),
        (("dve", "true"), 125, "did you mean dev?"),
        (("dev", "no-such-command"), 127, "command not found: no-such-command"),
        (("dev", "/nowhere/command"), 127, "command not found: /nowhere/command"),
        (("dev", ""), 127, "command not found"),
        (("dev", "/"), 126, "it is a directory"),
        (("dev", "/etc/passwd"), 126, "not executable"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_what_cannot_be_done_is_a_line_a_hint_and_an_exit_code(
    world: World, sts: StrictSts, words: tuple[str, ...], code: int, output: str
) -> None:
    """One clear line on stderr, nothing on stdout, and STS is not asked."""
    done = world.run(*words)

    assert (done.code, done.out, sts.calls) == (code, "", [])
    assert done.err.startswith("awsudo: ") and output.lower() in done.err.splitlines()[0].lower() + done.err.lower()


def test_a_missing_command_costs_nothing_on_the_short_way_either(world: World) -> None:
    """127 and the same words, cold and warm."""
    world.run("dev", "true")

    done = world.run("dev", "no-such-command")

    assert done.code == 127 and "command not found: no-such-command" in done.err


def test_the_help_is_complete_and_has_examples(world: World) -> None:
    """Every option, subcommand and exit code is in it, and it says where help for a subcommand is."""
    from awsudo_py.grammar.options import REQUEST
    from awsudo_py.grammar.registry import SUBCOMMANDS

    done = world.run("help", "options")

    assert (done.code, done.err) == (0, "")
    for name in (*(flag for option in REQUEST for flag in option.flags), "125", "-h"):
        assert name in done.out
    assert set(SUBCOMMANDS) - {"help"} <= set(world.run("--help").out.split())
    lines: list[tuple[tuple[str, ...], Subcommand]] = [((name,), line) for name, line in SUBCOMMANDS.items()]
    lines += [((name, sub), inner) for name, line in SUBCOMMANDS.items() for sub, inner in line.subs.items()]
    for words, line in lines:
        inner = world.run(*words, "--help")
        assert inner.code == 0 and f"awsudo {' '.join(words)}" in inner.out
        output = " ".join(inner.out.split())
        assert line.help in output
        run = {option.name for option in REQUEST} if set(REQUEST) <= set(line.options) else set()
        assert not run or "awsudo help options" in output
        own = [option for option in line.options if option.name not in run]
        assert [flag for option in own for flag in option.flags if flag not in output] == []
        assert [sub.name for sub in line.subs.values() if sub.help not in output] == []


def test_version_is_one_line(world: World) -> None:
    """--version: the name and the number."""
    from awsudo_py import __version__

    assert world.run("--version").out == f"awsudo {__version__}\n"


def test_quiet_prints_nothing_and_verbose_prints_each_step(world: World) -> None:
    """-v: what was resolved, from which file, cache or call; -q: nothing but errors."""
    verbose = world.run("-v", "dev", "true").err
    again = world.run("-v", "dev", "true").err

    resolved = (
        "awsudo: dev: starts from long-lived keys of profile base, ~/.aws/credentials:2\n"
        f"awsudo: assumes {DEV}, ~/.aws/config:2\n"
        f"awsudo: STS: {world.env['AWS_ENDPOINT_URL_STS']}\n"
        "awsudo: region of the command: eu-west-1\n"
    )
    assert re.fullmatch(
        re.escape(resolved) + rf"awsudo: session of {DEV}: from AWS, \d+\.\d\d s\nawsudo: valid until \S+Z\n", verbose
    )
    assert again.startswith(f"{resolved}awsudo: session of {DEV}: from the cache, {world.cache}\n")
    assert world.run("-q", "base", "true").err == ""
    assert world.run("-q", "prdo", "true").err.startswith("awsudo: no profile 'prdo'")


# A shell instead of a command


def _terminal(world: World, *words: str, env: dict[str, str | None] | None = None) -> PseudoTerminal:
    return terminal(world, *words, env={"SHELL": "/bin/sh", "PS1": "prompt> ", **(env or {})})


@pytest.mark.parametrize("words", [("dev",), ("dev", "--"), ("exec", "dev"), ("-p", "dev"), ("-p", "base", DEV)])
def test_a_target_alone_opens_a_shell_that_names_the_target(
    world: World, sts: StrictSts, words: tuple[str, ...]
) -> None:
    """On a terminal: $SHELL as the target, one line that says who one is now and until when; it ends as it likes."""
    terminal = _terminal(world, *words)
    terminal.expect_exact("prompt> ")
    output = terminal.before

    terminal.sendline('echo "<$AWSUDO_ROLE_ARN><$AWS_ACCESS_KEY_ID>"; exit 7')
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert re.fullmatch(
        r"awsudo: a shell as \S+ \(arn:aws:sts::111111111111:assumed-role/dev/[^)]+\), until \S+Z; to leave: exit\r\n",
        output,
    )
    assert f"<{DEV}><{sts.issued[0].access_key_id}>" in terminal.before
    assert terminal.exitstatus == 7


def test_a_quiet_shell_prints_nothing(world: World) -> None:
    """-q: no greeting."""
    terminal = _terminal(world, "-q", "dev")

    terminal.expect_exact("prompt> ")
    terminal.sendeof()
    terminal.expect(pexpect.EOF)

    assert terminal.before.strip() == ""


def test_the_shell_is_the_users_own(world: World) -> None:
    """$SHELL, whatever it is; where it is unset or empty, the one that the account has, or /bin/sh."""
    own = world.home / "own shell"
    own.write_text("#!/bin/sh\necho own; exit 5\n")
    own.chmod(0o755)
    terminal = _terminal(world, "dev", env={"SHELL": str(own)})

    terminal.expect(pexpect.EOF)
    terminal.close()

    assert (terminal.before.splitlines()[-1], terminal.exitstatus) == ("own", 5)
    for unset in (None, ""):
        terminal = _terminal(world, "-q", "dev", env={"SHELL": unset})
        terminal.sendline("exit 6")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 6


def test_a_shell_that_is_not_there_costs_nothing(world: World, sts: StrictSts) -> None:
    """127, before STS is asked, and the message is about SHELL."""
    terminal = _terminal(world, "dev", env={"SHELL": "/no/such/shell"})

    terminal.expect(pexpect.EOF)
    terminal.close()

    assert (terminal.exitstatus, sts.calls) == (127, [])
    assert "/no/such/shell" in terminal.before and "SHELL" in terminal.before


@pytest.mark.parametrize("redirection", ["</dev/null", ">out", "| cat"])
def test_without_a_terminal_a_target_alone_is_a_usage_error(world: World, sts: StrictSts, redirection: str) -> None:
    """A script without a command gets an error; no shell reads the rest of the script as its input."""
    line = f'"{AWSUDO}" dev {redirection}; echo "code ${{PIPESTATUS[0]}}"'
    terminal = pexpect.spawn(
        "bash", ["-c", line], env=world.environ(), cwd=str(world.home), encoding="utf-8", timeout=20
    )

    terminal.expect(pexpect.EOF)

    assert "awsudo: no command for dev, and no terminal for a shell\r\n" in terminal.before
    assert "code 2\r\n" in terminal.before
    assert sts.calls == []


# Help, and streams that cannot be written to


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_every_example_of_the_help_runs_as_it_stands(world: World, sts: StrictSts, tmp_path: Path) -> None:
    """A line that is copied from --help works, where its names exist; what it asks is answered with Enter."""
    for name in ("deploy", "ops", "prod"):
        sts.add_role(f"arn:aws:iam::123456789012:role/{name}")
    world.config("[profile prod]\nrole_arn = arn:aws:iam::123456789012:role/prod\nsource_profile = base\n")
    for name in ("aws", "make", "terraform"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    world.at_hand()
    world.env["PATH"] = f"{tmp_path}:{world.env['PATH']}"
    displayed = world.run("help", "examples").out.partition("Examples:\n")[2]
    lines = [re.split(r"\s{3,}", line.strip())[0] for line in displayed.splitlines()]

    ended = {}
    with KeyringSession() as session:
        environ = world.environ({**session.env, "SHELL": "/bin/true", "AWS_PROFILE": "base", "TERM": "dumb"})
        for line in lines:
            terminal = pexpect.spawn("sh", ["-c", line], env=environ, encoding="utf-8")
            if " -- " in line:
                terminal.expect_exact("Number or name: ")
            terminal.send("1\r")
            terminal.expect(pexpect.EOF)
            terminal.close()
            ended[line] = terminal.exitstatus

    assert len(lines) >= 5
    assert ended == dict.fromkeys(lines, 0)


def test_every_option_of_the_help_is_described() -> None:
    """No option stands there without words, in the main help and in each subcommand's."""
    for options in (REQUEST, *(subcommand.options for subcommand in SUBCOMMANDS.values())):
        assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_the_help_can_be_read_in_every_encoding(world: World, encoding: str) -> None:
    """A terminal that is not UTF-8 gets a stand-in for what it cannot show, not an error."""
    done = world.run("--help", env={"PYTHONIOENCODING": encoding})

    assert (done.code, done.err) == (0, "")
    assert "Common options:" in done.out


@pytest.mark.parametrize("words", ["--help", "--version", "exec --help"])
def test_a_closed_reader_is_not_an_error(world: World, words: str) -> None:
    """`awsudo --help | head -1`: no message, and the code is a shell's for SIGPIPE."""
    reads, writes = os.pipe()
    os.close(reads)

    done = subprocess.run(
        world.command(*words.split()), env=world.environ(), stdout=writes, stderr=subprocess.PIPE, check=False
    )
    os.close(writes)

    assert done.returncode in (141, -13)
    assert done.stderr == b""


@pytest.mark.parametrize("words", ["--help", "--version"])
def test_a_full_disk_is_explained(world: World, words: str) -> None:
    """125 and one line."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            world.command(words), env=world.environ(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (done.returncode, done.stderr) == (125, "awsudo: cannot write to stdout: No space left on device\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
@pytest.mark.parametrize(
    ("words", "code"), [("--version", 0), ("--help", 0), ("prdo true", 125), ("", 2), ("dev no-such-command", 127)]
)
def test_no_closed_stream_changes_the_exit_code(world: World, words: str, code: int, closed: str) -> None:
    """With stderr closed the code is the same, and the message goes nowhere else."""
    line = f'"{AWSUDO}" {words} {closed}'

    done = subprocess.run(["sh", "-c", line], env=world.environ(), capture_output=True, text=True, check=False)

    assert done.returncode == code
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr and "ignored" not in done.stderr


# The border between the tables and the subcommands' functions


def _lines() -> list[tuple[str, Subcommand]]:
    """Every subcommand that has a module, with its words."""
    found = []
    for name, line in SUBCOMMANDS.items():
        found += [(f"{name} {sub}", inner) for sub, inner in line.subs.items()] or [(name, line)]
    return found


@pytest.mark.parametrize(("path", "line"), [pytest.param(*each, id=each[0]) for each in _lines()])
def test_a_subcommand_has_a_typed_record_with_exactly_what_its_line_takes(path: str, line: Subcommand) -> None:
    """A field for each option and argument, of the type that its table entry makes: no more, no less."""
    shape: dict[str, object] = {}
    for option in line.options:
        shape[option.field] = bool if not option.metavar else tuple[str, ...] if option.many else str | None
    for argument in line.arguments:
        shape[argument.field] = tuple[str, ...] if argument.many else str if argument.required else str | None
    module = importlib.import_module(line.module)
    kinds = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Options)]

    # its own, or where it takes just what a run takes, that of a run; mypy sees that the function has the same
    record = next((kind for kind in kinds if kind.__module__ == module.__name__), RunOptions)
    assert typing.get_type_hints(record) == shape
    assert module.command.help.splitlines()[0].strip() == line.help


#: What needs no AWS, and answers at once.
QUICK = ("completion bash", "shell-init bash", "export --unset")


@pytest.mark.parametrize("words", QUICK)
def test_a_file_that_cannot_be_written_is_explained(world: World, words: str) -> None:
    """A quick answer on a closed, a full or a broken stdout ends as export does: no internal error, no traceback."""
    run = f'"{AWSUDO}" {words}'

    closed = world.run("true", prefix=("sh", "-c", f"{run} >&-", "-"))
    full = world.run("true", prefix=("sh", "-c", f"{run} >/dev/full", "-"))
    broken = world.run("true", prefix=("bash", "-c", f"{run} | :; exit ${{PIPESTATUS[0]}}", "-"))

    for done, why in ((closed, "it is closed"), (full, "No space left on device")):
        assert "internal error" not in done.err and "Traceback" not in done.err
        assert (done.code, done.err) == (125, f"awsudo: cannot write to stdout: {why}\n")
    assert broken.code in (0, 141) and broken.err == ""


def test_too_few_open_files_are_explained(world: World) -> None:
    """A limit that is too low for a run that calls AWS is named; it is not an internal error."""
    done = world.run("dev", "true", prefix=("sh", "-c", 'ulimit -n 5; exec "$@"', "-"))

    assert done.code in (0, 125) and "too many open files" in done.err.lower()
    assert "internal error" not in done.err and "Traceback" not in done.err


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM, errno.ENOSPC])
def test_an_error_of_the_system_has_words_of_its_own(number: int) -> None:
    """Whatever a system call refuses: no internal error, and a file is named where there is one."""
    for error in (OSError(number, os.strerror(number)), OSError(number, os.strerror(number), "/lib/a.py")):
        output = of_system(error)
        assert output.message and "internal" not in output.message and output.exit_code == 125
    assert of_system(MemoryError()).message == "out of memory"


def test_a_forbidden_limit_on_core_dumps_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox may forbid prlimit: what is done for safety's sake on top is then left out."""

    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(resource, "setrlimit", forbidden)

    assert core_dumps.forbid()() is None
