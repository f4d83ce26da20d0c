"""Plays IAM Identity Center: the SSO portal and its OIDC service at one URL."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from .serving import Answer, Call, Serving, as_json

OnCredentials = Callable[[str, str, str, datetime], None]  # access key id, secret, token, expiration

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
#: What a client shows for a token, by grant type.
PROOF_FIELDS = {"refresh_token": "refreshToken", DEVICE_CODE: "deviceCode", "authorization_code": "code"}
REFUSALS: dict[str, tuple[int, dict[str, str]]] = {
    "UnauthorizedException": (401, {"message": "Session token not found or invalid"}),
    "ForbiddenException": (403, {"message": "No access"}),
    "TooManyRequestsException": (429, {"message": "HTTP 429 Unknown Code"}),
    "InvalidRequestException": (400, {"error": "invalid_request"}),
    "InvalidClientException": (401, {"error": "invalid_client"}),
    "InvalidGrantException": (400, {"error": "invalid_grant"}),
    "UnauthorizedClientException": (400, {"error": "unauthorized_client"}),
    "UnsupportedGrantTypeException": (400, {"error": "unsupported_grant_type"}),
    "InvalidRedirectUriException": (400, {"error": "invalid_redirect_uri"}),
    "AuthorizationPendingException": (400, {"error": "authorization_pending"}),
    "SlowDownException": (400, {"error": "slow_down"}),
    "ExpiredTokenException": (400, {"error": "expired_token"}),
    "AccessDeniedException": (400, {"error": "access_denied"}),
}
CLIENT_LASTS = 90 * 86400
#: How many items ListAccounts and ListAccountRoles give at most at once (service model).
LARGEST_PAGE = 100
CALLBACK = "http://127.0.0.1/oauth/callback"


class Refused(Exception):
    """The request gets the answer of this name in REFUSALS."""


class Client(NamedTuple):
    """A registered client."""

    client_id: str
    secret: str
    grants: frozenset[str]
    redirects: tuple[str, ...]


class Proof(NamedTuple):
    """What a client can trade for a token, once."""

    grant: str
    client_id: str
    challenge: str = ""  # of PKCE
    redirect: str = ""  # where the code went


class Allowance:
    """How many calls a second are answered, on average; 0 is no limit."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rate, self._left, self._counted_at = rate, rate, clock()
        self.refused = 0

    def spend(self) -> bool:
        """Whether one more call is answered."""
        if not self._rate:
            return True
        now = self._clock()
        self._left = min(self._rate, self._left + (now - self._counted_at) * self._rate)
        self._counted_at = now
        if self._left < 1:
            self.refused += 1
            return False
        self._left -= 1
        return True


class Issued(NamedTuple):
    """A session of a role."""

    access_key_id: str
    secret: str
    token: str
    expires: int


def issue(lasts: int, on_credentials: OnCredentials | None) -> Issued:
    """A new session, which on_credentials gets to know."""
    key_id = "ASIA" + base64.b32encode(secrets.token_bytes(10)).decode()
    issued = Issued(key_id, secrets.token_urlsafe(30), secrets.token_urlsafe(300), int(time.time()) + lasts)
    if on_credentials:
        on_credentials(*issued[:3], datetime.fromtimestamp(issued.expires, timezone.utc))
    return issued


