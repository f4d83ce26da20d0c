"""Keeps the calls to access portals below their rate limit, over all processes of a user.

A portal answers 20 calls a second, whoever makes them (measured; AWS documents no number). The processes share one
file, under a lock: the moment from which the next call may go out, the rate, and since when it has been that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from awsudo_py.sessions.sealed import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.sessions.file_store import FileStore
    from awsudo_py.sessions.locks import Lock

#: Calls a second: at the start, and after any number of refusals.
MOST, LEAST = 15.0, 1.0
#: Seconds without a refusal that give a tenth of the rate back.
_RECOVERY = 5.0
#: A moment further away than this (seconds) is of another clock.
_FURTHEST = 60.0


class Rate:
    """The shared rate; store is None where there is no place to share it. Threads may use one."""

    def __init__(
        self, store: FileStore | None, *, clock: Callable[[], float], sleep: Callable[[float], None], most: float = MOST
    ) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._most = most
        self._own = (0.0, most, 0.0)  # where nothing is shared

    def take(self) -> None:
        """Wait until a call may go out."""

        begins = 0.0

        def reserve(now: float, following: float, rate: float, since: float) -> tuple[float, float, float]:
            nonlocal begins
            if rate < self._most and now - since > _RECOVERY:
                rate, since = min(rate * 1.1, self._most), now
            begins = max(now, following)
            return begins + 1 / rate, rate, since

        now = self._change(reserve)
        if begins > now:
            self._sleep(begins - now)

    def slow_down(self) -> None:
        """A call was refused: halve the rate, once for all calls that were under way together."""

        def halve(now: float, following: float, rate: float, since: float) -> tuple[float, float, float]:
            if now - since < 1 / rate + 0.5 and rate < self._most:
                return max(following, now + 1 / rate), rate, since
            return max(following, now) + 1 / rate, max(rate / 2, LEAST), now

        self._change(halve)

    def _change(self, change: Callable[[float, float, float, float], tuple[float, float, float]]) -> float:
        """Change the shared state under the lock; returns the time of the change."""
        lock = self._locked()
        now = self._clock()
        if lock is None:
            self._own = change(now, *self._own)
            return now
        try:
            following, rate, since = self._read(lock, now)
            lock.sign(" ".join(f"{each:.4f}" for each in change(now, following, rate, since)))
        finally:
            lock.release()
        return now

    def _locked(self) -> Lock | None:
        """The lock, held; None where there is none."""
        if self._store is None:
            return None
        try:
            lock = self._store.lock(digest("sso portal rate"))
        except OSError:
            return None
        try:
            for _ in range(2000):  # each holds it for less than a millisecond
                if lock.try_acquire():
                    return lock
                self._sleep(0.002)
        except OSError:
            pass
        lock.release()
        return None

    def _read(self, lock: Lock, now: float) -> tuple[float, float, float]:
        try:
            following, rate, since = map(float, lock.signed_by().split())
        except ValueError:
            return 0.0, self._most, 0.0
        if following > now + _FURTHEST or since > now:
            following, since = now, now
        return following, min(max(rate, LEAST), self._most), since
