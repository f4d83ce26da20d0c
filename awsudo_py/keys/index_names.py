"""The names in the list of stored keys; completion must be fast, and reads no more."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: The record that is the list.
NAME = "keys"


def names(fields: Mapping[str, str]) -> list[str]:
    """The names in the list's record, in its order."""
    found: list[str] = []
    while f"{len(found)} name" in fields:
        found.append(fields[f"{len(found)} name"])
    return found
