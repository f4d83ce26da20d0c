"""Plays the address at which a job of GitHub Actions gets its OIDC token."""

from __future__ import annotations

import base64
import json
import time

from .serving import Answer, Call, Serving, as_json

SECRET = "the-job-secret"


def jwt(audience: str, *, expires_in: float = 300) -> str:
    """A token that nobody has signed."""
    claims = {"aud": audience, "exp": int(time.time() + expires_in), "sub": "repo:acme/app:ref:refs/heads/main"}
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".x"


class GitHub(Serving):
    """Gives a token to whoever has the job's secret; statuses are answered first, in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[int] = []
        self.given: list[str] = []
        self.expires_in = 300.0

    @property
    def environ(self) -> dict[str, str]:
        """The variables of a job that has the permission."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/oidc?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": SECRET,
        }

    def answer(self, call: Call) -> Answer:
        """Refuse without the secret, as GitHub does; a redirect leads to a place that would take the secret."""
        if self.statuses:
            status = self.statuses.pop(0)
            return Answer(status, b"", {"Location": f"{self.url}/stolen"} if status == 302 else {})
        if call.headers.get("Authorization") != f"bearer {SECRET}" or call.query.get("api-version") != "2":
            return Answer(401)
        self.given.append(jwt(call.query.get("audience", ""), expires_in=self.expires_in))
        return as_json({"value": self.given[-1], "count": len(self.given[-1])})
