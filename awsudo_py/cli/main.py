"""The command line: a target and a command, or a subcommand."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Any, cast

import click

from awsudo_py import __version__
from awsudo_py.cli.click_glue import Call, Process, Words, click_options, empty_profile, help_option, loaded, set_level
from awsudo_py.cli.core_dumps import forbid
from awsudo_py.cli.help import page
from awsudo_py.cli.options import RunOptions
from awsudo_py.errors import UsageError, did_you_mean
from awsudo_py.grammar.options import RUN, VERSION
from awsudo_py.grammar.registry import RESERVED, SHORT_FORM, SUBCOMMANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.grammar.registry import Subcommand
    from awsudo_py.terminal import Terminal

#: The reader of our output is gone: what a shell reports for a program that SIGPIPE ended.


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
    from awsudo_py.cli.commands.run import run  # here, so that --help does not import it

    options = RunOptions(values)
    if options.profile == "":
        raise empty_profile()
    process = cast("Process", ctx.obj)
    set_level(process.terminal, quiet=options.quiet, verbose=options.verbose)
    run(Call(process, "", tuple(words), ctx.meta["dashed"]), options)


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


def run(argv: Sequence[str], terminal: Terminal) -> int:
    """Run the command line; returns the exit code, unless this process becomes the command. Raises AwsudoError."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # --help has characters that not every terminal can show
    process = Process(argv, terminal, forbid())
    try:
        with main.make_context("awsudo", list(argv), obj=process) as ctx:
            main.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except OSError as error:
        if error.filename is None and error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            # what is left in the buffer would raise again when the interpreter ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        path = context.command_path if context is not None else "awsudo"
        raise UsageError(error.format_message().rstrip("."), hint=f"see {path} --help") from None
    return 0
