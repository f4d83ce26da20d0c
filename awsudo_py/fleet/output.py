"""Prints the output of a fleet's commands: line by line with their names, in order, or into a directory.

1. A line is never torn: simultaneous output stays on separate lines. One longer than a megabyte is cut.
2. Bytes reach a pipe or a file as they are; on a terminal, everything but text is escaped.
3. Output that has to wait is stored in a file, not in memory.
"""

from __future__ import annotations

import os
import re
import select
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from awsudo_py.display import escape
from awsudo_py.errors import AwsudoError
from awsudo_py.fleet.records import CANNOT_RUN, NO_SESSION, Output, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from awsudo_py.fleet.records import Target
    from awsudo_py.fleet.run import State

#: A line that is longer (bytes) is cut.
LONGEST_LINE = 1 << 20
#: Shorter output (bytes) may wait in memory.
_SHORT = 256


class Quiet:
    """A sink that does nothing: subclasses override what they need."""

    def started(self, target: Target) -> None:
        """See run.Sink."""

    def data(self, target: Target, which: int, data: bytes) -> None:
        """See run.Sink."""

    def finished(self, result: Result) -> None:
        """See run.Sink."""

    def tick(self, state: State) -> None:
        """See run.Sink."""

    def close(self) -> None:
        """See run.Sink."""


class Stream:
    """A descriptor to write to; a terminal gets only text."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_terminal = os.isatty(descriptor)

    def write(self, data: bytes) -> None:
        """Write output of a command. Raises OSError."""
        self._write(visible(data) if self.is_terminal else data)

    def text(self, text: str) -> None:
        """Write text of ours, with its styles. Raises OSError."""
        self._write(text.encode("utf-8", "surrogateescape"))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.descriptor, view) :]
            except BlockingIOError:
                select.select([], [self.descriptor], [])


def visible(data: bytes) -> bytes:
    """The bytes with everything but text escaped; lines and tabs stay."""
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    if not text.replace("\n", "").replace("\t", "").isprintable():
        text = "\n".join("\t".join(escape(cell) for cell in line.split("\t")) for line in text.split("\n"))
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Turn failures to write our own files, in a with block, into AwsudoError; other failures are those of stdout."""
    try:
        yield
    except OSError as error:
        raise disk_trouble(place, error.strerror or str(error)) from None


def disk_trouble(place: str, why: str) -> AwsudoError:
    """The error for output that cannot be stored."""
    return AwsudoError(
        f"cannot write {place}: {why}", hint="free some space, or set TMPDIR to a directory on a larger file system"
    )


class Spool:
    """A file for output that has to wait."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = ""
        self._file: int | None = None
        self._end = 0
        self._links = 0

    def keep(self, output: Output) -> Output:
        """The output, for longer than its result. Raises AwsudoError."""
        with writing(self._folder):
            return self._moved(output)

    def _moved(self, output: Output) -> Output:
        if output.size <= _SHORT and not output.path:
            return output
        if output.path:
            if not output.temporary:
                return output
            self._links += 1
            path = os.path.join(self._folder, f"kept.{id(self)}.{self._links}")
            os.link(output.path, path)
            return Output(path=path, size=output.size)
        if self._file is None:
            self._file, self._path = tempfile.mkstemp(prefix="spool.", dir=self._folder)
        offset = self._end
        for chunk in output.chunks():
            view = memoryview(chunk)
            while view:
                written = os.write(self._file, view)
                self._end += written
                view = view[written:]
        return Output(path=self._path, size=output.size, offset=offset, temporary=False)


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines, many at a time, each with its end; rule 1."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
        while len(rest) > LONGEST_LINE:
            yield rest[:LONGEST_LINE] + b"\n"
            rest = rest[LONGEST_LINE:]
    if rest:
        yield rest + b"\n"


def prefixed(lines: bytes, prefix: bytes) -> bytes:
    """Whole lines, each after the prefix."""
    return prefix + lines[:-1].replace(b"\n", b"\n" + prefix) + b"\n"


class Lines(Quiet):
    """Each line after its target's name, as it comes. Stdout goes to stdout, stderr to stderr."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams
        self._rest: dict[tuple[str, int], bytearray] = {}

    def data(self, target: Target, which: int, data: bytes) -> None:
        rest = self._rest.setdefault((target.name, which), bytearray())
        rest += data
        end = rest.rfind(b"\n") + 1
        if end:
            self._write(target, which, bytes(rest[:end]))
            del rest[:end]
        while len(rest) > LONGEST_LINE:
            self._write(target, which, bytes(rest[:LONGEST_LINE]) + b"\n")
            del rest[:LONGEST_LINE]

    def finished(self, result: Result) -> None:
        for which, output in enumerate((result.stdout, result.stderr)):
            rest = self._rest.pop((result.target.name, which), None)
            if rest:
                self._write(result.target, which, bytes(rest) + b"\n")
            elif result.reason == CANNOT_RUN:  # nothing of it was streamed
                for lines in lines_of(output.chunks()):
                    self._write(result.target, which, lines)
        if result.kind == NO_SESSION:
            self._write(result.target, 1, _no_session(result))

    def _write(self, target: Target, which: int, lines: bytes) -> None:
        write_lines(self._streams[which], lines, target)


