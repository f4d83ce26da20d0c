"""Lists the accounts of an AWS organization: organizations:ListAccounts, or those below some of its OUs."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.aws.client import Aws
from awsudo_py.errors import Throttled
from awsudo_py.model import ServiceCall
from awsudo_py.resolve.endpoints import Endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from awsudo_py.aws.clients import Clients
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.model import RoleChain
    from awsudo_py.resolve.aws_config import AwsConfig

#: Seconds before a throttled call is made again; after these it is given up.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)


class Account(NamedTuple):
    """An active account of the organization."""

    account_id: str
    name: str


class Organization:
    """The organization, read with one session."""

    def __init__(
        self,
        chain: RoleChain,
        config: AwsConfig,
        clients: Clients,
        credentials: Credentials,
        environ: Mapping[str, str],
        *,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._chain, self._config, self._clients = chain, config, clients
        self._credentials = credentials
        self._url = Endpoints(config, environ).url("organizations", chain.config_profile)
        self._pause = pause

    def accounts(self, parents: tuple[str, ...] = ()) -> list[Account]:
        """The accounts that are active: all, or those below these OUs (or roots), at any depth. Raises AwsudoError."""
        listed = self._all() if not parents else (found for parent in parents for found in self._below(parent))
        # closed accounts stay in the list for 90 days; in an account that is not ACTIVE no role can be assumed
        active = {
            each["Id"]: Account(each["Id"], each.get("Name", "")) for each in listed if each["Status"] == "ACTIVE"
        }
        return list(active.values())

    def _all(self) -> Iterator[dict[str, Any]]:
        yield from self._pages("list_accounts", "Accounts")

    def _below(self, parent: str) -> Iterator[dict[str, Any]]:
        yield from self._pages("list_accounts_for_parent", "Accounts", ParentId=parent)
        for unit in self._pages("list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent):
            yield from self._below(unit["Id"])

    def _pages(self, operation: str, member: str, **parameters: str) -> Iterator[dict[str, Any]]:
        following: str | None = None
        while True:
            page = self._call(operation, **parameters, **({"NextToken": following} if following else {}))
            yield from page.get(member, ())
            following = page.get("NextToken")
            if not following:
                return

    def _call(self, operation: str, **parameters: str) -> Mapping[str, Any]:
        for pause in (*_PAUSES, None):
            # a new one for each call: its time limit is for one
            aws = Aws(self._chain, self._config, time.time, self._clients)
            try:
                return aws.guarded(
                    ServiceCall("the accounts of the organization"), partial(self._once, aws, operation, parameters)
                )
            except Throttled:
                if pause is None:
                    raise
                self._pause(pause)
        raise AssertionError("the last pause is None")

    def _once(self, aws: Aws, operation: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        region = self._chain.region or self._chain.endpoint.region or "us-east-1"  # the service is global
        client = aws.client("organizations", region, credentials=self._credentials, url=self._url, tries=1)
        return dict(getattr(client, operation)(**parameters))
