"""What a child's environment gets and loses: one list, from which exec, export and JSON all start.

1. Everything through which an SDK could find other credentials is removed, always.
2. Config files, CA bundle, endpoints and proxies stay.
3. The three keys and their expiration are set; the region, when it is known, under both of its names.
4. AWSUDO_* tell the child what it runs as; none of them is a secret.
5. What Python changed in the environment for itself is as the caller had it.
"""

from __future__ import annotations

import sys

from awsudo_py.credentials import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

    from awsudo_py.credentials import Credentials

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
    "AWS_CREDENTIAL_SCOPE",  # the JavaScript SDK takes it for that of the keys
    "AWS_BEARER_TOKEN_BEDROCK",  # the SDKs prefer it over keys, for that service
    "AWSUDO_MFA_CODE",  # spent: an awsudo inside would send it again
)
#: A token for one service, whichever: the SDKs' name for it begins like this.
_BEARER = "AWS_BEARER_TOKEN_"
#: Ours, for prompts and scripts.
OURS = ("AWSUDO_TARGET", "AWSUDO_ROLE_ARN", "AWSUDO_EXPIRATION")


def changes_for(
    credentials: Credentials, *, target: str, role_arn: str, region: str, environ: Iterable[str] = ()
) -> Changes:
    """The changes that make an environment run as these credentials; an empty region leaves regions alone.

    environ: the names in the environment that is changed.
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
    return changes


def unset_changes(environ: Iterable[str] = ()) -> Changes:
    """The changes that take every trace of a session out of an environment with these names; regions stay."""
    return dict.fromkeys((*REMOVED, *(name for name in environ if name.startswith(_BEARER)), *OURS))


def applied(environ: Mapping[str, str], changes: Changes) -> dict[str, str]:
    """A copy of environ with the changes made, and without the nameless entry that no program can be given."""
    result = {name: value for name, value in environ.items() if name and name not in changes}
    result.update((name, value) for name, value in changes.items() if value is not None)
    return result


def undo_coercion(environ: MutableMapping[str, str]) -> None:
    """Rule 5: give LC_CTYPE back the value it had before Python, in a plain C locale, set it for itself (PEP 538)."""
    # utf8_mode is on in just these locales (PEP 540), or because the user wants it so
    if not sys.flags.utf8_mode or "LC_CTYPE" not in environ:
        return
    try:
        with open("/proc/self/environ", "rb") as file:
            before = [entry[9:] for entry in file.read().split(b"\0") if entry[:9] == b"LC_CTYPE="]
    except OSError:  # no such file here: what Python does only where LC_CTYPE says nothing, it has done
        before = []
    del environ["LC_CTYPE"]
    if before:
        environ["LC_CTYPE"] = before[0].decode("utf-8", "surrogateescape")
