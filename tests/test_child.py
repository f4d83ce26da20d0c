"""Becoming the command: the child notices nothing of awsudo (design, the rules of the child).

Whatever the child can see is looked at twice: cold, after a full run that asked STS, and warm, after a replayed hit.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import pexpect
import pytest

from awsudo_py import child
from awsudo_py.errors import CommandCannotRun
from tests.conftest import needs
from tests.servers.strict_sts import StrictSts
from tests.world import AWSUDO, Done, Ready, World, open_files, until

#: Signals that end a process.
DEADLY = sorted(set(range(1, 32)) - {int(getattr(signal, f"SIG{name}")) for name in
    ("CHLD", "CONT", "URG", "WINCH", "STOP", "TSTP", "TTIN", "TTOU")})  # fmt: skip
#: No core files of children that are killed on purpose.
NO_CORE = ("sh", "-c", 'ulimit -c 0; exec "$@"', "sh")
#: Prints its words, NUL-parted.
PRINT_WORDS = (sys.executable, "-I", "-c", "import os, sys; os.write(1, b'\\0'.join(map(os.fsencode, sys.argv[1:])))")
#: Writes into the file that its first word names which descriptors it was born with.
LIST_DESCRIPTORS = (
    sys.executable,
    "-I",
    "-c",
    "import os, sys; open(sys.argv[1], 'w').write(' '.join(sorted(os.listdir('/proc/self/fd'), key=int)))",
)
#: What a process ignores and blocks.
SIGNALS = ("grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status")
#: Runs a command as its child, the way `awsudo demo --shell` runs a shell.
SUPERVISE = (
    sys.executable,
    "-c",
    "import os, sys; from awsudo_py import child, child_supervision as s;"
    "s.end_like(s.supervise(child.find(sys.argv[1], os.environ), sys.argv[1:], os.environ))",
)
#: Waits for Ctrl-C and a while for a second one, then says how many came.
COUNT_INTERRUPTS = (
    sys.executable,
    "-I",
    "-c",
    """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("rea" + "dy", flush=True)
signal.sigwait([signal.SIGINT])
again = signal.sigtimedwait([signal.SIGINT], 0.3)
print("interrupts:", 2 if again else 1, flush=True)
""",
)


def _shell(prelude: str) -> tuple[str, ...]:
    """To put before a command: a shell that does the prelude, then becomes the command."""
    return ("bash", "-c", f'{prelude}; exec "$@"', "bash")


def _directly(world: World, command: Sequence[str], *, prefix: tuple[str, ...] = ()) -> Done:
    """The same command in the same surroundings, without awsudo."""
    done = subprocess.run(
        [*prefix, *command], env=world.environ(), input="", capture_output=True, text=True, check=False, cwd=world.home
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def _both(world: World, *words: str, env: dict[str, str | None] | None = None) -> tuple[Done, Done]:
    """The line as a full run (in an environment never seen before) and as a hit; the session and the verdict are kept."""
    assert world.entries("replay"), "nothing to replay"
    unseen: dict[str, str | None] = {**(env or {}), "AWS_NEVER_SEEN": uuid.uuid4().hex}
    return world.run(*words, env=unseen), world.run(*words, env=env)


def _state(pid: int) -> str:
    """The kernel's letter for what a process is doing."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]


# How it ends


@pytest.mark.parametrize("code", [3, 125, 255])
def test_the_childs_exit_code_is_awsudos(world: World, ready: Ready, code: int) -> None:
    """Whatever number the command ends with, those of awsudo's own failures included, is what the caller gets."""
    before = ready()

    done = world.run(*before, "sh", "-c", f"exit {code}")

    assert done == (code, "", "")


def test_exit_codes_come_through(world: World) -> None:
    """Those with a meaning for shells, for awsudo or for nobody, one after the other under one shell."""
    codes = [*range(4), 42, 64, 78, *range(124, 132), 137, 141, 143, 192, 254, 255]
    world.settle()
    world.run("dev", "true")
    script = f'for code in {" ".join(map(str, codes))}; do "$0" dev sh -c "exit $code"; echo $?; done'

    output = subprocess.check_output(["sh", "-c", script, AWSUDO], env=world.environ(), text=True)

    assert [int(line) for line in output.splitlines()] == codes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGPIPE])
