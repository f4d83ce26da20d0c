"""awsudo TARGET COMMAND, and awsudo exec: becomes the command, or a shell, as the target."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from awsudo_py import child, renewal
from awsudo_py.child_environment import applied
from awsudo_py.cli.call import (
    Call,
    ambient_profile,
    answered,
    begin,
    description_of,
    inputs_of,
    picked_saml_role,
    picked_target,
)
from awsudo_py.cli.confirmation import pass_rails
from awsudo_py.cli.options import RunOptions
from awsudo_py.errors import (
    AlreadyReported,
    AwsudoError,
    CommandNotFound,
    ConfigError,
    InvalidInput,
    NoSuchProfile,
    Rejected,
    UsageError,
    did_you_mean,
    no_target,
)
from awsudo_py.grammar.registry import RESERVED, SHORT_FORM, SUBCOMMANDS
from awsudo_py.model import Request
from awsudo_py.prompt import has_terminal
from awsudo_py.recording import record
from awsudo_py.resolve import limits
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.request import exec_request
from awsudo_py.resolve.source_kinds import kind_of
from awsudo_py.session_for import chain_for, session_for
from awsudo_py.shell.calling import users_shell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.context import Context
    from awsudo_py.grammar.registry import Subcommand
    from awsudo_py.model import RoleChain


def run(call: Call, options: RunOptions) -> None:
    """Become the command, or a shell, as the target. Raises AwsudoError."""
    context, words, argv = begin(call, wait=options.wait), call.words, call.process.argv
    inputs = inputs_of(context, options)
    # `awsudo` alone, or with nothing but options and a command after `--`
    unnamed = options.profile is None and not call.name and (call.dashed or not words)
    request = (
        Request(command=words, **inputs)
        if unnamed
        else exec_request(words, options.profile, inputs, dashed=call.dashed)
    )
    if unnamed and request.saml:
        request, unnamed = request._replace(target=picked_saml_role(context, request.saml)), False
    # a subcommand of this name is hidden by the profile
    hidden = SUBCOMMANDS.get(request.target or "") if not call.name else None
    # the target first, then the command: a typo is reported as what it was taken for; neither costs a call or a code
    chain = None if unnamed else _chain(context, request, subcommands=not call.name)
    if _renews(context) and chain is not None:
        _renew(context, request, chain, argv[: len(argv) - len(request.command)], yes=options.yes)
        return
    if options.dry_run:
        if chain is None:
            raise no_target()
        from awsudo_py.cli.explanation import show  # here, so that other runs do not import it

        show(context, request, chain, request.command)
        return
    if not request.command and not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise no_target() if unnamed else _no_command(request, hidden)
    path = _program(request, hidden)
    if hidden is not None and not request.command:
        context.terminal.notice(_about_hidden(hidden))
    if unnamed:
        target = ambient_profile(context)
        if target and not has_terminal():
            request = request._replace(target=target)
            context.terminal.detail(
                f"no terminal to pick a target on: using the profile from the environment, {target}"
            )
        else:
            request = request._replace(target=picked_target(context))
            context.terminal.notice(f"to skip the list: {_line(request, argv[: len(argv) - len(words)])}")
    chain = chain or chain_for(context, request)
    pass_rails(context, chain, request, request.command or (path,), argv, yes=options.yes)
    if options.serve or options.serve_linger or _served(context, request):
        _serve(call, context, request, path, linger=options.serve_linger)
        return
    try:
        answer = answered(context, request, picked=unnamed, chain=chain)
    except Rejected as error:
        if options.why or _explains(context, request):
            _tell_why(context, request, error)
        raise
    if request.command and not unnamed:
        record(context, argv[: len(argv) - len(request.command)], request, answer, yes=options.yes)
    if not request.command:
        context.terminal.notice(f"a shell as {description_of(answer)}; to leave: exit")
    call.process.allow_core_dumps()  # passed on to the command, as the caller set them
    child.become(path, request.command or (path,), applied(context.environ, answer.changes))


def _renews(context: Context) -> bool:
    """Whether this process runs only to renew a session in the background. Raises InvalidInput."""
    if context.environ.get("AWSUDO_RENEW_AHEAD"):
        limits.span(context.environ["AWSUDO_RENEW_AHEAD"], Origin("AWSUDO_RENEW_AHEAD", InvalidInput))
    return renewal.MARK in os.environ


def _renew(context: Context, request: Request, chain: RoleChain, words: Sequence[str], *, yes: bool) -> None:
    """Renew the session in the background, without prompts. Raises AwsudoError."""
    if kind_of(chain.source).may_be_locked:  # the keyring may have to be unlocked
        return
    least = max(float(os.environ[renewal.MARK]), request.min_ttl or 0)
    silent = request._replace(min_ttl=least, refresh=False, mfa_code=None, mfa_process=None)
    answer = session_for(context, silent, chain=chain._replace(mfa_process=None))
    record(context, words, request, answer, yes=yes)


def _served(context: Context, request: Request) -> bool:
    """Whether the target's profile sets that its commands get an endpoint. Raises ConfigError."""
    name = request.target or request.profile or ""
    value = (context.config.profile(name) or {}).get("awsudo_serve")
    if value is None:
        return False
    return limits.switch(value, Origin(f"awsudo_serve of profile {name}", ConfigError))


