"""Keeps a fleet's calls to STS below its rate limit.

One token bucket for all threads: a call takes a token, a Throttling answer halves the rate, and every second without
one gives some of it back. STS has a quota of 600 requests per second, per account and Region (IAM quotas page), which
others of the account use too: a run starts at half of it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Calls per second at the start, and the lowest rate of a throttled run.
MOST, LEAST = 300.0, 1.0
#: The recovery in a quiet second (calls per second), and how long a halving covers calls under way.
RECOVERY, SAME_TROUBLE = 5.0, 0.5


class Bucket:
    """A token bucket. wait blocks for that many seconds; it may return early when the run is over."""

    def __init__(
        self,
        rate: float = MOST,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.rate = rate
        self.throttled = 0
        self._most = rate
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._tokens = rate
        self._filled = self._quiet_since = self._halved = clock()

    @property
    def slowed(self) -> bool:
        """Whether the rate is below that of the start."""
        return self.rate < self._most

    def take(self) -> None:
        """Wait for a token."""
        with self._lock:
            self._fill()
            self._tokens -= 1
            pause = -self._tokens / self.rate
        if pause > 0:
            self._wait(pause)

    def slow_down(self) -> None:
        """A call was throttled: halve the rate, once for all calls that were under way together."""
        with self._lock:
            self._fill()
            now = self._clock()
            self.throttled += 1
            self._quiet_since = now
            if self.throttled > 1 and now - self._halved < SAME_TROUBLE:
                return
            self._halved = now
            self.rate = max(self.rate / 2, LEAST)
            self._tokens = min(self._tokens, 0.0)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._filled) * self.rate, self.rate)
        self._filled = now
        seconds = int(now - self._quiet_since)
        if seconds and self.rate < self._most:
            self.rate = min(self.rate + RECOVERY * seconds, self._most)
            self._quiet_since += seconds
