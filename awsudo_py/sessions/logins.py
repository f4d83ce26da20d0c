"""Distinguishes logins: by a keyed digest of the current secret or token.

1. The secret or token depends on the kind of source; the table is LOGINS, and a test walks it.
2. A login that cannot be found has a mark of its own: no session is served that another login made.
3. The digest is keyed with a random file in the cache: a mark cannot be used to test a guess.
4. A file with a login is among those that a replay checks.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from awsudo_py.sessions.sealed import keyed_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.fingerprint import Files
    from awsudo_py.model import Source

#: The mark of a missing login: nobody is signed in.
NOBODY = "nobody"
#: No token file is larger (bytes).
_LARGEST = 256 * 1024


class Logins:
    """The logins of one run. salt returns the key of the digests."""

    def __init__(self, environ: Mapping[str, str], files: Files, salt: Callable[[], bytes]) -> None:
        self._environ = environ
        self._files = files
        self._salt = salt

    def mark(self, source: Source) -> str:
        """The mark of the source's login; empty if the source's identity includes it."""
        find = LOGINS[source.kind]
        if find is None:
            return ""
        path, field = find(source, self._environ)
        self._files.look(path)
        token = _field(path, field)
        return self._digest(token) if token else NOBODY

    def mark_of(self, credentials: Credentials) -> str:
        """The mark of these credentials among others with the same access key ID."""
        return self._digest(f"{credentials.secret_access_key}\0{credentials.session_token or ''}")

    def _digest(self, secret: str) -> str:
        return keyed_digest(secret, self._salt())


def _sso(source: Source, environ: Mapping[str, str]) -> tuple[str, str]:
    # botocore/utils.py, SSOTokenLoader
    import hashlib

    name = source.setting("sso_session") or source.setting("sso_start_url")
    path = os.path.join("~", ".aws", "sso", "cache", hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest())
    return _expanded(path, environ) + ".json", "accessToken"


def _login(source: Source, environ: Mapping[str, str]) -> tuple[str, str]:
    # botocore/utils.py, LoginTokenLoader. The key is made at each login, and stays when its tokens are renewed.
    import hashlib

    name = dict(source.identity).get("login_session", "")
    directory = environ.get("AWS_LOGIN_CACHE_DIRECTORY", "")
    place = os.path.expandvars(directory) if directory else os.path.join("~", ".aws", "login", "cache")
    return os.path.join(_expanded(place, environ), f"{hashlib.sha256(name.encode()).hexdigest()}.json"), "dpopKey"


#: What makes two logins of one source two, by kind: the file that the sign-in leaves and the field in it. None: the
#: source's identity has it already (an access key ID, whose secret mark_of() guards; a token's digest).
LOGINS: dict[str, Callable[[Source, Mapping[str, str]], tuple[str, str]] | None] = {
    "keys": None,  # access key ID
    "environment": None,  # access key ID
    "keyring": None,  # access key ID
    "process": None,  # access key ID of its answer
    "container": None,  # access key ID of its answer
    "instance": None,  # access key ID of its answer
    "web-identity": None,  # digest of the token file
    "web-token": None,  # digest of the token, or of the job's secret
    "web-token-process": None,  # not cached
    "saml": None,  # digest of the assertion
    "cognito": None,  # digest of the token file; a guest is nobody
    "sso": _sso,
    "account-access": _sso,
    "login": _login,
}


def _expanded(path: str, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME")
    return home.rstrip("/") + path[1:] if home and path.startswith("~/") else os.path.expanduser(path)


def _field(path: str, field: str) -> str:
    """A field of a token file; empty if it is not there."""
    try:
        # not blocking: it may be a pipe
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            found = json.loads(file.read(_LARGEST))
        value = found[field]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""
