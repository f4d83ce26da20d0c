"""The record in which the accounts and roles of a portal are remembered; completion has no time for more of it."""

from __future__ import annotations

from awsudo_py.sessions.sealed import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: In place of roles that are not known yet: a character that no role's name has.
UNKNOWN = "?"


def record_name(session: str) -> str:
    """The name of the record of a session, which is named as on the command line."""
    return f"{digest(f'sso portal {session}')}.portal"


def packed(account_id: str, name: str, email: str, roles: Sequence[str] | None) -> tuple[str, str]:
    """The field of an account, and its value. roles: None if they are not known."""
    parts = (name, email, *((UNKNOWN,) if roles is None else roles))
    return f"a {account_id}", "\t".join(part.replace("\t", " ") for part in parts)


def accounts(fields: Mapping[str, str]) -> Iterator[tuple[str, str, str, tuple[str, ...] | None]]:
    """ID, name, e-mail address and roles of each account in a record."""
    for field, value in fields.items():
        if field.startswith("a ") and value.count("\t") > 0:
            name, email, *roles = value.split("\t")
            yield field[2:], name, email, None if roles == [UNKNOWN] else tuple(roles)


def words(session: str, fields: Mapping[str, str]) -> Iterator[tuple[str, str, str, str, str]]:
    """SESSION/ACCOUNT/ROLE for each role, by the account's name and by its ID, then the ID, the name and the role.

    The first is empty where several accounts have the name, or where it cannot be typed without quotes.
    """
    names = [name for _, name, _, _ in accounts(fields)]
    for account_id, name, _, roles in accounts(fields):
        plain = name.isprintable() and not set(name) & set(" /\"'`$\\*?[]{}()<>|&;!#~^=:") and name.isascii()
        usable = bool(name) and plain and names.count(name) == 1
        for role in roles or ():
            by_name = f"{session}/{name}/{role}" if usable else ""
            yield by_name, f"{session}/{account_id}/{role}", account_id, name, role
