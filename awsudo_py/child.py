"""Becomes the child's command.

1. On POSIX we exec: exit code, signals, terminal, job control and descriptors are then the child's own.
2. SIGPIPE and SIGXFSZ go back to their defaults first: Python ignores them, and that survives exec. A SIGPIPE that was
   ignored before Python stays ignored, as through env(1).
3. A file that the kernel cannot execute (no #! line) is given to /bin/sh, as execvp(3) does.
4. Where we must stay alive (Windows, or a server the child needs), the child is in our process group, gets each
   signal once, and we end the way it ended.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

#: What execvp(3) searches when there is no PATH at all.
_NO_PATH = "/bin:/usr/bin"
#: Linux accepts no longer argument or variable (MAX_ARG_STRLEN, in bytes).
_LONGEST_STRING = 128 * 1024
#: Programs whose children ignore SIGPIPE if they themselves do.
_HAND_ON_IGNORED = frozenset(
    (b"systemd", b"sh", b"bash", b"dash", b"zsh", b"fish", b"ksh", b"mksh", b"busybox", b"ash", b"tcsh", b"csh")
)


def find(command: str, environ: Mapping[str, str]) -> str:
    """The file that this command means, looked up as execvp(3) would in that environment's PATH.

    Raises CommandNotFound (127) or CommandCannotRun (126).
    """
    if os.name == "nt":
        return _find_on_windows(command, environ)
    if "/" in command:
        candidates = [command]
    else:
        places = environ.get("PATH", _NO_PATH).split(":")
        candidates = [f"{place}/{command}" if place else f"./{command}" for place in places] if command else []
    blocked = ""
    for candidate in candidates:
        try:
            mode = os.stat(candidate).st_mode
        except (OSError, ValueError):
            continue
        # os.path.isfile would do; it is a second stat
        if stat.S_ISREG(mode) and os.access(candidate, os.X_OK):
            return candidate
        # a directory found through PATH is skipped; one that was named directly is an error
        if not stat.S_ISDIR(mode) or "/" in command:
            blocked = blocked or candidate
    from awsudo_py.errors import CommandCannotRun, CommandNotFound

    if blocked:
        import shlex

        if os.path.isdir(blocked):
            raise CommandCannotRun(
                f"cannot run {blocked}: it is a directory", hint=f"see: ls -ld {shlex.quote(blocked)}"
            )
        hint = f"if it is your own program: chmod +x {shlex.quote(blocked)}"
        raise CommandCannotRun(f"cannot run {blocked}: it is not executable", hint=hint)
    raise CommandNotFound(f"command not found: {command or chr(39) * 2}", hint=_hint(command, environ))


def _hint(command: str, environ: Mapping[str, str]) -> str:
    """The hint for a command that was not found, from how the word looks."""
    import shlex

    name, equals, _ = command.partition("=")
    if command[:1] == "-":
        return "options of awsudo go before the target: awsudo [OPTIONS] TARGET COMMAND…"
    if equals and name.isidentifier():
        return f"to set a variable for the command: awsudo TARGET env {shlex.quote(command)} COMMAND…"
    if any(character.isspace() for character in command):
        program = command.split()[0] if command.strip() else "COMMAND"
        return (
            f"it is one word with spaces: leave the quotes out (awsudo TARGET {program} …), or let a shell split it: "
            f"awsudo TARGET sh -c {shlex.quote(command)}"
        )
    if "/" in command:
        folder = os.path.dirname(command) or "/"
        return "no such file" if os.path.isdir(folder) else f"no such file: there is no directory {folder}"
    if not command:
        return "the command is empty: is a variable unset?"
    shell, quoted = os.path.basename(environ.get("SHELL", "sh")), shlex.quote(command)
    return f"if it is an alias or a shell function, let your shell run it: awsudo TARGET {shell} -ic {quoted}"


def become(path: str, arguments: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Rules 1 to 3: replace this process. arguments begins with the command as the user wrote it.

    Raises CommandNotFound (127: a missing interpreter) or CommandCannotRun (126).
    """
    if os.name == "nt":
        raise SystemExit(supervise(path, arguments, environ))
    import _signal  # type: ignore[import-not-found]  # the signal module itself imports enum

    if not _ignores_sigpipe(os.getppid()):
        _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    try:
        os.execve(path, list(arguments), environ)
    except OSError as error:
        import errno

        if error.errno == errno.ENOEXEC:
            os.execve("/bin/sh", ["/bin/sh", path, *arguments[1:]], environ)
        raise _cannot_execute(path, error, arguments, environ) from None


def _ignores_sigpipe(parent: int) -> bool:
    """Whether our parent passes an ignored SIGPIPE on, as systemd and a shell's `trap '' PIPE` do.

    Python ignores it before we could look, so the parent is checked. Programs that ignore it only for themselves
    (other interpreters, most runtimes) are not in the list.
    """
    try:
        with open(f"/proc/{parent}/status", "rb") as file:
            status = file.read(4096)
    except OSError:
        return False
    name, _, rest = status[6:].partition(b"\n")
    ignored = rest.partition(b"\nSigIgn:\t")[2][:16]
    # the mask's bit of SIGPIPE, which is 13
    return name in _HAND_ON_IGNORED and bool(ignored) and bool(int(ignored, 16) & 0x1000)


def _cannot_execute(path: str, error: OSError, arguments: Sequence[str], environ: Mapping[str, str]) -> Exception:
    import errno

    from awsudo_py.errors import CommandCannotRun

    if error.errno == errno.ENOENT:
        return _without_interpreter(path)
    if error.errno == errno.E2BIG:
        return _too_large(path, arguments, environ)
    return CommandCannotRun(f"cannot run {path}: {error.strerror}")


