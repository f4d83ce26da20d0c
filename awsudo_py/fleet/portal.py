"""Makes targets from the list of a sign-in portal: one role in all of its accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awsudo_py.errors import AwsudoError, did_you_mean
from awsudo_py.resolve.sso_sessions import session_named, settings_of_role
from awsudo_py.sessions.file_store import FileStore, state_directory
from awsudo_py.signin.listing import Listings, listed
from awsudo_py.signin.rate import Rate

if TYPE_CHECKING:
    from awsudo_py.context import Context
    from awsudo_py.model import SsoSession
    from awsudo_py.signin.listing import Listing

#: A listing that is older than this (seconds) is made again.
STALE = 86_400


def portal_profiles(context: Context, session_name: str, role: str) -> dict[str, dict[str, str]]:
    """A profile, SESSION/ACCOUNT/ROLE, for each account in which the portal lists the role. Raises AwsudoError."""
    config = context.config
    if session_name not in config.sso_sessions:
        raise AwsudoError(
            f"no [sso-session {session_name}] in {config.config_file}",
            hint=did_you_mean(session_name, config.sso_sessions) or "to add one: aws configure sso-session",
        )
    session = session_named(session_name, config)
    listing = _listing(context, session)
    found = {
        f"{session_name}/{account.account_id}/{role}": {
            **settings_of_role(session, account.account_id, role),
            "awsudo_account_name": account.name,
        }
        for account in listing.accounts
        if role in (account.roles or ())
    }
    if not found:
        roles = {each for account in listing.accounts for each in account.roles or ()}
        raise AwsudoError(
            f"the portal of {session_name} lists no role {role} in any of {len(listing.accounts)} accounts",
            hint=did_you_mean(role, roles) or f"it lists: {', '.join(sorted(roles)[:10]) or 'none'}",
        )
    return found


def _listing(context: Context, session: SsoSession) -> Listing:
    """The portal's list: one that was made within a day, else a new one."""
    sign_ins, run = context.sign_ins, context.run
    directory = state_directory(context.environ)
    listings = Listings(FileStore(directory) if directory is not None else None)
    before = listings.read(session.word)
    if (
        before is not None
        and before.complete
        and before.tenant == session.tenant
        and 0 <= run.clock() - before.at < STALE
    ):
        return before
    sign_ins.tokens().token(session)  # here, where a prompt is possible
    tokens = sign_ins.tokens(offers=False)
    context.terminal.notice(f"listing the accounts of {session.title}")
    return listed(
        session,
        lambda: sign_ins.lister(session, lambda: tokens.token(session)),
        listings=listings,
        rate=Rate(context.stores.get("file"), clock=run.clock, sleep=run.sleep),
        clock=run.clock,
    )
