"""awsudo TARGET COMMAND, and awsudo exec: becomes the command, or a shell, as the target."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from awsudo_py import child
from awsudo_py.credentials import rfc3339
from awsudo_py.environment import applied
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.grammar import Words, begin, subcommand
from awsudo_py.request import exec_request
from awsudo_py.shells import users_shell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from awsudo_py.invocation import Answer


@subcommand("exec", Words)
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Run a command: the same as without `exec`, for targets that are called like a subcommand."""
    run(ctx, options)


def run(ctx: click.Context, options: Mapping[str, Any]) -> None:
    """Become the command, or a shell, as the target. Raises AwsudoError."""
    invocation, merged = begin(ctx, options)
    words = ctx.args
    if not words and merged["profile"] is None:
        raise UsageError("no target: which profile or role?", hint="awsudo TARGET COMMAND…; see awsudo --help")
    request = exec_request(words, merged["profile"], invocation.inputs(merged), dashed=ctx.meta["dashed"])
    environ = os.environ
    if request.command:
        # looked up before anything is spent: a missing command costs no call and no MFA code
        path = child.find(request.command[0], environ)
        answer = invocation.answer(request)
        argv: Sequence[str] = ctx.obj["argv"]
        invocation.remember(argv[: len(argv) - len(request.command)], request, answer)
        child.become(path, request.command, applied(environ, answer.changes))
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise UsageError(
            f"no command for {request.target or request.role or request.profile}, and no terminal for a shell",
            hint="awsudo TARGET COMMAND…",
        )
    shell = users_shell(environ)
    try:
        path = child.find(shell, environ)
    except AwsudoError as error:
        hint = "SHELL names it: set it to your shell, or give a command: awsudo TARGET COMMAND…"
        raise type(error)(error.message, hint=hint) from None
    answer = invocation.answer(request)
    invocation.terminal.notice(_greeting(answer))
    child.become(path, [shell], applied(environ, answer.changes))


def _greeting(answer: Answer) -> str:
    who = answer.credentials.arn or answer.chain.role_arn or answer.credentials.access_key_id
    until = answer.credentials.expiration
    return f"a shell as {answer.chain.target} ({who}){f', until {rfc3339(until)}' if until else ''}; exit ends it"
