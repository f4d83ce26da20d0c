"""Keeps a session renewed for an endpoint, in processes of its own, so that the one that stays is small.

A keeper is forked before anything large is loaded. For each renewal it forks a worker, which resolves, calls AWS, sends
what it got and ends: botocore is in memory for as long as a call takes. Where there is no fork, a thread does the work.

1. A session is renewed a third of its life, at least 15 and at most 20 minutes, before its end; a short one at half.
2. A renewal that fails is retried, ever less often, until it succeeds; the user gets one notice with the reason and
   when the session ends.
3. The keeper and its workers end when the process that they work for does, however that ends.
4. A renewal that needs an answer of the user asks for it ahead of time, until the session ends.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from awsudo_py.aws_credentials import Credentials, rfc3339
from awsudo_py.errors import AwsudoError
from awsudo_py.moments import for_people
from awsudo_py.serve.endpoint import Served

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.session_for import Answer

    Get = Callable[["Order"], Answer]

#: Seconds before its end at which a session is renewed: SDKs renew theirs 15 minutes ahead (.NET, Java), and one that
#: is renewed later than that is fetched at every use.
LONGEST_AHEAD = 1_200
#: Seconds between tries.
_LEAST_PAUSE, _FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 15.0, 300.0


def ahead(issued: float, expiration: float) -> float:
    """Rule 1: how many seconds before its end a session is renewed."""
    life = expiration - issued
    return float(LONGEST_AHEAD) if life >= 2 * LONGEST_AHEAD else life / 2


class Order(NamedTuple):
    """What a worker is to get: the first session, as a run gets it, or one that replaces a session.

    min_ttl: seconds that it must last. ends: when the session ends that it replaces, in seconds since the epoch; None:
    the first one. announce: whether a question is announced to the user.
    """

    min_ttl: float | None = None
    ends: float | None = None
    announce: bool = True


class Got(NamedTuple):
    """A worker's result: a session, or the error."""

    served: Served | None
    changes: dict[str, str | None]
    target: str
    message: str = ""
    hints: tuple[str, ...] = ()
    exit_code: int = 125

    def error(self) -> AwsudoError:
        """The error, as it was in the worker."""
        error = AwsudoError(self.message, hint=self.hints)
        error.exit_code = self.exit_code
        return error


def got(answer: Answer) -> Got:
    """The part of an answer that is sent."""
    role = answer.chain.role_arn
    arn = answer.credentials.arn or role
    account = arn.split(":")[4] if arn.count(":") >= 5 else ""
    return Got(Served(answer.credentials, role, account), dict(answer.changes), answer.chain.target)


