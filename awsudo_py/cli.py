"""The command line: click's grammar, and a function for each subcommand."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from awsudo_py import __version__, child
from awsudo_py.credentials import rfc3339
from awsudo_py.environment import applied, unset_changes
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.formats import FORMATS, format_of_shell
from awsudo_py.request import INPUTS, exec_request
from awsudo_py.shells import calling_shell, users_shell
from awsudo_py.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.invocation import Answer, Invocation

_USAGE = """\
Usage: awsudo [OPTIONS] TARGET [--] COMMAND [ARG]...     run COMMAND as TARGET
       awsudo [OPTIONS] TARGET                           a shell as TARGET
       awsudo [OPTIONS] -p PROFILE [ROLE] [--] COMMAND   the same, as older awsudos have it
       awsudo SUBCOMMAND ...
"""
_EPILOG = """\
\b
Examples:
  awsudo prod aws s3 ls                                    a profile
  awsudo 123456789012:deploy make ship                     a role, from the credentials at hand
  awsudo -p base arn:aws:iam::123456789012:role/ops CMD    a role, from the profile base
  awsudo -d 15m --policy-arn arn:aws:iam::aws:policy/ReadOnlyAccess prod CMD
  awsudo prod                                              a shell as prod
  eval "$(awsudo export prod)"                             this shell as prod
  awsudo clear                                             forget all sessions

\b
Variables:
  Each option that takes a value has one: AWSUDO_DURATION, AWSUDO_SESSION_NAME, …
  An option wins over its variable, that over the profile. AWSUDO_CACHE_DIR moves the cache.

\b
Exit codes:
  the command's own; 126 it cannot run; 127 it is not found; 125 awsudo failed; 2 usage; 130 interrupted

