"""Serves one fake on a free loopback port for the length of a with block."""

import json
import socket
import struct
import threading
import traceback
from collections.abc import Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlsplit

Itself = TypeVar("Itself", bound="Serving")


class Call(NamedTuple):
    """One request as it arrived: `target` is path and query as sent, `path` and `query` their parts."""

    method: str
    target: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes


class Answer(NamedTuple):
    """What goes back; a Content-Length or Date among the headers is sent instead of the true one."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Hangup(NamedTuple):
    """No answer: the connection ends, politely or with a reset."""

    reset: bool = False


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with `value` as JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


class Serving:
    """A fake says what it answers to a call; this keeps the log of calls and does the rest."""

    url: str

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.failures: list[Exception] = []

    def answer(self, call: Call) -> Answer | Hangup:
        """Every fake has its own."""
        raise NotImplementedError

    def count(self, path: str) -> int:
        """How many calls came for this path."""
        return sum(call.path == path for call in self.calls)

    def __enter__(self: Itself) -> Itself:
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self.failures and error is None:
            raise self.failures[0]


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet

    def _serve(self) -> None:
        self.close_connection = True  # no pooled connection outlives the with block
        fake, parts = self.server.fake, urlsplit(self.path)
        target = parts._replace(scheme="", netloc="").geturl() or "/"  # a proxy is asked for the whole URL
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        call = Call(self.command, target, parts.path or "/", query, self.headers, body)
        fake.calls.append(call)
        try:
            answer = fake.answer(call)
        except Exception as failure:  # noqa: BLE001 (the fake's own mistake must not look like an answer)
            traceback.print_exc()
            fake.failures.append(failure)
            answer = Hangup()
        if isinstance(answer, Answer):
            self._send(answer)
        elif answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # The server's own close would send a FIN first, and the client could see that alone.
            socket.close(self.connection.detach())

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _send(self, answer: Answer) -> None:
        length, date = str(len(answer.body)), self.date_time_string()
        headers = {"content-length": length, "date": date, "connection": "close"}
        headers |= {name.lower(): value for name, value in answer.headers.items()}
        self.send_response_only(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        try:
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()
        except ConnectionError:
            pass  # the client did not wait for it

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr: `calls` is the log."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # the default, 5, makes a crowd of clients wait for a whole second

    def __init__(self, fake: Serving) -> None:
        self.fake = fake
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's name, which can take seconds."""
        TCPServer.server_bind(self)
