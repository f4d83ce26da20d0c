"""Where the list of stored keys lies, and the names in it; completion has no time for more of it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: The record that is the list.
NAME = "keys"


def data_directory(environ: Mapping[str, str]) -> str | None:
    """Where the list lives: $AWSUDO_DATA_DIR, else the platform's place for a program's data; None without a home."""
    chosen = environ.get("AWSUDO_DATA_DIR")
    if chosen:
        try:
            return os.path.abspath(chosen)
        except FileNotFoundError:  # a relative one, in a directory that is gone
            return None
    if os.name == "nt":
        local = environ.get("LOCALAPPDATA")
        return os.path.join(local, "awsudo", "Data") if local else None
    home = environ["HOME"] if "HOME" in environ else os.path.expanduser("~")
    if sys.platform == "darwin":
        return f"{home}/Library/Application Support/awsudo" if os.path.isabs(home) else None
    data = environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(data):
        return os.path.join(data, "awsudo")
    return home.rstrip("/") + "/.local/share/awsudo" if os.path.isabs(home) else None


def names(fields: Mapping[str, str]) -> list[str]:
    """The names in the list's record, in its order."""
    found: list[str] = []
    while f"{len(found)} name" in fields:
        found.append(fields[f"{len(found)} name"])
    return found
