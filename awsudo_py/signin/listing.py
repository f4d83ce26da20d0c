"""Lists the accounts and roles of a portal, and remembers them: for an import, for TAB, and for SESSION/ACCOUNT/ROLE.

1. Results are stored as they arrive: an interrupted listing continues where it stopped.
2. A call that is refused for its rate is made again, slower. It never leads to a sign-in.
3. No secret is stored.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from awsudo_py.aws.sso_portal import Account
from awsudo_py.errors import AwsudoError, Rejected, Throttled, Unreachable
from awsudo_py.sessions import portal_lists

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.sso_portal import Page
    from awsudo_py.model import SsoSession
    from awsudo_py.sessions.file_store import FileStore
    from awsudo_py.signin.rate import Rate

#: Calls that are under way at the same time: at 15 calls a second, each may take a quarter of a second.
_WORKERS = 4
#: How often a call is made again that was refused for its rate, and one that got no answer.
_AGAIN, _AGAIN_UNANSWERED = 30, 3
#: An unfinished listing is continued for this long (seconds).
_RESUMED = 3600.0
#: After this many accounts, or pages of accounts, the results are stored.
_STORED_EVERY = 50


class Listing(NamedTuple):
    """The list of a portal, or of an account access tenant.

    at: when it was begun, in seconds since the epoch. following: the token of the next page of accounts.
    """

    accounts: tuple[Account, ...]
    at: float
    complete: bool
    tenant: str = ""
    following: str = ""


class Lister(Protocol):
    """A source of lists: a portal or a tenant, page by page. Each method makes one call and raises AwsudoError."""

    def accounts(self, following: str = "") -> Page:
        """A page of the accounts, with their roles if the source does not list those separately."""

    def roles(self, account_id: str, following: str = "") -> Page:
        """A page of the names of an account's roles."""


class Listings:
    """The listings of all sessions; store is None where there is no place for them."""

    def __init__(self, store: FileStore | None) -> None:
        self._store = store

    def read(self, session: str) -> Listing | None:
        """The last listing of a session, named as on the command line."""
        fields = (self._store.read(portal_lists.record_name(session)) if self._store is not None else None) or {}
        try:
            found = tuple(Account(*each) for each in portal_lists.accounts(fields))
            complete = fields.get("complete") == "yes"
            return Listing(found, float(fields["at"]), complete, fields.get("tenant", ""), fields.get("following", ""))
        except (KeyError, ValueError):
            return None

    def write(self, session: str, listing: Listing) -> None:
        """Store a listing. Failures to store are ignored."""
        if self._store is None:
            return
        fields = {"at": str(listing.at), "complete": "yes" if listing.complete else "no"}
        fields |= {name: value for name in ("tenant", "following") if (value := getattr(listing, name))}
        fields |= dict(portal_lists.packed(*each) for each in listing.accounts)
        try:
            self._store.write(portal_lists.record_name(session), fields, until=listing.at)
        except (OSError, ValueError):
            return


def listed(
    session: SsoSession,
    lister: Callable[[], Lister],
    *,
    listings: Listings,
    rate: Rate,
    clock: Callable[[], float],
    progress: Callable[[int, int, int], None] = lambda *_: None,
    included: Callable[[Account], bool] = lambda _: True,
) -> Listing:
    """All accounts and roles of a session's portal. Raises AwsudoError; what was listed until then is stored.

    lister makes what lists, for each thread. progress gets the number of finished accounts, of all accounts, and of
    roles. included: the accounts whose roles are listed.
    """
    found = _begun(session, lister(), listings, rate, clock, progress)
    accounts = {each.account_id: each for each in found.accounts}
    total = sum(map(included, found.accounts))
    left = [each for each in found.accounts if each.roles is None and included(each)]
    done = total - len(left)
    local = threading.local()
    stop = threading.Event()

    def roles_of(account: Account) -> Account:
        if stop.is_set():
            return account
        if not hasattr(local, "lister"):
            local.lister = lister()
        return account._replace(roles=_roles(account, local.lister, rate))

    def stored(*, complete: bool) -> Listing:
        listing = found._replace(accounts=tuple(accounts.values()), complete=complete)
        listings.write(session.word, listing)
        return listing

    progress(done, total, sum(len(each.roles or ()) for each in accounts.values()))
    with ThreadPoolExecutor(_WORKERS) as pool:
        try:
            for future in as_completed([pool.submit(roles_of, each) for each in left]):
                account = future.result()
                accounts[account.account_id] = account
                done += 1
                progress(done, total, sum(len(each.roles or ()) for each in accounts.values()))
                if done % _STORED_EVERY == 0:
                    stored(complete=False)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            stored(complete=False)  # rule 1
            raise
    return stored(complete=True)


