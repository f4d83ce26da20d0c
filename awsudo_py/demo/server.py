"""A small STS on this machine: a user, two roles, sessions that expire, refusals in AWS's words.

It holds nothing of value: its keys are made when it starts and work nowhere else, and it listens on the loopback
interface only. It checks the caller (key ID, token, expiry) and its permissions, not the signature.
"""

from __future__ import annotations

import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACCOUNT = "123456789012"
USER = "ann"
#: Role name → who may assume it.
ROLES = {"build": f"user/{USER}", "deploy": "role/build"}
#: Seconds; the role's MaxSessionDuration, and the limit for a role assumed from a role.
LONGEST_SESSION = 3600

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Refusal(Exception):
    """The call is answered with an error: STS's code for it, and its message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Identity(NamedTuple):
    """The owner of a set of credentials. trusted_as: its name in a role's trust policy."""

    arn: str
    trusted_as: str
    token: str = ""
    expires: float = float("inf")


class DemoSts:
    """The service: a table of credentials, and three actions."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.calls: list[str] = []
        self.access_key_id = _random_id("AKIA")
        self.secret_access_key = secrets.token_urlsafe(30)
        user = Identity(f"arn:aws:iam::{ACCOUNT}:user/{USER}", f"user/{USER}")
        self._identities = {self.access_key_id: user}

    def answer(self, params: Mapping[str, str], access_key_id: str, token: str) -> str:
        """The XML result of one call. Raises Refusal."""
        actions = {
            "AssumeRole": self._assume_role,
            "GetCallerIdentity": self._get_caller_identity,
            "GetSessionToken": self._get_session_token,
        }
        action = params.get("Action", "")
        self.calls.append(action)
        if action not in actions:
            raise Refusal("InvalidAction", f"Could not find operation {action}: this demo has {', '.join(actions)}")
        return _element(f"{action}Result", actions[action](params, self._caller(access_key_id, token)))

    def _caller(self, access_key_id: str, token: str) -> Identity:
        caller = self._identities.get(access_key_id)
        if caller is None or not secrets.compare_digest(caller.token.encode(), token.encode()):
            raise Refusal("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        if caller.expires <= self.clock():
            raise Refusal("ExpiredToken", "The security token included in the request is expired", 403)
        return caller

    def _assume_role(self, params: Mapping[str, str], caller: Identity) -> str:
        arn, session_name = params.get("RoleArn", ""), params.get("RoleSessionName", "")
        role = arn.removeprefix(f"arn:aws:iam::{ACCOUNT}:role/")
        if ROLES.get(role) != caller.trusted_as:
            what = f"is not authorized to perform: sts:AssumeRole on resource: {arn}"
            why = "because no role trust policy allows the sts:AssumeRole action"
            raise Refusal("AccessDenied", f"User: {caller.arn} {what} {why}", 403)
        duration = _seconds(params, LONGEST_SESSION)
        if duration > LONGEST_SESSION and caller.token:
            limit = "the 1 hour session limit for roles assumed by role chaining"
            raise Refusal("ValidationError", f"The requested DurationSeconds exceeds {limit}")
        if duration > LONGEST_SESSION:
            limit = "the MaxSessionDuration set for this role"
            raise Refusal("ValidationError", f"The requested DurationSeconds exceeds {limit}.")
        session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session_name}"
        credentials = self._issue(session, f"role/{role}", duration)
        role_id = f"{_random_id('AROA')}:{session_name}"
        user = _element("AssumedRoleUser", _element("Arn", escape(session)) + _element("AssumedRoleId", role_id))
        return credentials + user

    def _get_session_token(self, params: Mapping[str, str], caller: Identity) -> str:
        if caller.token:
            raise Refusal("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
        return self._issue(caller.arn, caller.trusted_as, _seconds(params, 12 * 3600))

    def _get_caller_identity(self, _params: Mapping[str, str], caller: Identity) -> str:
        return "".join(
            _element(name, escape(value))
            for name, value in (("Arn", caller.arn), ("UserId", _random_id("AIDA")), ("Account", ACCOUNT))
        )

    def _issue(self, arn: str, trusted_as: str, duration: int) -> str:
        key, secret, token = _random_id("ASIA"), secrets.token_urlsafe(30), secrets.token_urlsafe(300)
        expires = int(self.clock()) + duration
        self._identities[key] = Identity(arn, trusted_as, token, expires)
        fields = {
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires)),
        }
        return _element("Credentials", "".join(_element(name, value) for name, value in fields.items()))


class DemoServer:
    """The service on a port of 127.0.0.1, for the length of a `with` block."""

    def __init__(self, sts: DemoSts) -> None:
        class Handler(_Handler):
            service = sts

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> DemoServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    service: DemoSts

    def do_POST(self) -> None:
        """Answer one call of the query protocol."""
        length = int(self.headers.get("Content-Length") or 0)
        params = dict(parse_qsl(self.rfile.read(length).decode("utf-8", "replace"), keep_blank_values=True))
        # AWS4-HMAC-SHA256 Credential=KEY_ID/DATE/REGION/sts/aws4_request, …
        credential = self.headers.get("Authorization", "").partition("Credential=")[2]
        token = self.headers.get("X-Amz-Security-Token", "")
        request_id = _element("RequestId", secrets.token_hex(16))
        try:
            result = self.service.answer(params, credential.partition("/")[0], token)
            metadata = _element("ResponseMetadata", request_id)
            self._send(200, _element(f"{params['Action']}Response", result + metadata, xmlns=_NAMESPACE))
        except Refusal as refusal:
            error = _element("Type", "Sender") + _element("Code", refusal.code)
            error = _element("Error", error + _element("Message", escape(str(refusal))))
            self._send(refusal.status, _element("ErrorResponse", error + request_id, xmlns=_NAMESPACE))

    def _send(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write no log: only the story is displayed."""


def _element(name: str, content: str, *, xmlns: str = "") -> str:
    return f'<{name} xmlns="{xmlns}">{content}</{name}>' if xmlns else f"<{name}>{content}</{name}>"


def _seconds(params: Mapping[str, str], default: int) -> int:
    text = params.get("DurationSeconds", str(default))
    if not text.isascii() or not text.isdigit() or int(text) < 900:
        raise Refusal("ValidationError", f"Value '{text}' at 'durationSeconds' must be 900 or more")
    return int(text)


def _random_id(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_BASE32) for _ in range(16))
