"""The records that the rooms of a fleet run share: a target, its result, and the classes of results."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The three classes of results, in the order of every summary.
OK, FAILED, NO_SESSION = "ok", "failed", "no-session"
CLASSES = (OK, FAILED, NO_SESSION)
#: The reason of a failure: the system did not start the command.
CANNOT_RUN = "cannot run"
_REASONS = {"timeout": "timed out"}
_CHUNK = 1 << 16


class Target(NamedTuple):
    """One target of a fleet run: its request, and the fields that select it.

    word and source form the request: word alone is TARGET, with a source it is `-p SOURCE WORD`. region is set only
    where --regions multiplies the targets.
    """

    name: str
    word: str
    account: str = ""
    account_name: str = ""
    role: str = ""
    region: str = ""
    home_region: str = ""  # the region that the profile sets
    source: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def field(self, key: str) -> str | None:
        """The text that `--where KEY=VALUE` compares; None if there is no such field or tag."""
        named = {
            "name": self.name,
            "account": self.account,
            "account_name": self.account_name,
            "role": self.role,
            "region": self.region or self.home_region,
        }
        return named.get(key.replace("-", "_"), dict(self.tags).get(key))

    @property
    def text(self) -> str:
        """The text that `--where WORD` searches, in lower case."""
        tags = [f"{key}={value}" for key, value in self.tags]
        parts = (self.name, self.account, self.account_name, self.role, self.region or self.home_region, *tags)
        return " ".join(parts).lower()


class Output:
    """The output of a command to one stream: in memory while it is short, else in a file."""

    __slots__ = ("_data", "offset", "path", "size", "temporary")

    def __init__(
        self, data: bytes = b"", *, path: str = "", size: int | None = None, offset: int = 0, temporary: bool = True
    ) -> None:
        self._data = data
        self.path = path
        self.size = len(data) if size is None else size
        self.offset = offset  # where in the file it begins
        self.temporary = temporary  # whether the file is this output's own, to be deleted with it

    def chunks(self, most: int = -1) -> Iterator[bytes]:
        """The bytes, or the first of them, piece by piece. Raises OSError."""
        left = self.size if most < 0 else min(most, self.size)
        if not self.path:
            if left:
                yield self._data[:left]
            return
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            while left and (chunk := file.read(min(left, _CHUNK))):
                left -= len(chunk)
                yield chunk

    def read(self, most: int = -1) -> bytes:
        """The bytes, or the first of them. Raises OSError."""
        return b"".join(self.chunks(most))

    def discard(self) -> None:
        """Delete the file behind it, if it is a temporary one."""
        if self.path and self.temporary:
            try:
                os.unlink(self.path)
            except OSError:
                return


NOTHING = Output()


class Result(NamedTuple):
    """The result of one target."""

    target: Target
    kind: str  # one of CLASSES
    exit: int | None = None  # the command's exit code; None if a signal ended it, or if it never ran
    signal: int | None = None
    start: float = 0.0  # seconds since the epoch
    seconds: float = 0.0
    attempts: int = 1
    stdout: Output = NOTHING
    stderr: Output = NOTHING
    reason: str = ""  # without a session: the class of the error; of a failure: timeout, if that is the reason
    error: str = ""  # without a session: the message

    @property
    def code(self) -> int:
        """The exit code as a shell reports it."""
        if self.kind == NO_SESSION:
            return 125
        return 128 + self.signal if self.signal is not None else self.exit or 0

    @property
    def end(self) -> str:
        """How it ended, in a few words."""
        return end_of(self.kind, self.reason, self.exit, self.signal)

    def discard(self) -> None:
        """Delete the temporary files behind its output."""
        self.stdout.discard()
        self.stderr.discard()


def end_of(kind: str, reason: str, exit: int | None, signal: int | None) -> str:
    """How a command ended, in a few words; a target without a session has none."""
    if kind == NO_SESSION:
        return "no session"
    return _REASONS.get(reason, reason) or (f"exit {exit}" if signal is None else f"signal {signal}")


class Tally:
    """How many results of each class there are, and why sessions are missing."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(CLASSES, 0)
        self.reasons: dict[str, list[str]] = {}
        self.failures: dict[str, list[str]] = {}

    def add(self, name: str, kind: str, *, end: str, error: str) -> None:
        """Count one result."""
        self.counts[kind] += 1
        if kind == NO_SESSION:
            self.reasons.setdefault(error or "unknown", []).append(name)
        elif kind == FAILED:
            self.failures.setdefault(end, []).append(name)

    @property
    def total(self) -> int:
        """How many results were counted."""
        return sum(self.counts.values())

    @property
    def exit_code(self) -> int:
        """0 all ok, 1 some failed, 125 none could run."""
        if self.total and self.counts[NO_SESSION] == self.total:
            return 125
        return 1 if self.counts[FAILED] or self.counts[NO_SESSION] else 0
