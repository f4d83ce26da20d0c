"""Answers a shell that completes a word: completions/ has those who ask.

    awsudo _complete zsh|fish WORD...                         awsudo's own name first, the word that is typed last
    awsudo _complete bash TYPE COLUMNS TYPED LINE             TYPE is $COMP_TYPE, TYPED is $2, LINE is up to the cursor

The first line of the answer is an instruction for the shell; the lines after it are candidates.

    child N      complete the child's command line, which begins after N words (bash: at character N of the line)
    files        complete a file's name
    executables  complete the path of a command (bash only: the other two know which names are commands)
    -            no more than the candidates

In zsh and fish a second number is the length of the word before the value (`--region=`).
"""

from __future__ import annotations

import gc
import os

from awsudo_py.shell.completion.candidates import MOST_DESCRIBED, candidates, commands, is_hidden
from awsudo_py.shell.completion.place import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.shell.completion.candidates import Group
    from awsudo_py.shell.completion.place import Place

#: Aliases of other words: the function of shell-init.
_SAME_AS = {"awsudo-use": ["export"]}
#: The kinds of COMP_TYPE with which bash lists what it has; with all others it may put a candidate into the line.
_LISTING = ("63", "33", "64")
#: Where fewer columns than this are left beside the longest candidate, none is described.
_LEAST_ROOM = 8


def complete(argv: Sequence[str], environ: Mapping[str, str], now: float) -> int:
    """Print the answer for the shell that argv names; returns the exit code."""
    answer = _ANSWERS.get(argv[0]) if argv else None
    # thousands of profiles are thousands of objects, and none of them is garbage before the end
    gc.disable()
    if answer is None or len(argv) < 2:
        return 2
    text = answer(argv[1:], environ, now)
    os.write(1, text.encode("utf-8", "surrogateescape"))
    return 0


def _bash(words: Sequence[str], environ: Mapping[str, str], now: float) -> str:
    from awsudo_py.shell.completion.line import quoted, split

    how, columns, replaced, typed_line = words
    line = split(typed_line)
    here, groups, typed = _found(line[0].value, [word.value for word in line[1:]], environ, now)
    last = line[-1]
    first = _first_line(here, [word.start for word in line[1:]])
    if here.child == len(line) - 2:
        # bash would offer functions and aliases too, and awsudo runs commands only
        first = "executables" if "/" in typed else "-"
        groups.append(commands(environ, typed))
    # readline puts a candidate in the place of what comes after the last word break or open quote
    unchanged = last.before(len(typed_line) - len(replaced))
    values = [value for group in groups for value in group.values if value.startswith(typed)]
    # all at once: that is ten times as fast as word by word, and no candidate holds a newline
    lines = quoted("\n".join([(here.prefix + value)[unchanged:] for value in values]), last.quote)
    if how in _LISTING and 1 < len(values) <= MOST_DESCRIBED:
        written = lines.split("\n")
        widest = max(map(len, written))
        room = (int(columns) if columns.isdigit() else 80) - widest - 6
        notes = [_shortened(about, room) for _, _, about in _described(groups, typed)]
        lines = "\n".join(
            f"{word:<{widest}}  ({about})" if about else word for word, about in zip(written, notes, strict=True)
        )
    return f"{first}\n{lines}\n" if values else f"{first}\n"


def _zsh(words: Sequence[str], environ: Mapping[str, str], now: float) -> str:
    here, groups, typed = _found(words[0], words[1:], environ, now)
    lines = [f"{tag}\t{value}\t{note}" for tag, value, note in _described(groups, typed)]
    return "\n".join([f"{_first_line(here, range(1, len(words)))} {len(here.prefix)}", *lines]) + "\n"


def _fish(words: Sequence[str], environ: Mapping[str, str], now: float) -> str:
    here, groups, typed = _found(words[0], words[1:], environ, now)
    lines = [f"{here.prefix}{value}\t{note}" for _, value, note in _described(groups, typed)]
    return "\n".join([f"{_first_line(here, range(1, len(words)))} {len(here.prefix)}", *lines]) + "\n"


_ANSWERS: dict[str, Callable[[Sequence[str], Mapping[str, str], float], str]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}


def _found(name: str, words: Sequence[str], environ: Mapping[str, str], now: float) -> tuple[Place, list[Group], str]:
    """The place, its candidates, and the part that is already typed."""
    before = _SAME_AS.get(name.rsplit("/", 1)[-1], [])
    here = place_of([*before, *words], lambda word: is_hidden(word, environ))
    if here.child is not None:
        here.child -= len(before)
    typed = words[-1][len(here.prefix) :]
    return here, candidates(here, environ, now, typed), typed


def _first_line(here: Place, starts: Sequence[int]) -> str:
    if here.child is not None:
        return f"child {starts[here.child]}"
    return "files" if here.values == "file" else "-"


def _described(groups: list[Group], typed: str) -> list[tuple[str, str, str]]:
    """Kind, value and words about what begins so; if nothing does, what holds it: zsh and fish may take that."""
    found = [(group, value) for group in groups for value in group.values if value.startswith(typed)]
    if not found:
        lower = typed.lower()
        found = [(group, value) for group in groups for value in group.values if lower in value.lower()]
    few = len(found) <= MOST_DESCRIBED
    return [(group.tag, value, group.about(value) if few else "") for group, value in found]


def _shortened(text: str, room: int) -> str:
    if room < _LEAST_ROOM:
        return ""
    return text if len(text) <= room else text[: room - 1] + "…"