def test_a_child_that_a_signal_kills_is_seen_to_die_of_it(world: World, ready: Ready, number: int) -> None:
    """No shell's 128 + n stands between: the caller's wait() tells the signal."""
    before = ready()

    done = world.run(*before, "sh", "-c", f"ulimit -c 0; kill -{number:d} $$")

    assert done == (-number, "", "")


def test_every_deadly_signal_comes_through(world: World) -> None:
    """All signals that end a process, one after the other."""
    world.settle()
    world.run("dev", "true")

    codes = {number: world.run("dev", "sh", "-c", f"ulimit -c 0; kill -{number} $$").code for number in DEADLY}

    assert codes == {number: -number for number in DEADLY}


def test_the_child_has_the_process_id_that_awsudo_was_started_under(world: World, ready: Ready) -> None:
    """Rule 1: we are gone, so that a supervisor's pid file, `kill $!` and `wait` concern the command itself."""
    line = world.command(*ready(), "sh", "-c", "echo $$ $PPID")

    with subprocess.Popen(line, env=world.environ(), stdout=subprocess.PIPE, text=True) as process:
        output, _ = process.communicate(timeout=60)

    assert output.split() == [str(process.pid), str(os.getpid())]


# What it is called with


#: Words that somebody on the way could take for his own, expand, drop or re-encode.
WORDS = (
    ("-l", "--help", "--version", "-h", "-p", "-d900", "--refresh", "-", "--=", "--"),
    ("--", "--", "x", "--"),
    ("", "", "x", ""),
    ("a b", " ", "\t\n", "*", "~", "$HOME", "$(id)", "`id`", "'", '"', "\\", "\\n", "%s", "x=y", "#", "!!"),
    ("é", "😀", "\x1b[31m", "\x7f", "\u202e", "\udcff\udcfe\udc80", "a\udce9b"),
    ("a" * 100_000,),
    tuple(str(number) for number in range(5_000)),
)


def test_the_commands_words_reach_it_byte_for_byte(world: World) -> None:
    """Rule 1: no word after the command is read, expanded, dropped or re-encoded."""
    world.settle()
    world.run("dev", "true")

    given = {words: _both(world, "dev", *PRINT_WORDS, *words) for words in WORDS}

    assert {words: (full, hit) for words, (full, hit) in given.items()} == {
        words: (Done(0, "\0".join(words), ""),) * 2 for words in WORDS
    }


def test_no_locale_changes_the_commands_words(world: World, ready: Ready) -> None:
    """Bytes stay bytes where the locale is plain ASCII, too."""
    env: dict[str, str | None] = {"LC_ALL": "C"}
    before = ready(env=env)

    done = world.run(*before, *PRINT_WORDS, "é", "\udcff", env=env)

    assert done == (0, "é\0\udcff", "")


@pytest.mark.parametrize(
    "command",
    ["a tool", "x:y", "arn:tool", "'quoted'", "-dashed", "--help", "t\udcffol", "t\nl", "é", "exec", "export"],
)
def test_a_command_may_be_called_anything(world: World, tmp_path: Path, command: str) -> None:
    """After TARGET and -- comes the command, whatever its name looks like."""
    _script(tmp_path / "bin" / command, "#!/bin/sh\necho ran\n")
    env: dict[str, str | None] = {"PATH": f"{tmp_path}/bin:{world.env['PATH']}"}
    world.settle()

    first = world.run("dev", "--", command, env=env)
    second = world.run("dev", "--", command, env=env)

    assert first == second == (0, "ran\n", "")


def test_the_child_is_called_as_the_user_wrote_it(world: World) -> None:
    """The command's own name is the word that was typed, not where it was found: busybox and friends go by it."""
    (world.home / "cat").symlink_to("/bin/cat")
    world.settle()
    world.run("dev", "true")

    for written in ("cat", "/bin/cat", "../home/./cat"):
        called = _both(world, "dev", written, "/proc/self/cmdline")

        assert called == ((0, f"{written}\0/proc/self/cmdline\0", ""),) * 2


# Signals, timers, limits: what survives exec


@pytest.mark.parametrize("prelude", [":", "trap '' HUP INT QUIT TERM USR1 USR2 ALRM CHLD TSTP"])
def test_the_child_ignores_what_it_would_ignore_without_awsudo(world: World, ready: Ready, prelude: str) -> None:
    """Rule 1: what Python ignores is back at its default, what the caller ignores (nohup, cron) stays ignored."""
    before = ready()
    expected = _directly(world, SIGNALS, prefix=_shell(prelude))

    done = world.run(*before, *SIGNALS, prefix=_shell(prelude))

    assert done == expected


