"""Writes lengths of time for people, in one style: 45s, 42m, 2h 10m, 3d 4h."""

from __future__ import annotations

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def brief(seconds: float, *, parts: int = 2) -> str:
    """The two largest units that are not zero, rounded down; parts=1 gives the largest alone."""
    rest = max(int(seconds), 0)
    written: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(rest, size)
        if written and not count:
            break  # 2d 5m would be more precise than needed
        if count:
            written.append(f"{count}{unit}")
            rest = left
        if len(written) == parts:
            break
    return " ".join(written) or f"{rest}s"
