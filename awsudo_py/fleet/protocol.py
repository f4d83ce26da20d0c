"""What awsudo and its supervisors exchange: the setting of a run, messages over a socket, and signals."""

from __future__ import annotations

import marshal
import os
import signal
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = struct.Struct("!I")

#: What tells a supervisor to end its commands, or to kill them. Not messages: awsudo may be in the middle of one, or
#: wait for whoever reads its output.
END, KILL = signal.SIGUSR1, signal.SIGUSR2
# Messages: a tuple whose first item is one of these, and whose second is the number of a command.
RUN = 0  # to the supervisor, the only one
STARTED, DATA, ENDED, BROKEN, REFUSED = 0, 1, 2, 3, 4  # from it
#: Why a command ended, if not by itself.
TIMEOUT, INTERRUPTED = "timeout", "interrupted"


class Setting(NamedTuple):
    """What is the same for all commands of a run."""

    path: str
    argv: list[str]
    environ: Mapping[str, str]
    folder: str  # for output that does not fit in memory
    stdin: str = os.devnull
    stream: bool = False  # whether awsudo gets the output as it comes
    keep: bool = True  # whether it gets it at the end
    timeout: float | None = None  # seconds
    grace: float = 5.0  # seconds between TERM and KILL
    file_limit: tuple[int, int] | None = None  # of open files, for commands, where ours was raised
    core_limit: tuple[int, int] | None = None  # of core dumps, for commands: awsudo itself writes none


def packed(message: tuple[Any, ...]) -> bytes:
    """A message as it goes over the socket."""
    body = marshal.dumps(message)
    return _HEAD.pack(len(body)) + body


class Inbox:
    """Puts messages together from what arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def messages(self, data: bytes) -> list[tuple[Any, ...]]:
        """The messages that are whole now."""
        buffer = self._buffer
        buffer += data
        found, at = [], 0
        while len(buffer) - at >= _HEAD.size:
            (length,) = _HEAD.unpack_from(buffer, at)
            if len(buffer) - at - _HEAD.size < length:
                break
            at += _HEAD.size
            found.append(marshal.loads(memoryview(buffer)[at : at + length]))  # noqa: S302 (from our own child)
            at += length
        del buffer[:at]
        return found
