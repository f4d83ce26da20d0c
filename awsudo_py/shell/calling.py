"""Finds out which shell calls us, and which shell is the user's own."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: Shells that read neither sh nor another format of ours.
WITHOUT_FORMAT = frozenset({"nu", "xonsh", "elvish", "rc", "es", "ion", "murex"})
#: Of these, the ones written in Python: their program is python, and only the process's name tells.
_SCRIPTS = frozenset({"xonsh"})
#: Programs between a shell and us that do not read our output.
_BETWEEN = frozenset({"uv", "uvx", "pipx", "env", "faketime", "strace", "time", "nice", "timeout"})
_MOST_BETWEEN = 4


def calling_shell() -> str:
    """The name of the program that started us: $SHELL may name another one. Empty if it is unknown."""
    if os.name == "nt":
        return "powershell"
    process = os.getppid()
    for _ in range(_MOST_BETWEEN):
        name, process = _name_and_parent(process)
        if name not in _BETWEEN:
            return name
    return ""


def _name_and_parent(process: int) -> tuple[str, int]:
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            # the name is in parentheses and may contain some itself
            before, _, after = file.read().rpartition(")")
        name, parent = before.partition("(")[2], int(after.split()[1])
    except (OSError, ValueError, IndexError):
        return _name_and_parent_by_ps(process)
    if name in _SCRIPTS:
        return name, parent
    try:
        # a script with a #! line has its own name, and its interpreter's program
        return os.path.basename(os.readlink(f"/proc/{process}/exe")).removesuffix(" (deleted)"), parent
    except OSError:
        return name, parent


def _name_and_parent_by_ps(process: int) -> tuple[str, int]:
    """macOS and the BSDs have no /proc."""
    import subprocess

    try:
        caller = subprocess.run(
            ["/bin/ps", "-o", "ppid=,comm=", "-p", str(process)], capture_output=True, text=True, timeout=2, check=False
        )
        parent, name = caller.stdout.split(None, 1)
        return name.strip().rsplit("/", 1)[-1].removeprefix("-"), int(parent)
    except (OSError, ValueError, subprocess.SubprocessError):
        return "", 0


def users_shell(environ: Mapping[str, str]) -> str:
    """The path of the shell to start for the user: $SHELL, else the account's, else /bin/sh."""
    if os.name == "nt":
        return environ.get("COMSPEC", "cmd.exe")
    chosen = environ.get("SHELL")
    if chosen:
        return chosen
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_shell or "/bin/sh"
    except KeyError:
        return "/bin/sh"
