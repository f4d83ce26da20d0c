"""The changes to a child's environment: one list for exec, export and JSON.

1. Everything through which an SDK could find other credentials is removed, always.
2. Config files, CA bundle, endpoints and proxies stay, unless an outer awsudo set them for its own command.
3. The three keys and their expiration are set; the region, when it is known, under both of its names; what else the
   profile sets, in the variables of resolve/command_settings.
4. AWSUDO_* tell the child what it runs as; none of them is a secret.
5. What Python changed in the environment for itself is as the caller had it.
"""

from __future__ import annotations

import sys

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.fingerprint import MARKER, checksum, set_by_outer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from awsudo_py.aws_credentials import Credentials

    #: A change of environment as a value; None means "unset".
    Changes = dict[str, str | None]

REMOVED = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",  # botocore reads it before AWS_SESSION_TOKEN
    "AWS_CREDENTIAL_EXPIRATION",  # a stale one makes botocore fail
    "AWS_SESSION_EXPIRATION",
    "AWS_ACCOUNT_ID",  # a stale one is adopted by botocore
    "AWS_PROFILE",  # the JavaScript SDK prefers it over keys
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CREDENTIAL_FILE",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_CREDENTIAL_SCOPE",  # the JavaScript SDK treats it as that of the keys
    "AWS_BEARER_TOKEN_BEDROCK",  # the SDKs prefer it over keys, for that service
    "AWSUDO_MFA_CODE",  # spent: an awsudo inside would send it again
)
#: Names of tokens for one service, in the SDKs, begin like this.
_BEARER = "AWS_BEARER_TOKEN_"
#: Ours, for prompts and scripts.
OURS = ("AWSUDO_TARGET", "AWSUDO_ROLE_ARN", "AWSUDO_EXPIRATION", MARKER)


def changes_for(
    credentials: Credentials,
    environ: Mapping[str, str],
    *,
    target: str,
    role_arn: str,
    region: str,
    settings: Mapping[str, str],
) -> Changes:
    """The changes that put these credentials into this environment; an empty region leaves regions alone.

    settings: the result of marked() for the settings of the target's profile.
    """
    changes = unset_changes(environ)
    changes["AWS_ACCESS_KEY_ID"] = credentials.access_key_id
    changes["AWS_SECRET_ACCESS_KEY"] = credentials.secret_access_key
    changes["AWS_SESSION_TOKEN"] = credentials.session_token
    changes["AWSUDO_TARGET"] = target
    changes["AWSUDO_ROLE_ARN"] = role_arn or None
    if credentials.expiration is not None:
        until = rfc3339(credentials.expiration)
        changes["AWS_CREDENTIAL_EXPIRATION"] = until
        changes["AWSUDO_EXPIRATION"] = until
    if region:
        changes["AWS_REGION"] = region  # .NET, Go, JavaScript
        changes["AWS_DEFAULT_REGION"] = region  # all that botocore reads
    changes.update(settings)
    return changes


def marked(settings: Mapping[str, str]) -> dict[str, str]:
    """The variables for a profile's settings, and the one that lists them; empty without settings."""
    if not settings:
        return {}
    return {**settings, MARKER: " ".join(f"{name}:{checksum(value)}" for name, value in settings.items())}


def unset_changes(environ: Mapping[str, str]) -> Changes:
    """The changes that take every trace of a session out of this environment; regions stay."""
    bearer = [name for name in environ if name.startswith(_BEARER) and name.isidentifier() and name.isascii()]
    return dict.fromkeys((*REMOVED, *OURS, *bearer, *set_by_outer(environ)))


def hide_from_sdk(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Remove variables that must not reach the SDK in this process; returns the original environment.

    To botocore an empty variable is a value: AWS_DEFAULT_REGION= is signed into requests, AWS_CA_BUNDLE= turns off the
    check of certificates. What an outer awsudo set is meant for its own command.
    """
    before = dict(environ)
    empty = [name for name, value in before.items() if not value and name.startswith(("AWS_", "REQUESTS_CA_BUNDLE"))]
    for name in (*empty, *set_by_outer(before)):
        del environ[name]
    return before


def applied(environ: Mapping[str, str], changes: Changes) -> dict[str, str]:
    """A copy of environ with the changes made, and without an entry that has no name, which no program accepts."""
    result = {name: value for name, value in environ.items() if name and name not in changes}
    result.update((name, value) for name, value in changes.items() if value is not None)
    return result


def undo_coercion(environ: MutableMapping[str, str]) -> None:
    """Rule 5: give LC_CTYPE back the value it had before Python, in a plain C locale, set it for itself (PEP 538)."""
    # utf8_mode is on in just these locales (PEP 540), or because the user set it
    if not sys.flags.utf8_mode or "LC_CTYPE" not in environ:
        return
    try:
        with open("/proc/self/environ", "rb") as file:
            before = [entry[9:] for entry in file.read().split(b"\0") if entry[:9] == b"LC_CTYPE="]
    except OSError:  # no such file here: Python sets it only if LC_CTYPE is unset, so it was unset
        before = []
    del environ["LC_CTYPE"]
    if before:
        environ["LC_CTYPE"] = before[0].decode("utf-8", "surrogateescape")
