"""Cuts off a call that takes too long, whatever it is that trickles in."""

from __future__ import annotations

import os
import time


class DeadlinePassed(BaseException):
    """Not an Exception: the libraries in between would take it for one of theirs, and try again."""


class Deadline:
    """Cuts off what takes longer than this many seconds, where the system has a timer for it.

    A timer that the caller has set (it survives exec) goes on: it is put back, or, where it rings first, left alone.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        if hasattr(os, "fork"):
            import signal

            def passed(_number: int, _frame: object) -> None:
                raise DeadlinePassed

            self._begun = time.monotonic()
            self._callers, interval = signal.getitimer(signal.ITIMER_REAL)
            self._interval = interval
            self._ours = not 0 < self._callers <= self._seconds
            if self._ours:
                self._before = signal.signal(signal.SIGALRM, passed)
                signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        if hasattr(os, "fork"):
            import signal

            if not self._ours:
                return
            # A timer survives exec: ours would kill the child, and one that the caller set is the child's.
            left = max(self._callers - (time.monotonic() - self._begun), 0.001) if self._callers else 0
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
            signal.setitimer(signal.ITIMER_REAL, left, self._interval)