`awsudo SUBCOMMAND --help` tells more. Options stand before TARGET; all after COMMAND is the command's own.
"""
#: Who reads our output has seen enough: what a shell says of a program that SIGPIPE ended.
_PIPE_CLOSED = 141


class _Words(click.Command):
    """A command whose parsing ends at the first word that is no option: the rest belongs to somebody else.

    ctx.args holds the rest, byte for byte; ctx.meta["dashed"] says whether a `--` stands right before it.
    """

    allow_interspersed_args = False
    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        rest = super().parse_args(ctx, args)
        read = given[: len(given) - len(rest)]
        ctx.meta["dashed"] = read[-1:] == ["--"]
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS] TARGET [--] COMMAND [ARG]..."]


class _Awsudo(_Words):
    """The whole: a target and a command, or a subcommand."""

    @cached_property
    def subcommands(self) -> dict[str, click.Command]:
        return {}

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(_USAGE)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Subcommands"):
            formatter.write_dl([(name, command.get_short_help_str(90)) for name, command in self.subcommands.items()])
        super().format_epilog(ctx, formatter)


def _inputs(function: Callable[..., None]) -> Callable[..., None]:
    """The options that shape a request, and how much is said."""
    for wanted in reversed(INPUTS):
        said = wanted.said
        if wanted.metavar:
            option = click.option(wanted.field, *wanted.flags, metavar=wanted.metavar, multiple=wanted.many, help=said)
        else:
            option = click.option(wanted.field, *wanted.flags, is_flag=True, default=None, help=said)
        function = option(function)
    for option in (
        click.option("verbose", "-v", "--verbose", is_flag=True, help="Say what was resolved and asked."),
        click.option("quiet", "-q", "--quiet", is_flag=True, help="Say nothing but errors."),
        click.option(
            "profile", "-p", "-u", "--profile", metavar="PROFILE", help="The target; or the source, if a role follows."
        ),
    ):
        function = option(function)
    return function


_help_option = click.help_option("-h", "--help", help="Show this and exit.")


def _subcommand(name: str, cls: type[click.Command] = click.Command) -> Callable[[Callable[..., None]], click.Command]:
    """Make this function a subcommand."""

    def register(function: Callable[..., None]) -> click.Command:
        command = click.command(name, cls=cls)(_help_option(function))
        main.subcommands[name] = command
        return command

    return register


@click.command(
    "awsudo",
    cls=_Awsudo,
    epilog=_EPILOG,
)
@_inputs
@click.version_option(__version__, "--version", message="awsudo %(version)s", help="Show the version and exit.")
@_help_option
@click.pass_context
def main(ctx: click.Context, /, **options: Any) -> None:
    """sudo for AWS: run one command as an IAM role.

    TARGET is a profile of the AWS configuration, the ARN of a role, or [PARTITION:]ACCOUNT:ROLE. Its temporary
    credentials are kept until they expire, and COMMAND gets them in its environment.
    """
    words: list[str] = ctx.args
    if words and options["profile"] is None and not ctx.meta["dashed"]:
        subcommand = main.subcommands.get(words[0])
        if subcommand is not None:
            with subcommand.make_context(words[0], words[1:], parent=ctx) as inner:
                subcommand.invoke(inner)
            return
    _run(ctx, options)


@_subcommand("exec", _Words)
@_inputs
@click.pass_context
def exec_(ctx: click.Context, /, **options: Any) -> None:
    """Run a command: the same as without `exec`, for targets that are called like a subcommand."""
    _run(ctx, options)


@_subcommand("export")
@_inputs
@click.option(
    "format_name",
    "--format",
    type=click.Choice(list(FORMATS)),
    help="How to write them [as the calling shell reads them].",
)
@click.option("--unset", is_flag=True, help="Write what takes a session out of the environment again.")
@click.option("--force", is_flag=True, help="Write secrets to a terminal too.")
@click.argument("target", required=False)
@click.pass_context
def export(
    ctx: click.Context, /, target: str | None, format_name: str | None, unset: bool, force: bool, **options: Any
) -> None:
    """Print the environment for a shell, a file or an SDK.

    \b
      eval "$(awsudo export prod)"                            sh, bash, zsh
      awsudo export prod | source                             fish
      x=$(awsudo export prod) || exit; eval "$x"              in scripts
      awsudo export prod --format dotenv > .env               docker run --env-file
      credential_process = awsudo export prod --format process     in ~/.aws/config
    """
    invocation, merged = _begin(ctx, options)
    form = FORMATS[format_name or format_of_shell(calling_shell())]
    if unset:
        if target is not None or merged["profile"] is not None:
            raise UsageError("--unset takes no target: it is the same for all", hint="awsudo export --unset")
        text = form.write(unset_changes())
    else:
        if target is None and merged["profile"] is None:
            raise UsageError("no target: which profile or role?", hint="awsudo export TARGET")
        if sys.stdout is not None and sys.stdout.isatty() and not force:
            hint = _instead(form.name, target or merged["profile"])
            raise AwsudoError("this would print secrets on the terminal", hint=hint)
        words = [] if target is None else [target]
        request = exec_request(words, merged["profile"], invocation.inputs(merged))
        if request.command:
            raise UsageError(f"export takes no command: {target}", hint="awsudo export TARGET; awsudo TARGET COMMAND")
        text = form.write(invocation.answer(request).changes)
    _print(text)


@_subcommand("clear")
@_inputs
@click.argument("target", required=False)
@click.pass_context
def clear(ctx: click.Context, /, target: str | None, **options: Any) -> None:
    """Forget the sessions that are kept: all, or those of one target."""
    invocation, merged = _begin(ctx, options)
    request = None
    if target is not None or merged["profile"] is not None:
        words = [] if target is None else [target]
        request = exec_request(words, merged["profile"], invocation.inputs(merged))
    count = invocation.clear(request)
    what = f"of {target or merged['profile']} " if request else ""
    invocation.terminal.notice(f"{count} session{'' if count == 1 else 's'} {what}forgotten")


@_subcommand("demo")
@click.option("--shell", is_flag=True, help="Open a shell in that world, to play.")
@click.pass_context
def demo(ctx: click.Context, shell: bool) -> None:
    """Show awsudo at work in a throw-away world.

    An STS on this machine, a user, two roles; nothing of yours is touched.
    Needs the extra `demo`: pip install 'awsudo-py[demo]'.
    """
    from awsudo_py.demo import run_demo

    run_demo(shell=shell, environ=os.environ)


def _begin(ctx: click.Context, options: Mapping[str, Any]) -> tuple[Invocation, dict[str, Any]]:
    """The invocation, and its options with those given before the subcommand."""
    from awsudo_py.invocation import Invocation  # here, so that --help does without it

    outer = ctx.parent.params if ctx.parent is not None else {}
    merged = {name: value if value else outer.get(name) for name, value in options.items()}
    level = -1 if merged["quiet"] else 1 if merged["verbose"] else 0
    ctx.obj["terminal"].level = level
    return Invocation(os.environ, ctx.obj["terminal"]), merged


def _run(ctx: click.Context, options: Mapping[str, Any]) -> None:
    """Become the command, or a shell, as the target."""
    invocation, merged = _begin(ctx, options)
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
    path = child.find(shell, environ)
    answer = invocation.answer(request)
    invocation.terminal.notice(_greeting(answer))
    child.become(path, [shell], applied(environ, answer.changes))


def _greeting(answer: Answer) -> str:
    who = answer.credentials.arn or answer.chain.role_arn or answer.credentials.access_key_id
    until = answer.credentials.expiration
    return f"a shell as {answer.chain.target} ({who}){f', until {rfc3339(until)}' if until else ''}; exit ends it"


def _instead(form: str, target: str) -> str:
    import shlex

    line = f"awsudo export {shlex.quote(target)}"
    ways = {"fish": f"{line} | source", "powershell": f"{line} | Out-String | Invoke-Expression"}
    way = ways.get(form, f'eval "$({line})"')
    return f"let the shell read it: {way}; or add --force"


def _print(text: str) -> None:
    """To stdout, as bytes: what a secret is made of survives every locale."""
    if sys.stdout is None:
        raise AwsudoError("cannot write to stdout: it is closed")
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def run(argv: Sequence[str], terminal: Terminal) -> int:
    """Do what the words say; returns the exit code where nothing was become. Raises AwsudoError."""
    try:
        with main.make_context("awsudo", list(argv), obj={"argv": argv, "terminal": terminal}) as ctx:
            main.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except OSError as error:
        # what is left in the buffer would raise once more when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            return _PIPE_CLOSED
        raise AwsudoError(f"cannot write {error.filename or 'to stdout'}: {error.strerror}") from None
    except click.ClickException as error:
        raise UsageError(error.format_message(), hint="see awsudo --help") from None
    return 0
