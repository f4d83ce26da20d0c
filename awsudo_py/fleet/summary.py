"""Counts the results of a fleet run, and writes the summary."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from awsudo_py.fleet.output import Quiet
from awsudo_py.fleet.records import FAILED, NO_SESSION, OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.fleet.records import Result, Tally


class Counter(Quiet):
    """Counts the results for the summary."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def finished(self, result: Result) -> None:
        self._tally.add(result.target.name, result.kind, end=result.end, error=result.error)


def summary(tally: Tally, *, seconds: float, not_started: int = 0, listed: bool = True, most: int = 3) -> list[str]:
    """The summary's lines: the three classes, and the reasons of the results that are not ok, with their targets."""
    lines = []
    if listed:
        for error, names in sorted(tally.reasons.items(), key=lambda pair: -len(pair[1])):
            lines.append(f"  no session: {len(names)}  {error}: {some(names, most)}")
        for why, names in sorted(tally.failures.items(), key=lambda pair: -len(pair[1])):
            lines.append(f"  failed: {len(names)}  {why}: {some(names, most)}")
    counts = tally.counts
    total = f"{tally.total} target{'' if tally.total == 1 else 's'} in {spell(seconds)}"
    left = f"; {not_started} not started" if not_started else ""
    return [
        *lines,
        f"{total}: {counts[OK]} ok, {counts[FAILED]} failed, {counts[NO_SESSION]} without a session{left}",
    ]


def some(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return ", ".join([*names[:most], *([f"and {more} more"] if more > 0 else [])])


def spell(seconds: float) -> str:
    """A length of time for people: 4.2 s, 31 s, 2m 10s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m {rest:02}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02}m"


def clock_time(moment: float) -> str:
    """A moment in UTC, for JSON and reports."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