def test_the_child_blocks_what_it_would_block_without_awsudo(world: World, ready: Ready) -> None:
    """The signal mask is the caller's."""
    blocking = (
        sys.executable,
        "-c",
        "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [10, 17]);"
        "os.execvp(sys.argv[1], sys.argv[1:])",
    )
    before = ready()

    done = world.run(*before, *SIGNALS, prefix=blocking)

    assert "SigBlk:\t0000000000010200\n" in done.out


@needs("nohup")
def test_nohup_before_awsudo_holds_for_the_child(world: World, ready: Ready) -> None:
    """`nohup awsudo …` protects the command from a closed terminal."""
    before = ready()

    done = world.run(*before, "sh", "-c", "kill -HUP $$; echo alive", prefix=("nohup",))

    assert (done.code, done.out) == (0, "alive\n")


def test_a_pipeline_ends_as_it_would_without_awsudo(world: World, ready: Ready) -> None:
    """Rule 1: `awsudo dev yes | head -1` prints one line, nobody complains, and yes dies of SIGPIPE."""
    line = f'"$@" yes | head -1; echo "${{PIPESTATUS[0]}}" # {AWSUDO}'
    before = ready()

    done = _directly(world, world.command(*before), prefix=("bash", "-c", line, "bash"))

    assert done == (0, f"y\n{128 + signal.SIGPIPE}\n", "")


def test_a_child_that_writes_beyond_the_file_size_limit_dies_of_it(world: World, ready: Ready) -> None:
    """Rule 1: SIGXFSZ is at its default, too."""
    before = ready()

    done = world.run(
        *before, "dd", "if=/dev/zero", "of=big", "bs=100k", "count=1", prefix=_shell("ulimit -c 0; ulimit -f 16")
    )

    assert (done.code, done.out) == (-signal.SIGXFSZ, "")


@pytest.mark.parametrize("seconds", [0, 30])
def test_a_timer_that_the_caller_set_still_runs_for_the_child(world: World, ready: Ready, seconds: int) -> None:
    """`perl -e 'alarm 60; exec @ARGV' awsudo …` limits the command; where no timer was set, none runs."""
    alarmed = (
        sys.executable,
        "-c",
        f"import os, signal, sys; signal.alarm({seconds}); os.execv(sys.argv[1], sys.argv[1:])",
    )
    remaining = (sys.executable, "-c", "import signal; print(signal.getitimer(signal.ITIMER_REAL)[0] > 0)")
    before = ready()

    done = world.run(*before, *remaining, prefix=alarmed)

    assert done == (0, f"{seconds > 0}\n", "")


def test_the_callers_timer_ends_a_run_that_waits_for_aws(world: World, sts: StrictSts) -> None:
    """A time limit of the caller's counts while STS is asked, too."""
    sts.fail_next("hang")
    alarmed = (
        sys.executable,
        "-c",
        "import os, signal, sys; signal.setitimer(signal.ITIMER_REAL, 1.5); os.execv(sys.argv[1], sys.argv[1:])",
    )
    begun = time.monotonic()

    done = world.run("dev", "true", prefix=alarmed)

    assert (done.code, done.out) == (-signal.SIGALRM, "")
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_the_umask_is_the_childs_and_never_the_caches(world: World, ready: Ready, umask: int) -> None:
    """umask 000: the child's files are as open as asked for, ours are closed (cache rule 1)."""
    before = ready()

    done = world.run(*before, "bash", "-c", "umask", prefix=_shell(f"umask {umask:03o}"))

    stored = list(world.cache.iterdir())
    assert done == (0, f"{umask:04o}\n", "")
    assert stored and {path.stat().st_mode & 0o777 for path in stored} == {0o600}
    assert world.cache.stat().st_mode & 0o777 == 0o700


def test_limits_and_directory_are_the_callers(world: World, ready: Ready, tmp_path: Path) -> None:
    """ulimit and the working directory pass through."""
    (tmp_path / "here").mkdir()
    before = ready()

    done = world.run(
        *before, "bash", "-c", "ulimit -n; nice; pwd", prefix=("nice", "-n", "3", *_shell("ulimit -n 40")),
        cwd=tmp_path / "here",
    )  # fmt: skip

    assert done == (0, f"40\n{min(os.nice(0) + 3, 19)}\n{tmp_path}/here\n", "")


