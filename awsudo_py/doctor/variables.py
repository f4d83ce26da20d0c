"""Checks the environment: variables that contradict each other, are stale, or name missing files or profiles."""

from __future__ import annotations

import calendar
import os
import shlex
import time
from typing import TYPE_CHECKING

from awsudo_py.doctor.finding import Finding, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOPIC = "environment"
#: Pairs of variables that mean the same, and which of them awsudo uses.
_PAIRS = (
    ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    ("AWS_REGION", "AWS_DEFAULT_REGION"),
)
_TOKENS = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", *_TOKENS)
#: Variables that name a file.
_FILES = (
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
)
_UNSET = 'eval "$(awsudo export --unset)"'


def check(environ: Mapping[str, str], names: frozenset[str], now: float) -> Iterator[Finding]:
    """All findings about these variables. names: the profiles that exist."""
    found = [*_pairs(environ), *_keys(environ), *_stale(environ, now), *_named(environ, names)]
    yield from found
    if not found:
        count = sum(name.startswith(("AWS_", "AWSUDO_")) for name in environ)
        yield ok(TOPIC, f"{count} variable{'' if count == 1 else 's'} of AWS and awsudo, none in conflict")


def _pairs(environ: Mapping[str, str]) -> Iterator[Finding]:
    for used, other in _PAIRS:
        if environ.get(used) and environ.get(other) and environ[used] != environ[other]:
            yield warning(
                TOPIC, f"{used}={environ[used]} and {other}={environ[other]} differ; {used} is used", f"unset {other}"
            )


def _keys(environ: Mapping[str, str]) -> Iterator[Finding]:
    key, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if bool(key) != bool(secret):
        there, missing = _KEYS[:2] if key else (_KEYS[1], _KEYS[0])
        yield warning(TOPIC, f"{there} is set and {missing} is not", f"unset {there}")
    first, second = (environ.get(name, "") for name in _TOKENS)
    if first and second and first != second:
        yield warning(
            TOPIC, f"{_TOKENS[0]} and {_TOKENS[1]} differ; SDKs disagree on which to use", f"unset {_TOKENS[0]}"
        )
    if key.startswith("ASIA") and not (first or second):
        yield warning(TOPIC, f"{key} is a session's key, and AWS_SESSION_TOKEN is not set", f"unset {' '.join(_KEYS)}")
    if key and environ.get("AWS_PROFILE"):
        yield warning(
            TOPIC,
            f"AWS_ACCESS_KEY_ID and AWS_PROFILE={environ['AWS_PROFILE']} are both set; SDKs disagree on which to use",
            f"unset {' '.join(name for name in _KEYS if environ.get(name))}",
            "unset AWS_PROFILE",
        )
    for name in _KEYS:
        if environ.get(name, "") != environ.get(name, "").strip():
            yield warning(TOPIC, f"{name} begins or ends with a space or a line break", f"set {name} without it")


def _stale(environ: Mapping[str, str], now: float) -> Iterator[Finding]:
    for name in ("AWS_CREDENTIAL_EXPIRATION", "AWSUDO_EXPIRATION"):
        try:
            until = calendar.timegm(time.strptime(environ.get(name, ""), "%Y-%m-%dT%H:%M:%SZ"))
        except ValueError:
            continue
        if until <= now:
            yield warning(TOPIC, f"the session in the environment expired at {environ[name]} ({name})", _UNSET)
            return


def _named(environ: Mapping[str, str], names: frozenset[str]) -> Iterator[Finding]:
    used = next((name for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE") if environ.get(name)), "")
    if used and environ[used] not in names:
        yield warning(TOPIC, f"{used}={environ[used]} names a profile that does not exist", f"unset {used}")
    for name in _FILES:
        path = os.path.expanduser(environ.get(name, ""))
        if path and not os.path.exists(path):
            yield warning(TOPIC, f"{name} names {path}, which does not exist", f"unset {name}")
    for name, value in sorted(environ.items()):
        if value and name.startswith("AWS_ENDPOINT_URL"):
            yield warning(TOPIC, f"{name} sends calls to {_without_password(value)}", f"unset {name}, if not intended")


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else shlex.quote(url)
