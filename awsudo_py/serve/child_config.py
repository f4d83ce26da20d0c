"""Makes AWS files for a child in which nothing takes precedence over its endpoint.

Keys, a credential_process or a role in [default] come before the container endpoint in every SDK. So the child gets a
copy of the config file in which [default] keeps all but its credentials, and an empty credentials file.

1. The copy is 0600 in a directory that is 0700, from birth, and is removed with the child.
2. The files of a killed run are removed by the next: each directory is locked for as long as its run lasts.
"""

from __future__ import annotations

import os
import secrets
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Settings by which a profile gets credentials (AWS SDKs and Tools reference guide, "Settings reference").
CREDENTIAL_SETTINGS = frozenset(
    (
        *("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token", "aws_account_id"),
        *("credential_process", "credential_source", "source_profile", "role_arn", "role_session_name", "external_id"),
        *("mfa_serial", "duration_seconds", "web_identity_token_file", "login_session"),
        *("sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name", "sso_registration_scopes"),
    )
)
_PREFIX, _LOCK = "serve-", "lock"


class ChildConfig:
    """The files of one child, below a private directory that exists. Use it in a with block. Raises OSError."""

    def __init__(self, parent: str, config_text: str) -> None:
        sweep(parent)
        self.directory = os.path.join(parent, f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}")
        os.mkdir(self.directory, 0o700)
        self._lock = _write(os.path.join(self.directory, _LOCK), "")
        _locked(self._lock)
        os.close(_write(self.config_file, without_credentials(config_text)))
        os.close(_write(self.credentials_file, ""))

    @property
    def config_file(self) -> str:
        """The copy of the config file."""
        return os.path.join(self.directory, "config")

    @property
    def credentials_file(self) -> str:
        """The empty credentials file."""
        return os.path.join(self.directory, "credentials")

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.directory, ignore_errors=True)
        os.close(self._lock)


def without_credentials(text: str) -> str:
    """A config file without the credential settings of [default]; every other line is unchanged."""
    remaining: list[str] = []
    in_default = dropping = False
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if line[:1] == "[":
            name = stripped.strip("[]").strip()
            in_default = name.strip("\"'") == "default" or name.split(None, 1)[-1].strip("\"' ") == "default"
            in_default = in_default and not name.startswith(("sso-session", "services"))
            dropping = False
        elif in_default and line[:1] not in (" ", "\t") and stripped and line[:1] not in "#;":
            dropping = stripped.replace(":", "=").partition("=")[0].strip().lower() in CREDENTIAL_SETTINGS
        # an indented line continues the value above it
        if not dropping or line[:1] in "#;" or not stripped:
            remaining.append(line)
    return "".join(remaining)


def sweep(parent: str) -> None:
    """Rule 2: remove the files of runs that are gone, if possible."""
    try:
        names = [name for name in os.listdir(parent) if name.startswith(_PREFIX)]
    except OSError:
        return
    for name in names:
        directory = os.path.join(parent, name)
        try:
            lock = os.open(os.path.join(directory, _LOCK), os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:
            _remove_if_old(directory)
            continue
        except OSError:
            continue
        if _locked(lock):
            shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _remove_if_old(directory: str) -> None:
    """Remove a directory that has no lock, unless it may be one that is being made."""
    import time

    try:
        if time.time() - os.lstat(directory).st_mtime > 60:
            shutil.rmtree(directory, ignore_errors=True)
    except OSError:
        return


def _locked(descriptor: int) -> bool:
    """Whether the file is locked for this process now."""
    if os.name == "nt":
        return False  # a file that is open cannot be removed there
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _write(path: str, text: str) -> int:
    """A new private file with this text; returns its descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    os.write(descriptor, text.encode("utf-8", "surrogateescape")) if text else None
    return descriptor


def variables(config: ChildConfig, url: str, token: str) -> Mapping[str, str]:
    """The changes to the child's environment that make the endpoint its only identity."""
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
        "AWS_CONFIG_FILE": config.config_file,
        "AWS_SHARED_CREDENTIALS_FILE": config.credentials_file,
    }
