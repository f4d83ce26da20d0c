"""Plays the Account Access Runtime, by its service model (botocore, account-access-runtime 2018-05-10)."""

import re
import secrets
import threading
import time
from collections.abc import Callable

from .serving import Answer, Call, Serving, as_json
from .sso import Allowance, OnCredentials, Sso, issue

STATUSES = {
    "AccessDeniedException": 403,
    "ThrottlingException": 429,
    "UnauthorizedException": 401,
    "ValidationException": 400,
    "InternalServerException": 500,
}
#: The parameters of each operation; those that are required have no question mark.
PARAMETERS = {
    "/access": ("tenantId", "maxResults?", "nextToken?"),
    "/access/credentials": ("tenantId", "roleArn", "accessType", "sessionName?", "sessionDuration?"),
}
PATTERNS = {
    "tenantId": r"aa-[a-z0-9-]{0,21}",
    "maxResults": r"[1-9]\d*",
    "accessType": "PROGRAMMATIC_ACCESS",
    "sessionName": r"[a-zA-Z0-9_+=,.@-]{2,64}",
    "sessionDuration": r"\d+",
}


class Refused(Exception):
    """The request gets this error."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name)
        self.message = message


class AccountAccess(Serving):
    """One tenant, whose users are signed in to an Identity Center: its tokens are the ones that are valid here.

    Roles come in pages of page_size. role_lasts is the MaxSessionDuration of the roles. rate: how many calls a second
    are answered, on average; 0 is no limit.
    """

    def __init__(
        self,
        sso: Sso,
        tenant: str = "aa-corp-1234",
        *,
        on_credentials: OnCredentials | None = None,
        rate: float = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.tenant = tenant
        self.page_size = 20
        self.role_lasts = 7200
        self.session_names: list[str] = []
        self._sso = sso
        self._on_credentials = on_credentials
        self._allowance = Allowance(rate, clock)
        self._roles: list[tuple[str, str]] = []  # (ARN, name of the account)
        self._pages: dict[str, int] = {}  # nextToken: where its page begins
        self._guard = threading.Lock()

    @property
    def environ(self) -> dict[str, str]:
        """The variables that lead an SDK here."""
        return {"AWS_ENDPOINT_URL_ACCOUNT_ACCESS_RUNTIME": self.url}

    @property
    def throttled(self) -> int:
        """How many calls were refused for their rate."""
        return self._allowance.refused

    def allow(self, account: str, role: str, name: str = "") -> str:
        """Entitle every user to this role; returns its ARN. An account without a name is one that has not resolved."""
        arn = f"arn:aws:iam::{account}:role/{role}"
        self._roles.append((arn, name))
        return arn

    def forbid(self, arn: str) -> None:
        """Take the role away again."""
        self._roles = [each for each in self._roles if each[0] != arn]

    def forget_pages(self) -> None:
        """Make every nextToken so far invalid."""
        self._pages.clear()

    def answer(self, call: Call) -> Answer:
        """Answer a call, or refuse it as the service does."""
        with self._guard:
            try:
                return as_json(self._answered(call))
            except Refused as refused:
                name = str(refused)
                return as_json({"message": refused.message}, STATUSES[name], {"x-amzn-ErrorType": name})

    def _answered(self, call: Call) -> object:
        if call.method != "GET" or call.path not in PARAMETERS:
            raise Refused("ValidationException", "no such operation")
        if not self._allowance.spend():
            raise Refused("ThrottlingException", "Rate exceeded")
        kind, _, token = call.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not self._sso.is_valid(token):
            raise Refused("UnauthorizedException", "The bearer token is missing, invalid, or expired")
        self._check(call)
        return self._list(call) if call.path == "/access" else self._credentials(call)

    def _check(self, call: Call) -> None:
        known = PARAMETERS[call.path]
        for name in known:
            if not name.endswith("?") and name not in call.query:
                raise Refused("ValidationException", f"{name} is required")
        for name, value in call.query.items():
            if name not in known and f"{name}?" not in known:
                raise Refused("ValidationException", f"{name} is not a parameter")
            if not re.fullmatch(PATTERNS.get(name, ".+"), value):
                raise Refused("ValidationException", f"{name} does not satisfy its pattern")
        if call.query["tenantId"] != self.tenant:
            raise Refused("ValidationException", "The tenant does not exist")

    def _list(self, call: Call) -> object:
        given = call.query.get("nextToken")
        if given is not None and given not in self._pages:
            raise Refused("ValidationException", "Invalid nextToken")
        start = self._pages[given] if given is not None else 0
        end = start + min(self.page_size, int(call.query.get("maxResults", self.page_size)))
        roles = [
            {"accountId": arn.split(":")[4], "roleArn": arn, **({"accountName": name} if name else {})}
            for arn, name in self._roles[start:end]
        ]
        if end >= len(self._roles):
            return {"roles": roles}
        following = secrets.token_urlsafe(12)
        self._pages[following] = end
        return {"roles": roles, "nextToken": following}

    def _credentials(self, call: Call) -> object:
        if call.query["roleArn"] not in [arn for arn, _ in self._roles]:
            raise Refused("AccessDeniedException", "You are not entitled to assume this role")
        lasts = int(call.query.get("sessionDuration", 3600))
        if not 900 <= lasts <= self.role_lasts:
            raise Refused("ValidationException", "sessionDuration exceeds the maximum session duration of the role")
        self.session_names.append(call.query.get("sessionName", ""))
        issued = issue(lasts, self._on_credentials)
        keys = {"accessKeyId": issued.access_key_id, "secretAccessKey": issued.secret, "sessionToken": issued.token}
        return {"credentialsDetails": {"programmaticAccess": {**keys, "expiresAt": issued.expires}}}
