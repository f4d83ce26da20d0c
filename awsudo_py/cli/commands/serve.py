"""awsudo serve: an endpoint for tools that cannot be started through awsudo."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from awsudo_py.cli.click_glue import Call, answered, begin, subcommand, targeted
from awsudo_py.cli.confirmation import pass_rails
from awsudo_py.cli.formats import FORMATS, format_of_shell
from awsudo_py.cli.options import RequestOptions
from awsudo_py.cli.output import write
from awsudo_py.errors import UsageError
from awsudo_py.session_for import chain_for, session_for
from awsudo_py.shell.calling import calling_shell
from awsudo_py.terminal import NoTerminal

if TYPE_CHECKING:
    from awsudo_py.context import Context
    from awsudo_py.model import Request
    from awsudo_py.serve.keeper import Get
    from awsudo_py.session_for import Answer


class ServeOptions(RequestOptions):
    """What `awsudo serve` takes."""

    yes: bool
    port: str | None
    format_name: str | None
    target: str | None


@subcommand("serve", ServeOptions)
def command(call: Call, options: ServeOptions) -> None:
    """Serve credentials on this machine, for an IDE or a container, until Ctrl-C.

    Prints the variables that lead an AWS SDK to the endpoint, and serves the target's session there, renewed before
    it ends. It listens on 127.0.0.1 only; whoever has the token in the variables can get the session. To give one
    command such an endpoint, put --serve before the target instead: awsudo --serve prod COMMAND.

    \b
      awsudo serve prod
      awsudo serve prod --port 9911 --format dotenv > serve.env
    """
    context = begin(call)
    if options.target is None and options.profile is None:
        raise UsageError("no target: which profile or role?", hint="awsudo serve TARGET")
    port = 0
    if options.port is not None:
        if not options.port.isascii() or not options.port.isdecimal() or not 0 < int(options.port) < 65_536:
            raise UsageError(f"--port: invalid port {options.port!r}", hint="a number from 1 to 65535")
        port = int(options.port)
    form = FORMATS[options.format_name or format_of_shell(calling_shell())]
    request = targeted(call, context, options.target, options.profile, options)
    # a mistake is reported here, before another process is started
    pass_rails(context, chain_for(context, request), (), call.process.argv, yes=options.yes)
    from awsudo_py.serve.run import serving

    with serving(
        getter(call, context, request), os.environ, context.config.config_file, call.terminal.notice, port=port
    ) as at_work:
        write(form.write(at_work.changes))
        call.terminal.notice(f"serving {at_work.first.target} on 127.0.0.1:{at_work.endpoint.port}; to stop: Ctrl-C")
        _wait()


def getter(call: Call, context: Context, request: Request) -> Get:
    """Gets the session of a request in another process: first as a run does, later without a terminal."""

    def get(min_ttl: float | None) -> Answer:
        if min_ttl is None:
            return answered(context, request)
        later = begin(call, NoTerminal(why="the command has the terminal"))
        return session_for(later, request._replace(min_ttl=min_ttl, mfa_code=None, refresh=False))

    return get


def _wait() -> None:
    """Wait for Ctrl-C, or for SIGTERM, which also ends it quietly."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        ended.wait()
    except KeyboardInterrupt:
        return
