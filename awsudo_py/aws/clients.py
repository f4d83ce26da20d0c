"""Keeps botocore clients, and with them their connections, for all calls with the same settings.

1. A client belongs to an endpoint and its settings, never to credentials: those that sign are the current call's.
2. Threads share clients. What belongs to one call (credentials, the address it went to) is in a context variable, so
   that no call signs with the credentials of another.
"""

from __future__ import annotations

from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from botocore.credentials import Credentials, ReadOnlyCredentials

from awsudo_py.aws.errors import THROTTLED

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from awsudo_py import credentials as ours

_SIGNER: ContextVar[ReadOnlyCredentials | None] = ContextVar("signer", default=None)
_NOTE: ContextVar[Callable[[str], None] | None] = ContextVar("note", default=None)
_Result = TypeVar("_Result")


class CurrentCredentials(Credentials):  # type: ignore[misc]  # botocore has no types
    """What botocore takes for a client's credentials: those of the call that is being made."""

    def __init__(self) -> None:
        super().__init__("of the call", "of the call")

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """The credentials that sign the current call; a call without any is a mistake of ours."""
        signer = _SIGNER.get()
        if signer is None:
            raise RuntimeError("a call without credentials")
        return signer


def sign_with(credentials: ours.Credentials | None) -> None:
    """Sign what this thread calls next with these credentials."""
    _SIGNER.set(
        None
        if credentials is None
        else ReadOnlyCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    )


def following(note: Callable[[str], None], call: Callable[[], _Result]) -> _Result:
    """What the call gives; note is told the address that each request of it goes to."""
    _NOTE.set(note)
    return call()


def _note_address(request: Any, **_: Any) -> None:
    note = _NOTE.get()
    if note is not None:
        parts = urlsplit(request.url)
        note(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")


class Pace(Protocol):
    """Keeps many threads below the rate that a service takes."""

    def take(self, service: str) -> None:
        """Wait until a call may go out."""

    def slow_down(self, service: str) -> None:
        """The service has throttled a call."""


class Clients:
    """Clients by what tells them apart. pace: what calls wait for, where there are many."""

    def __init__(self) -> None:
        self.pace: Pace | None = None
        self._made: dict[Hashable, Any] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The client with that key; made now if it is the first."""
        with self._lock:  # botocore's sessions are not safe for threads, its clients are
            if key not in self._made:
                client = make()
                client.meta.events.register("before-send", _note_address)
                client.meta.events.register("response-received", self._note_throttling)
                self._made[key] = client
            return self._made[key]

    def _note_throttling(self, event_name: str, parsed_response: Any = None, **_: Any) -> None:
        if self.pace is not None and parsed_response:
            status = parsed_response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == 429 or parsed_response.get("Error", {}).get("Code") in THROTTLED:
                self.pace.slow_down(event_name.split(".")[1])
