"""Runs a fleet: gets the sessions, hands the commands to the supervisors, and passes on their results.

1. No more commands run at once than the width; sessions are got a little ahead of that, each by a thread.
2. A target that fails is tried again as often as --retry allows: a failed command, or a session that was not available
   for a reason that may pass.
3. Interrupted once, nothing more is started and what runs is ended; interrupted again, it is killed; interrupted once
   more, nothing is waited for.
4. Whatever ends the run, no command is left behind.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from awsudo_py.errors import AwsudoError
from awsudo_py.fleet import protocol
from awsudo_py.fleet.output import writing
from awsudo_py.fleet.records import CANNOT_RUN, FAILED, NO_SESSION, OK, Output, Result
from awsudo_py.fleet.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from awsudo_py.child_environment import Changes
    from awsudo_py.fleet.records import Target

#: How often a session is tried if the network or AWS failed, and if AWS throttled the call.
SESSION_TRIES, THROTTLED_TRIES = 3, 30
#: Seconds between two looks at the screen.
TICK = 0.1


class Order(NamedTuple):
    """What a target runs with: the changes to the environment, and its own words and folder, if any."""

    changes: Changes
    argv: Sequence[str] | None = None
    folder: str = ""


class Rules(NamedTuple):
    """How a fleet is run."""

    width: int
    retry: int = 0
    fail_fast: bool = False


class NoSession(Exception):
    """A target has no session. again: whether trying again may help; throttled: whether AWS throttled the call."""

    def __init__(self, reason: str, error: str, *, again: bool = False, throttled: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error
        self.again = again
        self.throttled = throttled


class _GivenUp(Exception):
    """A third interrupt."""


class Sink(Protocol):
    """A consumer of a fleet's results: a printer, a log, a view."""

    def started(self, target: Target) -> None:
        """A command runs."""

    def data(self, target: Target, which: int, data: bytes) -> None:
        """A command wrote to stdout (0) or stderr (1); only where output is streamed."""

    def finished(self, result: Result) -> None:
        """A target is done. Its output's files are gone after this."""

    def tick(self, state: State) -> None:
        """Some time has passed."""

    def close(self) -> None:
        """The run is over."""


class State(NamedTuple):
    """The progress of a fleet."""

    running: Sequence[tuple[Target, float]]  # with the moment it began, slowest first
    getting: int  # sessions under way
    left: int
    throttled: bool


class _Task:
    """One target on its way."""

    __slots__ = ("attempts", "began", "kept", "pid", "refused", "supervisor", "target", "wall")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.attempts = 0
        self.refused = 0  # sessions, for reasons that may pass
        self.began = 0.0
        self.wall = 0.0
        self.pid = 0
        self.kept = False  # whether its output is in files of the user's
        self.supervisor: Supervisor | None = None


