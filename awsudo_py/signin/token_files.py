"""Reads and writes the token and registration files of the AWS CLI, so that both programs share one sign-in.

1. Names, fields and time stamps are those of the AWS CLI 2 (botocore/utils.py, customizations/sso): the SHA-1 of the
   session's name, or of its start URL where it has no name; for a registration, of what it was made for.
2. Files are 0600 from birth and replaced in one step; directories that are created here are 0700.
3. A file that cannot be read, or is not what it should be, counts as absent: never an error.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.files import replace_file
from awsudo_py.sessions.private_directory import make_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.model import SsoSession

#: No token file is larger (bytes).
_LARGEST = 256 * 1024
#: A registration is used again while it is valid for this long (seconds), as by the AWS CLI.
REGISTRATION_LEFT = 15 * 60


class Registration(NamedTuple):
    """awsudo as a client of the OIDC service."""

    client_id: str
    client_secret: str
    expires_at: float  # seconds since the epoch
    scopes: tuple[str, ...] | None = None
    grants: tuple[str, ...] | None = None  # None: those of the device flow

    def __repr__(self) -> str:
        return f"<Registration until {rfc3339(self.expires_at)}>"


class SsoToken(NamedTuple):
    """A sign-in: the access token of the portal, and what renews it."""

    start_url: str
    region: str
    access_token: str
    expires_at: float  # seconds since the epoch
    refresh_token: str = ""
    registration: Registration | None = None

    def __repr__(self) -> str:
        return f"<SsoToken of {self.start_url} until {rfc3339(self.expires_at)}>"

    def can_be_renewed(self, now: float) -> bool:
        """Whether a refresh token is there, and the registration that it takes."""
        return bool(self.refresh_token) and self.registration is not None and self.registration.expires_at > now


class TokenFiles:
    """The directory with the files of all sessions."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        home = environ["HOME"] if environ.get("HOME") else os.path.expanduser("~")
        self.directory = os.path.join(home, ".aws", "sso", "cache")

    def token_path(self, session: SsoSession) -> str:
        """Rule 1: the file of a session's token."""
        return self._path(_sha1(session.name or session.start_url))

    def registration_path(self, session: SsoSession) -> str:
        """Rule 1: the file of the registration with which a session is signed in to."""
        import json

        made_for = {
            "tool": "botocore",
            "startUrl": session.start_url,
            "region": session.region,
            "scopes": None if session.scopes is None else list(session.scopes),
            "session_name": session.name,
        }
        return self._path(_sha1(json.dumps(made_for, sort_keys=True)))

    def token(self, session: SsoSession) -> SsoToken | None:
        """Rule 3: the token of a session, expired or not."""
        fields = _fields(self.token_path(session))
        try:
            registration = None
            if fields.get("clientId") and fields.get("clientSecret") and fields.get("registrationExpiresAt"):
                registration = Registration(
                    _text(fields["clientId"]), _text(fields["clientSecret"]), _moment(fields["registrationExpiresAt"])
                )
            return SsoToken(
                session.start_url,
                session.region,
                _text(fields["accessToken"]),
                _moment(fields["expiresAt"]),
                _text(fields.get("refreshToken") or ""),
                registration,
            )
        except (KeyError, ValueError, TypeError):
            return None

    def keep_token(self, session: SsoSession, token: SsoToken) -> None:
        """Rule 2: write the token of a session. Raises OSError."""
        fields: dict[str, Any] = {
            "startUrl": token.start_url,
            "region": token.region,
            "accessToken": token.access_token,
            "expiresAt": rfc3339(token.expires_at),
        }
        if token.registration is not None:
            fields |= {
                "clientId": token.registration.client_id,
                "clientSecret": token.registration.client_secret,
                "registrationExpiresAt": rfc3339(token.registration.expires_at),
            }
        if token.refresh_token:
            fields["refreshToken"] = token.refresh_token
        self._keep(self.token_path(session), fields)

    def forget_token(self, session: SsoSession) -> bool:
        """Remove the token of a session; returns whether there was one. Raises OSError if it remains."""
        try:
            os.unlink(self.token_path(session))
        except FileNotFoundError:
            return False
        return True

    def registration(self, session: SsoSession, grants: tuple[str, ...] | None, now: float) -> Registration | None:
        """The registration for a flow with these grants, if one is there and is valid for a while."""
        fields = _fields(self.registration_path(session))
        try:
            found = Registration(
                _text(fields["clientId"]),
                _text(fields["clientSecret"]),
                _moment(fields["expiresAt"]),
                tuple(fields["scopes"]) if fields.get("scopes") else None,
                tuple(fields["grantTypes"]) if fields.get("grantTypes") else None,
            )
        except (KeyError, ValueError, TypeError):
            return None
        fits = set(found.grants or ()) == set(grants or ())
        return found if fits and found.expires_at > now + REGISTRATION_LEFT else None

    def keep_registration(self, session: SsoSession, registration: Registration) -> None:
        """Rule 2: write a registration. Raises OSError."""
        fields: dict[str, Any] = {
            "clientId": registration.client_id,
            "clientSecret": registration.client_secret,
            "expiresAt": rfc3339(registration.expires_at),
        }
        if registration.scopes:
            fields["scopes"] = list(registration.scopes)
        if registration.grants:
            fields["grantTypes"] = list(registration.grants)
        self._keep(self.registration_path(session), fields)

    def _path(self, name: str) -> str:
        return os.path.join(self.directory, f"{name}.json")

    def _keep(self, path: str, fields: Mapping[str, Any]) -> None:
        import json

        if not os.path.isdir(self.directory):
            make_private(self.directory)
        replace_file(path, json.dumps(fields).encode())


def _fields(path: str) -> dict[str, Any]:
    """Rule 3: the fields of a file; none where it cannot be used."""
    import json

    try:
        # not blocking: it may be a pipe
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    """A field as text that an HTTP header can carry. ValueError if it cannot."""
    if not isinstance(value, str) or not value.isascii() or (value and not value.isprintable()):
        raise ValueError("not a token")
    return value


def _moment(value: object) -> float:
    """A time stamp of any version of the AWS CLI (`…Z`, `…UTC`, `…+00:00`) as seconds since the epoch."""
    text = str(value)
    for end in ("UTC", "Z"):
        if text.endswith(end):
            text = f"{text.removesuffix(end)}+00:00"
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _sha1(text: str) -> str:
    import hashlib

    return hashlib.sha1(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
