"""awsudo demo: shows awsudo at work."""

from __future__ import annotations

import os

from awsudo_py.cli.call import Call
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Options


class DemoOptions(Options):
    """What `awsudo demo` takes."""

    shell: bool


@subcommand("demo", DemoOptions)
def command(call: Call, options: DemoOptions) -> None:
    """Show awsudo at work in a temporary world; no AWS account needed.

    An STS on this machine, a user and two roles. Nothing of yours is touched.
    """
    from awsudo_py.demo.story import run_demo  # here, so that --help does not import it

    run_demo(shell=options.shell, environ=os.environ)
