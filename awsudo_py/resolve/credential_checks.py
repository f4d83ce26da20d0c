"""Checks credentials before they are sent: malformed ones are an error here, without a call.

A message names the value and its place, and never contains the value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from awsudo_py.errors import ConfigError, NoCredentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.errors import AwsudoError

#: IAM user guide, "IAM identifiers": AKIA begins the ID of a long-lived key, ASIA that of a session's.
_KEY_ID = re.compile(r"(AKIA|ASIA)[A-Z0-9]{16}")
#: The parts of credentials, as SDKs name them in files; a variable has the name in capitals.
ID, SECRET, TOKEN = "aws_access_key_id", "aws_secret_access_key", "aws_session_token"
_ID_LENGTH = 20


def refuse_malformed(
    credentials: Credentials, place: Callable[[str], str], *, error: type[AwsudoError] = ConfigError, fix: str = ""
) -> None:
    """Refuse credentials that AWS could only reject. Raises error.

    place gives the name of a part (ID, SECRET, TOKEN) with its place, for messages; fix is the hint that says how to
    write a value anew.
    """
    parts = {
        ID: credentials.access_key_id,
        SECRET: credentials.secret_access_key,
        TOKEN: credentials.session_token or "",
    }
    for part, value in parts.items():
        fault, hint = fault_of(value)
        if fault:
            raise error(f"{place(part)} {fault}", hint=tuple(line for line in (hint, fix) if line))
    key_id, secret = parts[ID], parts[SECRET]
    if _KEY_ID.fullmatch(secret) and not _KEY_ID.fullmatch(key_id):
        raise error(f"{place(ID)} and the secret access key are swapped", hint=("swap the two values", fix))
    if _KEY_ID.fullmatch(key_id) and len(secret) == _ID_LENGTH:
        raise error(
            f"{place(SECRET)} has {_ID_LENGTH} characters, as an access key ID has; a secret access key has 40",
            hint=fix or "copy the secret access key again",
        )
    if key_id.startswith("ASIA") and _KEY_ID.fullmatch(key_id) and not parts[TOKEN]:
        raise NoCredentials(
            f"{place(ID)} is that of a session ({key_id}), and its session token is missing",
            hint=f"copy all three values: the token goes into {_beside(place(ID), TOKEN)}",
        )


def fault_of(value: str) -> tuple[str, str]:
    """The fault in how a credential is written, and a hint; empty without a fault."""
    bare = value.strip()
    if value != bare:
        what = "a line break" if "\n" in value or "\r" in value else "a space"
        at = "begins" if value.lstrip() != value else "ends"
        return f"{at} with {what}", "remove it; $(…) in a shell and tr -d '\\r\\n' do"
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return "is in quotes, and the SDKs take them as a part of the value", "remove the quotes"
    if re.search(r"\s[#;]", value):
        return "has a comment behind it, and the SDKs take it as a part of the value", "put the comment on its own line"
    if "\n" in value or "\r" in value:
        return "contains a line break", "the next line is indented, and so continues the value: correct that line"
    if re.search(r"\s", value, re.ASCII):
        return "contains a space", "remove it"
    odd = next((character for character in value if not "!" <= character <= "~"), "")
    if odd:
        return f"has a character that no credentials have (U+{ord(odd):04X})", "copy the value again"
    return "", ""


def _beside(place: str, part: str) -> str:
    """The name of another part, in the same place."""
    return part.upper() if place.startswith("AWS_") else part