def test_a_directory_that_is_gone_does_not_matter(world: World, ready: Ready) -> None:
    """A working directory that was removed (a branch switched away) stops no command."""
    before = ready()

    done = world.run(*before, "echo", "ran", prefix=_shell("mkdir gone; cd gone; rmdir ../gone"))

    assert done == (0, "ran\n", "")


def test_a_relative_cache_in_a_deleted_directory_is_explained(world: World) -> None:
    """Cache rule 6: where the cache cannot be, the command runs all the same."""
    gone = _shell("mkdir gone; cd gone; rmdir ../gone")

    done = world.run("dev", "echo", "ran", env={"AWSUDO_CACHE_DIR": "cache"}, prefix=gone)

    assert (done.code, done.out) == (0, "ran\n")
    assert "internal error" not in done.err


# Descriptors and streams


@pytest.mark.parametrize("prelude", ["exec 5<&0 8>&1 9>/dev/null", "exec 0<&-", "exec 2>&-", "exec 0<&- 1>&- 2>&-"])
def test_the_child_has_the_descriptors_it_would_have_without_awsudo(
    world: World, ready: Ready, tmp_path: Path, prelude: str
) -> None:
    """Rule 1: inherited ones arrive, closed ones stay closed, and none of ours is left open in the child."""
    before = ready()
    _directly(world, [*LIST_DESCRIPTORS, str(tmp_path / "expected")], prefix=_shell(prelude))

    done = world.run(*before, *LIST_DESCRIPTORS, str(tmp_path / "found"), prefix=_shell(prelude))

    assert done == (0, "", "")
    assert (tmp_path / "found").read_text() == (tmp_path / "expected").read_text()


def test_an_inherited_descriptor_is_the_same_pipe(world: World, ready: Ready) -> None:
    """What a parent passes on (a make jobserver, say) works in the child under its number."""
    before = ready()
    reads, writes = os.pipe()

    with os.fdopen(reads, "rb") as output:
        line = world.command(*before, "bash", "-c", f"echo through the pipe >&{writes}")
        code = subprocess.run(line, env=world.environ(), pass_fds=[writes], check=False).returncode
        os.close(writes)
        arrived = output.read()

    assert (code, arrived) == (0, b"through the pipe\n")


@needs("bash")
def test_process_substitution_works(world: World, ready: Ready) -> None:
    """`awsudo dev diff <(…) <(…)`: the child opens what the shell made."""
    before = ready()

    done = _directly(world, world.command(*before), prefix=("bash", "-c", '"$@" cat <(echo one) <(echo two)', "bash"))

    assert done == (0, "one\ntwo\n", "")


def test_a_megabyte_of_stdin_reaches_the_child_whole(world: World, ready: Ready) -> None:
    """stdin is never read by awsudo: what was piped in comes out, byte for byte."""
    data = os.urandom(1 << 20)
    before = ready()

    done = world.run(*before, "cat", stdin=data)

    assert done.out.encode("utf-8", "surrogateescape") == data
    assert (done.code, done.err) == (0, "")


def test_stdin_is_left_to_the_next_command_of_a_script(world: World, ready: Ready) -> None:
    """`while read …; do awsudo dev true; done` loses no line."""
    line = 'while read -r word; do "$@" true; echo "$word"; done'
    before = ready()

    done = subprocess.run(
        ["sh", "-c", line, "sh", *world.command(*before)],
        env=world.environ(), input=b"one\ntwo\nthree\n", capture_output=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, b"one\ntwo\nthree\n", b"")


# Finding the command


def _furnish(home: Path) -> None:
    """Files that are not commands, or unusual ones."""
    _script(home / "bin" / "tool", "#!/bin/sh\necho tool\n")
    _script(home / "first" / "tool", "not me\n", 0o644)
    (home / "second" / "tool").mkdir(parents=True)
    _script(home / "tool", "#!/bin/sh\necho here\n")
    _script(home / "plain", 'echo "plain $1"\n')
    _script(home / "bad", "#!/no/such/interpreter\n")
    _script(home / "closed", "#!/bin/sh\n", 0o644)
    (home / "dangling").symlink_to("nowhere")
    (home / "folder").mkdir()


#: PATH, and which `tool` it finds.
PATHS = [
    ("{home}/bin", "tool\n"),
    ("bin", "tool\n"),
    ("", "here\n"),
    (":{home}/bin", "here\n"),
    ("/nowhere:", "here\n"),
    ("/nowhere::{home}/bin", "here\n"),
    ("{home}/first:{home}/bin", "tool\n"),
    ("{home}/second:{home}/bin", "tool\n"),
    ("{home}/closed:/nowhere:{home}/bin", "tool\n"),
]


