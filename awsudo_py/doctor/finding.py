"""What a check finds."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["ok", "warning", "problem"]


class Finding(NamedTuple):
    """One result of a check.

    A problem prevents something from working, a warning may surprise. fixes: remedies, mostly commands to paste.
    """

    level: Level
    topic: str
    text: str
    fixes: tuple[str, ...] = ()


def ok(topic: str, text: str) -> Finding:
    """All is well."""
    return Finding("ok", topic, text)


def warning(topic: str, text: str, *fixes: str) -> Finding:
    """It works, and may surprise."""
    return Finding("warning", topic, text, fixes)


def problem(topic: str, text: str, *fixes: str) -> Finding:
    """Something does not work."""
    return Finding("problem", topic, text, fixes)
