"""awsudo completion: prints a completion script, or sets completion up."""

from __future__ import annotations

import os

import click

from awsudo_py.cli.click_glue import printed, subcommand
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.grammar.registry import COMPLETED
from awsudo_py.shell.calling import calling_shell
from awsudo_py.shell.rc_files import change
from awsudo_py.shell.scripts import script
from awsudo_py.terminal import ask


@subcommand("completion")
@click.argument("shell", type=click.Choice(COMPLETED), required=False)
@click.pass_context
def command(ctx: click.Context, /, shell: str | None, install: bool, uninstall: bool, yes: bool) -> None:
    """Print what lets a shell complete awsudo, or set it up.

    \b
      awsudo completion --install        shows what it would change in your shell's files, and asks
      awsudo completion --uninstall      undoes that, in the same way
      awsudo completion bash             prints the script, to be read by the shell

    Before the command, TAB completes subcommands, options, profiles and roles; after it, what the command completes.
    """
    shell = shell or calling_shell()
    if shell not in COMPLETED:
        raise UsageError(
            f"there is no completion for {shell or 'this shell'}", hint=f"name one: {', '.join(COMPLETED)}"
        )
    if not (install or uninstall):
        try:
            printed(script(shell).decode())
        except OSError as error:
            raise AwsudoError(f"this installation lacks {error.filename}", hint="install awsudo again") from None
        return
    if install and uninstall:
        raise UsageError("--install and --uninstall exclude each other", hint="give one of them")
    terminal = ctx.obj["terminal"]
    wanted = change(shell, os.environ, remove=uninstall)
    if not wanted.diff:
        terminal.notice(f"nothing to change: {wanted.path} is as it shall be")
        return
    printed(wanted.diff)
    if not yes:
        answer = ask("make this change? [y/N] ", otherwise="--yes does it without asking")
        if answer.lower() not in ("y", "yes"):
            terminal.notice("nothing was changed")
            return
    wanted.make()
    terminal.notice(f"{wanted.path} is changed: it holds from the next {shell} on")
