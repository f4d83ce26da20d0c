"""Matches the words of a command with the patterns of guard rails; the hit path loads this for a target with rails.

1. A pattern is compared with the words joined by blanks, the program by its name without its directory. It fits if the
   words begin with it: `terraform destroy` fits `terraform destroy -auto-approve`, not `terraform destroyer`. A `*`
   stands for any text, blanks included.
2. Options among the words are skipped: it also fits `terraform -chdir=infra destroy`.
3. Each piece between the stars is looked for once, from left to right: no pattern takes longer than the text is long.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def first_fit(patterns: Iterable[str], words: Sequence[str]) -> str | None:
    """The first of the patterns that fits the words of a command; None if none does, or if there are no words."""
    if not words:
        return None
    program = program_name(words[0])
    texts = {_joined([program, *words[1:]]), _joined([program, *(each for each in words[1:] if each[:1] != "-")])}
    return next((pattern for pattern in patterns if any(_fits(pattern, text) for text in texts)), None)


def normalized(pattern: str) -> str:
    """The pattern with single blanks, and the name of its program without the directory."""
    words = pattern.split()
    return " ".join([program_name(words[0]), *words[1:]]) if words else ""


def program_name(path: str) -> str:
    """The name by which a program is compared."""
    name = path.rpartition("/")[2]
    return name.rpartition("\\")[2].lower().removesuffix(".exe") if os.name == "nt" else name


def _joined(words: Iterable[str]) -> str:
    return " ".join(" ".join(words).split()) + " "


def _fits(pattern: str, text: str) -> bool:
    """Whether the text, which ends with a blank, begins with the pattern; the pattern's last word is a whole word."""
    first, *rest = f"{pattern} ".split("*")
    if not text.startswith(first):
        return False
    at = len(first)
    for piece in rest:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True
