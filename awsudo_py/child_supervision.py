"""Runs a command as a child process, where awsudo must stay alive: on Windows, and beside a server that it needs.

The number is that of the rules for the command, which the tests carry too.

4. The child is in our process group, gets each signal once, and we end the way it ended.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
from typing import TYPE_CHECKING

from awsudo_py.child_errors import cannot_execute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn


def supervise(path: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command as a child and wait for it. Returns its exit code, or minus the signal it died of.

    Raises CommandNotFound or CommandCannotRun. What the terminal sends (Ctrl-C, Ctrl-Backslash, Ctrl-Z) reaches the
    child by itself, so we only ignore it; signals sent to us alone are passed on. When the child stops we
    stop, and when we continue, it continues.
    """
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
    try:
        return subprocess.Popen(list(arguments), executable=path, env=dict(environ), close_fds=False)
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # rule 3 of child.py
            return subprocess.Popen(["/bin/sh", path, *arguments[1:]], env=dict(environ), close_fds=False)
        raise cannot_execute(path, error, arguments, environ) from None


def _waited_for(process: subprocess.Popen[bytes], woken: int) -> int:
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
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    raise SystemExit(code if code >= 0 else 128 - code)
