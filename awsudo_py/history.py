"""Remembers which targets were used how often and when last, so that lists begin with what one wants.

It outlives a logout, holds no secret, and is written only when AWS was asked or a target was picked: a hit has no
time for it.
"""

from __future__ import annotations

import os

from awsudo_py.stores.file import FileStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: Targets beyond this many are forgotten, the ones of least worth first.
MOST = 500
#: How much a use counts, by how long ago the last one was (seconds).
_WORTH = ((3_600, 4.0), (86_400, 2.0), (604_800, 0.5))
_OLD = 0.25
_NAME = "history"


def state_directory(environ: Mapping[str, str]) -> str | None:
    """Where what is worth keeping for longer than a session lives; None if there is no such place (no home)."""
    chosen = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(chosen):
        return os.path.join(chosen, "awsudo")
    if os.name == "nt":
        local = environ.get("LOCALAPPDATA")
        return os.path.join(local, "awsudo") if local else None
    home = environ["HOME"] if "HOME" in environ else os.path.expanduser("~")
    return home.rstrip("/") + "/.local/state/awsudo" if os.path.isabs(home) else None


def targets(environ: Mapping[str, str], now: float) -> dict[str, float]:
    """The targets used before, with their worth; the best first."""
    uses = _read(environ)
    return {target: _worth(*uses[target], now) for target in sorted(uses, key=lambda name: -_worth(*uses[name], now))}


def used(target: str, environ: Mapping[str, str], now: float) -> None:
    """Count one use of a target. What cannot be written is not remembered, and that is all."""
    directory = state_directory(environ)
    if directory is None:
        return
    uses = _read(environ)
    uses[target] = (uses.get(target, (0, 0.0))[0] + 1, now)
    kept = sorted(uses, key=lambda name: -_worth(*uses[name], now))[:MOST]
    fields = {str(number): f"{uses[name][0]} {uses[name][1]:.0f} {name}" for number, name in enumerate(kept)}
    try:
        FileStore(directory).write(_NAME, fields, until=now)
    except (OSError, ValueError):
        return


def _read(environ: Mapping[str, str]) -> dict[str, tuple[int, float]]:
    directory = state_directory(environ)
    uses = {}
    for line in (FileStore(directory).read(_NAME) or {}).values() if directory else ():
        try:
            count, last, target = line.split(" ", 2)
            uses[target] = (int(count), float(last))
        except ValueError:
            continue
    return uses


def _worth(count: int, last: float, now: float) -> float:
    return count * next((worth for bound, worth in _WORTH if now - last < bound), _OLD)
