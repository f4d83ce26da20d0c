"""Stands before another server, passes plain HTTP on unchanged, and goes wrong on demand."""

import threading
from collections.abc import Callable
from http.client import HTTPConnection
from urllib.parse import urlsplit

from .serving import Answer, Call, Hangup, Serving

# Headers that concern one connection; an answer's length is counted anew, or lied about, here.
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
NOT_RETURNED = {*HOP_BY_HOP, "content-length"}

# Not closed and not well-formed, like many gateways' pages: neither an XML nor a JSON parser takes it.
BAD_GATEWAY = b"<!DOCTYPE html>\n<html><title>502 Bad Gateway</title>\n<body>Bad Gateway<hr></body></html>\n"
UNAVAILABLE = (
    b"<ErrorResponse><Error><Type>Receiver</Type><Code>ServiceUnavailable</Code>"
    b"<Message>Service is unable to handle request.</Message></Error></ErrorResponse>"
)

# What the client gets in place of the upstream's answer.
INSTEAD: dict[str, Answer | Hangup] = {
    "reset": Hangup(reset=True),
    "empty": Hangup(),
    "html502": Answer(502, BAD_GATEWAY, {"Content-Type": "text/html"}),
    "503": Answer(503, UNAVAILABLE, {"Content-Type": "text/xml"}),
}


class FaultyProxy(Serving):
    """Meets each request with the next of `faults` (None: no fault), or with `fault` when that list is empty.

    The client's Host header goes through, so a signature for this proxy's address holds at the upstream.
    With `upstream_acts`, a request whose answer is replaced still reaches the upstream first.
    """

    def __init__(
        self,
        upstream_url: str,
        *,
        fault: str | None = None,
        slow_seconds: float = 1.0,
        upstream_acts: bool = False,
    ) -> None:
        super().__init__()
        self.upstream_url = upstream_url
        self.fault = fault
        self.faults: list[str | None] = []
        self.slow_seconds = slow_seconds
        self.upstream_acts = upstream_acts
        self._closing = threading.Event()
        self._spoilt: dict[str | None, Callable[[Answer], Answer | Hangup]] = {
            None: lambda answer: answer,
            "slow": self._slow,
            "short": self._short,
        }

    def answer(self, call: Call) -> Answer | Hangup:
        """Pass the call on and bring the answer back, unless this call's fault is in the way."""
        try:
            fault = self.faults.pop(0)
        except IndexError:
            fault = self.fault
        if fault in INSTEAD:
            if self.upstream_acts:
                self._forward(call)
            return INSTEAD[fault]
        spoil = self._spoilt[fault]
        return spoil(self._forward(call))

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._closing.set()
        super().__exit__(kind, error, trace)

    def _forward(self, call: Call) -> Answer:
        upstream = HTTPConnection(urlsplit(self.upstream_url).netloc, timeout=30)
        upstream.putrequest(call.method, call.target, skip_host=True, skip_accept_encoding=True)
        for name, value in call.headers.items():
            if name.lower() not in HOP_BY_HOP:
                upstream.putheader(name, value)
        upstream.endheaders(call.body)
        response = upstream.getresponse()
        body = response.read()
        upstream.close()
        headers = {name: text for name, text in response.getheaders() if name.lower() not in NOT_RETURNED}
        return Answer(response.status, body, headers)

    def _slow(self, answer: Answer) -> Answer:
        self._closing.wait(self.slow_seconds)
        return answer

    def _short(self, answer: Answer) -> Answer:
        half, promised = answer.body[: len(answer.body) // 2], str(max(1, len(answer.body)))
        return answer._replace(body=half, headers={**answer.headers, "Content-Length": promised})
