"""Calls to the Account Access Runtime of IAM Identity Center: which roles a tenant gives the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from awsudo_py.aws.sso_portal import Account, Page
from awsudo_py.model import ServiceCall
from awsudo_py.resolve.outline import account_and_role
from awsudo_py.resolve.roles import is_role_arn
from awsudo_py.resolve.sso_sessions import role_arn_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.client import Aws
    from awsudo_py.model import SsoSession


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
            items = tuple(_account(session, each) for each in found["roles"])
            return Page(items, found.get("nextToken") or "")

        self._aws.restart()
        token = self._token()
        return self._aws.guarded(ServiceCall(f"the roles of the tenant {session.tenant} of {session.title}"), call)

    def roles(self, account_id: str, following: str = "") -> Page:  # noqa: ARG002 (the portal's signature)
        """An empty page: accounts() has the roles."""
        return Page((), "")


def _account(session: SsoSession, details: dict[str, Any]) -> Account:
    """The account of an item, with the one role. ValueError if awsudo would write the role's ARN in another way."""
    arn = details["roleArn"]
    account_id, role = account_and_role(arn)
    if not is_role_arn(arn) or account_id != details["accountId"] or arn != role_arn_in(session, account_id, role):
        raise ValueError("not a role of this account")
    return Account(account_id, str(details.get("accountName") or ""), roles=(role,))
