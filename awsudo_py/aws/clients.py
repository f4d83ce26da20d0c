"""Keeps botocore clients, and with them their connections, for all calls with the same settings.

1. A client belongs to an endpoint and its settings, never to credentials: those that sign are the current call's.
2. Threads share clients. What belongs to one call (credentials, the address it went to, the secrets it sent) is in a
   context variable, so that no call signs with the credentials of another.
3. A service may repeat what it was sent: each secret that a call sends is noted, to remove it from the response's text.
"""

from __future__ import annotations

import json
import re
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote, quote_plus, urlsplit

from botocore.credentials import Credentials, ReadOnlyCredentials

from awsudo_py.aws.bounded import bound
from awsudo_py.aws.errors import THROTTLED

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from awsudo_py import aws_credentials as ours

_SIGNER: ContextVar[ReadOnlyCredentials | None] = ContextVar("signer", default=None)
_BEARER: ContextVar[str | None] = ContextVar("bearer", default=None)
_CALL: ContextVar[Call | None] = ContextVar("call", default=None)
_Result = TypeVar("_Result")
#: The parameters that are secrets, or good for one call, in all services that are called here.
_SECRET_PARAMETERS = frozenset(
    (
        *("TokenCode", "WebIdentityToken", "AuthenticationCode1", "AuthenticationCode2"),
        *("accessToken", "refreshToken", "clientSecret", "deviceCode", "code", "codeVerifier", "subjectToken"),
        *("SessionToken", "Logins", "idToken", "assertion"),
    )
)
#: What an access key ID looks like. Any other value may be a secret that was put there by mistake.
_KEY_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,124}")
_STRUCK = "[removed: it was sent]"


class Call:
    """One call, as it is made: where it went, and the secrets that it sent."""

    def __init__(self) -> None:
        self.address = ""
        self._sent: set[str] = set()

    def run(self, call: Callable[[], _Result]) -> _Result:
        """The result of the call."""
        _CALL.set(self)
        return call()

    def note_sent(self, *secrets: str | None) -> None:
        """Note what is sent and must come back in no text."""
        self._sent.update(each for each in secrets if each)

    def struck(self, text: str) -> str:
        """Rule 3: the text without anything that was sent, as it is, quoted for a URL, XML or JSON."""
        from xml.sax.saxutils import escape  # here, so that a call that succeeds does not import it

        for secret in sorted(self._sent, key=len, reverse=True):
            ways = (secret, quote(secret, safe=""), quote_plus(secret), escape(secret), json.dumps(secret)[1:-1])
            for written in sorted({*ways, *(way.lower() for way in ways[1:3])}, key=len, reverse=True):
                text = text.replace(written, _STRUCK)
        return text


class CurrentCredentials(Credentials):  # type: ignore[misc]  # botocore has no types
    """The credentials of a client, for botocore: those of the current call."""

    def __init__(self) -> None:
        super().__init__("of the call", "of the call")

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """The credentials that sign the current call; a call without any is a bug."""
        signer = _SIGNER.get()
        if signer is None:
            raise RuntimeError("a call without credentials")
        call = _CALL.get()
        if call is not None:
            call.note_sent(signer.secret_key, signer.token)
            if not _KEY_ID.fullmatch(signer.access_key):
                call.note_sent(signer.access_key)
        return signer


def sign_with(credentials: ours.Credentials | None, bearer: str | None = None) -> None:
    """Sign what this thread calls next with these credentials, or send it with this bearer token."""
    _BEARER.set(bearer)
    _SIGNER.set(
        None
        if credentials is None
        else ReadOnlyCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    )


def add_bearer(params: dict[str, Any], **_: Any) -> None:
    """Add the bearer token of the current call: botocore's event before-call.

    botocore adds one over TLS only; awsudo refuses plain http itself (resolve/endpoints), except on this machine.
    """
    token, call = _BEARER.get(), _CALL.get()
    if token is not None:
        params["headers"]["Authorization"] = f"Bearer {token}"
        if call is not None:
            call.note_sent(token)


def note_address(request: Any, **_: Any) -> None:
    """Note where a request goes: botocore's event before-send."""
    call = _CALL.get()
    if call is not None:
        parts = urlsplit(request.url)
        call.address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def note_parameters(params: Any, **_: Any) -> None:
    """Note the secrets among a call's parameters: botocore's event before-parameter-build."""
    call = _CALL.get()
    if call is not None and isinstance(params, dict):
        for name, value in params.items():
            if isinstance(value, dict):
                note_parameters(value)
            elif name in _SECRET_PARAMETERS and isinstance(value, str):
                call.note_sent(value)


class Pace(Protocol):
    """Keeps many threads below the rate limit of a service."""

    def take(self, service: str) -> None:
        """Wait until a call may go out."""

    def slow_down(self, service: str) -> None:
        """The service has throttled a call."""


class Clients:
    """Clients by their key. pace: what calls wait for, if there are many."""

    def __init__(self) -> None:
        self.pace: Pace | None = None
        self._made: dict[Hashable, Any] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The client with that key; made now if it is the first."""
        with self._lock:  # botocore's sessions are not safe for threads, its clients are
            if key not in self._made:
                client = make()
                bound(client)
                client.meta.events.register("response-received", self._note_throttling)
                self._made[key] = client
            return self._made[key]

    def _note_throttling(self, event_name: str, parsed_response: Any = None, **_: Any) -> None:
        if self.pace is not None and parsed_response:
            status = parsed_response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == 429 or parsed_response.get("Error", {}).get("Code") in THROTTLED:
                self.pace.slow_down(event_name.split(".")[1])
