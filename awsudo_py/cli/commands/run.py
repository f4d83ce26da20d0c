"""awsudo TARGET COMMAND, and awsudo exec: becomes the command, or a shell, as the target."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from awsudo_py import child
from awsudo_py.cli.click_glue import Call, answered, begin, description_of, inputs_of, picked_target, subcommand
from awsudo_py.cli.options import RequestOptions
from awsudo_py.cli.request import exec_request
from awsudo_py.environment import applied
from awsudo_py.errors import AwsudoError, UsageError, no_target
from awsudo_py.grammar.registry import SUBCOMMANDS
from awsudo_py.model import Request
from awsudo_py.recording import record
from awsudo_py.shell.calling import users_shell

if TYPE_CHECKING:
    from collections.abc import Sequence


@subcommand("exec", RequestOptions)
def command(call: Call, options: RequestOptions) -> None:
    """Run a command. The same as without exec; also for a target named like a subcommand."""
    run(call, options)


def run(call: Call, options: RequestOptions) -> None:
    """Become the command, or a shell, as the target. Raises AwsudoError."""
    context, words, argv = begin(call), call.words, call.process.argv
    inputs = inputs_of(context, options)
    # `awsudo` alone, or with nothing but options and a command after `--`
    unnamed = options.profile is None and not call.name and (call.dashed or not words)
    request = (
        Request(command=words, **inputs)
        if unnamed
        else exec_request(words, options.profile, inputs, dashed=call.dashed)
    )
    environ = os.environ
    if not request.command and not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        if unnamed:
            raise no_target()
        raise UsageError(
            f"no command for {request.target or request.role or request.profile}, and no terminal for a shell",
            hint="awsudo TARGET COMMAND…",
        )
    command = request.command or (users_shell(environ),)
    # looked up before anything is spent: a missing command costs no call and no MFA code
    try:
        path = child.find(command[0], environ)
    except AwsudoError as error:
        if request.command:
            raise
        hint = "SHELL names it: set it to your shell, or give a command: awsudo TARGET COMMAND…"
        raise type(error)(error.message, hint=hint) from None
    if unnamed:
        request = request._replace(target=picked_target(context))
        context.terminal.notice(f"the same without the list: {_line(request, argv[: len(argv) - len(words)])}")
    answer = answered(context, request, picked=unnamed)
    if request.command and not unnamed:
        record(context, argv[: len(argv) - len(request.command)], request, answer)
    if not request.command:
        context.terminal.notice(f"a shell as {description_of(answer)}; to leave: exit")
    call.process.allow_core_dumps()  # to the command, as the caller had them
    child.become(path, command, applied(environ, answer.changes))


def _line(request: Request, before: Sequence[str]) -> str:
    """The command line that does the same with its target named; before: the words before the command."""
    options = [*before[:-1]] if before[-1:] == ["--"] else [*before]
    target = request.target or ""
    named = ["-p", target] if target in SUBCOMMANDS or target.startswith("-") else [target]
    return shlex.join(["awsudo", *options, *named, *(["--"] if request.command else []), *request.command])