def write_lines(stream: Stream, lines: bytes, target: Target) -> None:
    """Write whole lines after the target's name. Raises OSError, but not for stderr."""
    try:
        stream.write(prefixed(lines, f"{escape(target.name)}: ".encode()))
    except OSError:
        if stream.descriptor != 2:
            raise


def _no_session(result: Result) -> bytes:
    return f"awsudo: no session: {escape(result.error)}\n".encode()


class Ordered(Quiet):
    """Each target's output, its lines after its name, in the order of the targets."""

    def __init__(self, targets: Sequence[Target], streams: Sequence[Stream], spool: Spool) -> None:
        self._order = [target.name for target in targets]
        self._next = 0
        self._done: dict[str, Result] = {}
        self._streams = streams
        self._spool = spool

    def finished(self, result: Result) -> None:
        if self._order[self._next] == result.target.name:
            self._print(result)
            self._next += 1
        else:
            moved = result._replace(stdout=self._spool.keep(result.stdout), stderr=self._spool.keep(result.stderr))
            self._done[result.target.name] = moved
        while self._next < len(self._order) and self._order[self._next] in self._done:
            waited = self._done.pop(self._order[self._next])
            self._print(waited)
            waited.discard()
            self._next += 1

    def close(self) -> None:
        # a run that ended early has gaps
        for name in self._order[self._next :]:
            if name in self._done:
                self._print(self._done.pop(name))

    def _print(self, result: Result) -> None:
        for stream, output in zip(self._streams, (result.stdout, result.stderr), strict=True):
            for lines in lines_of(output.chunks()):
                write_lines(stream, lines, result.target)
        if result.kind == NO_SESSION:
            write_lines(self._streams[1], _no_session(result), result.target)


class Directory(Quiet):
    """A directory for each target with its stdout, stderr and exit code; the supervisor has written the output."""

    def __init__(self, path: str) -> None:
        self._path = path

    def folder(self, target: Target) -> str:
        """The directory of one target."""
        return os.path.join(self._path, directory_name(target.name))

    def finished(self, result: Result) -> None:
        with writing(self._path):
            self._write(result)

    def _write(self, result: Result) -> None:
        folder = self.folder(result.target)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        texts = {"exit": f"{result.code}\n"}
        if result.kind == NO_SESSION:
            texts |= {"stdout": "", "stderr": f"awsudo: no session: {result.error}\n"}
        elif not result.stderr.path and result.stderr.size:
            texts["stderr"] = result.stderr.read().decode()
        for name, text in texts.items():
            descriptor = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)


def directory_name(name: str) -> str:
    """The target's name as the name of a directory: characters that a path cannot have are written %XX."""
    quoted = re.sub(
        rb"[^\w@:+=,. -]|^\.",
        lambda match: b"%%%02X" % match[0][0],
        name.encode("utf-8", "surrogateescape").replace(b"%", b"%25"),
    ).replace(b"%2525", b"%25")
    return quoted.decode("ascii")[:200]