def test_a_command_is_found_where_execvp_would_find_it(world: World) -> None:
    """Empty entries are the working directory; directories and files that cannot be run are passed over."""
    _furnish(world.home)
    world.settle()
    world.run("dev", "true")

    for path, expected in PATHS:
        found = _both(world, "dev", "tool", env={"PATH": path.format(home=world.home)})

        assert found == ((0, expected, ""),) * 2, path


def test_without_a_path_the_systems_own_is_searched(world: World, ready: Ready) -> None:
    """No PATH at all: /bin and /usr/bin, as execvp(3) has it; and it stays unset."""
    before = ready()

    done = world.run(*before, "sh", "-c", "env | grep -c ^PATH=", env={"PATH": None})

    assert done == (1, "0\n", "")


def test_a_command_with_a_slash_is_a_path(world: World) -> None:
    """It is taken from the working directory, and PATH is not searched."""
    _furnish(world.home)
    world.settle()
    world.run("dev", "true")

    for command in ("./tool", "bin/../tool", "../home/tool"):
        found = _both(world, "dev", command, env={"PATH": str(world.home / "bin")})

        assert found == ((0, "here\n", ""),) * 2, command


def test_a_script_without_an_interpreter_line_is_the_shells(world: World, ready: Ready) -> None:
    """Rule 1: ENOEXEC goes to /bin/sh, as execvp(3) does."""
    _furnish(world.home)
    before = ready()

    done = world.run(*before, "./plain", "a b")

    assert done == (0, "plain a b\n", "")


#: The command, the exit code (after env(1)), the message.
CANNOT = [
    ("no-such-command", 127, "command not found: no-such-command"),
    ("./no-such-file", 127, "command not found: ./no-such-file"),
    ("./dangling", 127, "command not found: ./dangling"),
    ("./closed/below", 127, "command not found: ./closed/below"),
    ("", 127, "command not found: ''"),
    ("no\udcffsuch\x1b[2J", 127, r"command not found: no\udcffsuch\x1b[2J"),
    ("folder", 127, "command not found: folder"),
    ("./folder", 126, "cannot run ./folder: it is a directory"),
    ("./closed", 126, "cannot run ./closed: it is not executable"),
    ("closed", 126, "closed: it is not executable"),
]


@pytest.mark.parametrize(("command", "code", "output"), CANNOT, ids=[f"{case[0]!a}-{case[1]}" for case in CANNOT])
def test_a_command_that_cannot_run_costs_nothing(
    world: World, sts: StrictSts, command: str, code: int, output: str
) -> None:
    """Rule 2: 127 not found, 126 found but cannot run; STS is not asked and no code is spent."""
    _furnish(world.home)

    done = world.run("dev", command, "x", env={"PATH": f"{world.home}:{world.env['PATH']}"})

    first, *hints = done.err.splitlines()
    assert (done.code, done.out) == (code, "")
    assert first.startswith("awsudo: ") and first.endswith(output)
    assert hints and all(line.startswith("  ") for line in hints)
    assert sts.calls == []


def test_a_hit_reports_a_command_that_cannot_run_like_a_full_run(world: World) -> None:
    """Rule 2: the same code and the same words, cold and warm."""
    _furnish(world.home)
    env: dict[str, str | None] = {"PATH": f"{world.home}:{world.env['PATH']}"}
    world.settle()
    world.run("dev", "true")

    output = [_both(world, "dev", command, "x", env=env) for command, _, _ in CANNOT]

    assert [full for full, _ in output] == [hit for _, hit in output]
    assert [hit.code for _, hit in output] == [code for _, code, _ in CANNOT]


def test_a_missing_command_asks_for_no_mfa_code(world: World, sts: StrictSts) -> None:
    """Rule 2: the command is looked up before anybody is bothered."""
    with (world.home / ".aws" / "config").open("a") as config:
        config.write("mfa_serial = arn:aws:iam::111111111111:mfa/alice\n")
    terminal = pexpect.spawn(
        AWSUDO, ["dev", "no-such-command"], env=world.environ(), cwd=str(world.home), encoding="utf-8", timeout=20
    )

    terminal.expect(pexpect.EOF)
    terminal.close()

    assert (terminal.exitstatus, sts.calls) == (127, [])
    assert "MFA" not in terminal.before


