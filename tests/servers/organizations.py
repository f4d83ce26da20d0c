"""A fake of AWS Organizations: accounts in a tree of OUs, a page at a time; it throttles on request."""

from __future__ import annotations

import json

from tests.servers.serving import Answer, Call, Hangup, Serving, as_json

#: What AWS gives at most a page.
PAGE = 20


class Organizations(Serving):
    """The accounts of one organization. parent of an account or OU: the root, r-1, or an OU."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: list[tuple[str, str, str, str]] = []  # number, name, status, parent
        self.units: list[tuple[str, str]] = []  # OU, parent
        self.throttle = 0
        self.operations: list[str] = []

    def add(self, number: int, name: str, *, status: str = "ACTIVE", parent: str = "r-1") -> None:
        """An account."""
        self.accounts.append((f"{number:012}", name, status, parent))

    def answer(self, call: Call) -> Answer | Hangup:
        operation = call.headers["X-Amz-Target"].rpartition(".")[2]
        given = json.loads(call.body)
        self.operations.append(operation)
        if "/organizations/aws4_request" not in call.headers.get("Authorization", ""):
            return self._refused("MissingAuthenticationTokenException")
        if self.throttle:
            self.throttle -= 1
            return self._refused("TooManyRequestsException")
        if operation == "ListOrganizationalUnitsForParent":
            units = [{"Id": unit, "Name": unit} for unit, parent in self.units if parent == given["ParentId"]]
            return self._page("OrganizationalUnits", units, given)
        if operation not in ("ListAccounts", "ListAccountsForParent"):
            return self._refused("UnknownOperationException")
        accounts = [
            {"Id": number, "Name": name, "Status": status}
            for number, name, status, parent in self.accounts
            if operation == "ListAccounts" or parent == given["ParentId"]
        ]
        return self._page("Accounts", accounts, given)

    def _page(self, member: str, items: list[dict[str, str]], given: dict[str, str]) -> Answer:
        begin = int(given.get("NextToken", 0))
        more = {"NextToken": str(begin + PAGE)} if begin + PAGE < len(items) else {}
        return as_json({member: items[begin : begin + PAGE], **more})

    def _refused(self, code: str) -> Answer:
        return as_json({"__type": code, "message": "no"}, 400)
