"""The supervisor: a small process that starts, watches and ends the commands of a fleet run.

1. It is forked before there are threads and starts commands with posix_spawn, at the speed of vfork.
2. Each command leads a session of its own: it has its own process group and no terminal to stop on.
3. When awsudo goes away, however that happens, the socket to it closes, and every group gets KILL. Out of reach are
   only a process that made a session of its own, and the case that both are killed at the same moment.
4. Output is read as fast as awsudo takes it. What is not streamed is kept in memory while it is short, else in a file.
5. A group gets TERM, and KILL after the grace period, when the run is interrupted or its time is up.
6. What a command left in the background may go on; its output counts for two seconds after the command's end.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import shutil
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from awsudo_py.child_environment import applied
from awsudo_py.fleet.protocol import (
    BROKEN,
    DATA,
    END,
    ENDED,
    INTERRUPTED,
    KILL,
    REFUSED,
    STARTED,
    TIMEOUT,
    Inbox,
    packed,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from awsudo_py.child_environment import Changes
    from awsudo_py.fleet.protocol import Setting

#: Bytes of a stream that are kept in memory, and those on the way to awsudo above which commands have to wait.
SPILL, ENOUGH = 1 << 16, 1 << 20
#: Seconds for which output is read after a command has ended, if something else still holds its end.
LINGER = 2.0
_READ = 1 << 16
#: Signals that are awsudo's to act on; Python ignores the others, and that would survive exec.
_NOT_OURS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
_PYTHON_IGNORES = ("SIGPIPE", "SIGXFSZ")


class _Command:
    """One running command."""

    __slots__ = ("began", "buffers", "deadline", "files", "number", "open", "paths", "pid", "sizes", "status", "why")

    def __init__(self, number: int, pid: int, began: float) -> None:
        self.number = number
        self.pid = pid
        self.began = began
        self.deadline: float | None = None  # of its time, of its grace, or of its output
        self.status: int | None = None
        self.why = ""
        self.open = 2  # streams
        self.buffers = [bytearray(), bytearray()]
        self.files: list[int | None] = [None, None]
        self.paths = ["", ""]
        self.sizes = [0, 0]


class SupervisorProcess:
    """The supervisor process itself."""

    def __init__(self, setting: Setting, control: socket.socket, ignored: Sequence[int]) -> None:
        self._setting = setting
        self._ignored = ignored  # signals, by the caller
        self._signals: list[int] = []  # END and KILL, in the order of arrival
        self._control = control
        self._inbox = Inbox()
        self._outgoing = bytearray()
        self._commands: dict[int, _Command] = {}  # by process
        self._streams: dict[int, tuple[_Command, int]] = {}  # by descriptor
        self._ending = False
        self._closed = False
        self._all, self._few = select.poll(), select.poll()

    def serve(self) -> None:
        """Work until awsudo closes the socket; then none of its commands is left."""
        self._prepare()
        try:
            while not self._closed:
                self._turn()
        except Exception as error:  # noqa: BLE001 (the parent must learn of it)
            self._outgoing += packed((BROKEN, -1, f"{type(error).__name__}: {error}", ""))
            self._flush()
        finally:
            self._signal_all(signal.SIGKILL)
            # awsudo does so itself, if it can
            shutil.rmtree(self._setting.folder, ignore_errors=True)

    def _prepare(self) -> None:
        defaults = []
        for name in _NOT_OURS:
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:  # ignored on purpose: nohup
                signal.signal(number, signal.SIG_IGN)
                defaults.append(number)
        for number in (END, KILL):
            signal.signal(number, lambda number, _frame: self._signals.append(number))
            if number not in self._ignored:
                defaults.append(number)
        self._defaults = [*defaults, *(getattr(signal, name) for name in _PYTHON_IGNORES)]
        # we hold nothing of the caller's open, and none of our descriptors is 0, 1 or 2
        null = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            if standard != null:
                os.dup2(null, standard, inheritable=False)
        self._null = os.open(os.devnull, os.O_RDONLY)
        wake, woken = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        self._wake = wake
        self._control.setblocking(False)
        for poll in (self._all, self._few):
            poll.register(wake, select.POLLIN)
            poll.register(self._control, select.POLLIN)

    def _turn(self) -> None:
        """Wait for events, and handle them."""
        poll = self._few if len(self._outgoing) > ENOUGH else self._all  # rule 4
        events = select.POLLIN | (select.POLLOUT if self._outgoing else 0)
        poll.modify(self._control, events)
        ended = False
        for descriptor, event in poll.poll(self._patience()):
            if descriptor == self._wake:
                os.read(self._wake, 512)
                ended = True
            elif descriptor == self._control.fileno():
                if event & (select.POLLIN | select.POLLHUP | select.POLLERR):
                    self._listen()
            elif descriptor in self._streams:
                self._read(descriptor)
        if ended:
            self._obey()
            self._reap()
        self._watch_clock()
        self._flush()

    def _patience(self) -> int | None:
        """Milliseconds until a deadline."""
        deadlines = [command.deadline for command in self._commands.values() if command.deadline is not None]
        if not deadlines:
            return None
        return max(int((min(deadlines) - time.monotonic()) * 1000) + 1, 0)

    # -- awsudo ----------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        try:
            data = self._control.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._closed = True
            return
        for message in self._inbox.messages(data):
            if self._ending:  # sent before awsudo knew: it waits for the end of each command that it sent
                self._send(REFUSED, message[1])
            else:
                self._start(*message[1:])

    def _obey(self) -> None:
        """END: TERM to all, and KILL after the grace period. KILL: at once."""
        while self._signals:
            number = self._signals.pop(0)
            self._ending = True
            for command in list(self._commands.values()):
                if number == END:
                    self._end(command, INTERRUPTED)
                else:
                    command.why = command.why or INTERRUPTED
                    _signal(command.pid, signal.SIGKILL)

    def _send(self, *message: Any) -> None:
        self._outgoing += packed(message)

    def _flush(self) -> None:
        while self._outgoing:
            try:
                sent = self._control.send(memoryview(self._outgoing)[: 1 << 18])
            except BlockingIOError:
                return
            except OSError:
                self._closed = True
                return
            del self._outgoing[:sent]

    # -- commands --------------------------------------------------------------------------------------------------

    def _start(self, number: int, changes: Changes, argv: list[str] | None, folder: str) -> None:
        setting = self._setting
        ours: list[int] = []
        theirs: list[int] = []
        stdin, began = self._null, time.monotonic()
        try:
            for _ in range(2):
                reads, writes = os.pipe()
                ours.append(reads)
                theirs.append(writes)
            if setting.stdin != os.devnull:
                stdin = os.open(setting.stdin, os.O_RDONLY)
                theirs.append(stdin)
            pid = self._spawned(argv or setting.argv, applied(setting.environ, changes), (stdin, theirs[0], theirs[1]))
        except OSError as error:
            for descriptor in (*ours, *theirs):
                os.close(descriptor)
            self._send(BROKEN, number, os.strerror(error.errno or 0), error.errno)
            return
        for descriptor in theirs:
            os.close(descriptor)
        self._set_limits(pid)
        command = _Command(number, pid, began)
        if setting.timeout is not None:
            command.deadline = command.began + setting.timeout
        self._commands[pid] = command
        for which, descriptor in enumerate(ours):
            self._streams[descriptor] = command, which
            self._all.register(descriptor, select.POLLIN)
            if folder:
                self._open_file(command, which, os.path.join(folder, ("stdout", "stderr")[which]))
        self._send(STARTED, number, pid)

    def _spawned(self, argv: list[str], environ: Mapping[str, str], streams: tuple[int, int, int]) -> int:
        actions = [(os.POSIX_SPAWN_DUP2, descriptor, standard) for standard, descriptor in enumerate(streams)]
        for words in ((self._setting.path, argv), ("/bin/sh", ["/bin/sh", self._setting.path, *argv[1:]])):
            try:
                return self._spawn(*words, environ, actions)
            except OSError as error:
                if error.errno != errno.ENOEXEC:  # as execvp(3) does, and child.py
                    raise
        raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC))

    def _spawn(self, path: str, argv: list[str], environ: Mapping[str, str], actions: list[Any]) -> int:
        how: dict[str, Any] = {"file_actions": actions, "setsigdef": self._defaults, "setsigmask": ()}
        try:
            return os.posix_spawn(path, argv, environ, setsid=True, **how)
        except NotImplementedError:  # an old libc
            return os.posix_spawn(path, argv, environ, setpgroup=0, **how)

    def _set_limits(self, pid: int) -> None:
        """Give a command the caller's limits, if the system allows it."""
        if not hasattr(resource, "prlimit"):
            return
        for kind, limit in (
            (resource.RLIMIT_CORE, self._setting.core_limit),
            (resource.RLIMIT_NOFILE, self._setting.file_limit),
        ):
            if limit is not None:
                with suppress(OSError):  # it has ended already
                    resource.prlimit(pid, kind, limit)

    def _read(self, descriptor: int) -> None:
        command, which = self._streams[descriptor]
        data = os.read(descriptor, _READ)
        if data:
            self._take(command, which, data)
        else:
            self._close(descriptor)
            self._finish(command)

    def _take(self, command: _Command, which: int, data: bytes) -> None:
        command.sizes[which] += len(data)
        if self._setting.stream:
            self._send(DATA, command.number, which, data)
        if command.files[which] is None:
            if not self._setting.keep:
                return
            buffer = command.buffers[which]
            buffer += data
            if len(buffer) <= SPILL:
                return
            data = bytes(buffer)
            buffer.clear()
            self._open_file(command, which, os.path.join(self._setting.folder, f"{os.getpid()}.{command.pid}.{which}"))
        self._write(command, which, data)

    def _open_file(self, command: _Command, which: int, path: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            command.files[which] = os.open(path, flags, 0o600)
            command.paths[which] = path
        except OSError as error:
            self._send(BROKEN, -1, f"cannot write {path}: {error.strerror}", error.errno)

    def _write(self, command: _Command, which: int, data: bytes) -> None:
        file = command.files[which]
        if file is None:
            return
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(file, view) :]
        except OSError as error:
            # one error for all: later output would be cut short unnoticed
            os.close(file)
            command.files[which] = None
            if not self._ending:
                self._send(BROKEN, -1, f"cannot write {command.paths[which]}: {error.strerror}", error.errno)
            self._ending = True
            for each in list(self._commands.values()):
                self._end(each, INTERRUPTED)

    def _close(self, descriptor: int) -> None:
        command, _ = self._streams.pop(descriptor)
        self._all.unregister(descriptor)
        os.close(descriptor)
        command.open -= 1

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            command = self._commands.get(pid)
            if command is None:
                continue
            command.status = status
            if command.why:
                _signal(pid, signal.SIGKILL)  # the rest of its group
            command.deadline = time.monotonic() + LINGER  # rule 6
            self._finish(command)

    def _finish(self, command: _Command) -> None:
        """Report a command that has ended and whose output is complete."""
        if command.status is None or command.open:
            return
        del self._commands[command.pid]
        outputs: list[bytes | tuple[str, int]] = []
        for which in range(2):
            file = command.files[which]
            if file is not None:
                os.close(file)
            path = command.paths[which]
            outputs.append((path, command.sizes[which]) if path else bytes(command.buffers[which]))
        seconds = time.monotonic() - command.began
        self._send(ENDED, command.number, os.waitstatus_to_exitcode(command.status), seconds, command.why, outputs)

    def _watch_clock(self) -> None:
        now = time.monotonic()
        for command in list(self._commands.values()):
            if command.deadline is None or now < command.deadline:
                continue
            command.deadline = None
            if command.status is not None:
                for descriptor in [each for each, (owner, _) in self._streams.items() if owner is command]:
                    self._close(descriptor)
                self._finish(command)
            elif command.why:
                _signal(command.pid, signal.SIGKILL)
            else:
                self._end(command, TIMEOUT)

    def _end(self, command: _Command, why: str) -> None:
        """Rule 5."""
        if command.status is not None:
            _signal(command.pid, signal.SIGKILL)
            return
        command.why = command.why or why
        _signal(command.pid, signal.SIGTERM)
        _signal(command.pid, signal.SIGCONT)  # a stopped one does not end
        command.deadline = time.monotonic() + self._setting.grace

    def _signal_all(self, number: int) -> None:
        for pid in self._commands:
            _signal(pid, number)


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return
