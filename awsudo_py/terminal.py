"""The user of a run: gets its messages on stderr, and answers its questions.

1. stdout belongs to the command, or to the one thing requested: nothing here writes to it.
2. Questions are asked on the controlling terminal. Where there is none, the program that AWSUDO_ASKPASS names asks: it
   gets the question as its argument, and prints the answer (the convention of ssh and sudo). Without one, a run that
   waits gets its answer from `awsudo answer`.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext

from awsudo_py.display import coloured, escape, fitted, fitted_hint, styled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import TextIO

    from awsudo_py.prompt import Question


class Terminal:
    """The user's end: level -1 is --quiet, 1 is --verbose.

    A notice is given once. A run that had something to say is not replayed silently.
    """

    def __init__(self, level: int = 0) -> None:
        self.level = level
        #: Gets an answer from another terminal, where this run has none.
        self.elsewhere: Callable[[Question], str] | None = None
        self._noticed: set[str] = set()

    @property
    def noticed(self) -> bool:
        """Whether a notice was given, even if --quiet did not print it."""
        return bool(self._noticed)

    def notice(self, text: str) -> None:
        """Something the user should know, though the command runs."""
        repeated = text in self._noticed
        self._noticed.add(text)
        if self.level >= 0 and not repeated:
            self._write([f"awsudo: {fitted(text)}"])

    def detail(self, text: str) -> None:
        """Something for --verbose."""
        if self.level > 0:
            self._write([f"awsudo: {fitted(text)}"])

    def show(self, lines: list[str]) -> None:
        """Lines that a question is about."""
        self._write(lines)

    def ask(self, question: Question) -> str:
        """The answer of the user; see prompt.ask(). Without a terminal, see rule 2."""
        from awsudo_py import prompt
        from awsudo_py.errors import NoPrompt

        try:
            return prompt.ask(question)
        except NoPrompt:
            answer = self.ask_elsewhere(question)
            if answer is None:
                raise
            return answer

    def ask_elsewhere(self, question: Question) -> str | None:
        """The answer of the program in AWSUDO_ASKPASS, or from another terminal; None if there is neither."""
        program = os.environ.get("AWSUDO_ASKPASS", "")
        if program:
            return _answer_of(program, "\n".join(escape(line) for line in (*question.lines, question.text.strip())))
        return None if self.elsewhere is None else self.elsewhere(question)

    def lent(self) -> AbstractContextManager[TextIO | None]:
        """The terminal for a program that may ask there, as prompt.lent_terminal() gives it."""
        from awsudo_py.prompt import lent_terminal

        return lent_terminal()

    def fail(self, error: BaseException) -> None:
        """An error with its hint; quiet does not silence it."""
        from awsudo_py.errors import AlreadyReported, AwsudoError

        if isinstance(error, AlreadyReported):
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

    def ask(self, question: Question) -> str:
        """Raises AwsudoError with the hint of the question."""
        from awsudo_py.errors import AwsudoError

        raise AwsudoError(f"cannot prompt for {question.subject}: {self._why}", hint=question.otherwise)

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


class LentTerminal(NoTerminal):
    """A run whose terminal belongs to its command: questions go elsewhere (rule 2), messages to stderr."""

    def __init__(self) -> None:
        super().__init__(why="the command has the terminal")

    def ask(self, question: Question) -> str:
        """The answer from elsewhere. Raises AwsudoError."""
        answer = self.ask_elsewhere(question)
        return super().ask(question) if answer is None else answer

    def show(self, lines: list[str]) -> None:
        """Lines about a question."""
        Terminal(self.level).show(lines)


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
