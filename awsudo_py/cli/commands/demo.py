"""awsudo demo: shows awsudo at work."""

from __future__ import annotations

import os

from awsudo_py.cli.click_glue import subcommand


@subcommand("demo")
def command(shell: bool) -> None:
    """Show awsudo at work in a throw-away world.

    An STS on this machine, a user, two roles; nothing of yours is touched.
    """
    from awsudo_py.demo.story import run_demo  # here, so that --help does without it

    run_demo(shell=shell, environ=os.environ)
