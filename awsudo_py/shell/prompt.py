"""Writes a prompt's segment: which target this shell is, and how long for.

1. Without a session and a question nothing is written, and nothing ever fails, since it runs before every command.
2. Characters that a shell could expand in its prompt are replaced by `?`: no target can run anything.
3. Colours are wrapped so that the shell does not count them as width.
"""

from __future__ import annotations

import os
from itertools import pairwise

from awsudo_py.durations import brief

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Production is what has one of these words in its target or role, unless one of the others stands right before it.
PRODUCTION = ("prod", "production", "prd", "live")
_NOT = ("no", "non", "not", "pre")
#: The time that is left is coloured when it is less than this many seconds.
NEARLY = 300
#: A longer target is cut off: a prompt has one line.
LONGEST = 40
#: Rule 3: what each shell takes for the beginning and the end of what has no width. fish sees that by itself.
_WRAPPED = {
    "bash": ("\x01\x1b[{}m\x02", "\x01\x1b[0m\x02"),
    "zsh": ("%{{\x1b[{}m%}}", "%{\x1b[0m%}"),
    "fish": ("\x1b[{}m", "\x1b[0m"),
    "plain": ("", ""),
}
_RED, _YELLOW = "1;31", "33"


def prompt(words: Sequence[str], environ: Mapping[str, str], now: float) -> int | None:
    """Print the segment for these words; returns the exit code, None if the words are for click to judge."""
    if len(words) == 1 and words[0].startswith("--shell="):
        words = words[0].split("=", 1)
    if words and (len(words) != 2 or words[0] != "--shell" or words[1] not in _WRAPPED):
        return None
    print_segment(words[1] if words else "plain", environ, now)
    return 0


def print_segment(shell: str, environ: Mapping[str, str], now: float) -> None:
    """Print the segment; a closed stdout is not an error."""
    try:
        text = segment(shell, environ, now)
        if text and os.isatty(1):
            text += "\n"  # a person reads it, not a shell that puts it into a prompt
        os.write(1, text.encode("utf-8"))
    except OSError:
        return


def segment(shell: str, environ: Mapping[str, str], now: float) -> str:
    """The segment for this shell: empty without a session and a question. now is seconds since the epoch."""
    count = _questions(environ, now)
    waiting = f"{count} waiting" if count else ""
    target = environ.get("AWSUDO_TARGET", "")
    if not target:
        return waiting
    until = _moment(environ.get("AWSUDO_EXPIRATION", ""))
    left = "" if until is None else _left(until - now)
    label = _harmless(_short(target))
    if not environ.get("NO_COLOR"):  # https://no-color.org
        on, off = _WRAPPED[shell]
        if _is_production(environ, target):
            label = f"{on.format(_RED)}{label}{off}"
        if until is not None and until - now < NEARLY:
            left = f"{on.format(_YELLOW)}{left}{off}"
    return " ".join(part for part in (label, left, waiting) if part)


def _questions(environ: Mapping[str, str], now: float) -> int:
    """How many questions wait for `awsudo answer` in the runtime directory; a file's time is when its question ends."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    count = 0
    try:
        with os.scandir(f"{runtime}/awsudo/questions") as files:
            for file in files if runtime[:1] == "/" else ():
                count += file.name.endswith(".question") and file.stat(follow_symlinks=False).st_mtime > now
    except OSError:
        return 0
    return count


def _short(target: str) -> str:
    """A role's ARN as [PARTITION:]ACCOUNT:ROLE, and no more than a line can hold."""
    if target.startswith("arn:") and ":iam::" in target:
        partition, _, role = target[4:].partition(":iam::")
        role = role.replace(":role/", ":", 1)
        target = role if partition == "aws" else f"{partition}:{role}"
    return target if len(target) <= LONGEST else target[: LONGEST - 1] + "…"


def _harmless(text: str) -> str:
    """Rule 2: letters, digits, and what is nothing to any shell, in a prompt that is expanded twice too."""
    return "".join(character if character.isalnum() or character in " _+=,.@:/-…" else "?" for character in text)


def _left(seconds: float) -> str:
    if seconds <= 0:
        return "expired"
    return brief(seconds) if seconds >= 60 else "<1m"


def _moment(written: str) -> float | None:
    """Seconds since the epoch of 2030-01-01T00:00:00Z; None if it is not a time. datetime costs 1.3 ms."""
    try:
        year, month, day = int(written[0:4]), int(written[5:7]), int(written[8:10])
        hour, minute, second = int(written[11:13]), int(written[14:16]), int(written[17:19])
    except ValueError:
        return None
    if written[19:] != "Z":
        return None
    # days since 1970-01-01, a year beginning in March so that the leap day is its last
    year -= month < 3
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * ((month - 3) % 12) + 2) // 5 + day - 719_469
    return days * 86_400.0 + hour * 3600 + minute * 60 + second


def _is_production(environ: Mapping[str, str], target: str) -> bool:
    """Whether the target or its role has a word of production, as AWSUDO_PROMPT_PRODUCTION or PRODUCTION lists them."""
    chosen = environ.get("AWSUDO_PROMPT_PRODUCTION")
    listed = PRODUCTION if chosen is None else [word.strip().lower() for word in chosen.split(",") if word.strip()]
    words = ["", *_words(target), "", *_words(environ.get("AWSUDO_ROLE_ARN", ""))]
    return any(word in listed and before not in _NOT for before, word in pairwise(words))


def _words(text: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in text.lower()).split()
