"""The journal of a fleet run: JSON lines, one for each result, so that a later run continues where this one ended.

1. A line is written with one call as soon as its target is done: kill -9 loses nothing that was reported.
2. A line cut short by a crash is skipped when it is read, and the next one starts on a new line.
3. A result counts for the same target and the same command only: another command is never skipped.
4. Journals of shards say which targets they planned: a merge names those that no shard reported.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.errors import AwsudoError
from awsudo_py.fleet.json_output import json_fields
from awsudo_py.fleet.output import Quiet
from awsudo_py.fleet.records import CLASSES, OK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from awsudo_py.fleet.records import Result, Target
    from awsudo_py.fleet.shard import Shard


def digest_of(command: Sequence[str]) -> str:
    """The digest that identifies a command."""
    text = b"\0".join(word.encode("utf-8", "surrogateescape") for word in command)
    return hashlib.sha256(text).hexdigest()[:16]


class Joblog(Quiet):
    """A journal that is being written. Raises AwsudoError if it cannot be."""

    def __init__(self, path: str, command: Sequence[str], shard: Shard | None, targets: Sequence[Target]) -> None:
        self._path = path
        self._digest = digest_of(command)
        self._shard = shard
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        try:
            self._file = os.open(path, flags, 0o600)
            size = os.fstat(self._file).st_size
            torn = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"
        except OSError as error:
            raise AwsudoError(f"cannot write {path}: {error.strerror}") from None
        begin: dict[str, Any] = {"command": self._digest, "targets": [target.name for target in targets]}
        if shard is not None:
            begin |= {"shard": shard.number, "of": shard.total}
        self._write(begin, b"\n" if torn else b"")

    def finished(self, result: Result) -> None:
        self._write({**json_fields(result), "command": self._digest}, b"")

    def _write(self, fields: dict[str, Any], before: bytes) -> None:
        line = before + json.dumps(fields).encode() + b"\n"
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise AwsudoError(f"cannot write {self._path}: {error.strerror}", hint="free some space") from None
        if written < len(line):
            raise AwsudoError(f"cannot write {self._path}: the disk is full", hint="free some space")


class Past(NamedTuple):
    """A journal's results of earlier runs of one command: class by target, the last one counts."""

    kinds: dict[str, str]

    def left(self, targets: Iterable[Target], *, only_failed: bool) -> list[Target]:
        """The targets to run: those that are not ok yet, or only those that were tried and failed."""
        if only_failed:
            return [target for target in targets if self.kinds.get(target.name, OK) != OK]
        return [target for target in targets if self.kinds.get(target.name) != OK]


def read_past(path: str, command: Sequence[str]) -> Past:
    """The journal's results for this command. A missing file has none. Raises AwsudoError."""
    digest = digest_of(command)
    try:
        records = list(records_of(path))
    except FileNotFoundError:
        records = []
    except OSError as error:
        raise AwsudoError(f"cannot read {path}: {error.strerror}") from None
    return Past({each["target"]: each["class"] for each in records if "target" in each and each["command"] == digest})


def records_of(path: str) -> Iterable[dict[str, Any]]:
    """The records of a journal, or of a file of `--json`; other lines are skipped. Raises OSError."""
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                fields = json.loads(line)
            except ValueError:
                continue
            if not isinstance(fields, dict):
                continue
            is_result = isinstance(fields.get("target"), str) and fields.get("class") in CLASSES
            if is_result or isinstance(fields.get("targets"), list):
                yield {"command": "", **fields}
