"""Records how often and when targets were used, so that lists begin with the likely ones.

It outlives a logout, holds no secret, and is written only when AWS was called or a target was picked: a hit has no
time for it.
"""

from __future__ import annotations

from awsudo_py.sessions.file_store import FileStore, state_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: Targets beyond this many are forgotten, the ones of least worth first.
MOST = 500
#: How much a use counts, by how long ago the last one was (seconds).
_WORTH = ((3_600, 4.0), (86_400, 2.0), (604_800, 0.5))
_OLD = 0.25
_NAME = "history"
#: Before a role that was assumed from the profile of -p: alone it would be assumed from elsewhere.
_AFTER_PROFILE = "-p "


def targets(environ: Mapping[str, str], now: float) -> list[str]:
    """The targets used before, the best first."""
    return [name for name in _best(_read(environ), now) if not name.startswith(_AFTER_PROFILE)]


def words(environ: Mapping[str, str], now: float) -> list[str]:
    """The targets, and the roles typed after -p, the best first."""
    return [name.removeprefix(_AFTER_PROFILE) for name in _best(_read(environ), now)]


def used(target: str, environ: Mapping[str, str], now: float, *, after_profile: bool = False) -> None:
    """Count one use of a target, or of a role after -p. Failures to write are ignored."""
    directory = state_directory(environ)
    if directory is None:
        return
    uses = _read(environ)
    name = f"{_AFTER_PROFILE}{target}" if after_profile else target
    uses[name] = (uses.get(name, (0, 0.0))[0] + 1, now)
    recent = _best(uses, now)[:MOST]
    fields = {str(number): f"{uses[name][0]} {uses[name][1]:.0f} {name}" for number, name in enumerate(recent)}
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


def _best(uses: Mapping[str, tuple[int, float]], now: float) -> list[str]:
    return sorted(uses, key=lambda name: -_worth(*uses[name], now))


def _worth(count: int, last: float, now: float) -> float:
    return count * next((worth for bound, worth in _WORTH if now - last < bound), _OLD)
