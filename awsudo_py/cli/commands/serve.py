"""awsudo serve: an endpoint for tools that cannot be started through awsudo."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.cli.call import Call, answered, begin, targeted
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.confirmation import pass_rails
from awsudo_py.cli.formats import FORMATS, format_of_shell
from awsudo_py.cli.options import AnsweredOptions
from awsudo_py.cli.output import write
from awsudo_py.cli.waiting import ask_elsewhere, noun
from awsudo_py.errors import UsageError
from awsudo_py.moments import for_people
from awsudo_py.prompt import has_terminal
from awsudo_py.session_for import chain_for, session_for
from awsudo_py.shell.calling import calling_shell
from awsudo_py.terminal import LentTerminal

if TYPE_CHECKING:
    from awsudo_py.context import Context
    from awsudo_py.model import Request
    from awsudo_py.prompt import Question
    from awsudo_py.serve.keeper import Get, Order
    from awsudo_py.session_for import Answer

#: Seconds for which a question waits at least, though the session ends sooner.
_LEAST_WAIT = 60.0


class ServeOptions(AnsweredOptions):
    """What `awsudo serve` takes."""

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
    context = begin(call, wait=options.wait)
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
    pass_rails(context, chain_for(context, request), request, (), call.process.argv, yes=options.yes)
    from awsudo_py.serve.run import serving

    own_terminal = has_terminal()
    get = getter(call, context, request, own_terminal=own_terminal)
    config_file, notify = context.config.config_file, call.terminal.notice
    with serving(get, os.environ, config_file, notify, port=port, asks=own_terminal) as at_work:
        write(form.write(at_work.changes))
        call.terminal.notice(f"serving {at_work.first.target} on 127.0.0.1:{at_work.endpoint.port}; to stop: Ctrl-C")
        _wait()


def getter(call: Call, context: Context, request: Request, *, own_terminal: bool = False) -> Get:
    """Gets the session of a request in another process: first as a run does, later while a command runs.

    own_terminal: whether no command has the terminal, so that later questions are asked there too.
    """

    def get(order: Order) -> Answer:
        if order.ends is None:
            return answered(context, request)
        later, ends = begin(call, None if own_terminal else LentTerminal()), order.ends
        title = request.target or request.profile or request.role

        def state() -> str:
            now = later.run.clock()
            return f"the session of {title} {'ends' if now < ends else 'ended'} {for_people(rfc3339(ends), now)}"

        def lasts() -> float:
            return max(ends - later.run.clock(), _LEAST_WAIT)

        def announce(question: Question) -> str:
            return f"{state()}, and its renewal needs {noun(question)}: awsudo answer" if order.announce else ""

        later.about_code = [[(f"awsudo: {state()}; its renewal needs this code", "")]]
        ask_elsewhere(later, call.process.argv, lasts, announce)
        return session_for(later, request._replace(min_ttl=order.min_ttl, mfa_code=None, refresh=False))

    return get


def _wait() -> None:
    """Wait for Ctrl-C, or for SIGTERM, which also ends it quietly."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        ended.wait()
    except KeyboardInterrupt:
        return
