"""Serves one session on loopback, by the protocol of container credentials, to whoever has its token.

1. It listens on 127.0.0.1 only, on a random port, under a random path; the token is compared in constant time.
2. A request is refused unless its Host is this very address, and if it has an Origin or a Referer: no web page reaches
   it, whatever name it has for 127.0.0.1. GET only, no body.
3. An answer comes from memory. Nothing slow happens here, and no client delays another: one thread waits for
   all, a head is at most 8 KiB and complete within five seconds, and there are at most 256 connections.
4. An expired session is not served.

The document, its names and what clients accept: AWS SDKs and Tools reference guide, "Container credential provider".
"""

from __future__ import annotations

import hmac
import json
import secrets
import selectors
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.aws_credentials import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws_credentials import Credentials

_LARGEST_HEAD = 8_192
_MOST_CONNECTIONS = 256
#: Seconds that a client has for a head, and that an idle connection is kept.
_HEAD_WITHIN, _IDLE = 5.0, 60.0
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class Served(NamedTuple):
    """A session to serve, and its role."""

    credentials: Credentials
    role_arn: str
    account: str

    def document(self) -> bytes:
        """The JSON that clients expect; compact, since the CRT takes 10,000 bytes at most."""
        fields = {
            "AccessKeyId": self.credentials.access_key_id,
            "SecretAccessKey": self.credentials.secret_access_key,
            "Token": self.credentials.session_token,
            "Expiration": rfc3339(self.credentials.expiration or 0),
            "AccountId": self.account,
            "RoleArn": self.role_arn,
        }
        return json.dumps({name: value for name, value in fields.items() if value}, separators=(",", ":")).encode()


class _Client:
    """One connection: received and unsent bytes, and its deadline."""

    __slots__ = ("arrived", "closing", "out", "socket", "until")

    def __init__(self, connection: socket.socket, until: float) -> None:
        self.socket = connection
        self.arrived = b""
        self.out = b""
        self.closing = False
        self.until = until


