"""Prints the output of a fleet's commands as JSON: an object for each target, or one document of all."""

from __future__ import annotations

import base64
import codecs
import json
import tempfile
from typing import TYPE_CHECKING, Any

from awsudo_py.fleet.output import Quiet, writing
from awsudo_py.fleet.records import OK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awsudo_py.fleet.output import Stream
    from awsudo_py.fleet.records import Output, Result

#: The largest output (bytes) that is parsed as JSON.
LARGEST_JSON = 64 << 20


class JsonLines(Quiet):
    """One JSON object a line, as the targets finish."""

    def __init__(self, stream: Stream, shard: str = "") -> None:
        self._stream = stream
        self._shard = shard

    def finished(self, result: Result) -> None:
        fields = json_fields(result)
        if self._shard:
            fields["shard"] = self._shard
        self._stream.text(json.dumps(fields)[:-1])
        for name, output in (("stdout", result.stdout), ("stderr", result.stderr)):
            if is_text(output):
                self._stream.text(f', "{name}": "')
                for piece in _decoded(output):
                    self._stream.text(json.dumps(piece)[1:-1])
                self._stream.text('"')
            else:
                self._stream.text(f', "{name}": null, "{name}_base64": "')
                for encoded in _base64(output):
                    self._stream.write(encoded)
                self._stream.text('"')
        data = json_of(result.stdout)
        if data is not None:
            self._stream.text(f', "data": {json.dumps(data)}')
        self._stream.text("}\n")


def json_fields(result: Result) -> dict[str, Any]:
    """A result without its output, for JSON."""
    target = result.target
    fields: dict[str, Any] = {
        "target": target.name,
        "account": target.account or None,
        "role": target.role or None,
        "region": target.region or target.home_region or None,
        "class": result.kind,
        "exit": result.exit,
        "signal": result.signal,
        "start": round(result.start, 3),
        "seconds": round(result.seconds, 3),
        "attempts": result.attempts,
    }
    if result.reason:
        fields["reason"] = result.reason
    if result.error:
        fields["error"] = result.error
    return fields


def is_text(output: Output) -> bool:
    """Whether all of it is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in output.chunks():
            decoder.decode(chunk)
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(output: Output) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in output.chunks():
        yield decoder.decode(chunk)


def _base64(output: Output) -> Iterator[bytes]:
    rest = b""
    for chunk in output.chunks():
        rest += chunk
        whole = len(rest) - len(rest) % 3
        yield base64.b64encode(rest[:whole])
        rest = rest[whole:]
    yield base64.b64encode(rest)


def json_of(output: Output) -> Any:
    """The output as a JSON document; None if it is not JSON, or too large to be parsed."""
    if not 0 < output.size <= LARGEST_JSON or output.read(64).lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(output.read())
    except (ValueError, RecursionError):
        return None


class MergedJson(Quiet):
    """One JSON document of all: arrays joined, `awsudo_target` in each object.

    Documents that are arrays, or objects without an array, become one array. Of objects that have arrays (as the AWS
    CLI prints) each member becomes one array, under its name.
    """

    def __init__(self, stream: Stream, folder: str) -> None:
        self._stream = stream
        self._folder = folder
        self._files: dict[str | None, Any] = {}
        self.without: list[str] = []  # targets that succeeded and printed something other than JSON

    def finished(self, result: Result) -> None:
        if result.kind != OK or not result.stdout.size:
            return
        document = json_of(result.stdout)
        if document is None:
            self.without.append(result.target.name)
            return
        with writing(self._folder):
            for key, item in _items(document):
                self._add(key, result.target.name, item)

    def _add(self, key: str | None, name: str, item: Any) -> None:
        file = self._files.get(key)
        if file is None:
            file = self._files[key] = tempfile.TemporaryFile("w+", dir=self._folder, encoding="utf-8")  # noqa: SIM115 (kept open)
        else:
            file.write(",\n  ")
        object_ = item if isinstance(item, dict) else {"value": item}
        json.dump({"awsudo_target": name, **object_}, file)

    def close(self) -> None:
        named = [key for key in self._files if key is not None]
        if not named:
            self._array(self._files.get(None))
        else:
            self._stream.text("{\n")
            for position, key in enumerate([*named, *([None] if None in self._files else [])]):
                self._stream.text(f"{',' if position else ''}{json.dumps('awsudo_items' if key is None else key)}: ")
                self._array(self._files[key])
            self._stream.text("}")
        self._stream.text("\n")

    def _array(self, file: Any) -> None:
        self._stream.text("[\n  ")
        if file is not None:
            with writing(self._folder):
                file.seek(0)  # what is still in its buffer is written now
            while text := file.read(1 << 16):
                self._stream.text(text)
        self._stream.text("\n]")


def _items(document: Any) -> Iterator[tuple[str | None, Any]]:
    """A document's part of the merged one: pairs of member (None: the whole) and item."""
    if isinstance(document, list):
        yield from ((None, item) for item in document)
    elif not any(isinstance(value, list) for value in document.values()):
        yield None, document
    else:
        for key, value in document.items():
            yield from ((key, item) for item in (value if isinstance(value, list) else [value]))
