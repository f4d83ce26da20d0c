"""awsudo shell-init: prints the shell function awsudo-use."""

from __future__ import annotations

from awsudo_py.cli.call import Call
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Options
from awsudo_py.cli.output import write
from awsudo_py.errors import UsageError
from awsudo_py.shell.calling import calling_shell
from awsudo_py.shell.shell_init import TEXTS, reading_shell


class ShellInitOptions(Options):
    """What `awsudo shell-init` takes."""

    shell: str | None


@subcommand("shell-init", ShellInitOptions)
def command(call: Call, options: ShellInitOptions) -> None:
    """Print the shell function awsudo-use.

    \b
      eval "$(awsudo shell-init)"        in ~/.bashrc, ~/.zshrc, ~/.profile
      awsudo shell-init fish | source    in ~/.config/fish/config.fish
      eval "`awsudo shell-init csh`"     in ~/.tcshrc, ~/.cshrc
      awsudo-use prod                    makes this shell prod
      awsudo-use --unset                 undoes that
    """
    shell = options.shell or reading_shell()
    if shell is None:
        name = calling_shell()
        way = "awsudo export TARGET | Out-String | Invoke-Expression" if name == "powershell" else ""
        hint = f"run in it: {way}" if way else f"start one as the target: awsudo TARGET {name}"
        raise UsageError(f"no awsudo-use for {name}", hint=hint)
    write(TEXTS[shell])
