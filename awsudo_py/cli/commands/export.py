"""awsudo export: prints the environment of a target."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from awsudo_py.cli.click_glue import answered, begin, printed, subcommand, targeted
from awsudo_py.cli.formats import FORMATS, Format, format_of_shell
from awsudo_py.environment import unset_changes
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.shell.calling import WITHOUT_FORMAT, calling_shell


@subcommand("export")
@click.argument("target", required=False)
@click.pass_context
def command(
    ctx: click.Context, /, target: str | None, format_name: str | None, unset: bool, force: bool, **options: Any
) -> None:
    """Print the environment for a shell, a file or an SDK.

    \b
      eval "$(awsudo export prod)"                            sh, bash, zsh
      awsudo export prod | source                             fish
      eval "`awsudo export prod`"                             tcsh, csh
      x=$(awsudo export prod) || exit; eval "$x"              in scripts, with set -e or without
      awsudo export prod --format dotenv > .env               docker run --env-file
      credential_process = awsudo export prod --format process     in ~/.aws/config
    """
    context, merged = begin(ctx, options)
    form = FORMATS[format_name or _format_of_caller(target or merged["profile"] or "TARGET")]
    if unset:
        if target is not None or merged["profile"] is not None:
            raise UsageError("--unset takes no target: it is the same for all", hint="awsudo export --unset")
        text = form.write(unset_changes())
    else:
        if target is None and merged["profile"] is None:
            raise UsageError("no target: which profile or role?", hint="awsudo export TARGET")
        if sys.stdout is not None and sys.stdout.isatty() and not force:
            line = shlex.join(["awsudo", *ctx.obj["argv"]])
            raise AwsudoError("this would print secrets on the terminal", hint=_instead(form, line))
        request = targeted(ctx, context, target, merged)
        text = form.write(answered(context, request, ahead=form.ahead).changes)
    printed(text)


def _format_of_caller(target: str) -> str:
    """The format that the calling shell reads. Raises UsageError if it is a shell that reads none."""
    name = calling_shell()
    if name in WITHOUT_FORMAT:
        raise UsageError(
            f"awsudo export has no format for {name}",
            hint=(
                f"start one as the target: awsudo {shlex.quote(target)} {name}",
                f"or name a format: awsudo export {shlex.quote(target)} --format json",
            ),
        )
    return format_of_shell(name)


def _instead(form: Format, line: str) -> str:
    """The hint that has the line which was typed, as it does no harm."""
    if not form.shells or form.name == "cmd":
        return f"let a file or a program take it: {line} > FILE; or add --force"
    ways = {
        "fish": f"{line} | source",
        "csh": f'eval "`{line}`"',
        "powershell": f"{line} | Out-String | Invoke-Expression",
    }
    way = ways.get(form.name, f'eval "$({line})"')
    return f"let the shell read it: {way}; or add --force"
