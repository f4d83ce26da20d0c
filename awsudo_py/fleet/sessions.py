"""Gets the sessions of a fleet: one call for each target, and one for each session that several of them share.

1. A source, and each hop but a target's last, is fetched once for all targets; so is the reason if it is not available.
2. All calls to a service share one token bucket, the AssumeRole calls of every thread included.
3. Questions are asked one at a time, on the terminal, while nothing else is drawn there.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from awsudo_py.errors import AwsudoError, Interrupted, Throttled, Unreachable
from awsudo_py.fleet.run import NoSession, Order
from awsudo_py.fleet.throttle import Bucket
from awsudo_py.model import Request
from awsudo_py.recording import write_journal
from awsudo_py.session_for import session_for
from awsudo_py.sessions.sealed import digest
from awsudo_py.signin.rate import Rate
from awsudo_py.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

    from awsudo_py.context import Context
    from awsudo_py.fleet.records import Target
    from awsudo_py.prompt import Question
    from awsudo_py.sessions.obtain import Obtained

#: How many different notices are displayed.
MOST_NOTICES = 10
#: A shared session is renewed if it lasts no longer than this (seconds).
ALMOST_OVER = 60


class Paces:
    """Rule 2: the pace of STS, and that of sign-in portals, which all processes of a user share."""

    def __init__(self, portals: Rate, wait: Callable[[float], object] = time.sleep) -> None:
        self._sts = Bucket(wait=wait)
        self._paces: dict[str, Bucket | Rate] = {
            "sts": self._sts,
            "sso": portals,
            "account-access-runtime": portals,
        }

    def take(self, service: str) -> None:
        """Wait until a call may go out."""
        if service in self._paces:
            self._paces[service].take()

    def slow_down(self, service: str) -> None:
        """A call was throttled."""
        if service in self._paces:
            self._paces[service].slow_down()

    @property
    def throttled(self) -> bool:
        """Whether STS is called at a lower rate than at the start."""
        return self._sts.slowed


class _Entry:
    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Obtained | None = None
        self.error: BaseException | None = None


class Shared:
    """Rule 1: sessions that several targets share, by key."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def __call__(self, key: str, get: Callable[[], Obtained]) -> Obtained:
        """The result of the first caller's get(). Raises its error."""
        key = digest(key)
        with self._lock:
            entry = self._entries.get(key)
            mine = entry is None or self._is_over(entry)
            if mine:
                entry = self._entries[key] = _Entry()
        assert entry is not None
        if not mine:
            entry.done.wait()
        else:
            try:
                entry.value = get()
            except BaseException as error:  # noqa: BLE001 (raised again in each thread that waits)
                entry.error = error
            finally:
                entry.done.set()
        if entry.error is not None:
            raise entry.error
        assert entry.value is not None
        return entry.value

    def _is_over(self, entry: _Entry) -> bool:
        """Whether it must be fetched again: it expires, or the reason of the failure may have passed."""
        if not entry.done.is_set():
            return False
        if entry.value is None:
            return may_pass(entry.error)
        expiration = entry.value.credentials.expiration
        return expiration is not None and expiration < self._clock() + ALMOST_OVER


class FleetTerminal(Terminal):
    """Rule 3: the terminal of many threads. aside: makes way for a line or a question on it."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._turn = threading.RLock()
        self._printed: set[str] = set()
        self._cut = False
        self.aside: Callable[[], AbstractContextManager[None]] | None = None

    def notice(self, text: str) -> None:
        """See Terminal; only the first of hundreds of notices are displayed."""
        if len(self._printed) < MOST_NOTICES or text in self._printed:
            self._printed.add(text)
            super().notice(text)
        elif not self._cut:
            self._cut = True
            super().notice("more notices like these are left out; see one target's: awsudo explain TARGET")

    def take_back(self) -> None:
        """Write without waiting for a thread that prompts: the run is over, and nobody will answer."""
        self.aside = None
        self._turn = threading.RLock()

    @contextmanager
    def _mine(self) -> Iterator[None]:
        with self._turn:
            if self.aside is None:
                yield
                return
            with self.aside():
                yield

    def ask(self, question: Question) -> str:
        """See Terminal."""
        with self._mine():
            return super().ask(question)

    @contextmanager
    def lent(self) -> Iterator[TextIO | None]:
        """See Terminal."""
        with self._mine(), super().lent() as terminal:
            yield terminal

    def _write(self, lines: list[str], styles: list[str] | None = None) -> None:
        with self._mine():
            super()._write(lines, styles)


class Sessions:
    """What each target runs with. inputs: the fields of a Request that are the same for all.

    command: its words. template: whether they are filled in for each target.
    """

    def __init__(
        self,
        context: Context,
        inputs: Mapping[str, Any],
        *,
        command: Sequence[str] = (),
        template: bool = False,
        folder: Callable[[Target], str] = lambda _: "",
    ) -> None:
        self._context = context
        self._inputs = inputs
        self._command = command
        self._template = template
        self._folder = folder
        self._shared = Shared(context.run.clock)
        run = context.run
        self.paces = Paces(Rate(context.stores.get("file"), clock=run.clock, sleep=run.sleep))
        self._paced = threading.Event()
        self._journal = threading.Lock()  # not the file's own: its waits are for other processes

    def order(self, target: Target) -> Order:
        """What this target runs with. Raises NoSession; Interrupted if the user gave up at a question."""
        request = request_of(target, self._inputs)
        try:
            answer = session_for(self._context, request, share=self._share)
        except Interrupted:
            raise
        except AwsudoError as error:
            raise NoSession(
                reason_of(error), message_of(error), again=may_pass(error), throttled=isinstance(error, Throttled)
            ) from None
        argv = filled(self._command, target, answer.chain.region or "") if self._template else None
        with self._journal:
            write_journal(self._context, answer, argv or self._command, request.reason or "")
        return Order(answer.changes, argv, self._folder(target))

    def _share(self, key: str, get: Callable[[], Obtained]) -> Obtained:
        # only a run that calls AWS needs clients, and with them botocore
        if not self._paced.is_set():
            self._context.clients.pace = self.paces
            self._paced.set()
        return self._shared(key, get)


def request_of(target: Target, inputs: Mapping[str, Any]) -> Request:
    """The request that a target stands for."""
    fields = dict(inputs)
    if target.region:
        fields["region"] = target.region
    if target.source is not None:
        return Request(profile=target.source, role=target.word, **fields)
    return Request(target=target.word, **fields)


def filled(words: Sequence[str], target: Target, region: str) -> list[str]:
    """The command's words with {target}, {account}, {role} and {region} filled in."""
    values = {"target": target.name, "account": target.account, "role": target.role, "region": region}
    result = []
    for word in words:
        for name, value in values.items():
            word = word.replace(f"{{{name}}}", value)
        result.append(word)
    return result


def may_pass(error: BaseException | None) -> bool:
    """Whether trying again may help."""
    return isinstance(error, Unreachable | Throttled)


def reason_of(error: AwsudoError) -> str:
    """The class of an error: AWS's code, else ours."""
    return error.code or type(error).__name__


def message_of(error: AwsudoError) -> str:
    """The fault without the target's name: the same for all targets with the same fault."""
    _, colon, why = error.message.partition(": ")
    return why if colon and error.message.startswith("cannot ") else error.message
