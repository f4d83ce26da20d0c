"""Gets one session for all processes and threads that want it: look, lock, look again, call, store.

The numbers are those of the cache's rules, which the tests carry too.

5. On a miss, the key's lock is taken and the cache is looked at again before the call: a hundred cold starts make one
   call. A run that waits says so after two seconds, and gives up after the time that a call can take, or a person who
   types a code. A rejection that STS answered is shared with the runs that are already waiting; the rejection of a code
   is not, as they may have the right one.
6. A store that fails is a warning; the command still runs with the credentials. Where only its locks fail, as on some
   network file systems, the warning says that: the session is stored all the same.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from awsudo_py.errors import AwsudoError, CodeRefused, Rejected
from awsudo_py.sessions.cached_session import RENEW_AHEAD, fresh_session, session_fields
from awsudo_py.sessions.sealed import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.sessions.file_store import FileStore
    from awsudo_py.sessions.locks import Lock
    from awsudo_py.terminal import Terminal

#: Seconds of waiting for another run until a notice says so, and until it is given up. A call to AWS is given up a
#: second earlier (aws/client), so a longer wait is for something else.
SAY_AFTER, GIVE_UP_AFTER = 2.0, 39.0
#: Seconds until it is given up if the other run may be prompting for an MFA code: a person looks for a telephone.
PROMPT_GIVEN_UP_AFTER = 300.0
#: Seconds until it is given up if the other run may be signing in: the page is valid for ten minutes.
SIGN_IN_GIVEN_UP_AFTER = 660.0
#: A session that lasts no longer than this (seconds) is not stored.
_WORTH_KEEPING = 5
#: Seconds between two sweeps of one process.
_SWEEP_EVERY = 60
_Result = TypeVar("_Result")


class Run(NamedTuple):
    """What every store and every wait of a run needs: its terminal, its clock, and when it started."""

    terminal: Terminal
    clock: Callable[[], float]  # seconds since the epoch
    sleep: Callable[[float], None]
    started: float
    patience: float | None = None  # seconds to wait for another run that may be prompting; None: see Wait


class Wait(NamedTuple):
    """What a run that waits for another one knows about it: what it is doing, and whether it may be prompting its user.

    signs_in: whether its user may be signing in with a browser.
    """

    doing: str
    prompts: bool = False
    signs_in: bool = False

    @property
    def patience(self) -> float:
        """Seconds until it is given up."""
        if self.signs_in:
            return SIGN_IN_GIVEN_UP_AFTER
        return PROMPT_GIVEN_UP_AFTER if self.prompts else GIVE_UP_AFTER


class SharedSession:
    """The session of one key.

    inputs is everything that shapes it; title names it in messages; min_ttl and ahead as in fresh_session(). A session
    issued before renewed_since does not count. also: the inputs of other sessions that can be used instead. lock: the
    name of the lock, if it is not the session's own. wait: what is known about another run that gets the session.
    current returns the inputs as they are now, as a sign-in may be renewed meanwhile. login as in session_fields().
    """

    def __init__(
        self,
        store: FileStore,
        run: Run,
        inputs: str,
        title: str,
        *,
        min_ttl: float | None = None,
        ahead: float = RENEW_AHEAD,
        renewed_since: float = 0.0,
        also: Sequence[str] = (),
        lock: str = "",
        wait: Wait | None = None,
        current: Callable[[], str] | None = None,
        login: Callable[[], str] = lambda: "",
    ) -> None:
        self.key = digest(inputs)  # of the session that get() gives
        self._store = store
        self._run = run
        self._inputs = inputs
        self._title = title
        self._min_ttl = min_ttl
        self._ahead = ahead
        self._renewed_since = renewed_since
        self._keys = [self.key, *map(digest, also)]
        self._lock_name = lock or self.key
        self._current = current
        self._login = login
        self._wait = wait or Wait(f"getting the session of {title}")
        self._lock_error: OSError | None = None

    def get(self, call: Callable[[], Credentials]) -> Credentials:
        """The cached session if it is fresh, else what call() returns, which is then stored; raises what it raises."""
        found = self._look()
        if found is not None:
            self._run.terminal.detail(f"session of {self._title}: from the cache, {self._store.place}")
            return found
        lock = self._lock()
        if lock is None:
            return self._look() or self._stored(call())
        try:
            found = self._look()
            if found is not None:
                return found
            self._raise_shared_rejection()
            try:
                return self._stored(call())
            except CodeRefused:
                raise  # the runs that wait have codes of their own
            except Rejected as error:
                self._share(error)
                raise
        finally:
            lock.release()

    def _look(self) -> Credentials | None:
        self._take_current_inputs()
        login = self._login()
        for key in self._keys:
            fields = self._store.read(f"{key}.session")
            found = fresh_session(fields, key, self._run.clock(), self._min_ttl, ahead=self._ahead, login=login)
            if found is not None and found.issued >= self._renewed_since:
                self.key = key
                return found
        return None

    def _take_current_inputs(self) -> None:
        if self._current is not None:
            self._inputs = self._current()
            self.key = digest(self._inputs)
            self._keys[0] = self.key

    def _lock(self) -> Lock | None:
        """The key's lock, held; None if the store cannot lock, or if the session was stored while waiting for it."""
        try:
            lock = self._store.lock(self._lock_name)
        except OSError as error:
            self._lock_error = error
            return None
        held = False
        try:
            held = _acquired(lock, self._run, self._wait, lambda: self._look() is not None)
        except OSError as error:
            self._lock_error = error
        finally:
            if not held:
                lock.release()
        return lock if held else None

    def _stored(self, credentials: Credentials) -> Credentials:
        """Rule 6: store the session if possible; return it in any case."""
        now = self._run.clock()
        credentials.issued = credentials.issued or now
        until = credentials.expiration
        self._take_current_inputs()
        if until is not None and until > now + _WORTH_KEEPING:
            fields = session_fields(credentials, self._inputs, self._login())
            try:
                self._store.write(f"{self.key}.session", fields, until=until)
                # not for each of the thousands of sessions that a fleet gets: sweeping looks at every file
                if abs(now - self._store.swept) >= _SWEEP_EVERY:
                    self._store.swept = now
                    self._store.sweep(now)
                if self._lock_error is not None:
                    self._warn("no lock can be taken", self._lock_error, "; runs that start together each call AWS")
            except (OSError, ValueError) as error:
                self._warn("the session cannot be cached", error)
        return credentials

    def _share(self, error: Rejected) -> None:
        now = self._run.clock()
        fields = {"at": str(now), "message": error.message, "detail": error.detail}
        fields.update((f"hint {number}", line) for number, line in enumerate(error.hints))
        try:
            self._store.write(f"{self.key}.rejected", fields, until=now + GIVE_UP_AFTER)
        except (OSError, ValueError):
            return  # then each of the runs that wait makes its own call

    def _raise_shared_rejection(self) -> None:
        """Raise the rejection that another run got after this one started, if there is one."""
        fields = self._store.read(f"{self.key}.rejected") or {}
        try:
            at = float(fields["at"])
        except (KeyError, ValueError):
            return
        if self._run.started <= at <= self._run.clock():
            hints = tuple(value for name, value in fields.items() if name.startswith("hint "))
            raise Rejected(fields.get("message", ""), hint=hints, detail=fields.get("detail", ""))

    def _warn(self, what: str, error: Exception, effect: str = "") -> None:
        why = getattr(error, "strerror", None) or str(error)
        self._run.terminal.notice(f"{what} in {self._store.place}: {why}{effect}")