class Endpoint:
    """The endpoint. serve() is its loop; replace() and close() may be called from any other thread.

    clock: seconds since the epoch. renew: called when a client finds no valid session.
    """

    def __init__(self, served: Served, *, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        """Raises OSError if the port is taken."""
        self.token = secrets.token_urlsafe(32)
        self.path = f"/{secrets.token_urlsafe(18)}"
        self.renew: Callable[[], None] = lambda: None
        self._clock = clock
        self._served: Served | None = None
        self._document = b""
        self._why = ""
        self._lock = threading.Lock()
        self.replace(served)
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", port))
            self._listener.listen(128)
        except OSError:
            self._listener.close()
            raise
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._clients: dict[socket.socket, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._stopping = False

    @property
    def url(self) -> str:
        """The value of AWS_CONTAINER_CREDENTIALS_FULL_URI: no name that has to be resolved, no query, no bare /."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    def replace(self, served: Served) -> None:
        """Serve this session from now on."""
        document = served.document()
        with self._lock:
            self._served, self._document, self._why = served, document, ""

    def explain(self, why: str) -> None:
        """Set the message for clients once nothing is left to serve."""
        with self._lock:
            self._why = why

    def close(self) -> None:
        """End serve()."""
        self._stopping = True
        try:
            self._wake_write.send(b"x")
        except OSError:
            return

    def serve(self) -> None:
        """Answer clients until close() is called."""
        try:
            while not self._stopping:
                for key, events in self._selector.select(self._patience()):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj is self._wake_read:
                        continue
                    else:
                        self._advance(self._clients[key.fileobj], events)  # type: ignore[index]
                self._drop_late()
        finally:
            for client in list(self._clients.values()):
                self._drop(client)
            for each in (self._listener, self._wake_read, self._wake_write):
                each.close()
            self._selector.close()

    def _patience(self) -> float | None:
        """Seconds until a client is late; None without clients: an idle endpoint does not wake up."""
        if not self._clients:
            return None
        return max(min(client.until for client in self._clients.values()) - time.monotonic(), 0.0)

    def _drop_late(self) -> None:
        now = time.monotonic()
        for client in [client for client in self._clients.values() if client.until <= now]:
            self._drop(client)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it was gone before it was accepted, or there are no descriptors left
            if len(self._clients) > 1:
                self._drop(min(self._clients.values(), key=lambda client: client.until))
            return
        connection.setblocking(False)
        if len(self._clients) >= _MOST_CONNECTIONS:
            self._drop(min(self._clients.values(), key=lambda client: client.until))
        client = _Client(connection, time.monotonic() + _HEAD_WITHIN)
        self._clients[connection] = client
        self._selector.register(connection, selectors.EVENT_READ)

    def _drop(self, client: _Client) -> None:
        self._clients.pop(client.socket, None)
        with suppress(KeyError, ValueError):  # it is closed already
            self._selector.unregister(client.socket)
        client.socket.close()

    def _advance(self, client: _Client, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                arrived = client.socket.recv(65_536)
                if not arrived:
                    self._drop(client)
                    return
                client.arrived += arrived
            # one after the other: pipelined requests cost no more memory than one answer
            while not client.closing and not client.out and self._answer_next(client):
                client.out = client.out[client.socket.send(client.out) :]
            if client.out:
                client.out = client.out[client.socket.send(client.out) :]
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)
            return
        if not client.out and client.closing:
            self._drop(client)
            return
        self._selector.modify(
            client.socket, selectors.EVENT_WRITE if client.out else selectors.EVENT_READ
        )  # fmt: skip

    def _answer_next(self, client: _Client) -> bool:
        """Queue the answer to the next request, if it has arrived whole; returns whether there is one."""
        head, end, rest = client.arrived.partition(b"\r\n\r\n")
        if not end:
            if len(client.arrived) > _LARGEST_HEAD:
                self._queue(client, *_error(431, "RequestTooLarge", "the request is too large"), keep=False)
            return bool(client.out)
        client.arrived = rest
        status, body, keep = self._answer(head)
        self._queue(client, status, body, keep=keep)
        client.until = time.monotonic() + _IDLE
        return True

    def _queue(self, client: _Client, status: int, body: bytes, *, keep: bool) -> None:
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        head += "Cache-Control: no-store\r\n"
        if status == 405:
            head += "Allow: GET\r\n"
        if not keep:
            head += "Connection: close\r\n"
        client.out += head.encode() + b"\r\n" + body
        client.closing = not keep

    def _answer(self, head: bytes) -> tuple[int, bytes, bool]:
        """Status, body, and whether the connection is kept, for the head of a request."""
        if len(head) > _LARGEST_HEAD:
            return *_error(431, "RequestTooLarge", "the request is too large"), False
        lines = head.split(b"\r\n")
        words = lines[0].split(b" ")
        if len(words) != 3 or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
            return *_error(400, "BadRequest", "not a request of HTTP/1.1"), False
        headers: dict[bytes, list[bytes]] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip() or b"\n" in line or b"\r" in line or b"\0" in line:
                return *_error(400, "BadRequest", "a header line is malformed"), False
            headers.setdefault(name.lower(), []).append(value.strip())
        refused = self._refused(words[0], words[1], headers)
        if refused is not None:
            return *refused, False
        connection = b",".join(headers.get(b"connection", [])).lower()
        keep = b"close" not in connection and (words[2] == b"HTTP/1.1" or b"keep-alive" in connection)
        return *self._session(), keep

    def _refused(self, method: bytes, path: bytes, headers: dict[bytes, list[bytes]]) -> tuple[int, bytes] | None:
        if headers.get(b"host") != [f"127.0.0.1:{self.port}".encode()]:
            return _error(403, "Forbidden", "the Host header is not the address of this endpoint")
        if b"origin" in headers or b"referer" in headers:
            return _error(403, "Forbidden", "requests from web pages are refused")
        if method != b"GET":
            return _error(405, "MethodNotAllowed", "only GET is supported")
        if b"transfer-encoding" in headers or headers.get(b"content-length", [b"0"]) != [b"0"]:
            return _error(400, "BadRequest", "a request for credentials has no body")
        if not hmac.compare_digest(path, self.path.encode()):
            return _error(404, "NotFound", "no such path")
        given = headers.get(b"authorization", [b""])
        if len(given) != 1 or not hmac.compare_digest(given[0], self.token.encode()):
            return _error(401, "Unauthorized", "the Authorization header does not hold the token of this endpoint")
        return None

    def _session(self) -> tuple[int, bytes]:
        """Rule 4."""
        with self._lock:
            served, document, why = self._served, self._document, self._why
        if served is not None and self._clock() < (served.credentials.expiration or 0):
            return 200, document
        self.renew()
        return _error(503, "ExpiredCredentials", why or "the session has ended and is being renewed")


def _error(status: int, code: str, message: str) -> tuple[int, bytes]:
    return status, json.dumps({"code": code, "message": message}, separators=(",", ":")).encode()
