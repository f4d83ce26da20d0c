"""awsudo login: signs in to the SSO session of a target, or lists the sessions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.cli.call import Call, begin
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Common
from awsudo_py.cli.output import Cell, Column, write, write_json, write_table
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.prompt import has_terminal
from awsudo_py.resolve.sso_sessions import find_session, sessions
from awsudo_py.signin.token_files import TokenFiles

if TYPE_CHECKING:
    from awsudo_py.context import Context
    from awsudo_py.model import SsoSession
    from awsudo_py.signin.token_files import SsoToken


class LoginOptions(Common):
    """What `awsudo login` takes."""

    profile: str | None
    wait: str | None
    device_code: bool
    browser: bool
    print_url: bool
    list_all: bool
    as_json: bool
    word: str | None


@subcommand("login", LoginOptions)
def command(call: Call, options: LoginOptions) -> None:
    """Sign in to the SSO session of a target, for awsudo and the AWS CLI.

    Opens the page of IAM Identity Center. Over ssh and in containers, or with --device-code, the page displays a code
    and can be opened on any device. The token is stored where the AWS CLI stores it, and both programs renew it.

    \b
      awsudo login                 the only SSO session of ~/.aws/config
      awsudo login corp            an sso-session, or that of a profile
      awsudo login --list
    """
    context = begin(call, wait=options.wait)
    if options.list_all:
        _list(context, as_json=options.as_json)
        return
    if options.as_json:
        raise UsageError("--json goes with --list", hint="awsudo login --list --json")
    if options.device_code and options.browser:
        raise UsageError("--device-code and --browser exclude each other", hint="leave one of them out")
    session = named_session(context, options.word if options.word is not None else options.profile)
    _require_user(context, session)
    tokens = context.sign_ins.tokens(
        show=context.terminal.show,
        device=True if options.device_code else False if options.browser else None,
        print_page=(lambda url: write(f"{url}\n")) if options.print_url else None,
    )
    token = tokens.signed_in(session)
    renewable = token.can_be_renewed(context.run.clock())
    how = "renewed without a page after that" if renewable else "cannot be renewed"
    context.terminal.notice(f"signed in to {session.title} until {local_time(token.expires_at)}; {how}")


def named_session(context: Context, word: str | None) -> SsoSession:
    """The SSO session that a word on the command line means; without a word, that of the environment's profile.

    Raises AwsudoError.
    """
    config = context.config
    if word is None and len(config.sso_sessions) > 1:
        ambient = context.environ.get("AWS_PROFILE") or context.environ.get("AWS_DEFAULT_PROFILE")
        settings = (config.profile(ambient) if ambient else None) or {}
        word = ambient if {"sso_account_id", "sso_session"} & set(settings) else None
    if word is not None and config.profile(word) is None and word.partition("/")[0] in config.sso_sessions:
        word = word.partition("/")[0]  # SESSION/ACCOUNT/ROLE
    source = None
    if word is not None and word not in config.sso_sessions and config.profile(word) is not None:
        source = context.resolver().source(word)
    return find_session(word, config, source)


def local_time(moment: float, now: float | None = None) -> str:
    """A moment for people: 23:10, with the date if it is not today."""
    then, today = time.localtime(moment), time.localtime(now)
    same_day = (then.tm_year, then.tm_yday) == (today.tm_year, today.tm_yday)
    return time.strftime("%H:%M" if same_day else "%d %b %H:%M", then)


def _require_user(context: Context, session: SsoSession) -> None:
    """Return if there is a terminal, or if somebody agrees to the sign-in on another one. Raises AwsudoError."""
    if has_terminal():
        return
    if context.terminal.elsewhere is None and not context.environ.get("AWSUDO_ASKPASS"):
        raise AwsudoError(
            "signing in needs a terminal: no page is opened without one",
            hint=("run awsudo login in a terminal", "or answer on another terminal, with awsudo answer: --wait 5m"),
        )
    if not context.sign_ins.offered(session):
        raise AwsudoError(f"not signed in to {session.title}: the sign-in was refused")


def _list(context: Context, *, as_json: bool) -> None:
    files, now = TokenFiles(context.environ), context.run.clock()
    found = [(each, files.token(each)) for each in sessions(context.config)]
    if as_json:
        write_json([_record(session, token, now) for session, token in found])
        return
    if not found:
        raise AwsudoError(f"no SSO session in {context.config.config_file}", hint="add one: aws configure sso-session")
    write_table(
        (Column("SESSION"), Column("SIGNED IN"), Column("RENEWABLE", 2), Column("REGION", 1), Column("START URL", 3)),
        [(each.word, *_state(token, now), each.region, each.start_url) for each, token in found],
    )


def _state(token: SsoToken | None, now: float) -> tuple[Cell, str]:
    if token is None:
        return Cell("no"), ""
    renewable = "yes" if token.can_be_renewed(now) else "no"
    if token.expires_at > now:
        return Cell(f"until {local_time(token.expires_at, now)}"), renewable
    return Cell("expired", "" if renewable == "yes" else "yellow"), renewable


def _record(session: SsoSession, token: SsoToken | None, now: float) -> dict[str, object]:
    return {
        "session": session.name,
        "profile": session.profile,
        "startUrl": session.start_url,
        "region": session.region,
        "expiresAt": rfc3339(token.expires_at) if token is not None else None,
        "signedIn": token is not None and token.expires_at > now,
        "renewable": token is not None and token.can_be_renewed(now),
    }
