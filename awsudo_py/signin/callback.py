"""Receives the browser's callback at the end of a sign-in, on this machine's loopback address.

1. It listens on 127.0.0.1 only, and on a port of the system's choice.
2. The state is compared before anything is answered; a request without it is refused, and the wait continues.
3. Every other path is refused (a browser asks for /favicon.ico by itself), and so is a request for another host name.
4. Nothing is logged: neither the request, whose line has the code, nor its headers, which may repeat it.
5. The page displays how the sign-in ended: it is answered when the code has been traded for a token.
"""

from __future__ import annotations

import hmac
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from typing_extensions import Self

#: The path of the callback; AWS redirects to no other (AWS CLI 2, customizations/sso).
PATH = "/oauth/callback"
#: Seconds after which a request that is not complete is dropped; and after which the page does without the outcome.
_REQUEST, _OUTCOME = 10.0, 45.0
#: Seconds that the page of the outcome gets to be written.
_WRITTEN = 2.0
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1em;color-scheme:light dark}"
)
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


class Answered(NamedTuple):
    """The result of the callback: a code, or the error that the service names (`access_denied`)."""

    code: str = ""
    error: str = ""

    def __repr__(self) -> str:
        return f"<Answered {self.error or 'with a code'}>"


class Callback:
    """A server for one callback, in a with block; its requests are answered in threads of their own."""

    def __init__(self, state: str) -> None:
        self._server = _Server(state)

    @property
    def redirect_uri(self) -> str:
        """The redirect address for the browser."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    def wait(self, seconds: float) -> Answered | None:
        """The result of the callback; None if it did not arrive in time."""
        return self._server.answered if self._server.arrived.wait(seconds) else None

    def finish(self, *, signed_in: bool) -> None:
        """Rule 5: display the outcome on the browser's page."""
        self._server.signed_in = signed_in
        self._server.ended.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.ended.set()
        if self._server.arrived.is_set():
            self._server.written.wait(_WRITTEN)
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser opens connections ahead of time, on which nothing comes

    def __init__(self, state: str) -> None:
        self.state = state
        self.answered = Answered()
        self.arrived, self.ended, self.written = threading.Event(), threading.Event(), threading.Event()
        self.signed_in = False
        self.first = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's name, which can take seconds."""
        TCPServer.server_bind(self)

    def handle_error(self, request: object, client_address: object) -> None:
        """Rule 4: a browser that disconnected is ignored."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _REQUEST
    server_version, sys_version = "awsudo", ""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != PATH or self.headers.get("Host") != f"127.0.0.1:{self.server.server_address[1]}":
            self._send(404, "Not found", "There is nothing here.")  # rule 3
            return
        query = parse_qs(parts.query, keep_blank_values=True)
        state, code, error = ([*query.get(name, ())] for name in ("state", "code", "error"))
        if len(state) != 1 or not hmac.compare_digest(state[0].encode(), self.server.state.encode()):
            self._send(400, "Not signed in", "This page does not belong to a sign-in that awsudo started.")  # rule 2
            return
        if not error and (len(code) != 1 or not code[0]):
            self._send(400, "Not signed in", "The sign-in page sent no code.")
            return
        if not self.server.first.acquire(blocking=False):
            self._send(400, "Already answered", "This sign-in is already complete.")
            return
        self.server.answered = Answered(error=error[0]) if error else Answered(code=code[0])
        self.server.arrived.set()
        self.server.ended.wait(_OUTCOME)
        if self.server.signed_in:
            self._send(200, "Signed in", "You can close this page and go back to the terminal.")
        else:
            self._send(200, "Not signed in", "See the terminal for the reason. You can close this page.")
        self.server.written.set()

    def _send(self, status: int, title: str, text: str) -> None:
        body = (
            f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>awsudo: {title}</title>'
            f"<style>{_STYLE}</style><h1>{title}</h1><p>{text}</p></html>"
        ).encode()
        self.send_response_only(status)
        for name, value in {**_HEADERS, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Rule 4."""