def in_turn(store: FileStore, run: Run, name: str, wait: Wait, action: Callable[[], _Result]) -> _Result:
    """What the action returns; no other run does anything under the same name meanwhile.

    Where the store cannot lock, it is done all the same. Raises what the action raises.
    """
    try:
        lock = store.lock(name)
    except OSError:
        return action()
    try:
        with suppress(OSError):  # a file system without locks
            _acquired(lock, run, wait, lambda: False)
        return action()
    finally:
        lock.release()


def _acquired(lock: Lock, run: Run, wait: Wait, unneeded: Callable[[], bool]) -> bool:
    """Wait until the lock is ours (True) or is no longer needed (False), whichever comes first."""
    here = _terminal_session()
    waited, announced, pause = 0.0, False, 0.01
    patience = wait.patience if run.patience is None or not wait.prompts else run.patience
    while not lock.try_acquire():
        if waited >= patience:
            raise AwsudoError(
                f"another awsudo has been {wait.doing} for {waited:.0f} s",
                hint="see what it waits for: pgrep -af awsudo; or go ahead without it: awsudo --no-cache …",
            )
        if waited >= SAY_AFTER and not announced:
            announced = True
            # a prompt on this terminal is notice enough, and fifty lines would hide it
            if not (wait.prompts and lock.signed_by() == here):
                run.terminal.notice(f"waiting for another awsudo that is {wait.doing}")
        run.sleep(pause)
        waited += pause
        pause = min(pause * 1.3, 0.1)
        if unneeded():
            return False
    if wait.prompts:
        lock.sign(here)
    return True


def _terminal_session() -> str:
    """What identifies the terminal of this process."""
    return str(os.getsid(0)) if hasattr(os, "getsid") else str(os.getpid())
