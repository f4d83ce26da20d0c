"""Starts a command line: a plain run at once, anything else through click."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

from awsudo_py.cli.call import Call, Process, empty_profile, set_level
from awsudo_py.cli.core_dumps import forbid
from awsudo_py.cli.options import RunOptions
from awsudo_py.cli.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.cli.plain import Line
    from awsudo_py.terminal import Terminal


def start(argv: Sequence[str], terminal: Terminal) -> int:
    """Run the command line; returns the exit code, unless this process becomes the command. Raises AwsudoError."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # --help has characters that not every terminal can show
    process = Process(argv, terminal, forbid())
    line = plain_line(argv)
    try:
        if line is not None:
            run_line(process, line)
            return 0
        from awsudo_py.cli.main import through_click  # here, so that a plain run does not import click

        return through_click(process)
    except OSError as error:
        if error.filename is None and error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            # what is left in the buffer would raise again when the interpreter ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise


def run_line(process: Process, line: Line) -> None:
    """Run a line of awsudo itself. Raises AwsudoError."""
    from awsudo_py.cli.run import run  # here, so that --help does not import it

    options = RunOptions(line.values)
    if options.profile == "":
        raise empty_profile()
    set_level(process.terminal, quiet=options.quiet, verbose=options.verbose)
    run(Call(process, "", line.words, line.dashed), options)
