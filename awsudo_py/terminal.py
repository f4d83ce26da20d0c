"""Writes messages to stderr, and asks questions on the controlling terminal.

1. stdout belongs to the command, or to the one thing requested: nothing here writes to it.
2. Every line is escaped on its way out: no text from outside can move the cursor, set a title or forge a line.
3. Questions are asked on the controlling terminal only; stdin is the command's.
4. Styles are for terminals only, and never where NO_COLOR is set or TERM is dumb (https://no-color.org).
5. Where there is no terminal, the program that AWSUDO_ASKPASS names asks the questions of a run: it gets the question
   as its argument, and prints the answer (the convention of ssh and sudo).
6. What somebody named at great length is shortened: a message fits the screen, and its hint stays in view.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager, nullcontext, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

    #: A line in its pieces, each with its style; an empty one is none.
    Line = Sequence[tuple[str, str]]

#: Styles by name, as SGR parameters (ECMA-48). Colour means something: red refused or production, yellow soon over,
#: green allowed, dim secondary.
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "alarm": "1;97;41"}


def escape(text: str) -> str:
    """The text with everything but visible characters and spaces written as \\xNN or \\uNNNN.

    Python's isprintable() leaves out controls, separators, lone bytes, and the format characters that reorder or hide
    what one reads (Unicode TR 36).
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def styled(text: str, style: str) -> str:
    """The text in one of STYLES."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def coloured(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Rule 4: whether this stream shows styles."""
    if environ.get("NO_COLOR") or environ.get("TERM", "dumb") == "dumb":
        return False
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def plain_glyphs(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Whether glyphs need their ASCII form here: a dumb terminal, or an encoding that is not UTF-8."""
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    if encoding != "utf8":
        return True
    try:
        return stream is not None and stream.isatty() and environ.get("TERM", "dumb") == "dumb"
    except ValueError:
        return True


#: Characters of a message, of a word in it, and of what is left of a longer word. The ARN of a role, which a hint may
#: repeat to be pasted, has 611 at most.
_LONGEST_MESSAGE, _LONGEST_WORD, _WORD_START = 400, 250, 80
_LONGEST_ARN = 620


def fitted(text: str) -> str:
    """Rule 6: a message, with its words of great length shortened, and then its middle."""
    return _shortened_line(text, _LONGEST_WORD, _LONGEST_MESSAGE)


def fitted_hint(text: str) -> str:
    """Rule 6: a hint. The command in it stays whole, unless a name in it could not be pasted anyway."""
    return _shortened_line(text, _LONGEST_ARN, 3 * _LONGEST_ARN)


def _shortened_line(text: str, longest_word: int, longest: int) -> str:
    if len(text) <= longest_word:
        return text
    from awsudo_py.errors import shortened

    line = " ".join(_shortened_word(word) if len(word) > longest_word else word for word in text.split(" "))
    if len(line) <= longest:
        return line
    end = _LONGEST_MESSAGE // 4
    return f"{shortened(line, _LONGEST_MESSAGE - end - 30)} … {line[-end:]}"


def _shortened_word(word: str) -> str:
    """The start of a word, with the quote and the colon that may close it."""
    from awsudo_py.errors import shortened

    name = word.rstrip("'\":,;")
    return shortened(name, _WORD_START) + word[len(name) :][:2]


class Terminal:
    """The user's end: level -1 is --quiet, 1 is --verbose.

    A notice is given once. A run that had something to say is not replayed silently.
    """

    def __init__(self, level: int = 0) -> None:
        self.level = level
        #: Gets the answer from elsewhere, where there is no terminal: the question, what it is about, its kind.
        self.elsewhere: Callable[[str, Sequence[str], str], str] | None = None
        self._said: set[str] = set()

    @property
    def noticed(self) -> bool:
        """Whether a notice was given, even if --quiet did not print it."""
        return bool(self._said)

    def notice(self, text: str) -> None:
        """Something the user should know, though the command runs."""
        repeated = text in self._said
        self._said.add(text)
        if self.level >= 0 and not repeated:
            self._write([f"awsudo: {fitted(text)}"])

    def detail(self, text: str) -> None:
        """Something for --verbose."""
        if self.level > 0:
            self._write([f"awsudo: {fitted(text)}"])

    def show(self, lines: list[str]) -> None:
        """Lines that a question is about."""
        self._write(lines)

    def ask(
        self,
        question: str,
        *,
        otherwise: str | tuple[str, ...],
        hidden: bool = False,
        said: str = "",
        about: Sequence[Line] = (),
    ) -> str:
        """The line that the user types; see the function ask() of this module.

        Without a terminal, what the program in AWSUDO_ASKPASS answers (rule 5).
        """
        from awsudo_py.errors import NoPrompt

        try:
            return ask(question, otherwise=otherwise, hidden=hidden, said=said, about=about)
        except NoPrompt:
            program = os.environ.get("AWSUDO_ASKPASS", "")
            if not program and self.elsewhere is None:
                raise
        lines = [line for line in (said, *("".join(text for text, _ in line) for line in about)) if line]
        if program:
            return _answer_of(program, "\n".join(escape(line) for line in (*lines, question.strip())))
        assert self.elsewhere is not None
        return self.elsewhere(question.strip(), lines, "confirmation" if about else _subject(question))

    def lent(self) -> AbstractContextManager[TextIO | None]:
        """The terminal for a program that may ask there, as lent_terminal() gives it."""
        return lent_terminal()

    def fail(self, error: BaseException) -> None:
        """An error with its hint; quiet does not silence it."""
        from awsudo_py.errors import AwsudoError, Told

        if isinstance(error, Told):
            return
        if isinstance(error, AwsudoError):
            detail = [f"  AWS: {error.detail}"] if error.detail else []
            hints = (f"  {fitted_hint(line)}" for line in error.hints)
            lines = [f"awsudo: {fitted(error.message)}", *detail, *hints]
            styles = ["bold", *("dim" for _ in detail)]
        else:
            lines = [f"awsudo: internal error: {_where(error)}", "  Please report this line; it holds no secret."]
            styles = ["bold"]
        self._write(lines, styles)

    def _write(self, lines: list[str], styles: list[str] | None = None) -> None:
        """Write lines; the first have these styles, where stderr shows any."""
        written = [escape(line) for line in lines]
        if styles and coloured(sys.stderr, os.environ):
            written[: len(styles)] = [styled(line, style) for line, style in zip(written, styles, strict=False)]
        try:
            sys.stderr.write("".join(f"{line}\n" for line in written))
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            # Closed or full. What is left in its buffer would change the exit code.
            sys.stderr = None


class NoTerminal(Terminal):
    """A run without a user: notices go to a function, and whatever would take an answer fails.

    why: why no prompt can be answered, for messages.
    """

    def __init__(self, notices: Callable[[str], None] = lambda _: None, *, why: str = "there is no user") -> None:
        super().__init__()
        self._notices = notices
        self._why = why

    def ask(
        self,
        question: str,
        *,
        otherwise: str | tuple[str, ...],
        hidden: bool = False,
        said: str = "",
        about: Sequence[Line] = (),
    ) -> str:
        """Raises AwsudoError; otherwise is its hint."""
        from awsudo_py.errors import AwsudoError

        raise AwsudoError(f"cannot prompt for {_subject(question)}: {self._why}", hint=otherwise)

    def lent(self) -> AbstractContextManager[TextIO | None]:
        """No terminal: the program has to do without one."""
        return nullcontext(None)

    def _write(self, lines: list[str], styles: list[str] | None = None) -> None:
        for line in lines:
            self._notices(line.removeprefix("awsudo: "))


def _where(error: BaseException) -> str:
    """The error's type and the line of our code. Its text could hold anything, a secret included."""
    trace = error.__traceback__
    place = ""
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if "awsudo_py" in path:
            place = f" at {os.path.basename(path)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}{place}"


@contextmanager
def controlling_terminal() -> Iterator[tuple[TextIO, TextIO]]:
    """The terminal, to read from and to write to, wherever stdin and stdout go. Raises OSError if there is none."""
    reads, writes = ("CONIN$", "CONOUT$") if os.name == "nt" else ("/dev/tty", "/dev/tty")
    with (
        open(reads, encoding="utf-8", errors="replace") as typed,
        open(writes, "w", encoding="utf-8", errors="backslashreplace") as shown,
    ):
        yield typed, shown


def has_terminal() -> bool:
    """Whether there is a controlling terminal to ask on."""
    try:
        with controlling_terminal():
            return True
    except OSError:
        return False


def ask(
    question: str,
    *,
    otherwise: str | tuple[str, ...],
    hidden: bool = False,
    said: str = "",
    about: Sequence[Line] = (),
) -> str:
    """Prompt on the controlling terminal and return the line typed, without its end; hidden: with the echo off.

    said: a line above the question, about the previous answer. about: lines above a confirmation, about what it allows.

    Raises Interrupted on Ctrl-C or end of file, NoPrompt without a terminal; otherwise is the hint for that case.
    """
    from awsudo_py.errors import CtrlC, Interrupted, NoPrompt

    if os.name != "nt":
        # before the question is displayed: a Ctrl-C that comes during an import can be lost in its clean-up
        import select  # noqa: F401 (for _line)
        import signal  # noqa: F401 (for _line)
        import termios  # noqa: F401 (for _line)
    subject = "a confirmation" if about else _subject(question)
    try:
        with controlling_terminal() as (typed, shown):
            if hasattr(os, "tcgetpgrp") and os.tcgetpgrp(typed.fileno()) != os.getpgrp():
                # reading would stop us, and every run that waits for us; a question that cannot be answered misleads
                raise NoPrompt(f"cannot prompt in the background for {subject}", hint=otherwise)
            _say(shown, f"awsudo: {escape(said)}\n" if said else "")
            _say(shown, "".join(f"{_drawn(line, shown)}\n" for line in about))
            _say(shown, escape(question))
            try:
                line = _line(typed, shown, escape(question), hidden=hidden)
            except KeyboardInterrupt:
                _say(shown, "\n")
                raise CtrlC from None
            if hidden:
                _say(shown, "\n")  # the one that was typed was not shown
    except OSError:
        raise NoPrompt(f"no terminal to prompt for {subject}", hint=otherwise) from None
    if not line:
        raise Interrupted("interrupted: end of input")
    return line.strip()


def _answer_of(program: str, question: str) -> str:
    """The first line that a program prints. Raises AwsudoError, which never has what it printed."""
    import subprocess

    from awsudo_py.errors import AwsudoError

    try:
        done = subprocess.run(
            [program, question], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, close_fds=True
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise AwsudoError(
            f"AWSUDO_ASKPASS: cannot run {program}: {why}", hint="name a program by its full path, such as ssh-askpass"
        ) from None
    answer = done.stdout.decode("utf-8", "replace").partition("\n")[0].strip()
    if done.returncode or not answer:
        why = f"exit code {done.returncode}" if done.returncode else "it printed nothing"
        raise AwsudoError(f"AWSUDO_ASKPASS: no answer from {program}: {why}", hint="run it again, and answer")
    return answer


def confirmed(question: str, *, yes: bool = False, otherwise: str | tuple[str, ...] = "to confirm, pass --yes") -> bool:
    """The answer to a yes/no question: yes, if --yes was given; else as typed, where only y or yes is a yes.

    Raises as ask() does.
    """
    return yes or ask(f"{question} [y/N] ", otherwise=otherwise).lower() in ("y", "yes")


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


def _subject(question: str) -> str:
    """What a question asks for, as messages name it."""
    text = question.removesuffix("[y/N] ").strip(" :")
    return f"an answer: {text}" if text.endswith("?") else text


def _line(typed: TextIO, shown: TextIO, question: str, *, hidden: bool) -> str:
    """The line that is typed. hidden: with the terminal's echo off until then, however this ends, a signal included.

    After Ctrl-Z and fg the question is asked again; while we are stopped, the terminal is as it was.
    """
    if os.name == "nt":
        import getpass

        return getpass.getpass("") + "\n" if hidden else typed.readline()
    import signal
    import termios
    import threading

    descriptor = typed.fileno()
    before = termios.tcgetattr(descriptor)
    silent = termios.tcgetattr(descriptor)
    if hidden:
        silent[3] &= ~termios.ECHO

    def end(number: int, _frame: object) -> None:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def stop(number: int, _frame: object) -> None:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # continued: in the foreground, or reading would have stopped us again
        signal.signal(number, stop)
        if os.tcgetpgrp(descriptor) == os.getpgrp():
            termios.tcsetattr(descriptor, termios.TCSANOW, silent)
            _say(shown, question)

    handlers = {signal.SIGTERM: end, signal.SIGHUP: end, signal.SIGTSTP: stop}
    replaced = {}
    # other threads can set none
    for number, handler in handlers.items() if threading.current_thread() is threading.main_thread() else ():
        if signal.getsignal(number) is not signal.SIG_IGN:
            replaced[number] = signal.signal(number, handler)
    try:
        if hidden:
            # flushed: what was typed before the question is no answer to it
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
        if threading.current_thread() is threading.main_thread():
            _wait_for_line(descriptor)
        return typed.readline()
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH if hidden else termios.TCSANOW, before)
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


def _drawn(line: Line, shown: TextIO) -> str:
    in_colour = coloured(shown, os.environ)
    return "".join(styled(escape(text), style) if style and in_colour else escape(text) for text, style in line)


def _say(file: TextIO, text: str) -> None:
    file.write(text)
    file.flush()
