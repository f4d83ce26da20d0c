"""Calls to the access portal of IAM Identity Center: which accounts and roles there are, and the sign-out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from awsudo_py.model import ServiceCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.client import Aws

#: The most that ListAccounts and ListAccountRoles return in one page (service model).
LARGEST_PAGE = 100
_Result = TypeVar("_Result")


class Account(NamedTuple):
    """An account that the user can see, and roles in it; None where these are a list of their own."""

    account_id: str
    name: str
    email: str = ""
    roles: tuple[str, ...] | None = None


class Page(NamedTuple):
    """A part of a list, and the token for the next part; empty after the last."""

    items: tuple[Any, ...]
    following: str


class Portal:
    """The portal, called with one token. Each method is one call, sent once, and raises AwsudoError.

    The caller sets the pace: the portal answers 20 calls a second, whoever makes them.
    """

    def __init__(self, aws: Aws, region: str, title: str, token: Callable[[], str]) -> None:
        self._aws = aws
        self._region = region
        self._title = title
        self._token = token

    def accounts(self, following: str = "") -> Page:
        """A page of the accounts."""

        def call(client: Any, token: str) -> Page:
            found = client.list_accounts(accessToken=token, maxResults=LARGEST_PAGE, **_next(following))
            items = (
                Account(
                    _plain(each["accountId"]), str(each.get("accountName") or ""), str(each.get("emailAddress") or "")
                )
                for each in found["accountList"]
            )
            return Page(tuple(items), found.get("nextToken") or "")

        return self._ask(f"the accounts of the SSO session {self._title}", call)

    def roles(self, account_id: str, following: str = "") -> Page:
        """A page of the names of an account's roles."""

        def call(client: Any, token: str) -> Page:
            found = client.list_account_roles(
                accessToken=token, accountId=account_id, maxResults=LARGEST_PAGE, **_next(following)
            )
            return Page(tuple(_plain(each["roleName"]) for each in found["roleList"]), found.get("nextToken") or "")

        return self._ask(f"the roles of account {account_id}", call)

    def sign_out(self) -> None:
        """End the session of the token, at the portal; it then returns no more role sessions."""
        self._ask(f"the SSO session {self._title} signed out", lambda client, token: client.logout(accessToken=token))

    def _ask(self, title: str, call: Callable[[Any, str], _Result]) -> _Result:
        self._aws.restart()
        token = self._token()
        return self._aws.guarded(
            ServiceCall(title), lambda: call(self._aws.client("sso", self._region, tries=1), token)
        )


def _plain(name: str) -> str:
    """An identifier, if it can be written to a configuration file. ValueError if not."""
    if not name or not name.isprintable() or " " in name:
        raise ValueError("not an identifier")
    return name


def _next(following: str) -> dict[str, str]:
    return {"nextToken": following} if following else {}
