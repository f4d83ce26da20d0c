"""Becomes the child's command.

1. On POSIX we exec: exit code, signals, terminal, job control and descriptors are then the child's own.
2. SIGPIPE and SIGXFSZ go back to their defaults first: Python ignores them, and that survives exec. A SIGPIPE that was
   ignored before Python stays ignored, as through env(1).
3. A file that the kernel cannot execute (no #! line) is given to /bin/sh, as execvp(3) does.
4. Where we must stay alive, child_supervision.py runs the command instead.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

#: What execvp(3) searches when there is no PATH at all.
_NO_PATH = "/bin:/usr/bin"
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
    from awsudo_py.child_errors import not_found  # here: a hit finds it

    raise not_found(command, blocked, environ)


def become(path: str, arguments: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Rules 1 to 3: replace this process. arguments begins with the command as the user wrote it.

    Raises CommandNotFound (127: a missing interpreter) or CommandCannotRun (126).
    """
    if os.name == "nt":
        from awsudo_py.child_supervision import supervise

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
        from awsudo_py.child_errors import cannot_execute

        raise cannot_execute(path, error, arguments, environ) from None


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


def _find_on_windows(command: str, environ: Mapping[str, str]) -> str:
    import shutil

    from awsudo_py.errors import CommandNotFound

    found = shutil.which(command, path=environ.get("PATH"))
    if found is None:
        raise CommandNotFound(f"command not found: {command}", hint="see: where.exe NAME")
    return found