def test_a_missing_interpreter_is_127_and_named(world: World, ready: Ready) -> None:
    """The script is there and its #! line names nothing: the message says which of the two is missing."""
    _furnish(world.home)
    before = ready()

    done = world.run(*before, "./bad")

    assert (done.code, done.out) == (127, "")
    assert done.err.startswith("awsudo: cannot run ./bad: its interpreter /no/such/interpreter is missing\n")


def test_a_file_that_is_being_written_is_126(world: World, ready: Ready) -> None:
    """The kernel's own reason is reported (ETXTBSY)."""
    (world.home / "busy").write_bytes(Path("/bin/true").read_bytes())
    (world.home / "busy").chmod(0o755)
    before = ready()

    with (world.home / "busy").open("ab"):
        done = world.run(*before, "./busy")

    assert done == (126, "", f"awsudo: cannot run ./busy: {os.strerror(errno.ETXTBSY)}\n")


def test_an_argument_list_that_is_too_long_is_explained(world: World, sts: StrictSts) -> None:
    """E2BIG, cold and warm: 126, what is too large, and what to do."""
    sts.texts["SessionToken"] = "A" * 140_000  # one string may have 128 KiB

    cold = world.run("dev", "true")
    warm = world.run("dev", "true")

    assert cold == warm
    assert (cold.code, cold.out) == (126, "")
    assert "the session token is too large for an environment variable (140000 bytes)\n  " in cold.err
    assert sts.count("AssumeRole") == 1


@pytest.mark.parametrize(
    ("words", "environ", "output"),
    [
        (["x" * 900] * 9, {"A": "y"}, "its arguments are too large"),
        (["x"], {"A": "y" * 900}, "the environment is too large"),
        (["x" * 900], {"AWS_SESSION_TOKEN": "A" * 140_000}, "the session token is too large"),
    ],
)
def test_the_part_that_is_too_large_is_named(
    monkeypatch: pytest.MonkeyPatch, words: list[str], environ: dict[str, str], output: str
) -> None:
    """What to make smaller depends on it: the words, the variables, or the session."""

    def refused(*_: object) -> None:
        raise OSError(errno.E2BIG, "Argument list too long")

    monkeypatch.setattr(os, "execve", refused)
    before = {number: signal.getsignal(number) for number in (signal.SIGPIPE, signal.SIGXFSZ)}
    try:
        with pytest.raises(CommandCannotRun, match=output):
            child.become("/bin/true", words, environ)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(("trap", "output"), [("trap '' PIPE;", "alive"), ("", "")], ids=["ignored", "default"])
def test_a_sigpipe_that_the_parent_ignores_stays_ignored(world: World, ready: Ready, trap: str, output: str) -> None:
    """As through env(1): what a shell or systemd ignores, the command ignores; what Python ignores, it does not."""
    before = " ".join(ready())
    script = f"{trap} '{AWSUDO}' {before} sh -c 'kill -PIPE $$; echo alive'; :"

    done = subprocess.run(
        ["sh", "-c", script], env=world.environ(), capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stdout.strip() == output


# Interrupted


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_run_that_waits_for_aws_can_be_interrupted(world: World, sts: StrictSts, number: int, code: int) -> None:
    """Ctrl-C during a call: ended by SIGINT at once, no traceback, nothing half-written, and the lock is free again."""
    sts.fail_next("hang")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        world.command("dev", "echo", "ran"), env=world.environ(), stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL
    ) as process:
        until(lambda: sts.count("AssumeRole") == 1)
        begun = time.monotonic()
        process.send_signal(number)
        output = process.communicate(timeout=20)
        took = time.monotonic() - begun

    again = world.run("dev", "echo", "ran")

    assert (process.returncode, output) == (code, (b"", b""))
    assert took < 3
    assert again == (0, "ran\n", "")
    assert not list(world.cache.glob("*.tmp"))


