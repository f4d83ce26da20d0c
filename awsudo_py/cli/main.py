"""The command line: a target and a command, or a subcommand."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any, cast

import click

from awsudo_py import __version__
from awsudo_py.cli.click_glue import Call, Process, Words, click_options, empty_profile, help_option, loaded, set_level
from awsudo_py.cli.core_dumps import forbid
from awsudo_py.cli.options import RequestOptions
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.grammar.options import REQUEST, VERSION
from awsudo_py.grammar.registry import SUBCOMMANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.terminal import Terminal

_USAGE = """\
Usage: awsudo [OPTIONS] TARGET [--] COMMAND [ARG]...     run COMMAND as TARGET
       awsudo [OPTIONS] TARGET                           a shell as TARGET
       awsudo [OPTIONS] -p PROFILE [ROLE] [--] COMMAND   the same, as older awsudos have it
       awsudo [OPTIONS] [-- COMMAND [ARG]...]            the same, TARGET picked from a list
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
  eval "$(awsudo export prod)"                             this shell as prod (awsudo-use prod: awsudo shell-init)
  awsudo completion bash                                   TAB: targets, options, COMMAND's own words (or --install)
  awsudo clear                                             forget all sessions
  awsudo keys add base --import                            a key out of the file, into the OS keyring

\b
Variables:
  Each option that takes a value has one: AWSUDO_DURATION, AWSUDO_SESSION_NAME, …
  An option wins over its variable, that over the profile. AWSUDO_CACHE_DIR moves the cache.

\b
Exit codes:
  the command's own; 126 it cannot run; 127 it is not found; 125 awsudo failed; 2 usage; 130 interrupted

`awsudo SUBCOMMAND --help` tells more. Options stand before TARGET; all after COMMAND is the command's own.
"""
#: The reader of our output is gone: what a shell reports for a program that SIGPIPE ended.
_PIPE_CLOSED = 141


class _Awsudo(Words):
    """The whole: a target and a command, or a subcommand."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(_USAGE)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Subcommands"):
            formatter.write_dl([(each.name, each.help) for each in SUBCOMMANDS.values()])
        super().format_epilog(ctx, formatter)


@click.pass_context
def _awsudo(ctx: click.Context, /, **values: Any) -> None:
    """sudo for AWS: run one command as an IAM role.

    TARGET is a profile of the AWS configuration, the ARN of a role, or [PARTITION:]ACCOUNT:ROLE. Its temporary
    credentials are cached until they expire, and COMMAND gets them in its environment.
    """
    words: list[str] = ctx.args
    if words and values["profile"] is None and not ctx.meta["dashed"] and words[0] in SUBCOMMANDS:
        subcommand = loaded(SUBCOMMANDS[words[0]])
        with subcommand.make_context(words[0], words[1:], parent=ctx) as inner:
            subcommand.invoke(inner)
        return
    from awsudo_py.cli.commands.run import run  # here, so that --help does without it

    options = RequestOptions(values)
    if options.profile == "":
        raise empty_profile()
    process = cast("Process", ctx.obj)
    set_level(process.terminal, quiet=options.quiet, verbose=options.verbose)
    run(Call(process, "", tuple(words), ctx.meta["dashed"]), options)


main = help_option(
    click.version_option(__version__, *VERSION.flags, message="awsudo %(version)s", help=VERSION.help)(
        _Awsudo("awsudo", callback=_awsudo, help=_awsudo.__doc__, params=click_options(REQUEST), epilog=_EPILOG)
    )
)


def run(argv: Sequence[str], terminal: Terminal) -> int:
    """Do what the words say; returns the exit code, unless this process becomes the command. Raises AwsudoError."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # --help has characters that not every terminal can show
    process = Process(argv, terminal, forbid())
    try:
        with main.make_context("awsudo", list(argv), obj=process) as ctx:
            main.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except OSError as error:
        # what is left in the buffer would raise again when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            return _PIPE_CLOSED
        raise AwsudoError(f"cannot write {error.filename or 'to stdout'}: {error.strerror}") from None
    except click.ClickException as error:
        raise UsageError(error.format_message(), hint="see awsudo --help") from None
    return 0
