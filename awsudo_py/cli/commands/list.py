"""awsudo list: lists the targets."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.cli.call import Call, begin
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Common
from awsudo_py.cli.output import Cell, Column, Span, glyph, with_tilde, write, write_json, write_table
from awsudo_py.display import coloured, escape, styled
from awsudo_py.durations import brief
from awsudo_py.errors import UsageError
from awsudo_py.resolve.outline import Outline, matching
from awsudo_py.sessions.questions import number_waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLUMNS = (
    Column("TARGET"),
    Column("ACCOUNT", 4),
    Column("ROLE", 2),
    Column("FROM", 5),
    Column("REGION", 7),
    Column("MFA", 6),
    Column("CACHED", 3, right=True),
)
#: A session with less than this left (seconds) is shown in yellow.
_SOON = 600.0


class ListOptions(Common):
    """What `awsudo list` takes."""

    as_json: bool
    csv: bool
    tree: bool
    graph: str | None
    words: tuple[str, ...]


@subcommand("list", ListOptions)
def command(call: Call, options: ListOptions) -> None:
    """List the targets: account, role, where each comes from, cached sessions.

    WORD filters: every word must be part of a target's line. Reads files only; nothing is called.

    \b
      awsudo list
      awsudo list prod admin            those that match both words
      awsudo list --tree                what is assumed from what
      awsudo list --json                for programs; also --csv
      awsudo list --graph svg > x.svg   a picture; also mermaid, dot
    """
    forms = {
        "--json": options.as_json,
        "--csv": options.csv,
        "--tree": options.tree,
        "--graph": options.graph is not None,
    }
    given = [name for name, on in forms.items() if on]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} exclude each other", hint="use one of them")
    context = begin(call)
    from awsudo_py.targets import cached_until, known_targets

    everything = known_targets(context)
    found = matching(everything, options.words)
    if options.graph is not None:
        from awsudo_py.cli.graphs import graph

        write(graph(options.graph, found))
        return
    if not found and not (options.as_json or options.csv):
        what = f"no target matches {' '.join(options.words)}" if options.words else "no profiles"
        hint = "" if options.words else "; to make one: aws configure sso"
        call.terminal.notice(f"{what}{hint}")
        return
    until = cached_until(context, found)
    if options.as_json:
        write_json([_fields(each, until) for each in found])
    elif options.csv:
        write(_csv(found, until))
    elif options.tree:
        write("".join(f"{line}\n" for line in _tree(found, everything)))
    else:
        now = context.run.clock()
        write_table(_COLUMNS, [_row(each, until, now) for each in found])
        count = number_waiting(context.environ)
        if count:
            what = "1 question is" if count == 1 else f"{count} questions are"
            call.terminal.notice(f"{what} waiting: awsudo answer")


def _row(each: Outline, until: Mapping[str, float], now: float) -> Sequence[str | Cell | Span]:
    account = " ".join(filter(None, (each.account, each.account_name)))
    if each.fault:
        return (each.name, account, Span(f"{glyph('bad')} {with_tilde(each.fault)}", "red"))
    left = until.get(each.name, now) - now
    cached = Cell(brief(left), "yellow" if left < _SOON else "green") if each.name in until else ""
    return (
        each.name,
        account,
        each.role or Cell(f"({each.source})", "dim"),
        each.origin if each.path else "",
        Cell(each.region, "dim"),
        "yes" if each.mfa else "",
        cached,
    )


def _fields(each: Outline, until: Mapping[str, float]) -> dict[str, Any]:
    return {
        "target": each.name,
        "account": each.account or None,
        "account_name": each.account_name or None,
        "role": each.role or None,
        "role_arn": each.role_arn or None,
        "from": list(each.path),
        "source": each.source or None,
        "region": each.region or None,
        "mfa": each.mfa,
        "cached_until": rfc3339(until[each.name]) if each.name in until else None,
        "description": each.description or None,
        "fault": each.fault or None,
    }


def _csv(found: Sequence[Outline], until: Mapping[str, float]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer: Any = None
    for each in found:
        fields = _fields(each, until)
        fields["from"] = " ".join(fields["from"])
        fields["mfa"] = "yes" if fields["mfa"] else ""
        if writer is None:
            writer = csv.DictWriter(text, fields, lineterminator="\n")
            writer.writeheader()
        # a cell that a spreadsheet would read as a formula becomes text
        writer.writerow({name: _harmless("" if value is None else str(value)) for name, value in fields.items()})
    return text.getvalue()


def _harmless(text: str) -> str:
    """A cell that a spreadsheet would read as a formula, as text."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _tree(found: Sequence[Outline], everything: Sequence[Outline]) -> list[str]:
    """The targets as a tree. A filter keeps the path to each match; a loop and a missing source are marked."""
    by_name = {each.name: each for each in everything}
    listed = _with_parents(found, by_name)
    children: dict[str, list[str]] = {}
    roots: list[str] = []
    for name in listed:
        parent = by_name[name].parent if name in by_name else ""
        if parent:
            children.setdefault(parent, []).append(name)
        else:
            roots.append(name)
    lines: list[str] = []
    done: set[str] = set()
    bold = coloured(sys.stdout, os.environ)

    for root in [*roots, *listed]:  # a target that no root leads to becomes a root itself
        # not by recursion: a file can hold a chain of any length
        pending = [(root, "", "")] if root not in done else []
        while pending:
            name, lead, indent = pending.pop()
            if name in done:
                lines.append(f"{lead}{escape(name)}  {glyph('bad')} loop")
                continue
            done.add(name)
            lines.append(f"{lead}{escape(name)}  {_about(by_name.get(name), styled_too=bold)}".rstrip())
            own = children.get(name, [])
            below = [
                (child, indent + glyph("last" if last else "tee"), indent + ("   " if last else glyph("bar")))
                for child, last in ((child, child == own[-1]) for child in own)
            ]
            pending += reversed(below)
    return lines


def _about(each: Outline | None, *, styled_too: bool) -> str:
    """The tree's line for a target; None: a profile that does not exist."""
    if each is None:
        note = f"{glyph('bad')} not defined"
    else:
        role = f"{each.account} {each.role}".strip() or (f"({each.source})" if each.source else "")
        note = f"{role}  {glyph('bad')} {with_tilde(each.fault)}" if each.fault else role
    note = escape(note.strip())
    return styled(note, "red" if each is None or each.fault else "dim") if styled_too and note else note


def _with_parents(found: Sequence[Outline], by_name: Mapping[str, Outline]) -> list[str]:
    names: dict[str, None] = {}
    for each in found:
        path = {each.name: None}
        name = each.name
        while name not in names and name in by_name and by_name[name].parent and by_name[name].parent not in path:
            name = by_name[name].parent
            path[name] = None
        names.update(dict.fromkeys(reversed(path)))
    return list(names)
