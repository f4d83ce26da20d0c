"""awsudo shell-init: prints what gives a shell awsudo-use."""

from __future__ import annotations

import click

from awsudo_py.cli.click_glue import printed, subcommand
from awsudo_py.errors import UsageError
from awsudo_py.grammar.registry import SWITCHED
from awsudo_py.shell.shell_init import TEXTS, reading_shell


@subcommand("shell-init")
@click.argument("shell", type=click.Choice(SWITCHED), required=False)
def command(shell: str | None) -> None:
    """Print what gives a shell awsudo-use.

    \b
      eval "$(awsudo shell-init)"        in ~/.bashrc, ~/.zshrc, ~/.profile
      awsudo shell-init fish | source    in ~/.config/fish/config.fish
      awsudo-use prod                    from then on: this shell is prod
      awsudo-use --unset                 and nobody again
    """
    shell = shell or reading_shell()
    if shell is None:
        raise UsageError(
            "there is no awsudo-use for this shell", hint="let it read: awsudo export TARGET --format powershell"
        )
    printed(TEXTS[shell])
