"""A session as it is stored: the credentials, and the inputs that shaped them.

The numbers are those of the cache's rules, which the tests carry too.

2. The key is a digest of the inputs; the inputs are stored with the session and compared when it is read.
4. Fresh: it lasts for min_ttl more, was not issued in the future, and does not last longer than any session can.
"""

from __future__ import annotations

from awsudo_py.aws_credentials import Credentials
from awsudo_py.sessions.sealed import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: Expiration is in the server's time, and STS accepts no signature from a clock that is further off than this.
SKEW = 900
#: The longest that any session lasts: GetSessionToken's 36 hours.
LONGEST = 129_600
#: A session is renewed this many seconds before its end.
RENEW_AHEAD = 300.0


def session_fields(credentials: Credentials, inputs: str, login: str = "") -> dict[str, str]:
    """The fields that are stored for these credentials, which have an expiration and a session token.

    login: the mark of the keys that they come from: a secret is part of an identity, an access key ID alone is not.
    """
    return {
        "inputs": inputs,
        "login": login,
        "issued": str(credentials.issued),
        "expiration": str(credentials.expiration),
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
        "session_token": credentials.session_token or "",
        "arn": credentials.arn,
        "user_id": credentials.user_id,
    }


def fresh_session(
    fields: Mapping[str, str] | None,
    key: str,
    now: float,
    min_ttl: float | None,
    *,
    ahead: float = RENEW_AHEAD,
    login: str = "",
) -> Credentials | None:
    """The session in an entry, if it has that key and may be used now.

    min_ttl is the least number of seconds it must last; None means that it is renewed ahead of its end, by that many
    seconds or a third of a short session's life, so that 900 s sessions are cached too. login: as in session_fields();
    empty if the keys are not available.
    """
    if fields is None:
        return None
    try:
        issued, expiration = float(fields["issued"]), float(fields["expiration"])
        if digest(fields["inputs"]) != key or login not in ("", fields["login"]):
            return None
        if min_ttl is None:
            min_ttl = min(ahead, (expiration - issued) / 3)
        if not (issued <= now and now + min_ttl < expiration <= now + LONGEST + SKEW):
            return None
        return Credentials(
            fields["access_key_id"],
            fields["secret_access_key"],
            fields["session_token"],
            expiration,
            issued=issued,
            arn=fields["arn"],
            user_id=fields.get("user_id", ""),
        )
    except (KeyError, ValueError):
        return None
