"""Asks questions on the controlling terminal.

1. Questions are asked on the controlling terminal only; stdin is the command's.
2. A signal ends the wait, or stops it, as if the question were not there; the terminal gets its settings back.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.display import coloured, drawn, escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from awsudo_py.display import Line

#: Kinds of questions.
QUESTION, CONFIRMATION, MFA_CODE, SIGN_IN = "question", "confirmation", "MFA code", "sign-in"


class Purpose(NamedTuple):
    """What an answer is for, as `awsudo answer` displays it; empty where it is unknown."""

    target: str = ""
    role: str = ""  # its ARN, or the account and role of a portal
    policy: str = ""  # what narrows the session
    reason: str = ""


class Question(NamedTuple):
    """A question to the user.

    otherwise: the hint if nobody can be asked. hidden: whether the answer is typed without echo. note: a line above the
    question, about the previous answer. about: lines above it, about what the answer allows.
    """

    text: str
    otherwise: str | tuple[str, ...]
    kind: str = QUESTION
    hidden: bool = False
    note: str = ""
    about: Sequence[Line] = ()
    purpose: Purpose = Purpose()

    @property
    def subject(self) -> str:
        """What it asks for, as messages name it."""
        if self.kind == CONFIRMATION:
            return "a confirmation"
        text = self.text.removesuffix("[y/N] ").removesuffix("[Y/n] ").strip(" :")
        return f"an answer: {text}" if text.endswith("?") else text

    @property
    def lines(self) -> list[str]:
        """The lines above the question, without styles."""
        return [line for line in (self.note, *("".join(text for text, _ in line) for line in self.about)) if line]


@contextmanager
def controlling_terminal() -> Iterator[tuple[TextIO, TextIO]]:
    """The terminal, to read from and to write to, wherever stdin and stdout go. Raises OSError if there is none."""
    reads, writes = ("CONIN$", "CONOUT$") if os.name == "nt" else ("/dev/tty", "/dev/tty")
    with (
        open(reads, encoding="utf-8", errors="replace") as typed,
        open(writes, "w", encoding="utf-8", errors="backslashreplace") as screen,
    ):
        yield typed, screen


def has_terminal() -> bool:
    """Whether there is a controlling terminal to ask on."""
    try:
        with controlling_terminal():
            return True
    except OSError:
        return False


def ask(question: Question) -> str:
    """Prompt on the controlling terminal and return the line typed, without its end.

    Raises Interrupted on Ctrl-C or end of file, NoPrompt without a terminal.
    """
    from awsudo_py.errors import CtrlC, Interrupted, NoPrompt

    if os.name != "nt":
        # before the question is displayed: a Ctrl-C that comes during an import can be lost in its clean-up
        import select  # noqa: F401 (for _line)
        import signal  # noqa: F401 (for _line)
        import termios  # noqa: F401 (for _line)
    try:
        with controlling_terminal() as (typed, screen):
            if hasattr(os, "tcgetpgrp") and os.tcgetpgrp(typed.fileno()) != os.getpgrp():
                # reading would stop us, and every run that waits for us; a question that cannot be answered misleads
                raise NoPrompt(f"cannot prompt in the background for {question.subject}", hint=question.otherwise)
            _write(screen, f"awsudo: {escape(question.note)}\n" if question.note else "")
            _write(screen, "".join(f"{drawn(line, colour=coloured(screen, os.environ))}\n" for line in question.about))
            try:
                line = _line(typed, screen, escape(question.text), hidden=question.hidden)
            except KeyboardInterrupt:
                _write(screen, "\n")
                raise CtrlC from None
            if question.hidden:
                _write(screen, "\n")  # the one that was typed was not displayed
    except OSError:
        raise NoPrompt(f"no terminal to prompt for {question.subject}", hint=question.otherwise) from None
    if not line:
        raise Interrupted("interrupted: end of input")
    return line.strip()


def confirmed(question: str, *, yes: bool = False, otherwise: str | tuple[str, ...] = "to confirm, pass --yes") -> bool:
    """The answer to a yes/no question: yes, if --yes was given; else as typed, where only y or yes is a yes.

    Raises as ask() does.
    """
    return yes or ask(Question(f"{question} [y/N] ", otherwise)).lower() in ("y", "yes")


@contextmanager
def lent_terminal() -> Iterator[TextIO | None]:
    """The terminal for a program that may ask there, None if there is none; it gets its settings back afterwards."""
    with ExitStack() as stack:
        try:
            typed, _ = stack.enter_context(controlling_terminal())
        except OSError:
            yield None
            return
        if os.name == "nt":
            yield typed
            return
        import termios

        before = termios.tcgetattr(typed)
        try:
            yield typed
        finally:
            with suppress(termios.error):  # it is gone
                # a program that was killed while it asked has left the echo off
                if termios.tcgetattr(typed) != before:
                    termios.tcsetattr(typed, termios.TCSADRAIN, before)


def _line(typed: TextIO, screen: TextIO, question: str, *, hidden: bool) -> str:
    """The line that is typed after the question.

    hidden: with the terminal's echo off until then, however this ends, a signal included. After Ctrl-Z and fg the
    question is asked again; while we are stopped, the terminal is as it was.
    """
    if os.name == "nt":
        import getpass

        _write(screen, question)

        return getpass.getpass("") + "\n" if hidden else typed.readline()
    import signal
    import termios
    import threading

    descriptor = typed.fileno()
    before = termios.tcgetattr(descriptor)
    silent = termios.tcgetattr(descriptor)
    silent[3] &= ~termios.ECHO

    def settle(settings: list[Any], when: int) -> None:
        """Change the terminal's settings, if the question needs others at all."""
        if not hidden:
            return
        # the shell may have the terminal back already, and SIGTTOU would stop us here, and once more after fg
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            termios.tcsetattr(descriptor, when, settings)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)

    def end(number: int, _frame: object) -> None:
        settle(before, termios.TCSAFLUSH)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # not kill(): another thread could get it, and this one would go on

    def stop(number: int, _frame: object) -> None:
        settle(before, termios.TCSANOW)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        # continued: in the foreground, or reading would have stopped us again
        signal.signal(number, stop)
        if os.tcgetpgrp(descriptor) == os.getpgrp():
            settle(silent, termios.TCSANOW)
            # not through the file, in the middle of whose write this handler may run
            os.write(screen.fileno(), question.encode("utf-8", "backslashreplace"))

    handlers = {signal.SIGTERM: end, signal.SIGHUP: end, signal.SIGTSTP: stop}
    replaced = {}
    # other threads can set none
    for number, handler in handlers.items() if threading.current_thread() is threading.main_thread() else ():
        if signal.getsignal(number) is not signal.SIG_IGN:
            replaced[number] = signal.signal(number, handler)
    try:
        settle(silent, termios.TCSAFLUSH)  # flushed: what was typed before the question does not answer it
        # not earlier: a ^Z that comes at once must find its handler, or nothing asks again after fg
        _write(screen, question)
        if threading.current_thread() is threading.main_thread():
            _wait_for_line(descriptor)
        return typed.readline()
    finally:
        settle(before, termios.TCSAFLUSH)
        for number, previous in replaced.items():
            signal.signal(number, previous)


def _wait_for_line(descriptor: int) -> None:
    """Wait until a line can be read. A signal that comes just before is not slept through, as in a read it would be."""
    import select
    import signal

    woken, wakes = os.pipe()
    for end in (woken, wakes):
        os.set_blocking(end, False)
    before = signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    try:
        while True:
            ready, _, _ = select.select([descriptor, woken], [], [])
            if descriptor in ready:
                return
            os.read(woken, 512)  # the signal's handler runs now, and raises for Ctrl-C
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wakes)


def _write(file: TextIO, text: str) -> None:
    file.write(text)
    file.flush()
