"""The command line: a target and a command, or a subcommand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import click

from awsudo_py import __version__
from awsudo_py.cli.click_glue import Words, click_options, help_option, loaded
from awsudo_py.cli.help import page
from awsudo_py.cli.plain import Line
from awsudo_py.cli.start import run_line
from awsudo_py.errors import UsageError, did_you_mean
from awsudo_py.grammar.options import RUN, VERSION
from awsudo_py.grammar.registry import RESERVED, SHORT_FORM, SUBCOMMANDS

if TYPE_CHECKING:
    from awsudo_py.cli.call import Process
    from awsudo_py.grammar.registry import Subcommand


class _Awsudo(Words):
    """The whole: a target and a command, or a subcommand."""

    def get_help(self, ctx: click.Context) -> str:
        return page().rstrip("\n")


@click.pass_context
def _awsudo(ctx: click.Context, /, **values: Any) -> None:
    """sudo for AWS: run one command as an IAM role.

    TARGET is a profile of the AWS configuration, the ARN of a role, or [PARTITION:]ACCOUNT:ROLE. Its temporary
    credentials are cached until they expire, and COMMAND gets them in its environment.
    """
    words: list[str] = ctx.args
    line = _subcommand(words[0]) if words and values["profile"] is None and not ctx.meta["dashed"] else None
    if line is not None:
        subcommand = loaded(line)
        with subcommand.make_context(line.name, words[1:], parent=ctx) as inner:
            subcommand.invoke(inner)
        return
    run_line(cast("Process", ctx.obj), Line(values, tuple(words), ctx.meta["dashed"]))


main = help_option(
    click.version_option(__version__, *VERSION.flags, message="awsudo %(version)s", help=VERSION.help)(
        _Awsudo("awsudo", callback=_awsudo, help=_awsudo.__doc__, params=click_options(RUN))
    )
)


def _subcommand(word: str) -> Subcommand | None:
    """The subcommand that the first word means; None for a target. Raises UsageError.

    A profile wins over a subcommand of the same name, so that no release of awsudo can change what a line does.
    """
    if word.startswith(SHORT_FORM):
        name = word[len(SHORT_FORM) :]
        if name not in SUBCOMMANDS:
            hint = did_you_mean(name, SUBCOMMANDS) or "see awsudo help"
            raise UsageError(f"no subcommand {name!r}", hint=hint)
        return SUBCOMMANDS[name]
    line = SUBCOMMANDS.get(word)
    if line is None or word in RESERVED:
        return line
    from awsudo_py.shell.completion.candidates import is_profile  # here, so that other runs do not import it

    return None if is_profile(word, os.environ) else line


def through_click(process: Process) -> int:
    """Run the command line of this process; returns the exit code. Raises AwsudoError."""
    try:
        with main.make_context("awsudo", list(process.argv), obj=process) as ctx:
            main.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        path = context.command_path if context is not None else "awsudo"
        raise UsageError(error.format_message().rstrip("."), hint=f"see {path} --help") from None
    return 0
