"""A journal of the sessions that this user's runs have used: the role, the command, the time and the reason.

1. One JSON object a line, in a file that is 0600 from birth, in a directory that is private. It holds no secret.
2. It never delays a run by more than a tenth of a second and never fails one: entries that cannot be written are lost.
3. A line is written whole or not at all, whatever ends a writer: one write at the end of the file, under a lock; if
   the disk is full, the part that was written is cut off again.
4. It is bounded: at 4 MiB it becomes the older half, and the older half before it is dropped.
"""

from __future__ import annotations

import json
import os
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.sessions.file_store import FileStore, data_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: The file in the data directory, and its new name when it is full.
NAME, OLDER = "journal.jsonl", "journal.1.jsonl"
#: Bytes; see rule 4. A line has about 300.
LARGEST = 4 << 20
#: Characters of one value; a longer one is cut.
LONGEST_VALUE = 512
#: Seconds; see rule 2.
_PATIENCE, _PAUSE = 0.1, 0.005
#: The words of AWSUDO_JOURNAL.
SWITCHES = ("off", "hits", "words")


class Entry(NamedTuple):
    """One use of a session. Empty texts mean unknown."""

    time: str  # RFC 3339, UTC
    target: str
    role: str  # ARN
    caller: str  # where the chain starts: a profile, and the access key ID if one is known
    session_name: str
    how: str  # "call": AWS was called; "cache"
    reason: str
    command: str  # the first word, or all words where AWSUDO_JOURNAL lists `words`

    @property
    def account(self) -> str:
        """The account of the role; empty if there is no role."""
        return self.role.split(":")[4] if self.role.count(":") >= 5 else ""


def switches(environ: Mapping[str, str]) -> frozenset[str]:
    """The settings in AWSUDO_JOURNAL: off; hits (list runs from the cache's hit path too); words (list all words)."""
    return frozenset(word.strip() for word in environ.get("AWSUDO_JOURNAL", "").lower().split(","))


def append(directory: str, entry: Entry) -> bool:
    """Add an entry to the journal in this directory; returns whether it was written. Raises nothing."""
    values = {name: value[:LONGEST_VALUE] for name, value in entry._asdict().items() if value}
    line = json.dumps(values, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
    try:
        FileStore(directory).prepare()
        descriptor = _opened(os.path.join(directory, NAME), os.O_RDWR | os.O_APPEND | os.O_CREAT)
    except OSError:
        return False
    try:
        if not _locked(descriptor):
            return False
        if not _is_current(directory, descriptor):  # another run has just made it the older half
            return False
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # a part of a line that another program left there
        try:
            written = os.write(descriptor, line)
        except OSError:
            return False
        if written < len(line):
            os.ftruncate(descriptor, size)
            return False
        if size + written > LARGEST:
            os.replace(os.path.join(directory, NAME), os.path.join(directory, OLDER))
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def use(
    environ: Mapping[str, str],
    now: float,
    *,
    target: str,
    role: str,
    arn: str,
    how: str,
    command: Sequence[str],
    caller: str = "",
    reason: str = "",
) -> None:
    """Add the use of a session, unless it is switched off. arn: of the session, if it is known. Raises nothing."""
    directory, found = data_directory(environ), switches(environ)
    if directory is None or "off" in found:
        return
    session_name = arn.rpartition("/")[2] if ":assumed-role/" in arn else ""
    words = " ".join(command) if "words" in found else "".join(command[:1])
    append(directory, Entry(rfc3339(now), target, role, caller, session_name, how, reason, words))


def entries(directory: str) -> Iterator[Entry]:
    """The entries of the journal, oldest first. Other lines are skipped."""
    for name in (OLDER, NAME):
        try:
            descriptor = _opened(os.path.join(directory, name), os.O_RDONLY)
        except OSError:
            continue
        with os.fdopen(descriptor, "rb") as file:
            for line in file:
                try:
                    found = json.loads(line)
                    yield Entry(*(str(found.get(field, "")) for field in Entry._fields))
                except (ValueError, AttributeError):
                    continue


def delete(directory: str) -> bool:
    """Delete the journal; returns whether there was one. Raises OSError."""
    existed = False
    for name in (OLDER, NAME):
        try:
            os.unlink(os.path.join(directory, name))
            existed = True
        except FileNotFoundError:
            continue
    return existed


def _opened(path: str, flags: int) -> int:
    """A descriptor of a journal file that is ours and private. Raises OSError."""
    descriptor = os.open(
        path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0), 0o600
    )
    found = os.fstat(descriptor)
    private = os.name == "nt" or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)
    if not stat.S_ISREG(found.st_mode) or not private:
        os.close(descriptor)
        raise PermissionError(f"{path} is not a private file of this user")
    return descriptor


def _is_current(directory: str, descriptor: int) -> bool:
    found, current = os.fstat(descriptor), os.stat(os.path.join(directory, NAME))
    return (found.st_dev, found.st_ino) == (current.st_dev, current.st_ino)


def _locked(descriptor: int) -> bool:
    """Lock the file for this process, within rule 2; returns whether it is locked."""
    if os.name == "nt":
        return True  # appends there are rare, and a reader passes over a torn line
    import fcntl

    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE)
