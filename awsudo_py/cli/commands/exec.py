"""awsudo exec: runs a command as awsudo itself does."""

from __future__ import annotations

from awsudo_py.cli.call import Call
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import RunOptions
from awsudo_py.cli.run import run


@subcommand("exec", RunOptions)
def command(call: Call, options: RunOptions) -> None:
    """Run a command. The same as without exec; also for a target named like a subcommand."""
    run(call, options)
