"""Lets the questions of a run without a terminal wait for `awsudo answer` on another terminal."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.durations import brief
from awsudo_py.errors import InvalidInput, UsageError
from awsudo_py.prompt import CONFIRMATION, MFA_CODE
from awsudo_py.resolve import limits
from awsudo_py.sessions.questions import store_of, wait_for_answer
from awsudo_py.shell.calling import calling_shell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.context import Context
    from awsudo_py.prompt import Question

_WAITED_FOR = {CONFIRMATION: "a confirmation", MFA_CODE: "an MFA code"}


def let_wait(context: Context, argv: Sequence[str], wait: str | None) -> None:
    """Let the questions of this run wait, where it has no terminal, as long as --wait (else AWSUDO_WAIT) allows.

    argv: the words after `awsudo`, to display. Raises AwsudoError.
    """
    origin = limits.Origin("--wait", UsageError) if wait else limits.Origin("AWSUDO_WAIT", InvalidInput)
    lasts, store = limits.span(wait or context.environ["AWSUDO_WAIT"], origin), store_of(context.environ)
    if store is None or not lasts:
        return

    def elsewhere(question: Question) -> str:
        waited_for = _WAITED_FOR.get(question.kind, f'an answer to "{question.subject}"')
        message = f"awsudo: waiting for {waited_for}; on another terminal: awsudo answer   ({brief(lasts)})"
        context.terminal.show([message])
        starter, reason = calling_shell(), context.environ.get("AWSUDO_REASON")
        who = [*([f"  started by {starter}"] if starter else []), *([f"  reason: {reason}"] if reason else [])]
        return wait_for_answer(
            store,
            question.text.strip(),
            kind=question.kind,
            about=[*who, *question.lines],
            line=shlex.join(["awsudo", *argv]),
            lasts=lasts,
            now=context.run.clock(),
        )

    context.terminal.elsewhere = elsewhere
