"""Plays IAM Identity Center: the SSO portal and its OIDC service at one URL."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from .serving import Answer, Call, Serving, as_json

OnCredentials = Callable[[str, str, str, datetime], None]  # access key id, secret, token, expiration

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
PROOF_FIELDS = {"refresh_token": "refreshToken", DEVICE_CODE: "deviceCode", "authorization_code": "code"}
REFUSALS: dict[str, tuple[int, dict[str, str]]] = {
    "UnauthorizedException": (401, {"message": "Session token not found or invalid"}),
    "ForbiddenException": (403, {"message": "No access"}),
    "AuthorizationPendingException": (400, {"error": "authorization_pending"}),
    "InvalidClientException": (401, {"error": "invalid_client"}),
    "InvalidGrantException": (400, {"error": "invalid_grant"}),
    "UnsupportedGrantTypeException": (400, {"error": "unsupported_grant_type"}),
}
CLIENT_LASTS = 90 * 86400


class Refused(Exception):
    """The request gets the answer of this name in REFUSALS."""


class Sso(Serving):
    """Knows its tokens, clients and roles, and refuses all others as the real one does."""

    def __init__(self, *, on_credentials: OnCredentials | None = None, credentials_last: int = 3600) -> None:
        super().__init__()
        self.on_credentials = on_credentials
        self.credentials_last = credentials_last
        self.tokens_last = 28800
        self.pending_polls = 0  # how many polls of the device flow come before the user's consent
        self._tokens: dict[str, float] = {}  # access token: when it expires
        self._clients: set[tuple[object, object]] = set()  # (id, secret)
        self._proofs: set[tuple[str, str]] = set()  # (grant type, what the client must show for it)
        self._roles: list[tuple[str | None, str | None]] = []  # (account, role)
        self.token = self.issue_token(self.tokens_last)
        self.code = self._new_proof("authorization_code")
        self._routes: dict[str, Callable[[Call], object]] = {
            "GET /federation/credentials": self._credentials,
            "GET /assignment/accounts": self._list_accounts,
            "GET /assignment/roles": self._list_roles,
            "POST /client/register": self._register,
            "POST /device_authorization": self._device,
            "POST /token": self._grant,
        }

    @property
    def environ(self) -> dict[str, str]:
        """The variables that lead an SDK here."""
        return {"AWS_ENDPOINT_URL_SSO": self.url, "AWS_ENDPOINT_URL_SSO_OIDC": self.url}

    def allow(self, account: str, role: str) -> None:
        """Let every valid token have this role."""
        self._roles.append((account, role))

    def issue_token(self, expires_in: int) -> str:
        """Return a new access token; with a negative time it has expired already."""
        token = secrets.token_urlsafe(48)
        self._tokens[token] = time.time() + expires_in
        return token

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
        fields["expiresAt"] = _in_seconds(expires_in)
        if refreshable:
            fields |= self._new_client()
            fields["registrationExpiresAt"] = _in_seconds(CLIENT_LASTS)
            fields["refreshToken"] = self._new_proof("refresh_token")
        name = hashlib.sha1((session_name or start_url).encode()).hexdigest()
        path = home / ".aws" / "sso" / "cache" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(fields))
        return path

    def answer(self, call: Call) -> Answer:
        """Answer by route; a refusal has its name in the header, where SDKs look for it."""
        route = self._routes.get(f"{call.method} {call.path}")
        try:
            return as_json(route(call)) if route else Answer(404)
        except Refused as refused:
            status, fields = REFUSALS[str(refused)]
            return as_json(fields, status, {"x-amzn-ErrorType": str(refused)})

    def _roles_for(self, call: Call) -> list[tuple[str | None, str | None]]:
        if self._tokens.get(call.headers.get("x-amz-sso_bearer_token", ""), 0) <= time.time():
            raise Refused("UnauthorizedException")
        return self._roles

    def _credentials(self, call: Call) -> object:
        if (call.query.get("account_id"), call.query.get("role_name")) not in self._roles_for(call):
            raise Refused("ForbiddenException")
        key_id = "ASIA" + base64.b32encode(secrets.token_bytes(10)).decode()
        secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(300)
        expires = int(time.time()) + self.credentials_last
        if self.on_credentials:
            self.on_credentials(key_id, secret, token, datetime.fromtimestamp(expires, timezone.utc))
        issued = {"accessKeyId": key_id, "secretAccessKey": secret, "sessionToken": token}
        return {"roleCredentials": {**issued, "expiration": expires * 1000}}

    def _list_accounts(self, call: Call) -> object:
        accounts = dict.fromkeys(account for account, _ in self._roles_for(call))
        return {"accountList": [{"accountId": a, "accountName": f"Account {a}"} for a in accounts]}

    def _list_roles(self, call: Call) -> object:
        asked = call.query.get("account_id")
        return {"roleList": [{"accountId": a, "roleName": r} for a, r in self._roles_for(call) if a == asked]}

    def _register(self, call: Call) -> object:
        return {**self._new_client(), "clientSecretExpiresAt": int(time.time()) + CLIENT_LASTS}

    def _device(self, call: Call) -> object:
        page, user_code = f"{self._from_client(call)['startUrl']}/device", secrets.token_hex(4).upper()
        pages = {"verificationUri": page, "verificationUriComplete": f"{page}?user_code={user_code}"}
        device_code = self._new_proof(DEVICE_CODE)
        return {"deviceCode": device_code, "userCode": user_code, "expiresIn": 600, "interval": 1, **pages}

    def _grant(self, call: Call) -> object:
        asked = self._from_client(call)
        grant = asked.get("grantType", "")
        if grant not in PROOF_FIELDS:
            raise Refused("UnsupportedGrantTypeException")
        proof = asked.get(PROOF_FIELDS[grant], "")
        if (grant, proof) not in self._proofs:
            raise Refused("InvalidGrantException")
        if grant == DEVICE_CODE and self.pending_polls > 0:
            self.pending_polls -= 1
            raise Refused("AuthorizationPendingException")
        if grant != "refresh_token":  # the other two work once
            self._proofs.discard((grant, proof))
            proof = self._new_proof("refresh_token")
        tokens = {"accessToken": self.issue_token(self.tokens_last), "refreshToken": proof}
        return {**tokens, "tokenType": "Bearer", "expiresIn": self.tokens_last}

    def _from_client(self, call: Call) -> dict[str, str]:
        asked: dict[str, str] = json.loads(call.body)
        if (asked.get("clientId"), asked.get("clientSecret")) not in self._clients:
            raise Refused("InvalidClientException")
        return asked

    def _new_client(self) -> dict[str, str]:
        client_id, client_secret = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        self._clients.add((client_id, client_secret))
        return {"clientId": client_id, "clientSecret": client_secret}

    def _new_proof(self, grant: str) -> str:
        proof = secrets.token_urlsafe(32)
        self._proofs.add((grant, proof))
        return proof


def _in_seconds(seconds: int) -> str:
    return datetime.fromtimestamp(time.time() + seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
