"""awsudo shell-init: prints what gives a shell awsudo-use."""

from __future__ import annotations

import click

from awsudo_py.cli.click_glue import printed, subcommand
from awsudo_py.errors import UsageError
from awsudo_py.grammar.registry import SWITCHED
from awsudo_py.shell.calling import calling_shell
from awsudo_py.shell.shell_init import TEXTS, reading_shell


@subcommand("shell-init")
@click.argument("shell", type=click.Choice(SWITCHED), required=False)
def command(shell: str | None) -> None:
    """Print what gives a shell awsudo-use.

    \b
      eval "$(awsudo shell-init)"        in ~/.bashrc, ~/.zshrc, ~/.profile
      awsudo shell-init fish | source    in ~/.config/fish/config.fish
      eval "`awsudo shell-init csh`"     in ~/.tcshrc, ~/.cshrc
      awsudo-use prod                    makes this shell prod
      awsudo-use --unset                 undoes that
    """
    shell = shell or reading_shell()
    if shell is None:
        name = calling_shell()
        ways = {"powershell": "awsudo export TARGET | Out-String | Invoke-Expression"}
        raise UsageError(
            f"there is no awsudo-use for {name}",
            hint=f"run in it: {ways['powershell']}"
            if name in ways
            else f"start one as the target: awsudo TARGET {name}",
        )
    printed(TEXTS[shell])
