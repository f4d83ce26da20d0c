"""Gets MFA codes: passed as an option, printed by a program, or typed on the terminal; no code is ever sent twice."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from awsudo_py.errors import AwsudoError, CodeRefused, ConfigError, CtrlC, Interrupted, Unreachable
from awsudo_py.model import RoleHop
from awsudo_py.prompt import MFA_CODE, Purpose, Question
from awsudo_py.resolve import limits
from awsudo_py.resolve.limits import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.display import Line
    from awsudo_py.model import Hop, Program, Source
    from awsudo_py.terminal import Terminal

#: How often the terminal prompts until AWS accepts the code.
TRIES = 3
#: So many answers are looked at for one code: a program that answers the same each time is not asked for ever.
_MOST_ANSWERS = 10
_CACHED = "or run it once on a terminal: the session is cached"
_OTHERWISE = (
    "pass the code: --mfa-code CODE, or AWSUDO_MFA_CODE=CODE",
    "or on stdin: --mfa-code -",
    "or let a program print it: --mfa-process 'ykman oath accounts code -s aws', or mfa_process in the profile",
    _CACHED,
    "or answer on another terminal, with awsudo answer: AWSUDO_WAIT=2m",
)
_UNKNOWN = Purpose()
_WAIT = "a code works once, and for half a minute: wait for the next one"


class Codes:
    """The codes of one run.

    given: one from an option, a variable or a pipe; process: a program that prints one; about: lines above the first
    prompt; purpose: what the code is for; once: whether it is for one run alone, whose session is not cached.
    """

    def __init__(
        self,
        source: Source,
        environ: Mapping[str, str],
        terminal: Terminal,
        *,
        given: str | None,
        process: Program | None,
        about: Sequence[Line] = (),
        purpose: Purpose = _UNKNOWN,
        once: bool = False,
    ) -> None:
        self._source = source
        self._environ = environ
        self._terminal = terminal
        self._given = given
        self._process = process
        self._about = about
        self._purpose = purpose
        self._otherwise = tuple(line for line in _OTHERWISE if line != _CACHED) if once else _OTHERWISE
        self._sent: set[str] = set()

    def with_code(self, hop: Hop, call: Callable[[str], Credentials]) -> Credentials:
        """The result of the call with a code of the hop's device.

        Raises what the call raises, and AwsudoError if there is no way to get a code. If a code that was typed is
        refused, the prompt comes again; any other code is tried once.
        """
        if self._given is not None:
            code, self._given = self._given, None  # a second call needs another one
            return self._tried(code, call)
        if self._process is not None:
            return self._tried(printed_code(self._process, self._environ, self._terminal), call)
        refused: CodeRefused | None = None
        note = ""
        for _ in range(TRIES):
            code = self._typed(hop, note)
            try:
                return self._tried(code, call)
            except CodeRefused as error:
                if not error.again:
                    raise
                refused, note = error, f"that code was refused; {_WAIT}"
        assert refused is not None
        raise refused

    def _tried(self, code: str, call: Callable[[str], Credentials]) -> Credentials:
        self._sent.add(code)
        try:
            return call(code)
        except Unreachable as error:
            if error.sent:
                error.hints = (*error.hints, f"the MFA code may be spent: {_WAIT}")
            raise

    def _typed(self, hop: Hop, note: str) -> str:
        """A code that was not sent before, from the terminal."""
        text = f"MFA code of {hop.mfa_serial} for {self._subject(hop)}: "
        for _ in range(_MOST_ANSWERS):
            typed = self._terminal.ask(
                Question(text, self._otherwise, MFA_CODE, note=note, about=self._about, purpose=self._purpose)
            )
            self._about = ()
            try:
                code = limits.mfa_code(typed, Origin("that", AwsudoError))
            except AwsudoError:
                note = "a code has six digits"
                continue
            if code not in self._sent:
                return code
            note = f"that code was already sent; {_WAIT}"
        raise AwsudoError(f"no usable MFA code in {_MOST_ANSWERS} answers", hint=_WAIT)

    def _subject(self, hop: Hop) -> str:
        profile = f"profile {hop.profile}" if hop.profile else ""
        if isinstance(hop, RoleHop):
            return f"{profile or hop.role_arn} alone"  # whoever expects one prompt sees that this is another one
        return profile or f"the keys of {self._source.where}"


def printed_code(program: Program, environ: Mapping[str, str], terminal: Terminal) -> str:
    """The code that a program prints. Its stdin and stderr are the terminal, so that it can ask for a PIN or a touch.

    It has no time limit: it may be waiting for its user. Raises ConfigError or AwsudoError with the place that sets it,
    and never its output; Interrupted on Ctrl-C.
    """
    import subprocess

    try:
        words = shlex.split(program.command, posix=os.name != "nt")
    except ValueError as error:
        raise ConfigError(
            f"{program.where}: it cannot be parsed: {error}", hint="it is not run by a shell; quote it as in sh"
        ) from None
    if not words:
        raise ConfigError(f"{program.where} is empty", hint="name a program that prints the code, or remove it")
    without = {name: value for name, value in environ.items() if name != "AWSUDO_MFA_CODE"}
    try:
        with terminal.lent() as stdin:
            done = subprocess.run(
                words, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, env=without, check=False
            )
    except KeyboardInterrupt:
        raise CtrlC from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it cannot be started"
        raise ConfigError(
            f"{program.where} cannot be run: {words[0]}: {why}",
            hint="its first word is the program; it is not run by a shell; for a pipe, use: sh -c '… | …'",
        ) from None
    if done.returncode == -2:
        raise CtrlC
    if done.returncode == 130:
        raise Interrupted("interrupted")
    if done.returncode != 0:
        raise AwsudoError(
            f"{program.where} failed with exit code {done.returncode}",
            hint="its own message is above; to see more, run it by hand",
        )
    codes = {code for line in done.stdout.decode("utf-8", "replace").splitlines() if (code := _code_in(line))}
    if len(codes) != 1:
        what = "more than one code" if codes else "no code"
        raise AwsudoError(
            f"{program.where} printed {what}",
            hint="it must print six digits, alone or at the end of a line: try it by hand",
        )
    return codes.pop()


def _code_in(line: str) -> str:
    """The code at the end of a line (`Amazon Web Services:alice 123456`); empty if there is none."""
    word = line.split()[-1] if line.strip() else ""
    return word if len(word) == 6 and word.isascii() and word.isdigit() else ""
