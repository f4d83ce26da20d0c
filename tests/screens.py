"""A person at a terminal: a program on a real pty, and the screen that its bytes paint."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import pexpect
import ptyprocess
import pyte

from tests.warm import AWSUDO, WARM, Started
from tests.world import Done, World


class _Process(ptyprocess.PtyProcess):  # type: ignore[misc] # has no types
    """A run that the warm interpreter started: its parent is not this process, which learns its end from that."""

    def __init__(self, started: Started, master: int) -> None:
        super().__init__(started.pid, master)
        self.exitstatus: int | None
        self.signalstatus: int | None
        self._started = started

    def isalive(self) -> bool:
        """Whether it runs; at the end of its output, once it has ended."""
        return not self.terminated and self._code(wait=self.flag_eof) is None

    def wait(self) -> int | None:
        """The exit code once it has ended; None if a signal killed it."""
        self._code(wait=True)
        status: int | None = self.exitstatus
        return status

    def _code(self, *, wait: bool) -> int | None:
        code = self._started.wait() if wait else self._started.poll()
        if code is not None:
            self.terminated, self.status = True, code
            self.exitstatus, self.signalstatus = (code, None) if code >= 0 else (None, -code)
        return code


class PseudoTerminal(pexpect.spawn):  # type: ignore[misc] # has no types
    """A program on a terminal of its own; more than one: as a shell starts them with `&`, until all have ended.

    Awsudo is started as World.run does it. Leaving a with block kills what still runs.
    """

    def __init__(
        self,
        *commands: Sequence[str],
        env: Mapping[str, str],
        cwd: str | os.PathLike[str] | None = None,
        size: tuple[int, int] = (24, 200),
        timeout: float = 30,
    ) -> None:
        self._commands = commands
        program, *words = commands[0]
        if len(commands) > 1:
            program, words = "sh", ["-c", "".join(f"{shlex.join(command)} & " for command in commands) + "wait"]
        super().__init__(
            program,
            words,
            env=env,
            cwd=cwd and os.fspath(cwd),
            dimensions=size,
            encoding="utf-8",
            codec_errors="backslashreplace",
            timeout=timeout,
        )
        self.delaybeforesend = None

    def _spawnpty(self, args: Sequence[str], **how: Any) -> ptyprocess.PtyProcess:
        if {command[0] for command in self._commands} == {AWSUDO}:
            master, slave = os.openpty()
            ptyprocess.ptyprocess._setwinsize(slave, *how["dimensions"])
            jobs = [list(command[1:]) for command in self._commands]
            started = WARM.start(jobs, how["env"], how["cwd"] or os.getcwd(), (slave, slave, slave), session=True)
            os.close(slave)
            if started is not None:
                return _Process(started, master)
            os.close(master)
        return super()._spawnpty(args, **how)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close(force=True)

    def ended(self) -> Done:
        """How it ended, and what was displayed since the last match."""
        self.expect(pexpect.EOF)
        shown = self.before
        self.close()
        return Done(self.exitstatus if self.signalstatus is None else -self.signalstatus, shown, shown)


def terminal(
    world: World, *words: str, env: Mapping[str, str | None] | None = None, size: tuple[int, int] = (24, 200)
) -> PseudoTerminal:
    """Awsudo with these words on a terminal of its own, in this world's environment with changes."""
    return PseudoTerminal(world.command(*words), env=world.environ(dict(env or {})), cwd=world.home, size=size)


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
        beside: Sequence[Sequence[str]] = (),
        cwd: str | os.PathLike[str] | None = None,
        size: tuple[int, int] = (30, 100),
    ) -> None:
        rows, columns = size
        self.raw = ""
        self._screen = _Answering(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self._child = PseudoTerminal(command, *beside, env={"TERM": "xterm", **env}, cwd=cwd, size=size)
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