def _begun(
    session: SsoSession,
    lister: Lister,
    listings: Listings,
    rate: Rate,
    clock: Callable[[], float],
    progress: Callable[[int, int, int], None],
) -> Listing:
    """The accounts: those of a listing that was interrupted a while ago, and what the portal lists after them now."""
    before = listings.read(session.word)
    if before is None or before.complete or before.tenant != session.tenant or not 0 <= clock() - before.at < _RESUMED:
        before = Listing((), clock(), False, session.tenant)
    elif not before.following:
        return before
    try:
        return _all_accounts(session, before, lister, listings, rate, progress)
    except Rejected as error:
        if not before.following or error.code == "UnauthorizedException":
            raise
    # the token of that page is not valid any more
    return _all_accounts(session, Listing((), clock(), False, session.tenant), lister, listings, rate, progress)


def _all_accounts(
    session: SsoSession,
    listing: Listing,
    lister: Lister,
    listings: Listings,
    rate: Rate,
    progress: Callable[[int, int, int], None],
) -> Listing:
    """The listing with the accounts that follow those which it has, in the order of their names."""
    found = {each.account_id: each for each in listing.accounts}
    pages = 0
    try:
        while True:
            page = _paced(lister.accounts, listing.following, rate)
            for each in page.items:
                if each.roles is not None:  # an account is on as many pages as its roles need
                    known = found.get(each.account_id, each)
                    roles = tuple(sorted({*(known.roles or ()), *each.roles}))
                    each = each._replace(name=each.name or known.name, roles=roles)
                found[each.account_id] = each
            listing = listing._replace(accounts=tuple(found.values()), following=page.following)
            if not page.following:
                break
            pages += 1
            progress(0, len(found), sum(len(each.roles or ()) for each in found.values()))
            if pages % _STORED_EVERY == 0:
                listings.write(session.word, listing)
    except BaseException:
        if listing.following:
            listings.write(session.word, listing)  # rule 1
        raise
    return listing._replace(accounts=tuple(sorted(found.values(), key=lambda each: (each.name, each.account_id))))


def _roles(account: Account, lister: Lister, rate: Rate) -> tuple[str, ...]:
    try:
        return tuple(sorted(_all(lambda following: lister.roles(account.account_id, following), rate)))
    except Rejected as error:
        if error.code in ("ForbiddenException", "ResourceNotFoundException"):
            return ()  # the account was taken away meanwhile
        raise


def _all(page_of: Callable[[str], Page], rate: Rate) -> list[Any]:
    """The items of all pages."""
    following = ""
    items: list[Any] = []
    while True:
        page = _paced(page_of, following, rate)
        items += page.items
        following = page.following
        if not following:
            return items


def _paced(page_of: Callable[[str], Page], following: str, rate: Rate) -> Page:
    """Rule 2."""
    refused = unanswered = 0
    while True:
        rate.take()
        try:
            return page_of(following)
        except Throttled:
            refused += 1
            rate.slow_down()
            if refused > _AGAIN:
                raise AwsudoError(
                    f"the portal refused {refused} calls in a row: too many requests",
                    hint="wait a minute, then run the same command again: it goes on where it stopped",
                ) from None
        except Unreachable:
            unanswered += 1
            if unanswered > _AGAIN_UNANSWERED:
                raise
