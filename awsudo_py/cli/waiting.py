"""Lets the questions of a run without a terminal wait for `awsudo answer` on another terminal."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from awsudo_py.durations import brief
from awsudo_py.errors import InvalidInput, UsageError
from awsudo_py.prompt import CONFIRMATION, MFA_CODE, SIGN_IN, has_terminal
from awsudo_py.resolve import limits
from awsudo_py.sessions.questions import Asker, store_of, wait_for_answer
from awsudo_py.shell.calling import calling_shell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from awsudo_py.context import Context
    from awsudo_py.prompt import Question

_WAITED_FOR = {CONFIRMATION: "a confirmation", MFA_CODE: "an MFA code", SIGN_IN: "a sign-in"}


def let_wait(context: Context, argv: Sequence[str], wait: str | None) -> None:
    """Let the questions of this run wait, where it has no terminal, as long as --wait (else AWSUDO_WAIT) allows.

    argv: the words after `awsudo`, to display. Raises AwsudoError.
    """
    origin = limits.Origin("--wait", UsageError) if wait else limits.Origin("AWSUDO_WAIT", InvalidInput)
    lasts = limits.span(wait or context.environ["AWSUDO_WAIT"], origin)
    if not lasts:
        return

    def announce(question: Question) -> str:
        return f"waiting for {noun(question)}; on another terminal: awsudo answer   ({brief(lasts)})"

    if not has_terminal():
        # a run that waits for another one, which asks, waits no longer either
        context.run = context.run._replace(patience=lasts)
    ask_elsewhere(context, argv, lambda: lasts, announce)


def ask_elsewhere(
    context: Context, argv: Sequence[str], lasts: Callable[[], float], announce: Callable[[Question], str]
) -> None:
    """Leave the questions of a run to `awsudo answer`, each for so many seconds; announce gives the line about it."""
    store = store_of(context.environ)
    if store is None:
        return

    def elsewhere(question: Question) -> str:
        message = announce(question)
        if message:
            context.terminal.show([f"awsudo: {message}"])
        purpose = question.purpose
        asker = Asker(
            shlex.join(["awsudo", *argv]),
            _directory(),
            calling_shell() or "",
            purpose.target,
            purpose.role,
            purpose.policy,
            purpose.reason or context.environ.get("AWSUDO_REASON", ""),
        )
        return wait_for_answer(
            store,
            question.text.strip(),
            kind=question.kind,
            about=question.lines,
            asker=asker,
            lasts=lasts(),
            now=context.run.clock(),
        )

    context.terminal.elsewhere = elsewhere


def noun(question: Question) -> str:
    """What a question waits for."""
    return _WAITED_FOR.get(question.kind, f'an answer to "{question.subject}"')


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "a directory that was deleted"