def test_a_run_that_waits_for_another_can_be_interrupted(world: World, sts: StrictSts) -> None:
    """Ctrl-C while the lock is another's: ended by SIGINT, no traceback, and the other one goes on."""
    sts.delay = 1.5
    pipe = subprocess.PIPE
    with subprocess.Popen(world.command("dev", "echo", "first"), env=world.environ(), stdout=pipe) as first:
        until(lambda: sts.count("AssumeRole") == 1)
        with subprocess.Popen(world.command("dev", "true"), env=world.environ(), stdout=pipe, stderr=pipe) as second:
            lock = f"{world.cache}/"
            until(lambda: any(path.startswith(lock) for path in open_files(second.pid)))
            second.send_signal(signal.SIGINT)
            output = second.communicate(timeout=20)
        reported, _ = first.communicate(timeout=20)

    assert (second.returncode, output) == (-signal.SIGINT, (b"", b""))
    assert (first.returncode, reported) == (0, b"first\n")
    assert sts.count("AssumeRole") == 1


def test_ctrl_c_at_the_question_for_a_code_ends_by_sigint(world: World, sts: StrictSts) -> None:
    """Who does not want to type the code after all gets no traceback, and no call is made."""
    with (world.home / ".aws" / "config").open("a") as config:
        config.write("mfa_serial = arn:aws:iam::111111111111:mfa/alice\n")
    terminal = _terminal(world, AWSUDO, "dev", "true")
    terminal.expect("MFA code of .*: ")

    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert (terminal.signalstatus, sts.calls) == (signal.SIGINT, [])
    assert "Traceback" not in terminal.before


def test_ctrl_c_stops_the_loop_that_awsudo_runs_in(world: World, sts: StrictSts) -> None:
    """As with sudo and every other program in the foreground: bash goes on after a 130, and stops after a SIGINT."""
    sts.fail_next("hang", times=3)
    loop = f"for each in 1 2 3; do echo begun $each; {AWSUDO} dev true; done; echo went on"
    terminal = _terminal(world, "bash", "-c", loop)
    terminal.expect("begun 1")
    until(lambda: sts.count("AssumeRole") == 1)

    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert "begun 2" not in terminal.before and "went on" not in terminal.before


# On a terminal


def _terminal(world: World, program: str, *words: str) -> pexpect.spawn[str]:
    return pexpect.spawn(
        program, list(words), env=world.environ({"PS1": "$ "}), cwd=str(world.home), encoding="utf-8", timeout=20
    )


def _awsudo(ready: Ready) -> tuple[str, ...]:
    return (AWSUDO, *ready())


def test_the_terminal_is_the_childs(world: World, ready: Ready) -> None:
    """The child is in the foreground of the terminal it was started on, and can open /dev/tty."""
    source = "import os; open('/dev/tty').close(); print(os.isatty(0), os.tcgetpgrp(0) == os.getpgrp())"
    terminal = _terminal(world, *_awsudo(ready), sys.executable, "-c", source)

    terminal.expect(pexpect.EOF)
    terminal.close()

    assert (terminal.exitstatus, terminal.before) == (0, "True True\r\n")


@pytest.mark.parametrize("way", ["exec", "supervise"])
def test_ctrl_c_reaches_the_child_once(world: World, ready: Ready, way: str) -> None:
    """Rules 1 and 5: one Ctrl-C is one SIGINT, and the child's answer to it is what counts."""
    before = SUPERVISE if way == "supervise" else _awsudo(ready)
    terminal = _terminal(world, *before, *COUNT_INTERRUPTS)
    terminal.expect_exact("ready")

    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert "interrupts: 1\r\n" in terminal.before
    assert terminal.exitstatus == 0


@pytest.mark.parametrize("way", ["exec", "supervise"])
def test_job_control_works(world: World, ready: Ready, way: str) -> None:
    """Rules 1 and 5: Ctrl-Z stops the command and gives the shell back, fg continues it, its exit code arrives."""
    before = SUPERVISE if way == "supervise" else _awsudo(ready)
    shell = _terminal(world, "bash", "--norc", "--noprofile", "-i")
    shell.expect_exact("$ ")
    shell.sendline(" ".join(map(repr, before)) + """ sh -c 'echo "sta"rted; read line; echo "got <$line>"; exit 9'""")
    shell.expect_exact("started")

    shell.sendcontrol("z")
    shell.expect("Stopped")
    shell.expect_exact("$ ")
    shell.sendline("fg")
    shell.expect_exact("sh -c")
    shell.sendline("hello")
    shell.expect_exact("got <hello>")
    shell.expect_exact("$ ")
    shell.sendline("echo code=$?")
    shell.expect(r"code=(\d+)")

    assert shell.match is not None and shell.match[1] == "9"
    shell.close(force=True)


# Where we must stay alive (rule 5)


