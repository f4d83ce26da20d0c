"""Temporary credentials: the one value that holds a secret."""

from __future__ import annotations

TYPE_CHECKING = False  # not from typing: importing typing costs the hit path 5 ms
if TYPE_CHECKING:
    from typing import NoReturn


class Credentials:
    """One set of AWS credentials. Its text forms never show the secret parts.

    expiration and issued are seconds since the epoch, UTC; an expiration of None means it is not known
    (static keys). arn and user_id are the identity of these credentials, if STS returned it.
    """

    # Not a NamedTuple: one with a redacting repr still leaks through %, * and json.
    __slots__ = ("access_key_id", "arn", "expiration", "issued", "secret_access_key", "session_token", "user_id")

    def __init__(
        self,
        access_key_id: str,
        secret_access_key: str,
        session_token: str | None,
        expiration: float | None = None,
        *,
        issued: float = 0.0,
        arn: str = "",
        user_id: str = "",
    ) -> None:
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.session_token = session_token
        self.expiration = expiration
        self.issued = issued
        self.arn = arn
        self.user_id = user_id

    def __repr__(self) -> str:
        return f"<Credentials {self.access_key_id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not pickled: each store has its own format")


def rfc3339(moment: float) -> str:
    """The moment (seconds since the epoch) as the SDKs write it: UTC, whole seconds, with a Z."""
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
