"""Shows the progress of a fleet run on the terminal, and what it is waiting for."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from awsudo_py.display import escape
from awsudo_py.fleet.output import Quiet
from awsudo_py.fleet.records import FAILED, NO_SESSION, OK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awsudo_py.fleet.records import Result
    from awsudo_py.fleet.run import State

#: How many of the slowest are named, if they run longer than this (seconds).
NAMED, SLOW = 5, 1.0


class Live(Quiet):
    """A view of a few lines on stderr, gone when the run is over."""

    def __init__(self, total: int, command: str) -> None:
        from rich.console import Console

        self._total = total
        self._closed = False
        self._command = escape(command)
        self._counts = {OK: 0, FAILED: 0, NO_SESSION: 0}
        self._began = time.monotonic()
        self._console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self._turn = threading.RLock()
        self._start()

    def _start(self) -> None:
        from rich.live import Live as View

        # a new one each time: an old one would draw over newer output
        self._view = View(console=self._console, auto_refresh=False, transient=True)
        self._view.start()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Pause drawing for the length of a with block: others write on the terminal."""
        with self._turn:
            self._view.stop()
            try:
                yield
            finally:
                if not self._closed:
                    self._start()

    def finished(self, result: Result) -> None:
        self._counts[result.kind] += 1

    def tick(self, state: State) -> None:
        if self._turn.acquire(blocking=False):
            try:
                self._view.update(self._drawn(state, time.monotonic() - self._began), refresh=True)
            finally:
                self._turn.release()

    def close(self) -> None:
        # without waiting for the lock: during an abandoned question nothing is drawn anyway
        self._closed = True
        self._view.stop()

    def _drawn(self, state: State, seconds: float) -> Any:
        from rich.console import Group
        from rich.text import Text

        done = sum(self._counts.values())
        top = Text(no_wrap=True, overflow="ellipsis")
        for name, count, colour in (
            ("running", len(state.running), "bold"),
            ("done", self._counts[OK], "green"),
            ("failed", self._counts[FAILED], "red"),
            ("no session", self._counts[NO_SESSION], "yellow"),
            ("left", state.left, ""),
        ):
            top.append(f" {name} ", "dim" if not count else "")
            top.append(f"{count}", colour if count else "dim")
            top.append(" ")
        top.append(f"  {_minutes(seconds)}")
        if done and seconds > 1:
            rate = done / seconds
            top.append(f"  {rate:.0f}/s" if rate >= 10 else f"  {rate:.1f}/s")
            if state.left + len(state.running) > 0:
                top.append(f"  {_minutes((self._total - done) / rate)} to go")
        if state.throttled:
            top.append("  throttled", "yellow")
        slow = [pair for pair in state.running if pair[1] >= SLOW][:NAMED]
        width = max((len(escape(target.name)) for target, _ in slow), default=0)
        lines = [top]
        for target, spent in slow:
            line = Text(f" {escape(target.name):{width}}  {_minutes(spent):>5}  ", no_wrap=True, overflow="ellipsis")
            lines.append(line.append(self._command, "dim"))
        return Group(*lines)


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def can_show(environ: Any, is_terminal: bool) -> bool:
    """Whether the terminal can be drawn on."""
    return is_terminal and environ.get("TERM", "dumb") != "dumb"
