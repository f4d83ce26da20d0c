"""Lists the accounts of an AWS organization: organizations:ListAccounts, or those below some of its OUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from awsudo_py.aws.session_calls import SessionCalls


class Account(NamedTuple):
    """An active account of the organization."""

    account_id: str
    name: str


class Organization:
    """The organization, read with one session."""

    def __init__(self, calls: SessionCalls) -> None:
        self._calls = calls

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
        return self._calls.patiently(
            "organizations",
            "the accounts of the organization",
            lambda client: dict(getattr(client, operation)(**parameters)),
            region=self._calls.chain.region or "",
        )
