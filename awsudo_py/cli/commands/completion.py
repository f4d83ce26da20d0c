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
from awsudo_py.terminal import confirmed


@subcommand("completion")
@click.argument("shell", type=click.Choice(COMPLETED), required=False)
@click.pass_context
def command(ctx: click.Context, /, shell: str | None, install: bool, uninstall: bool, yes: bool) -> None:
    """Print what lets a shell complete awsudo, or set it up.

    \b
      awsudo completion --install        show the change to your shell's file, then make it
      awsudo completion --uninstall      undo that, in the same way
      awsudo completion bash             print the script for the shell to read

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
    planned = change(shell, os.environ, remove=uninstall)
    diff = planned.diff()
    if not diff:
        terminal.notice(
            f"{planned.path}: completion is {'not' if uninstall else 'already'} set up there, nothing to change"
        )
        return
    printed(diff)
    if not yes and not confirmed("Make this change?", otherwise="to make it without a question, pass --yes"):
        terminal.notice("nothing was changed")
        return
    planned.apply()
    terminal.notice(f"changed {planned.path}; start a new {shell} to use it")