def _too_large(path: str, arguments: Sequence[str], environ: Mapping[str, str]) -> Exception:
    """The error for arguments or an environment beyond the system's limit, with the part that is too large."""
    from awsudo_py.errors import CommandCannotRun

    token = len(environ.get("AWS_SESSION_TOKEN", ""))
    words = sum(len(os.fsencode(word)) + 1 for word in arguments)
    variables = sum(len(os.fsencode(name)) + len(os.fsencode(value)) + 2 for name, value in environ.items())
    if token + len("AWS_SESSION_TOKEN=") >= _LONGEST_STRING:
        return CommandCannotRun(
            f"cannot run {path}: the session token is too large for an environment variable ({token} bytes)",
            hint="to shrink the token, use fewer or shorter session tags, or a smaller session policy",
        )
    if words >= variables:
        return CommandCannotRun(
            f"cannot run {path}: its arguments are too large for the system ({words} bytes)",
            hint="pass fewer arguments at a time: xargs",
        )
    return CommandCannotRun(
        f"cannot run {path}: the environment is too large for the system ({variables} bytes)",
        hint="unset large variables; list them by size: env | awk '{print length, $1}' | sort -n",
    )


def _without_interpreter(path: str) -> Exception:
    """The error for a program whose interpreter (of its #! line) or loader is missing."""
    import shlex

    from awsudo_py.errors import CommandNotFound

    try:
        with open(path, "rb") as file:
            first = file.readline(256).decode("utf-8", "replace").rstrip("\n")
    except OSError:
        first = ""
    hint = f"see its #! line: head -1 {shlex.quote(path)}"
    if first[:2] != "#!":
        return CommandNotFound(
            f"cannot run {path}: its loader is missing", hint=f"is it built for this system? file {shlex.quote(path)}"
        )
    interpreter = (first[2:].strip().split() or [""])[0]
    if first.endswith("\r"):
        hint = f"its lines end in CR LF, as on Windows; to convert it: sed -i 's/\\r$//' {shlex.quote(path)}"
    return CommandNotFound(f"cannot run {path}: its interpreter {interpreter} is missing", hint=hint)


def _find_on_windows(command: str, environ: Mapping[str, str]) -> str:
    import shutil

    from awsudo_py.errors import CommandNotFound

    found = shutil.which(command, path=environ.get("PATH"))
    if found is None:
        raise CommandNotFound(f"command not found: {command}", hint="see: where.exe NAME")
    return found


def supervise(path: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Rule 4: run the command as a child and wait for it. Returns its exit code, or minus the signal it died of.

    Raises CommandNotFound or CommandCannotRun. What the terminal sends (Ctrl-C, Ctrl-Backslash, Ctrl-Z) reaches the
    child by itself, so we only ignore it; signals sent to us alone are passed on. When the child stops we
    stop, and when we continue, it continues.
    """
    import signal

    from_terminal = [getattr(signal, name, None) for name in ("SIGINT", "SIGQUIT", "SIGTSTP")]
    to_us = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCONT")]
    early: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def hand_on(number: int, _frame: object) -> None:
        if process is None:
            early.append(number)
        else:
            _pass_on(process.pid, number)

    before = {}
    from_terminal.append(getattr(signal, "SIGCHLD", None))  # nothing to do but to look after the child
    woken, wakes = _wakeup_pipe()
    # Windows has no such pipes, and Popen.wait() there looks after signals by itself
    wakeup_before = -1 if os.name == "nt" else signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    for number, handler in [(n, lambda *_: None) for n in from_terminal] + [(n, hand_on) for n in to_us]:
        # not there on Windows; ignored on purpose: nohup
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, handler)
    try:
        # handlers, unlike ignored signals, are not inherited: the child begins with its defaults
        process = _started(path, arguments, environ)
        for number in early:
            _pass_on(process.pid, number)
        return process.wait() if os.name == "nt" else _waited_for(process, woken)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if os.name != "nt":
            signal.set_wakeup_fd(wakeup_before)
        os.close(woken)
        os.close(wakes)


def _wakeup_pipe() -> tuple[int, int]:
    """A pipe that gets a byte for each signal: a signal that comes just before a wait is not slept through."""
    reads, writes = os.pipe()
    if os.name != "nt":
        os.set_blocking(reads, False)
        os.set_blocking(writes, False)
    return reads, writes


def _pass_on(process: int, number: int) -> None:
    try:
        # not Popen.send_signal: it would reap the child, and we must see how it ended
        os.kill(process, number)
    except ProcessLookupError:
        return  # it has just ended


def _started(path: str, arguments: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    import errno
    import subprocess

    try:
        return subprocess.Popen(list(arguments), executable=path, env=dict(environ), close_fds=False)
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # rule 3
            return subprocess.Popen(["/bin/sh", path, *arguments[1:]], env=dict(environ), close_fds=False)
        raise _cannot_execute(path, error, arguments, environ) from None


def _waited_for(process: subprocess.Popen[bytes], woken: int) -> int:
    import select
    import signal

    while True:
        pid, status = os.waitpid(process.pid, os.WUNTRACED | os.WNOHANG)
        if not pid:
            select.select([woken], [], [])
            os.read(woken, 512)  # what select has announced is there
            continue
        if not os.WIFSTOPPED(status):
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode
        os.kill(os.getpid(), signal.SIGSTOP)


def end_like(code: int) -> NoReturn:
    """End this process as the child ended, by the result of supervise(): with its exit code, or by the same signal."""
    if code < 0 and os.name != "nt":
        import signal

        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    raise SystemExit(code if code >= 0 else 128 - code)
