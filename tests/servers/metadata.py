"""Plays the two services that give a machine its role: EC2's IMDSv2, and the container endpoint."""

import json
import secrets
from datetime import datetime, timedelta, timezone

from .serving import Answer, Call, Hangup, Serving, as_json

TOKEN_PATH = "/latest/api/token"
ROLE_PATH = "/latest/meta-data/iam/security-credentials/"
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"


class Metadata(Serving):
    """Gives out the credentials handed in: on EC2 for a session token, in a container for `authorization`."""

    def __init__(
        self,
        access_key_id: str,
        secret: str,
        token: str,
        expiration: datetime | None = None,
        *,
        role: str = "instance-role",
        authorization: str | None = None,
    ) -> None:
        super().__init__()
        self.role = role
        self.authorization = authorization
        self._session_tokens: set[str] = set()
        self.give(access_key_id, secret, token, expiration)

    @property
    def instance_environ(self) -> dict[str, str]:
        """The variables that make a process believe it runs on EC2."""
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url, "AWS_EC2_METADATA_DISABLED": "false"}

    @property
    def container_environ(self) -> dict[str, str]:
        """The variables that make a process believe it runs in a container."""
        environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/creds/task"}
        if self.authorization is not None:
            environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = self.authorization
        return environ

    def give(self, access_key_id: str, secret: str, token: str, expiration: datetime | None = None) -> None:
        """Give these credentials from now on; without an expiration they last six hours."""
        expires = (expiration or datetime.now(timezone.utc) + timedelta(hours=6)).astimezone(timezone.utc)
        self._credentials = {"AccessKeyId": access_key_id, "SecretAccessKey": secret, "Token": token}
        self._credentials["Expiration"] = expires.strftime("%Y-%m-%dT%H:%M:%SZ")

    def answer(self, call: Call) -> Answer | Hangup:
        """Answer the one service or the other, by path."""
        if (call.method, call.path) == ("PUT", TOKEN_PATH):
            return self._new_session_token(call)
        if call.method != "GET":
            return Answer(405)
        if call.path == "/creds" or call.path.startswith("/creds/"):
            return self._container(call)
        if call.headers.get(TOKEN_HEADER) not in self._session_tokens:
            return Answer(401)
        described = {"Code": "Success", "Type": "AWS-HMAC", **self._credentials}
        known = {ROLE_PATH: self.role, ROLE_PATH + self.role: json.dumps(described)}
        body = known.get(call.path)
        return Answer(404) if body is None else Answer(200, body.encode(), {"Content-Type": "text/plain"})

    def _new_session_token(self, call: Call) -> Answer:
        if "X-Forwarded-For" in call.headers:  # IMDSv2 does not talk to proxies
            return Answer(403)
        lifetime = call.headers.get(TTL_HEADER, "")
        if not lifetime.isdecimal() or not 1 <= int(lifetime) <= 21600:
            return Answer(400)
        token = secrets.token_urlsafe(40)
        self._session_tokens.add(token)
        return Answer(200, token.encode(), {TTL_HEADER: lifetime})

    def _container(self, call: Call) -> Answer:
        if self.authorization is not None and call.headers.get("Authorization") != self.authorization:
            return as_json({"code": "Unauthorized", "message": "wrong authorization token"}, 401)
        return as_json({"RoleArn": f"arn:aws:iam::123456789012:role/{self.role}", **self._credentials})
