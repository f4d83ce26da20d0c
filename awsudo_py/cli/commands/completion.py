"""awsudo completion: prints a completion script, or sets completion up."""

from __future__ import annotations

import os

from awsudo_py.cli.call import Call
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Options
from awsudo_py.cli.output import write
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.grammar.registry import COMPLETED
from awsudo_py.prompt import confirmed
from awsudo_py.shell.calling import calling_shell
from awsudo_py.shell.rc_files import change
from awsudo_py.shell.scripts import script


class CompletionOptions(Options):
    """What `awsudo completion` takes."""

    shell: str | None
    install: bool
    uninstall: bool
    yes: bool


@subcommand("completion", CompletionOptions)
def command(call: Call, options: CompletionOptions) -> None:
    """Print a completion script, or set completion up.

    \b
      awsudo completion --install        shows the change, then asks
      awsudo completion --uninstall      undoes that, in the same way
      awsudo completion bash             prints the script

    Before the command, TAB completes subcommands, options, profiles and roles; after it, the command's own words.
    """
    shell = options.shell or calling_shell()
    if shell not in COMPLETED:
        raise UsageError(f"no completion for {shell or 'this shell'}", hint=f"name one of {', '.join(COMPLETED)}")
    if not (options.install or options.uninstall):
        try:
            write(script(shell).decode())
        except OSError as error:
            raise AwsudoError(f"this installation lacks {error.filename}", hint="reinstall awsudo") from None
        return
    if options.install and options.uninstall:
        raise UsageError("--install and --uninstall exclude each other", hint="use one of them")
    planned = change(shell, os.environ, remove=options.uninstall)
    diff = planned.diff()
    if not diff:
        state = "has no awsudo completion" if options.uninstall else "is already set up"
        call.terminal.notice(f"{planned.path} {state}")
        return
    write(diff)
    if not confirmed("Make this change?", yes=options.yes):
        call.terminal.notice("nothing was changed")
        return
    planned.apply()
    call.terminal.notice(f"changed {planned.path}; it takes effect in the next {shell}")