def _supervised(world: World, *command: str, pass_fds: Sequence[int] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*SUPERVISE, *command], env=world.environ(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, pass_fds=pass_fds, start_new_session=True,
    )  # fmt: skip


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_a_supervised_childs_exit_code_is_ours(world: World, code: int) -> None:
    """Rule 5: we end the way the child ended."""
    with _supervised(world, "sh", "-c", f"exit {code}") as process:
        output = process.communicate(timeout=20)

    assert (process.returncode, output) == (code, ("", ""))


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT]
)
def test_a_supervised_childs_signal_is_ours(world: World, number: int) -> None:
    """Rule 5: we die of what the child died of."""
    with _supervised(world, *NO_CORE, "sh", "-c", f"kill -{number:d} $$") as process:
        output = process.communicate(timeout=20)

    assert (process.returncode, output) == (-number, ("", ""))


@pytest.mark.parametrize("name", ["TERM", "HUP", "USR1", "USR2"])
def test_a_signal_sent_to_us_alone_is_handed_on(world: World, name: str) -> None:
    """Rule 5: `kill` of the process one knows of reaches the command, which may answer it in its own way."""
    script = f"trap 'echo got it; exit 7' {name}; echo ready; while :; do sleep 0.05; done"
    with _supervised(world, "sh", "-c", script) as process:
        _first_line(process)
        process.send_signal(getattr(signal, f"SIG{name}"))
        output = process.communicate(timeout=20)

    assert (process.returncode, output) == (7, ("got it\n", ""))


def test_a_signal_to_the_whole_group_ends_both_calmly(world: World) -> None:
    """A closed terminal or a service manager signals everybody: a child that is dead already is not an error."""
    with _supervised(world, "sh", "-c", "echo $$; exec sleep 60") as process:
        child = int(_first_line(process))
        # stopped meanwhile, so that both signals are there before we can look at either
        process.send_signal(signal.SIGSTOP)
        until(lambda: _state(process.pid) == "T")
        process.send_signal(signal.SIGTERM)
        os.kill(child, signal.SIGTERM)
        until(lambda: _state(child) == "Z")
        process.send_signal(signal.SIGCONT)
        output = process.communicate(timeout=20)

    assert (process.returncode, output) == (-signal.SIGTERM, ("", ""))


def test_we_stop_and_continue_with_the_child(world: World) -> None:
    """Rule 5: a shell sees the job stop when the child stops; what continues us continues the child."""
    with _supervised(world, "sh", "-c", "echo $$; kill -STOP $$; echo continued; exit 4") as process:
        child = int(_first_line(process))
        until(lambda: _state(process.pid) == "T")
        assert _state(child) == "T"

        process.send_signal(signal.SIGCONT)
        output = process.communicate(timeout=20)

    assert (process.returncode, output) == (4, ("continued\n", ""))


def test_a_supervised_child_has_our_descriptors_and_our_group(world: World) -> None:
    """Rule 5: `<(…)` works, and the terminal's Ctrl-C finds the child."""
    reads, writes = os.pipe()
    script = f"echo through >&{writes}; ps -o pgid= -p $$"
    with _supervised(world, "bash", "-c", script, pass_fds=[writes]) as process:
        os.close(writes)
        output, _ = process.communicate(timeout=20)
    with os.fdopen(reads) as reported:
        arrived = reported.read()

    assert arrived == "through\n"
    assert int(output) == process.pid


@pytest.mark.parametrize("prelude", [":", "trap '' HUP", "trap '' INT"])
def test_a_supervised_child_inherits_ignored_signals(world: World, prelude: str) -> None:
    """Rule 5: nohup holds for the child, and what Python ignores does not."""
    expected = _directly(world, SIGNALS, prefix=_shell(prelude))

    found = _directly(world, [*SUPERVISE, *SIGNALS], prefix=_shell(prelude))

    # two real-time signals are the C library's own and come and go with it
    assert _named_signals(found.out) == _named_signals(expected.out)
    assert (found.code, found.err) == (0, "")


def _named_signals(status: str) -> dict[str, int]:
    """SigIgn and SigBlk, of the signals that have names."""
    return {line.split()[0]: int(line.split()[1], 16) & 0x7FFFFFFF for line in status.splitlines()}


def test_a_supervised_script_without_an_interpreter_line_is_the_shells(world: World) -> None:
    """Rule 1 holds where we stay alive, too."""
    _furnish(world.home)

    done = _directly(world, [*SUPERVISE, "./plain", "a b"])

    assert done == (0, "plain a b\n", "")
