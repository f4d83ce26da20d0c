"""Three-valued logic: True, False, and None for what cannot be known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Truth = bool | None


def all_of(values: Iterable[Truth]) -> Truth:
    """True if every value is true, False if one is false, else unknown."""
    result: Truth = True
    for value in values:
        if value is False:
            return False
        if value is None:
            result = None
    return result


def any_of(values: Iterable[Truth]) -> Truth:
    """True if one value is true, False if every value is false, else unknown."""
    result: Truth = False
    for value in values:
        if value is True:
            return True
        if value is None:
            result = None
    return result


def negated(value: Truth) -> Truth:
    """The opposite; unknown stays unknown."""
    return None if value is None else not value


def agreed(values: Iterable[Truth]) -> Truth:
    """The value that all alternatives share, else unknown."""
    seen = set(values)
    return seen.pop() if len(seen) == 1 else None
