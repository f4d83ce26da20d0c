"""Writes a fleet run as one self-contained page: no other file, no request, nothing that runs but its own filter."""

from __future__ import annotations

import os
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.display import escape as visible
from awsudo_py.errors import AwsudoError
from awsudo_py.fleet.output import Quiet
from awsudo_py.fleet.records import CLASSES, FAILED, NO_SESSION, OK
from awsudo_py.fleet.summary import clock_time, spell
from awsudo_py.html_page import closing, opening

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awsudo_py.fleet.merge import Group, Groups
    from awsudo_py.fleet.records import Output, Result, Tally, Target

#: Bytes of a group's stream in the page; a longer one is cut, with a note.
MOST_SHOWN = 256 << 10
#: How many failed groups are open at first; and how long (characters) names in a header may be.
MOST_OPEN, ONE_LINE = 10, 80
_TITLES = {OK: "ok", FAILED: "failed", NO_SESSION: "no session"}


class _Row(NamedTuple):
    name: str
    account: str
    role: str
    region: str
    kind: str
    end: str
    seconds: float


class Report(Quiet):
    """Collects what the page needs besides the groups."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._position = {target.name: position for position, target in enumerate(targets)}
        self._rows: list[_Row] = []

    def finished(self, result: Result) -> None:
        target = result.target
        account = " ".join(filter(None, (target.account, target.account_name)))
        end = f"no session: {result.error}" if result.kind == NO_SESSION else result.end
        region = target.region or target.home_region
        self._rows.append(_Row(target.name, account, target.role, region, result.kind, end, result.seconds))

    def write(self, path: str, groups: Groups, tally: Tally, *, command: str, began: float, seconds: float) -> None:
        """Write the page. Raises AwsudoError."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.writelines(self._page(groups, tally, command, began, seconds))
        except OSError as error:
            raise AwsudoError(f"cannot write {path}: {error.strerror}") from None

    def _page(self, groups: Groups, tally: Tally, command: str, began: float, seconds: float) -> Iterator[str]:
        yield opening(f"awsudo each: {visible(command)}", _beside("report.css"))
        yield (
            f"<h1><code>{_text(command)}</code></h1>"
            f'<div class="dim">awsudo each, {clock_time(began)}, {spell(seconds)}</div><div class="tiles">'
        )
        for kind in CLASSES:
            yield f'<div class="tile"><b class="{kind}">{tally.counts[kind]}</b>{_TITLES[kind]}</div>'
        yield f'<div class="tile"><b>{tally.total}</b>targets</div></div>'
        numbers: dict[str, int] = {}
        all_groups = [*groups.of_commands(), *groups.without_session()]
        if all_groups:
            yield "<h2>Results, identical ones together</h2>"
        for number, group in enumerate(all_groups):
            numbers.update(dict.fromkeys(group.names, number))
            yield from _group(number, group)
        yield (
            '<h2>Targets</h2><div class="bar"><input id="q" type="search" placeholder="Filter: every word must match" '
            'aria-label="Filter"><select id="k" aria-label="Class"><option value="">all</option>'
        )
        yield "".join(f'<option value="{kind}">{_TITLES[kind]}</option>' for kind in CLASSES)
        yield '</select><span id="c" class="dim"></span></div><div class="scroll"><table id="t"><thead><tr>'
        for title in ("Target", "Account", "Role", "Region", "Result"):
            yield f'<th tabindex="0">{title}</th>'
        yield '<th tabindex="0" class="r">Seconds</th></tr></thead><tbody>'
        for row in sorted(self._rows, key=lambda row: self._position[row.name]):
            yield (
                f'<tr data-k="{row.kind}"><td>{_text(row.name)}</td><td>{_text(row.account)}</td>'
                f"<td>{_text(row.role)}</td><td>{_text(row.region)}</td>"
                f'<td><a class="{row.kind}" href="#g{numbers.get(row.name, 0)}">{_text(row.end)}</a></td>'
                f'<td class="r">{row.seconds:.1f}</td></tr>'
            )
        yield f"</tbody></table></div>\n{closing(_beside('report.js'))}"


def _beside(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()


def _group(number: int, group: Group) -> Iterator[str]:
    count = len(group.names)
    is_open = number == 0 or (group.kind != OK and number < MOST_OPEN)
    title = f"{count} target{'' if count == 1 else 's'}"
    names = _text(", ".join(group.names))
    yield (
        f'<details id="g{number}"{" open" if is_open else ""}><summary><b>{title}</b>'
        f'<span class="n">{names}</span><span class="end {group.kind}">{_text(group.end)}</span></summary>'
        '<div class="in">'
    )
    if group.kind == NO_SESSION:
        yield f"<pre>{_text(group.error)}</pre>"
    elif not group.stdout.size and not group.stderr.size:
        yield '<p class="dim">(no output)</p>'
    if len(names) > ONE_LINE:
        yield f'<p class="dim n">{names}</p>'
    for css, output in (("", group.stdout), ("err", group.stderr)):
        if output.size:
            yield f'<pre class="{css}">{_output(output)}</pre>'
    yield "</div></details>"


def _output(output: Output) -> str:
    text = output.read(MOST_SHOWN).decode("utf-8", "backslashreplace")
    lines = "\n".join("\t".join(visible(cell) for cell in line.split("\t")) for line in text.split("\n"))
    cut = f"\n… cut: {output.size:,} bytes in all" if output.size > MOST_SHOWN else ""
    return escape(lines + cut)


def _text(text: str) -> str:
    return escape(visible(text))