class Keeper:
    """Gets sessions in processes of its own. Make it before other threads, and before anything large, are there."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._lock = threading.Lock()
        self._forked = hasattr(os, "fork")
        if self._forked:
            self._socket = _forked(get)

    def session(self, order: Order, *, asks: bool = False) -> Got:
        """A session as ordered, or the error.

        asks: whether its worker may prompt on the terminal, and is stopped by Ctrl-C.
        """
        if not self._forked:
            return _result(self._get, order)
        with self._lock:
            try:
                self._socket.sendall(json.dumps({"order": order, "asks": asks}).encode() + b"\n")
                return _parsed(_line(self._socket))
            except (OSError, ValueError) as error:
                return Got(None, {}, "", f"cannot renew the session: its helper process is gone ({error})")

    def close(self) -> None:
        """End the keeper."""
        if self._forked:
            self._socket.close()


def _forked(get: Get) -> socket.socket:
    ours, theirs = socket.socketpair()
    if not os.fork():
        ours.close()
        _keep(theirs, get)
    theirs.close()
    return ours


def _keep(orders: socket.socket, get: Get) -> NoReturn:
    """Rule 3: until the other end is closed."""
    import signal

    names = ("SIGINT", "SIGQUIT", "SIGTSTP", "SIGHUP", "SIGTERM", "SIGTTOU", "SIGTTIN")
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (getattr(signal, name) for name in names)}
    try:
        while True:
            line = _line(orders)
            if not line:
                os._exit(0)
            fields = json.loads(line)
            pid = os.fork()
            if not pid:
                if fields["asks"]:
                    for number, handler in before.items():
                        signal.signal(number, handler)
                _end_with(orders)
                _work(orders, get, Order(*fields["order"]))
            os.waitpid(pid, 0)
    finally:
        os._exit(1)


def _end_with(orders: socket.socket) -> None:
    """Rule 3: end this worker, which may wait for an answer of the user, when the other end is closed."""
    import signal

    def end(_number: int, _frame: object) -> NoReturn:
        raise SystemExit

    def watch() -> None:
        with suppress(OSError):
            if not orders.recv(1, socket.MSG_PEEK):
                os.kill(os.getpid(), signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, end)
    threading.Thread(target=watch, daemon=True).start()


def _work(results: socket.socket, get: Get, order: Order) -> NoReturn:
    code = 1
    try:
        results.sendall(_written(_result(get, order)))
        code = 0
    finally:
        os._exit(code)


def _result(get: Get, order: Order) -> Got:
    try:
        return got(get(order))
    except AwsudoError as error:
        return Got(None, {}, "", error.message, error.hints, error.exit_code)
    except KeyboardInterrupt:
        return Got(None, {}, "", "interrupted", (), 130)
    except Exception as error:  # noqa: BLE001 (the process that serves must hear of it, and its text may hold a secret)
        return Got(None, {}, "", f"internal error: {type(error).__name__}")


def _written(result: Got) -> bytes:
    fields: dict[str, object] = result._asdict()
    if result.served is not None:
        found = result.served.credentials
        fields["served"] = {name: getattr(found, name) for name in Credentials.__slots__}
        fields["role_arn"], fields["account"] = result.served.role_arn, result.served.account
    return json.dumps(fields).encode() + b"\n"


def _parsed(line: bytes) -> Got:
    fields = json.loads(line)
    served = None
    if fields["served"] is not None:
        served = Served(Credentials(**fields["served"]), fields["role_arn"], fields["account"])
    return Got(
        served,
        fields["changes"],
        fields["target"],
        fields["message"],
        tuple(fields["hints"]),
        fields["exit_code"],
    )


def _line(connection: socket.socket) -> bytes:
    """The next line; empty at the end. The two ends take turns, so nothing follows a line."""
    line = b""
    while not line.endswith(b"\n"):
        more = connection.recv(65_536)
        if not more:
            return b""
        line += more
    return line


class Renewal:
    """The thread that renews. notify: displays a message. replace, explain: of the endpoint."""

    def __init__(
        self,
        session: Callable[[Order], Got],
        first: Served,
        *,
        replace: Callable[[Served], None],
        explain: Callable[[str], None],
        notify: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._session, self._replace, self._explain, self._notify = session, replace, explain, notify
        self._clock = clock
        self._current = first
        self._notified = False
        self._stop = False
        self._wake = threading.Condition()
        self._last_try = 0.0
        self._hurry = False

    def now(self) -> None:
        """Renew at once, if the session is due: a client found it expired, as after the machine has slept."""
        with self._wake:
            self._hurry = self._clock() - self._last_try >= _LEAST_PAUSE
            self._wake.notify()

    def stop(self) -> None:
        """End run()."""
        with self._wake:
            self._stop = True
            self._wake.notify()

    def run(self) -> None:
        """Renew the session until stop() is called."""
        pause = _FIRST_PAUSE
        due = self._due()
        while self._waited(due):
            if self._clock() < self._due():
                due = self._due()
                continue
            self._last_try = self._clock()
            ends = self._current.credentials.expiration or 0
            found = self._session(Order(self._ahead(), ends, announce=not self._notified))
            if found.served is not None:
                self._current, self._notified, pause = found.served, False, _FIRST_PAUSE
                self._replace(found.served)
                # a source may return the same session again and again: there is always a pause between calls
                due = max(self._due(), self._clock() + _FIRST_PAUSE)
                continue
            self._report_failure(found)
            due = self._clock() + pause
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _ahead(self) -> float:
        found = self._current.credentials
        return ahead(found.issued, found.expiration or 0)

    def _due(self) -> float:
        return (self._current.credentials.expiration or 0) - self._ahead()

    def _waited(self, due: float) -> bool:
        """Wait until a moment, or for now(); returns whether to go on."""
        with self._wake:
            while not self._stop and not self._hurry:
                left = due - self._clock()
                if left <= 0:
                    break
                self._wake.wait(left)
            self._hurry = False
            return not self._stop

    def _report_failure(self, found: Got) -> None:
        """Rule 2."""
        end = self._current.credentials.expiration or 0
        self._explain(found.message)
        if not self._notified:
            self._notified = True
            hints = "".join(f"\n  {hint}" for hint in found.hints)
            state = "ends" if self._clock() < end else "ended"
            when = for_people(rfc3339(end), self._clock())
            self._notify(f"cannot renew the session, which {state} {when}: {found.message}{hints}")
