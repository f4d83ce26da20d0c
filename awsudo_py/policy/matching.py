"""Matches patterns of policies in linear time: wildcards, actions, resources and ARNs.

A regular expression of an outsider's pattern can backtrack for minutes. A pattern is therefore cut at its `*`; each
piece is looked for once, from left to right, with str.find, or with bit masks where it holds a `?`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from awsudo_py.policy.truth import all_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.policy.truth import Truth

#: A wildcard inside a pattern, as opposed to the same character meant literally.
STAR, ANY = object(), object()
#: A pattern in its pieces: literal text, STAR or ANY.
Pattern = tuple[object, ...]


def pattern(text: str) -> Pattern:
    """The pattern that a text is where `*` and `?` are wildcards."""
    wildcards = {"*": STAR, "?": ANY}
    return tuple(wildcards.get(piece, piece) for piece in _WILDCARD.split(text) if piece)


_WILDCARD = re.compile(r"([*?])")


def literal(pattern: Pattern) -> str:
    """A pattern as plain text: its wildcards are the characters themselves."""
    return "".join("*" if piece is STAR else "?" if piece is ANY else str(piece) for piece in pattern)


@lru_cache(maxsize=4096)
def matches(pattern: Pattern, text: str) -> bool:
    """Whether the pattern fits the whole text."""
    if len(text) < sum(len(piece) if isinstance(piece, str) else piece is ANY for piece in pattern):
        return False
    first, *middle = _runs(pattern)
    if not middle:
        return len(text) == _length(first) and _fits(first, text, 0)
    last = middle.pop()
    at, end = _length(first), len(text) - _length(last)
    if not _fits(first, text, 0) or not _fits(last, text, end):
        return False
    for run in filter(None, middle):
        at = _after(run, text, at, end)
        if at < 0:
            return False
    return True


def _runs(pattern: Pattern) -> list[list[object]]:
    """The parts between the stars: runs of text and `?`."""
    runs: list[list[object]] = [[]]
    for piece in pattern:
        if piece is STAR:
            runs.append([])
        else:
            runs[-1].append(piece)
    return runs


def _length(run: Sequence[object]) -> int:
    return sum(len(piece) if isinstance(piece, str) else 1 for piece in run)


def _fits(run: Sequence[object], text: str, at: int) -> bool:
    """Whether a run fits the text here."""
    for piece in run:
        if isinstance(piece, str):
            if not text.startswith(piece, at):
                return False
            at += len(piece)
        else:
            at += 1
    return at <= len(text)


def _after(run: Sequence[object], text: str, at: int, end: int) -> int:
    """The position after the first match of a run in text[at:end]; -1 without a match."""
    length = _length(run)
    if len(run) == 1 and isinstance(run[0], str):
        found = text.find(run[0], at, end)
        return found + length if found >= 0 else -1
    if at + length > end:
        return -1
    places = (1 << (end - length + 1)) - (1 << at)  # a bit for each place where the run could begin
    masks, offset = _masks(text), 0
    for piece in run:
        for character in piece if isinstance(piece, str) else "":
            places &= masks.get(character, 0) >> offset
            offset += 1
            if not places:
                return -1
        if piece is ANY:
            offset += 1
    return (places & -places).bit_length() - 1 + length


@lru_cache(maxsize=16)
def _masks(text: str) -> dict[str, int]:
    """For each character of the text, a bit for each of its positions."""
    masks: dict[str, int] = {}
    for place, character in enumerate(text):
        masks[character] = masks.get(character, 0) | 1 << place
    return masks


def action_matches(text: str, action: str) -> bool:
    """Whether an action of a policy covers one action; case does not count."""
    return matches(pattern(text.lower()), action.lower())


def resource_matches(expected: Pattern, resource: str) -> Truth:
    """Whether a Resource covers an ARN; unknown where a wildcard would have to span a colon in the middle.

    Only a `*` that ends the pattern reaches beyond a colon [IAM user guide, "Resource"].
    """
    if not matches(expected, resource):
        return False
    parts = split(expected)
    if len(parts) < 6 and (not expected or expected[-1] is not STAR):
        return None
    texts = resource.split(":", len(parts) - 1)
    return all(matches(part, text) for part, text in zip(parts, texts, strict=False)) or None


def arn_matches(expected: Pattern, arn: str) -> Truth:
    """Whether an ArnLike pattern fits: the six parts one by one; unknown for a pattern that has fewer."""
    parts, texts = split(expected), arn.split(":", 5)
    if len(texts) != 6:
        return False
    if len(parts) != 6:
        return None if STAR in expected else False
    return all_of(matches(part, text) for part, text in zip(parts, texts, strict=True))


def split(expected: Pattern) -> list[Pattern]:
    """The pattern cut at its first five colons."""
    parts: list[list[object]] = [[]]
    for piece in expected:
        if not isinstance(piece, str):
            parts[-1].append(piece)
            continue
        cut = piece.split(":", 6 - len(parts))
        for number, text in enumerate(cut):
            if number:
                parts.append([])
            if text:
                parts[-1].append(text)
    return [tuple(part) for part in parts]
