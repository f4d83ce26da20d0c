"""awsudo logout: signs out of SSO sessions."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.cli.call import Call, begin
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.commands.login import named_session
from awsudo_py.cli.options import Common
from awsudo_py.errors import AwsudoError, Rejected, UsageError
from awsudo_py.resolve.sso_sessions import sessions
from awsudo_py.sessions.clearing import forget_sso

if TYPE_CHECKING:
    from awsudo_py.context import Context
    from awsudo_py.model import SsoSession


class LogoutOptions(Common):
    """What `awsudo logout` takes."""

    every: bool
    word: str | None


@subcommand("logout", LogoutOptions)
def command(call: Call, options: LogoutOptions) -> None:
    """Sign out of an SSO session, here and at its portal.

    Ends the session at the portal, and deletes its token and the cached sessions of roles that came from it. A command
    that is running keeps its session until that expires.
    """
    context = begin(call)
    if options.every and options.word is not None:
        raise UsageError(f"--all and {options.word} exclude each other", hint="awsudo logout --all")
    for session in sessions(context.config) if options.every else [named_session(context, options.word)]:
        context.terminal.notice(_sign_out(context, session))


def _sign_out(context: Context, session: SsoSession) -> str:
    """Sign out; returns the message about it."""
    sign_ins, now = context.sign_ins, context.run.clock()
    token = sign_ins.files.token(session)
    if token is not None and token.expires_at > now:
        access_token = token.access_token
        try:
            sign_ins.portal(session, lambda: access_token).sign_out()
        except Rejected as error:
            if error.code != "UnauthorizedException":  # it has ended there already
                context.terminal.notice(f"{error.message}; the token is removed here")
        except AwsudoError as error:
            context.terminal.notice(f"{error.message}; the token is removed here, and stays valid at the portal")
    try:
        removed = sign_ins.files.forget_token(session)
    except OSError as error:
        path = sign_ins.files.token_path(session)
        raise AwsudoError(f"cannot remove {path}: {error.strerror}", hint=f"see: ls -l {shlex.quote(path)}") from None
    count = forget_sso(session.start_url, [*context.stores.values()])
    cached = f"; {count} cached session{'' if count == 1 else 's'} removed" if count else ""
    return f"{f'signed out of {session.title}' if removed else f'not signed in to {session.title}'}{cached}"
