"""Calls to the Account Access Runtime of IAM Identity Center: which roles a tenant gives the user."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from awsudo_py.aws.sso_portal import Account, Page
from awsudo_py.model import ServiceCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.client import Aws
    from awsudo_py.model import SsoSession

_ROLE = re.compile(r"arn:[a-z-]+:iam::(\d{12}):role/([!-~]+)", re.ASCII)


class AccountAccess:
    """A tenant, called with one token. Each call is sent once, and raises AwsudoError.

    ListRoles has the roles of all accounts in one list, so that no account is listed by itself.
    """

    def __init__(self, aws: Aws, session: SsoSession, token: Callable[[], str]) -> None:
        self._aws = aws
        self._session = session
        self._token = token

    def accounts(self, following: str = "") -> Page:
        """A page of the roles, each in its account; an account may come again, with other roles."""
        session = self._session
        given = {"tenantId": session.tenant, **({"nextToken": following} if following else {})}

        def call() -> Page:
            client = self._aws.client("account-access-runtime", session.region, tries=1, bearer=token)
            found = client.list_roles(**given)
            return Page(tuple(map(_account, found["roles"])), found.get("nextToken") or "")

        self._aws.restart()
        token = self._token()
        return self._aws.guarded(ServiceCall(f"the roles of the tenant {session.tenant} of {session.title}"), call)

    def roles(self, account_id: str, following: str = "") -> Page:  # noqa: ARG002 (the portal's signature)
        """An empty page: accounts() has the roles."""
        return Page((), "")


def _account(details: dict[str, Any]) -> Account:
    """The account of an item, with the one role. ValueError if the two do not belong together."""
    arn = _ROLE.fullmatch(details["roleArn"])
    if arn is None or arn[1] != details["accountId"]:
        raise ValueError("not a role of this account")
    return Account(arn[1], str(details.get("accountName") or ""), roles=(arn[2],))