class Fleet:
    """One run over many targets. order returns what a target runs with, in any thread; it raises NoSession."""

    def __init__(
        self,
        targets: Sequence[Target],
        order: Callable[[Target], Order],
        supervisors: Sequence[Supervisor],
        rules: Rules,
        sinks: Sequence[Sink],
        *,
        throttled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._order = order
        self._supervisors = list(supervisors)
        self._rules = rules
        self._sinks = sinks
        self._throttled = throttled
        self._waiting = deque(_Task(target) for target in targets)
        self._orders: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._arrived: deque[tuple[_Task, Order | BaseException]] = deque()
        self._ready: deque[tuple[_Task, Order]] = deque()
        self._getting = 0
        self._threads: list[threading.Thread] = []
        self._running: dict[int, _Task] = {}
        self._number = 0
        self._stopping = False
        self._interrupts: list[int] = []
        self._broken = ""
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)

    @property
    def interrupted(self) -> int:
        """The signal that interrupted the run, or 0."""
        return self._interrupts[0] if self._interrupts else 0

    @property
    def not_started(self) -> int:
        """How many targets were not run, because the run ended early."""
        return len(self._waiting) + len(self._ready) + self._getting

    def run(self) -> None:
        """Run to the end. Raises AwsudoError if it cannot continue; nothing is left running then."""
        before = {number: signal.signal(number, self._interrupt) for number in _signals()}
        wakeup = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        try:
            self._loop()
        except _GivenUp:
            self._kill()
        except BaseException:
            self._kill()
            raise
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._broken:
            raise AwsudoError(
                self._broken, hint="free some space, or set TMPDIR to a directory on a larger file system"
            )

    def _loop(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        by_descriptor = {each.socket.fileno(): each for each in self._supervisors}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        ticked = 0.0
        while True:
            self._advance()
            if not (self._running or self._getting or self._ready or (self._waiting and not self._stopping)):
                return
            if self._stopping and not self._running:
                return
            now = time.monotonic()
            if now - ticked >= TICK:
                ticked = now
                self._tick(now)
            for descriptor, _ in poll.poll(TICK * 1000):
                if descriptor == self._wake:
                    os.read(self._wake, 4096)
                else:
                    self._receive(by_descriptor[descriptor])

    def _interrupt(self, number: int, _frame: object) -> None:
        """Rule 3, in the middle of any operation: it may be waiting for a reader who has stopped reading."""
        self._interrupts.append(number)
        self._stopping = True
        for each in self._supervisors:
            each.signal(protocol.END if len(self._interrupts) == 1 else protocol.KILL)
        if len(self._interrupts) > 2:
            raise _GivenUp

    def _stop(self, how: int | None) -> None:
        """Start no more; how: whether what runs is ended or killed."""
        self._stopping = True
        self._waiting.extend(task for task, _ in self._ready)
        self._ready.clear()
        if how is not None:
            for each in self._supervisors:
                each.signal(how)

    def _send(self, to: Supervisor, *message: Any) -> bool:
        try:
            to.send(*message)
        except OSError:
            return False  # its end is noticed when its messages are read
        return True

    # -- sessions --------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Rule 1: start as many as there is room for."""
        while self._arrived:
            task, order = self._arrived.popleft()
            self._getting -= 1
            if isinstance(order, Order):
                self._ready.append((task, order))
            elif isinstance(order, NoSession):
                self._without_session(task, order)
            else:
                raise order
        if self._stopping:
            self._waiting.extend(task for task, _ in self._ready)
            self._ready.clear()
            return
        width = self._rules.width
        while self._ready and len(self._running) < width:
            self._start(*self._ready.popleft())
        while (
            self._waiting
            and self._getting < width
            and self._getting + len(self._ready) + len(self._running) < 2 * width
        ):
            task = self._waiting.popleft()
            task.attempts += 1
            self._getting += 1
            if len(self._threads) < min(self._getting, width):
                thread = threading.Thread(target=self._get_sessions, daemon=True)
                self._threads.append(thread)
                thread.start()
            self._orders.put(task)

    def _get_sessions(self) -> None:
        """A thread that gets one session after the other."""
        while True:
            task = self._orders.get()
            order: Order | BaseException
            try:
                order = self._order(task.target)
            except BaseException as error:  # noqa: BLE001 (a target that fails is a result)
                order = error
            self._arrived.append((task, order))
            with suppress(OSError):  # it is awake anyway
                os.write(self._woken, b"\0")

    def _without_session(self, task: _Task, why: NoSession) -> None:
        task.refused += 1
        most = THROTTLED_TRIES if why.throttled else max(self._rules.retry + 1, SESSION_TRIES)
        if why.again and task.refused < most and not self._stopping:
            task.attempts -= why.throttled  # that is the run's own doing
            self._waiting.append(task)
            return
        self._finish(
            Result(
                task.target,
                NO_SESSION,
                start=time.time(),
                attempts=task.attempts,
                reason=why.reason,
                error=why.error,
            )
        )

    # -- commands --------------------------------------------------------------------------------------------------

    def _start(self, task: _Task, order: Order) -> None:
        self._number += 1
        task.supervisor = min(self._supervisors, key=lambda each: each.load)
        task.began, task.wall, task.pid = time.monotonic(), time.time(), 0
        task.kept = bool(order.folder)
        self._running[self._number] = task
        task.supervisor.load += 1
        if order.folder:
            with writing(order.folder):
                os.makedirs(order.folder, mode=0o700, exist_ok=True)
        argv = None if order.argv is None else list(order.argv)
        self._send(task.supervisor, protocol.RUN, self._number, order.changes, argv, order.folder)

    def _receive(self, source: Supervisor) -> None:
        messages = source.receive()
        if messages is None:
            raise self._lost(source)
        for kind, number, *rest in messages:
            if kind == protocol.DATA:
                target = self._running[number].target
                for sink in self._sinks:
                    sink.data(target, *rest)
            elif kind == protocol.STARTED:
                self._running[number].pid = rest[0]
                for sink in self._sinks:
                    sink.started(self._running[number].target)
            elif kind == protocol.ENDED:
                self._ended(number, *rest)
            elif kind == protocol.REFUSED:
                self._waiting.append(self._done_with(number))
            elif number < 0:
                self._broken = str(rest[0])
                self._stop(protocol.END)
            else:
                self._not_started(number, str(rest[0]), int(rest[1]))

    def _done_with(self, number: int) -> _Task:
        """A task whose command does not run, or no longer."""
        task = self._running.pop(number)
        assert task.supervisor is not None
        task.supervisor.load -= 1
        return task

    def _ended(self, number: int, code: int, seconds: float, why: str, outputs: list[Any]) -> None:
        task = self._done_with(number)
        stdout, stderr = (
            Output(each) if isinstance(each, bytes) else Output(path=each[0], size=each[1], temporary=not task.kept)
            for each in outputs
        )
        result = Result(
            task.target,
            OK if code == 0 and not why else FAILED,
            exit=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            start=task.wall,
            seconds=seconds,
            attempts=task.attempts,
            stdout=stdout,
            stderr=stderr,
            reason=why,
        )
        if result.kind == FAILED and task.attempts <= self._rules.retry and not self._stopping:
            result.discard()
            self._waiting.append(task)
            return
        self._finish(result)

    def _not_started(self, number: int, error: str, code: int) -> None:
        """The system did not start the command: 127 or 126, like env(1)."""
        task = self._done_with(number)
        message = f"awsudo: cannot run the command: {error}\n".encode()
        self._finish(
            Result(
                task.target,
                FAILED,
                exit=127 if code == 2 else 126,
                start=task.wall,
                attempts=task.attempts,
                stderr=Output(message),
                reason=CANNOT_RUN,
            )
        )

    def _finish(self, result: Result) -> None:
        for sink in self._sinks:
            sink.finished(result)
        result.discard()
        if self._rules.fail_fast and result.kind != OK and not self._stopping:
            self._stop(None)

    def _tick(self, now: float) -> None:
        running = sorted(
            ((task.target, now - task.began) for task in self._running.values()), key=lambda pair: -pair[1]
        )
        state = State(running, self._getting, len(self._waiting) + len(self._ready) + self._getting, self._throttled())
        for sink in self._sinks:
            sink.tick(state)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _lost(self, source: Supervisor) -> AwsudoError:
        """A supervisor is gone: its commands have to be ended here."""
        for task in self._running.values():
            if task.supervisor is source and task.pid:
                try:
                    os.killpg(task.pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    continue
        return AwsudoError(
            "the process that watches the commands was killed", hint="its commands were ended; try again"
        )

    def _kill(self) -> None:
        """Rule 4."""
        for each in self._supervisors:
            each.close()


def _signals() -> list[int]:
    """The signals that end a run, except those that are ignored on purpose (nohup)."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
