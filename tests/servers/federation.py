"""A strict fake of the console's federation endpoint: tokens for role sessions, and the sign-in that a token opens.

Rules: IAM user guide, "Enable custom identity broker access to the AWS console". A token is good for 15 minutes and,
here, for one sign-in; SessionDuration is 900 to 43200 seconds and not allowed for a session of role chaining.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from tests.servers.serving import Answer, Call, Hangup, Serving, as_json

_FIELDS = {"sessionId", "sessionKey", "sessionToken"}


class _Token(NamedTuple):
    session: dict[str, str]
    duration: int | None
    until: float


class Federation(Serving):
    """The endpoint, and a console page that says who was signed in where.

    known: whether a session (its three parts) is one of a role that still holds; chained: whether by role chaining.
    """

    def __init__(
        self,
        known: Callable[[dict[str, str]], bool],
        *,
        chained: Callable[[dict[str, str]], bool] = lambda _session: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.known, self.chained, self.clock = known, chained, clock
        self.durations: list[int | None] = []
        self.signed_in: list[tuple[dict[str, str], str]] = []  # the session, and the page that was opened
        self._tokens: dict[str, _Token] = {}

    def answer(self, call: Call) -> Answer | Hangup:
        """GET or POST /federation; everything else is the console."""
        if call.path != "/federation":
            return Answer(404)
        sent = dict(parse_qsl(call.body.decode(), strict_parsing=True)) if call.method == "POST" else call.query
        if sent.get("Action") == "getSigninToken":
            return self._token(sent)
        if sent.get("Action") == "login" and call.method == "GET":
            return self._login(sent)
        return Answer(400)

    def _token(self, sent: dict[str, str]) -> Answer:
        session: Any = json.loads(sent.get("Session", "null"))
        if not isinstance(session, dict) or set(session) != _FIELDS or not self.known(session):
            return Answer(400, b"<html>Bad request</html>")
        duration = None
        if "SessionDuration" in sent:
            if not sent["SessionDuration"].isdecimal() or not 900 <= int(sent["SessionDuration"]) <= 43_200:
                return Answer(400)
            if self.chained(session):
                return Answer(400)
            duration = int(sent["SessionDuration"])
        token = secrets.token_urlsafe(60)
        self._tokens[token] = _Token(session, duration, self.clock() + 900)
        self.durations.append(duration)
        return as_json({"SigninToken": token})

    def _login(self, sent: dict[str, str]) -> Answer:
        token = self._tokens.pop(sent.get("SigninToken", ""), None)
        page = sent.get("Destination", "")
        if token is None or token.until <= self.clock() or not page.startswith("https://"):
            return Answer(400, b"<html>The sign-in token is not valid.</html>")
        self.signed_in.append((token.session, page))
        text = f"<!DOCTYPE html><title>Console</title><h1>Signed in</h1><p id=page>{page}</p>"
        return Answer(200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})