class Sso(Serving):
    """Knows its tokens, clients and roles, and refuses all others as the real one does.

    consent is what the user does on the page: "allow", "deny", "click" (a page with a link), or "forge" (somebody else
    redirects the browser, with another state). device_refusals are given to the next polls of the device flow, in turn.
    start_urls, if any, are the only ones that are known in this region. rate: how many portal calls a second are
    answered, on average; 0 is no limit.
    """

    def __init__(
        self,
        *,
        on_credentials: OnCredentials | None = None,
        credentials_last: int = 3600,
        rate: float = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.on_credentials = on_credentials
        self.credentials_last = credentials_last
        self.tokens_last = 28800
        self.consent = "allow"
        self.device_refusals: list[str] = []
        self.start_urls: set[str] = set()
        self.page_size = LARGEST_PAGE
        self.interval = 1
        self._allowance = Allowance(rate, clock)
        self._guard = threading.Lock()
        self._tokens: dict[str, float] = {}  # access token: when it expires
        self._clients: dict[str, Client] = {}
        self._proofs: dict[str, Proof] = {}
        self._roles: list[tuple[str, str]] = []  # (account, role)
        self._names: dict[str, str] = {}  # of accounts
        self.token = self.issue_token(self.tokens_last)
        self._routes: dict[str, Callable[[Call], object]] = {
            "GET /federation/credentials": self._credentials,
            "GET /assignment/accounts": self._list_accounts,
            "GET /assignment/roles": self._list_roles,
            "POST /logout": self._logout,
            "POST /client/register": self._register,
            "POST /device_authorization": self._device,
            "GET /authorize": self._authorize,
            "POST /token": self._grant,
        }

    @property
    def throttled(self) -> int:
        """How many calls were refused for their rate."""
        return self._allowance.refused

    @property
    def environ(self) -> dict[str, str]:
        """The variables that lead an SDK here."""
        return {"AWS_ENDPOINT_URL_SSO": self.url, "AWS_ENDPOINT_URL_SSO_OIDC": self.url}

    def allow(self, account: str, role: str, name: str = "") -> None:
        """Let every valid token have this role in this account."""
        self._roles.append((account, role))
        self._names[account] = name or self._names.get(account, f"Account {account}")

    def forbid(self, account: str, role: str) -> None:
        """Take the role away again."""
        self._roles.remove((account, role))

    def issue_token(self, expires_in: int) -> str:
        """Return a new access token; with a negative time it has expired already."""
        token = secrets.token_urlsafe(48)
        self._tokens[token] = time.time() + expires_in
        return token

    def is_valid(self, token: str) -> bool:
        """Whether an access token opens the portal."""
        return self._tokens.get(token, 0) > time.time()

    def revoke_tokens(self) -> None:
        """Make every access and refresh token so far worthless, as an administrator can."""
        self._tokens.clear()
        self._proofs.clear()

    def write_cached_token(
        self,
        home: Path,
        *,
        start_url: str,
        session_name: str | None = None,
        region: str = "eu-west-1",
        expires_in: int = 3600,
        refreshable: bool = False,
    ) -> Path:
        """Leave under this home the file that `aws sso login` leaves, and return its path."""
        fields = {"startUrl": start_url, "region": region, "accessToken": self.issue_token(expires_in)}
        fields["expiresAt"] = in_seconds(expires_in)
        if refreshable:
            client = self._new_client({"authorization_code", "refresh_token"}, (CALLBACK,))
            fields |= {"clientId": client.client_id, "clientSecret": client.secret}
            fields["registrationExpiresAt"] = in_seconds(CLIENT_LASTS)
            fields["refreshToken"] = self._new_proof(Proof("refresh_token", client.client_id))
        path = token_path(home, session_name or start_url)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(fields))
        return path

    def answer(self, call: Call) -> Answer:
        """Answer by route; a refusal has its name in the header, where SDKs look for it."""
        route = self._routes.get(f"{call.method} {call.path}")
        try:
            with self._guard:
                answer = route(call) if route else Answer(404)
        except Refused as refused:
            status, fields = REFUSALS[str(refused)]
            return as_json(fields, status, {"x-amzn-ErrorType": str(refused)})
        return answer if isinstance(answer, Answer) else as_json(answer)

    # -- the portal ----------------------------------------------------------------------------------------------------

    def _roles_for(self, call: Call) -> list[tuple[str, str]]:
        """The roles of the token that a call has, unless there were too many calls."""
        if not self._allowance.spend():
            raise Refused("TooManyRequestsException")
        if not self.is_valid(call.headers.get("x-amz-sso_bearer_token", "")):
            raise Refused("UnauthorizedException")
        return self._roles

    def _credentials(self, call: Call) -> object:
        if (call.query.get("account_id"), call.query.get("role_name")) not in self._roles_for(call):
            raise Refused("ForbiddenException")
        issued = issue(self.credentials_last, self.on_credentials)
        keys = {"accessKeyId": issued.access_key_id, "secretAccessKey": issued.secret, "sessionToken": issued.token}
        return {"roleCredentials": {**keys, "expiration": issued.expires * 1000}}

    def _list_accounts(self, call: Call) -> object:
        accounts = dict.fromkeys(account for account, _ in self._roles_for(call))
        items = [{"accountId": a, "accountName": self._names[a], "emailAddress": f"{a}@example.com"} for a in accounts]
        return self._page(call, "accountList", items)

    def _list_roles(self, call: Call) -> object:
        account = call.query.get("account_id")
        found = [{"accountId": a, "roleName": r} for a, r in self._roles_for(call) if a == account]
        return self._page(call, "roleList", found)

    def _page(self, call: Call, name: str, items: list[dict[str, str]]) -> object:
        size, start = call.query.get("max_result", str(LARGEST_PAGE)), call.query.get("next_token", "0")
        if not size.isdigit() or not 1 <= int(size) <= LARGEST_PAGE or not start.isdigit():
            raise Refused("InvalidRequestException")
        end = int(start) + min(int(size), self.page_size)
        following = {"nextToken": str(end)} if end < len(items) else {}
        return {name: items[int(start) : end], **following}

    def _logout(self, call: Call) -> object:
        if self._tokens.pop(call.headers.get("x-amz-sso_bearer_token", ""), 0) <= time.time():
            raise Refused("UnauthorizedException")
        return Answer(200)

    # -- OIDC ----------------------------------------------------------------------------------------------------------

    def _register(self, call: Call) -> object:
        given: dict[str, Any] = json.loads(call.body)
        grants = set(given.get("grantTypes") or (DEVICE_CODE, "refresh_token"))
        redirects = tuple(given.get("redirectUris") or ())
        if not given.get("clientName") or given.get("clientType") != "public":
            raise Refused("InvalidRequestException")
        if not grants <= set(PROOF_FIELDS):
            raise Refused("UnsupportedGrantTypeException")
        if "authorization_code" in grants:
            if redirects != (CALLBACK,):
                raise Refused("InvalidRedirectUriException")
            if not given.get("issuerUrl"):
                raise Refused("InvalidRequestException")
        client = self._new_client(grants, redirects)
        registered = {"clientId": client.client_id, "clientSecret": client.secret}
        return {**registered, "clientSecretExpiresAt": int(time.time()) + CLIENT_LASTS}

    def _device(self, call: Call) -> object:
        given, client = self._from_client(call)
        if DEVICE_CODE not in client.grants:
            raise Refused("UnauthorizedClientException")
        if self.start_urls and given["startUrl"] not in self.start_urls:
            raise Refused("InvalidRequestException")
        page, user_code = f"{self.url}/device", secrets.token_hex(4).upper()
        pages = {"verificationUri": page, "verificationUriComplete": f"{page}?user_code={user_code}"}
        device_code = self._new_proof(Proof(DEVICE_CODE, client.client_id))
        return {"deviceCode": device_code, "userCode": user_code, "expiresIn": 600, "interval": self.interval, **pages}

    def _authorize(self, call: Call) -> Answer:
        """The page in the user's browser."""
        query = call.query
        client = self._clients.get(query.get("client_id", ""))
        redirect = query.get("redirect_uri", "")
        parts = urlsplit(redirect)
        known = parts._replace(netloc=parts.hostname or "").geturl() in (client.redirects if client else ())
        if client is None or not known or parts.port is None:
            return Answer(400, b"who are you?")
        right = (
            query.get("response_type") == "code"
            and query.get("code_challenge_method") == "S256"
            and len(query.get("code_challenge", "")) == 43
            and len(query.get("state", "")) >= 16
            and query.get("scopes")
        )
        if not right:
            return Answer(400, b"a parameter is missing or wrong")
        answered = {"state": query["state"]}
        if self.consent == "forge":
            answered = {"state": "0" * 36, "code": "forged"}
        elif self.consent == "deny":
            answered["error"] = "access_denied"
        else:
            answered["code"] = self._new_proof(
                Proof("authorization_code", client.client_id, query["code_challenge"], redirect)
            )
        target = f"{redirect}?{urlencode(answered)}"
        if self.consent == "click":
            page = f'<!DOCTYPE html><a id="allow" href="{target}">Allow access</a><script>allow.click()</script>'
            return Answer(200, page.encode(), {"Content-Type": "text/html"})
        return Answer(302, b"", {"Location": target})

    def _grant(self, call: Call) -> object:
        given, client = self._from_client(call)
        grant = given.get("grantType", "")
        if grant not in PROOF_FIELDS:
            raise Refused("UnsupportedGrantTypeException")
        if grant not in client.grants:
            raise Refused("UnauthorizedClientException")
        displayed = given.get(PROOF_FIELDS[grant], "")
        proof = self._proofs.get(displayed)
        if proof is None or (proof.grant, proof.client_id) != (grant, client.client_id):
            raise Refused("InvalidGrantException")
        if grant == DEVICE_CODE and self.device_refusals:
            raise Refused(self.device_refusals.pop(0))
        del self._proofs[displayed]  # each is good once, right or wrong
        if grant == "authorization_code":
            digest = hashlib.sha256(given.get("codeVerifier", "").encode()).digest()
            fits = base64.urlsafe_b64encode(digest).decode().rstrip("=") == proof.challenge
            if not fits or given.get("redirectUri") != proof.redirect:
                raise Refused("InvalidGrantException")
        answered = {"accessToken": self.issue_token(self.tokens_last), "tokenType": "Bearer"}
        if "refresh_token" in client.grants:
            answered["refreshToken"] = self._new_proof(Proof("refresh_token", client.client_id))
        return {**answered, "expiresIn": self.tokens_last}

    def _from_client(self, call: Call) -> tuple[dict[str, str], Client]:
        given: dict[str, str] = json.loads(call.body)
        client = self._clients.get(given.get("clientId", ""))
        if client is None or given.get("clientSecret") != client.secret:
            raise Refused("InvalidClientException")
        return given, client

    def _new_client(self, grants: set[str], redirects: tuple[str, ...]) -> Client:
        client = Client(secrets.token_urlsafe(16), secrets.token_urlsafe(32), frozenset(grants), redirects)
        self._clients[client.client_id] = client
        return client

    def _new_proof(self, proof: Proof) -> str:
        displayed = secrets.token_urlsafe(32)
        self._proofs[displayed] = proof
        return displayed


def token_path(home: Path, name: str) -> Path:
    """Where the AWS CLI has the token of a session (by its name; by its start URL, where it has none)."""
    return home / ".aws" / "sso" / "cache" / f"{hashlib.sha1(name.encode()).hexdigest()}.json"


def in_seconds(seconds: int) -> str:
    """A time stamp as the AWS CLI writes it."""
    return datetime.fromtimestamp(time.time() + seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