def _serve(call: Call, context: Context, request: Request, path: str, *, linger: bool) -> None:
    """Run the command beside an endpoint, and end as the command does. Raises AwsudoError."""
    from awsudo_py.child_supervision import end_like
    from awsudo_py.cli.commands.serve import getter
    from awsudo_py.serve.run import run_beside, serving

    get = getter(call, context, request)
    with serving(get, os.environ, context.config.config_file, context.terminal.notice) as at_work:
        context.terminal.detail(f"serving {at_work.first.target} on 127.0.0.1:{at_work.endpoint.port}")
        call.process.allow_core_dumps()
        code = run_beside(at_work, path, request.command or (path,), os.environ, linger=linger)
    end_like(code)


def _chain(context: Context, request: Request, *, subcommands: bool) -> RoleChain:
    """The request's chain; no call is made. Raises AwsudoError.

    subcommands: whether a subcommand could have been meant.
    """
    try:
        return chain_for(context, request)
    except NoSuchProfile as error:
        # not for a profile named by another one: only for a word of this line
        meant = "" if "named by" in error.message else did_you_mean(request.target or "", SUBCOMMANDS)
        if meant and subcommands:
            error.hints = (*error.hints, f"a subcommand? {meant}")
        raise


def _explains(context: Context, request: Request) -> bool:
    """Whether AWSUDO_EXPLAIN or the profile's awsudo_explain requests an explanation of each refusal."""
    profile = context.config.profile(request.target or request.profile or "") or {}
    return (context.deciding.get("AWSUDO_EXPLAIN") or profile.get("awsudo_explain", "")).lower() == "true"


def _tell_why(context: Context, request: Request, error: Rejected) -> None:
    """Show the refusal with its reasons on stderr. Raises AlreadyReported if more than the error was displayed."""
    from awsudo_py.cli.why import after_refusal  # here, so that other runs do not import it

    report = after_refusal(context, request, error)
    if report:
        context.terminal.fail(error)
        context.terminal.show(["", *report.splitlines()])
        raise AlreadyReported from None


def _no_command(request: Request, hidden: Subcommand | None) -> UsageError:
    """The error for a target without a command, where no shell can be opened."""
    name = request.target or request.role or request.profile
    hints = ["awsudo TARGET COMMAND…", *([_about_hidden(hidden)] if hidden else [])]
    return UsageError(f"no command for {name}, and no terminal for a shell", hint=tuple(hints))


def _program(request: Request, hidden: Subcommand | None) -> str:
    """The path of the command's program, or of the user's shell. Raises AwsudoError."""
    if request.command:
        try:
            return child.find(request.command[0], os.environ)
        except CommandNotFound as error:
            if hidden is not None:
                line = shlex.join(["awsudo", f"{SHORT_FORM}{hidden.name}", *request.command])
                error.hints = (f"{hidden.name} is a profile; for the subcommand: {line}", *error.hints)
            raise
    try:
        return child.find(users_shell(os.environ), os.environ)
    except AwsudoError as error:
        hint = "it is set by SHELL: set SHELL to your shell, or give a command: awsudo TARGET COMMAND…"
        raise type(error)(error.message, hint=hint) from None


def _about_hidden(line: Subcommand) -> str:
    return f"{line.name} is a profile; for the subcommand: awsudo {SHORT_FORM}{line.name}"


def _line(request: Request, before: Sequence[str]) -> str:
    """The command line that does the same with its target named; before: the words before the command."""
    options = [*before[:-1]] if before[-1:] == ["--"] else [*before]
    target = request.target or ""
    named = ["-p", target] if target in RESERVED or target.startswith(("-", SHORT_FORM)) else [target]
    return shlex.join(["awsudo", *options, *named, *(["--"] if request.command else []), *request.command])
