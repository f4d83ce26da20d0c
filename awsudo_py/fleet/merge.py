"""Groups identical results, and prints each group once with its targets."""

from __future__ import annotations

import difflib
import hashlib
import shutil
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.display import coloured, escape, plain_glyphs, styled
from awsudo_py.fleet.output import Quiet, Spool, Stream, visible
from awsudo_py.fleet.records import NO_SESSION, OK, Output
from awsudo_py.fleet.summary import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from awsudo_py.fleet.records import Result, Target

#: Larger outputs (bytes) are not compared line by line: the time grows with the square.
LARGEST_DIFF = 1 << 20
_DIFF_STYLES = {"+": "green", "-": "red", "@": "dim"}


class Group(NamedTuple):
    """Targets whose commands ended the same way and wrote the same."""

    kind: str
    end: str
    error: str
    stdout: Output
    stderr: Output
    names: list[str]


class Groups(Quiet):
    """Collects results into groups. Each output is stored once, with the names in the order of the targets."""

    def __init__(self, spool: Spool, targets: Sequence[Target]) -> None:
        self._spool = spool
        self._position = {target.name: position for position, target in enumerate(targets)}
        self._groups: dict[tuple[object, ...], Group] = {}

    def finished(self, result: Result) -> None:
        if result.kind == NO_SESSION:
            key: tuple[object, ...] = (NO_SESSION, result.error)
        else:
            key = (result.kind, result.end, _digest(result.stdout), _digest(result.stderr))
        group = self._groups.get(key)
        if group is None:
            stdout, stderr = self._spool.keep(result.stdout), self._spool.keep(result.stderr)
            group = self._groups[key] = Group(result.kind, result.end, result.error, stdout, stderr, [])
        group.names.append(result.target.name)

    def of_commands(self) -> list[Group]:
        """The groups of targets that ran, largest first."""
        return self._sorted(group for group in self._groups.values() if group.kind != NO_SESSION)

    def without_session(self) -> list[Group]:
        """The groups of targets that have no session, by reason, largest first."""
        return self._sorted(group for group in self._groups.values() if group.kind == NO_SESSION)

    def _sorted(self, groups: Iterator[Group]) -> list[Group]:
        position = self._position.__getitem__
        ordered = [group._replace(names=sorted(group.names, key=position)) for group in groups]
        return sorted(ordered, key=lambda group: (-len(group.names), group.kind != OK, position(group.names[0])))


def _digest(output: Output) -> bytes:
    digest = hashlib.sha256()
    for chunk in output.chunks():
        digest.update(chunk)
    return digest.digest()


class Style(NamedTuple):
    """How headers look: their width, the character of the rule, and whether there is colour."""

    width: int
    rule: str
    colour: bool

    def painted(self, text: str, name: str) -> str:
        """The text in a style of terminal.STYLES, if there is colour; its line end is not styled."""
        body = text.removesuffix("\n")
        return f"{styled(body, name)}{text[len(body) :]}" if self.colour and body else text


def style_of(stream: TextIO | None, environ: Mapping[str, str]) -> Style:
    """The style that suits where it is printed."""
    on_terminal = stream is not None and stream.isatty()
    width = shutil.get_terminal_size((80, 24)).columns if on_terminal else 80
    rule = "-" if plain_glyphs(stream, environ) else "\N{BOX DRAWINGS LIGHT HORIZONTAL}"
    return Style(width, rule, coloured(stream, environ))


def print_merged(groups: Groups, stream: Stream, style: Style, *, diff: bool) -> None:
    """Print the groups, largest first; with diff, all but the first as a diff against it. Raises OSError."""
    ran = groups.of_commands()
    for position, group in enumerate(ran):
        stream.text(header(group, style))
        changes = _diff(ran[0], group) if diff and position else None
        if changes is not None:
            for line in changes:
                line = visible(line.encode("utf-8", "surrogateescape")).decode() if stream.is_terminal else line
                stream.text(style.painted(line, _DIFF_STYLES.get(line[0], "")) if line[0] in _DIFF_STYLES else line)
            continue
        last = b""
        for output in (group.stdout, group.stderr):
            for chunk in output.chunks():
                stream.write(chunk)
                last = chunk
            if last and not last.endswith(b"\n"):
                stream.text("\n")
        if not last:
            stream.text(style.painted("(no output)\n", "dim"))
    without = groups.without_session()
    if without:
        stream.text(_headed(sum(len(group.names) for group in without), [], "no session", "yellow", style))
        for group in without:
            names = _fitting(group.names, max(style.width - 4 - len(str(len(group.names))), 20))
            stream.text(f"  {len(group.names)}  {escape(group.error)}\n     {names}\n")


def header(group: Group, style: Style) -> str:
    """The line above a group: how many targets, which, and how their commands ended."""
    return _headed(len(group.names), group.names, group.end, "green" if group.kind == OK else "red", style)


def _headed(count: int, names: list[str], end: str, colour: str, style: Style) -> str:
    title = f"{count} target{'' if count == 1 else 's'}"
    room = style.width - len(title) - len(end) - 12
    listed = f": {_fitting(names, max(room, 12))}" if names else ""
    fill = style.rule * max(style.width - len(title) - len(listed) - len(end) - 8, 1)
    rule = style.painted(style.rule * 2, "dim")
    titled = f"{style.painted(title, 'bold')}{listed}"
    return f"{rule} {titled} {style.painted(fill, 'dim')} {style.painted(end, colour)} {rule}\n"


def _fitting(names: list[str], room: int) -> str:
    """As many names as fit, and how many more there are."""
    count = len(names)
    while count > 1 and len(escape(some(names, count))) > room:
        # from thousands down to what could fit, then one by one
        count = min(count - 1, max(room // 2, 1))
    text = escape(some(names, count))
    return text if len(text) <= room else f"{text[: max(room - 3, 1)]}..."


def _diff(first: Group, group: Group) -> list[str] | None:
    """The difference from the first group, as a unified diff; None if that would not help."""
    lines: list[str] = []
    for name in ("stdout", "stderr"):
        before, after = getattr(first, name), getattr(group, name)
        if before.size > LARGEST_DIFF or after.size > LARGEST_DIFF:
            return None
        old, new = (f"{name} of {each.names[0]}" for each in (first, group))
        lines += difflib.unified_diff(_lines(before), _lines(after), old, new, lineterm="")
    return [f"{line}\n" for line in lines] or ["(same output)\n"]


def _lines(output: Output) -> list[str]:
    return output.read().decode("utf-8", "surrogateescape").splitlines()
