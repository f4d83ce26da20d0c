"""A person at a terminal: a program on a real pty, and the screen that its bytes paint."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pexpect
import pyte


class _Answering(pyte.Screen):
    """A terminal that answers when it is asked where its cursor is, as real ones do: fzf waits for that."""

    child: pexpect.spawn

    def write_process_input(self, data: str) -> None:
        self.child.send(data)


class Screen:
    """A program on a terminal of its own. What it paints is read until what one waits for is there."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        cwd: str | None = None,
        size: tuple[int, int] = (30, 100),
    ) -> None:
        rows, columns = size
        self.raw = ""
        self._screen = _Answering(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self._child = pexpect.spawn(
            command[0],
            list(command[1:]),
            env={"TERM": "xterm", **env},
            cwd=cwd,
            dimensions=size,
            encoding="utf-8",
            codec_errors="backslashreplace",
            timeout=20,
            echo=True,
        )
        self._child.delaybeforesend = None
        self._screen.child = self._child

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.close(force=True)

    @property
    def text(self) -> str:
        """What stands on the screen now, without the blanks at the ends of lines and below."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip("\n")

    @property
    def before_cursor(self) -> str:
        """What stands on the cursor's line, up to the cursor."""
        cursor, buffer = self._screen.cursor, self._screen.buffer
        return "".join(buffer[cursor.y][column].data for column in range(cursor.x))

    @property
    def lines(self) -> list[str]:
        """The screen's lines that are not empty."""
        return [line for line in self.text.splitlines() if line]

    def type(self, keys: str) -> Screen:
        """Press these keys."""
        self._child.send(keys)
        return self

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size; the program gets a SIGWINCH."""
        self._screen.resize(rows, columns)
        self._child.setwinsize(rows, columns)

    def until(self, expected: str | Callable[[str], bool], *, seconds: float = 20) -> str:
        """Read until the screen shows that (a regular expression, or what says yes to its text); gives the screen."""
        shows = expected if callable(expected) else lambda text: re.search(expected, text, re.MULTILINE) is not None
        deadline = time.monotonic() + seconds
        while not shows(self.text):
            try:
                self._read(max(deadline - time.monotonic(), 0))
            except (pexpect.TIMEOUT, pexpect.EOF) as end:
                if shows(self.text):
                    break
                raise AssertionError(f"{type(end).__name__} waiting for {expected!r} on\n{self.text}") from None
        return self.text

    def end(self) -> int:
        """Read to the end; the program's exit code, or minus the signal it died of."""
        try:
            while True:
                self._read(20)
        except pexpect.EOF:
            pass
        self._child.close()
        return int(self._child.exitstatus if self._child.signalstatus is None else -self._child.signalstatus)

    def _read(self, seconds: float) -> None:
        got = self._child.read_nonblocking(65536, timeout=seconds)
        self.raw += got
        self._stream.feed(got)
