"""Where the list of stored keys lies, and the names in it; completion has no time for more of it."""

from __future__ import annotations

from awsudo_py.sessions.file_store import own_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: The record that is the list.
NAME = "keys"


def data_directory(environ: Mapping[str, str]) -> str | None:
    """Where the list lives: $AWSUDO_DATA_DIR, else the platform's place for a program's data; None without a home."""
    support = "/Library/Application Support"
    return own_directory(environ, "AWSUDO_DATA_DIR", "XDG_DATA_HOME", "/.local/share", support, "Data")


def names(fields: Mapping[str, str]) -> list[str]:
    """The names in the list's record, in its order."""
    found: list[str] = []
    while f"{len(found)} name" in fields:
        found.append(fields[f"{len(found)} name"])
    return found
