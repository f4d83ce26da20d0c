"""One call of awsudo: how the process was started, what its line says, and what every command does with it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.errors import UsageError
from awsudo_py.sessions.cached_session import RENEW_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from awsudo_py.cli.options import Common
    from awsudo_py.context import Context
    from awsudo_py.model import Request, RoleChain
    from awsudo_py.session_for import Answer
    from awsudo_py.terminal import Terminal


class Process(NamedTuple):
    """How this process was started, and what main prepared."""

    argv: Sequence[str]
    terminal: Terminal
    allow_core_dumps: Callable[[], None]  # puts back the caller's limit, for the command that we become


class Call(NamedTuple):
    """One call of a subcommand, or of awsudo itself: everything besides its options."""

    process: Process
    name: str  # the subcommand's words, for messages; empty for awsudo itself
    words: tuple[str, ...] = ()  # the target and the command, where the subcommand runs one
    dashed: bool = False  # whether a `--` stands right before those words

    @property
    def terminal(self) -> Terminal:
        """Where messages go."""
        return self.process.terminal


def empty_profile() -> UsageError:
    """The error for `-p "$UNSET"`."""
    return UsageError("--profile is empty", hint="name a profile, or leave the option out")


def set_level(terminal: Terminal, *, quiet: bool, verbose: bool) -> None:
    """Make the terminal quiet or verbose."""
    terminal.level = -1 if quiet else 1 if verbose else 0


def begin(call: Call, terminal: Terminal | None = None, *, wait: str | None = None) -> Context:
    """What one run has: its environment, its terminal (that of the call, if none is passed), the files it reads.

    wait: how long a question waits for `awsudo answer` where there is no terminal; AWSUDO_WAIT if it is left out.
    """
    from awsudo_py.context import Context  # here, so that --help does without it

    context = Context.of_process(terminal or call.terminal)
    if wait or context.environ.get("AWSUDO_WAIT"):
        from awsudo_py.cli.waiting import let_wait

        let_wait(context, call.process.argv, wait)
    return context


def inputs_of(context: Context, options: Common) -> dict[str, Any]:
    """The fields of a Request that options and variables set. Raises AwsudoError."""
    from awsudo_py.resolve.request import read_inputs

    return read_inputs(vars(options), context.deciding, context.files)


def targeted(call: Call, context: Context, target: str | None, profile: str | None, options: Common) -> Request:
    """The request of a subcommand with a target and no command. Raises UsageError."""
    from awsudo_py.resolve.request import exec_request

    words = [] if target is None else [target]
    request = exec_request(words, profile, inputs_of(context, options))
    if request.command:
        raise UsageError(
            f"{call.name} does not accept a command: {target}",
            hint=(f"awsudo {call.name} TARGET", "to run a command: awsudo TARGET COMMAND"),
        )
    return request


def answered(
    context: Context,
    request: Request,
    *,
    ahead: float = RENEW_AHEAD,
    picked: bool = False,
    chain: RoleChain | None = None,
) -> Answer:
    """The result of session_for() for a user's request, which is recorded in the journal and the history.

    picked: whether it counts as a use even if AWS is not called. Raises AwsudoError.
    """
    from awsudo_py.recording import write_journal
    from awsudo_py.session_for import session_for
    from awsudo_py.shell import history

    answer = session_for(context, request, ahead=ahead, chain=chain)
    write_journal(context, answer, request.command, request.reason or "")
    target = request.target or request.role or request.profile
    if (answer.called_aws or picked) and target and not request.no_cache:
        history.used(target, context.environ, context.run.clock(), after_profile=request.role is not None)
    return answer


def picked_target(context: Context) -> str:
    """The target that the user picks from a list, in which the profile of the environment comes first.

    Raises Interrupted if the user picks none, UsageError without a terminal.
    """
    from awsudo_py.shell import history
    from awsudo_py.shell.picker import choices, pick

    used = history.targets(context.environ, context.run.clock())
    ambient = ambient_profile(context)
    before = [ambient, *used] if ambient else used
    return pick(choices(context.config, before, context.environ), context.environ)


def picked_saml_role(context: Context, assertion: str) -> str:
    """The role of a SAML assertion: the only one, or the one that the user picks. Raises AwsudoError."""
    from awsudo_py.prompt import has_terminal
    from awsudo_py.resolve.saml import roles_of
    from awsudo_py.shell.picker import Choice, pick

    found = roles_of(assertion)
    if len(found) == 1:
        return found[0].role_arn
    if not has_terminal():
        listed = tuple(f"awsudo --saml … {shlex.quote(each.role_arn)} COMMAND…" for each in found)
        raise UsageError(f"no target, and the SAML assertion has {len(found)} roles", hint=("name one:", *listed))
    parts = ((each.role_arn, each.role_arn.split(":")[4], each.role_arn.partition(":role/")[2]) for each in found)
    return pick([Choice(*each) for each in parts], context.environ)


def ambient_profile(context: Context) -> str:
    """The profile that the environment names, or nothing."""
    return context.environ.get("AWS_PROFILE") or context.environ.get("AWS_DEFAULT_PROFILE") or ""


def description_of(answer: Answer) -> str:
    """The target of a session, its identity at AWS, and its expiry."""
    who = answer.credentials.arn or answer.chain.role_arn or answer.credentials.access_key_id
    until = answer.credentials.expiration
    return f"{answer.chain.target} ({who}){f', until {rfc3339(until)}' if until else ''}"


def forget_sessions_of(context: Context, access_key_ids: Iterable[str]) -> None:
    """Delete the sessions that come from these access keys, with a notice of how many. Raises AwsudoError."""
    from awsudo_py.sessions.clearing import forget_key

    count = sum(forget_key(each, [*context.stores.values()]) for each in access_key_ids)
    if count:
        context.terminal.notice(f"deleted {count} session{'' if count == 1 else 's'} that came from it")
