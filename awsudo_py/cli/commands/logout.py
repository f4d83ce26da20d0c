"""awsudo logout: signs out of SSO sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from awsudo_py.cli.click_glue import begin, subcommand
from awsudo_py.cli.commands.login import named_session
from awsudo_py.errors import AwsudoError, Rejected, UsageError
from awsudo_py.resolve.sso_sessions import sessions
from awsudo_py.sessions.clearing import forget_sso

if TYPE_CHECKING:
    from awsudo_py.context import Context
    from awsudo_py.model import SsoSession


@subcommand("logout")
@click.argument("word", metavar="[TARGET|SESSION]", required=False)
@click.pass_context
def command(ctx: click.Context, /, word: str | None, every: bool, **options: Any) -> None:
    """Sign out of an SSO session, here and at its portal.

    Ends the session at the portal, removes its token, and the cached sessions of roles that came from it. Copies of
    those that a running command has stay valid until they expire.
    """
    context, _ = begin(ctx, options)
    if every and word is not None:
        raise UsageError(f"--all and {word} exclude each other", hint="awsudo logout --all")
    for session in sessions(context.config) if every else [named_session(context, word)]:
        context.terminal.notice(_sign_out(context, session))


def _sign_out(context: Context, session: SsoSession) -> str:
    """Sign out; returns what is to be said of it."""
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
        raise AwsudoError(f"cannot remove {path}: {error.strerror}", hint=f"see: ls -l {path}") from None
    count = forget_sso(session.start_url, [*context.stores.values()])
    cached = f"; {count} cached session{'' if count == 1 else 's'} removed" if count else ""
    return f"{f'signed out of {session.title}' if removed else f'not signed in to {session.title}'}{cached}"
