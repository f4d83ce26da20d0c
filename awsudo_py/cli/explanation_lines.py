"""Writes the explanation of a target as lines for people."""

from __future__ import annotations

import calendar
import time
from typing import TYPE_CHECKING, Any

from awsudo_py.display import escape, styled
from awsudo_py.durations import brief

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The column of the places; a longer line does not widen it.
_WIDEST = 46


def lines_of(found: dict[str, Any], now: float, *, names: bool, bold: bool, width: int | None) -> Iterator[str]:
    """The lines of what explanation() found. names: list the variables too; width: that of the terminal, if known."""

    def mark(text: str, style: str) -> str:
        return styled(escape(text), style) if bold and text else escape(text)

    yield mark(found["target"], "bold")
    rows = list(_rows(found, now))
    column = min(max(len(left) for left, _ in rows), _WIDEST)
    for left, right in rows:
        if width is not None and max(len(left), column) + 2 + len(right) > width and right:
            # no room behind it: below it
            yield escape(left)
            yield f"{' ' * 12}{mark(right, 'dim')}"
        else:
            yield f"{escape(left):<{column}}  {mark(right, 'dim')}".rstrip()
    for note in found["notes"]:
        yield f"  note      {escape(note)}"
    if names:
        yield "  sets      " + escape(", ".join(found["environment"]["set"]))
        yield "  removes   " + escape(", ".join(found["environment"]["removed"]) or "nothing")


def _rows(found: dict[str, Any], now: float) -> Iterator[tuple[str, str]]:
    """Each line, with the place or the explanation behind it."""
    for step in found["steps"]:
        account = " ".join(filter(None, (step.get("account"), _named(step.get("account_name")))))
        about = account or _short(step.get("access_key_id"))
        yield f"  {step['step']}  {step['title']}{f'  {about}' if about else ''}", step["place"]
        for value in step["values"]:
            note = f"; {value['note']}" if value.get("note") else ""
            over = "".join(f"; overrides {each['value']} ({each['place']})" for each in value["overrides"])
            yield f"       {value['name'].replace('_', ' ')}  {value['value']}", value["place"] + note + over
    for title, text, place in (
        ("STS", found["sts"]["endpoint"], f"partition {found['sts']['partition']}"),
        ("region", found["region"]["value"] or "not set", found["region"]["place"]),
        ("MFA", *_about_mfa(found["mfa"])),
        ("cache", _about_cache(found, now), ""),
        ("next run", _about_next_run(found["next_run"]), ""),
        ("command", *_about_command(found)),
    ):
        yield f"  {title:<9} {text}", place


def _named(name: str | None) -> str:
    return f"({name})" if name else ""


def _short(access_key_id: str | None) -> str:
    return f"{access_key_id[:4]}...{access_key_id[-4:]}" if access_key_id else ""


def _about_mfa(mfa: dict[str, Any]) -> tuple[str, str]:
    if mfa["serial"] is None:
        return "not needed", ""
    return f"a code of {mfa['serial']} for step {mfa['step']}", f"from {mfa['code_from']}"


def _about_cache(found: dict[str, Any], now: float) -> str:
    parts = []
    for step in found["steps"]:
        until = step["cached"]["until"]
        if until is not None:
            left = _seconds(until) - now
            parts.append(f"step {step['step']} until {_clock(until)} ({brief(left)})")
    return ", ".join(parts) or found["next_run"]["why"] or "nothing"


def _about_next_run(run: dict[str, Any]) -> str:
    if run["calls_aws"]:
        return f"calls AWS: {run['why']}"
    if run["replays"]:
        return "calls nothing, and replays an earlier run"
    return f"calls nothing; resolves the target again: {run['why_not_replayed']}"


def _about_command(found: dict[str, Any]) -> tuple[str, str]:
    environment, command = found["environment"], found["command"]
    values = [f"{name}={value}" for name, value in environment["set"].items() if name.startswith("AWS_") and value]
    text = f"{len(environment['set'])} variables set, {len(environment['removed'])} removed"
    if command is not None:
        text = f"{command['path'] or command['fault']}; {text}"
    return text, ", ".join(values)


def _seconds(moment: str) -> float:
    return float(calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")))


def _clock(moment: str) -> str:
    return time.strftime("%H:%M", time.localtime(_seconds(moment)))
