"""Reads how long ago something was, and writes moments for people, in local time."""

from __future__ import annotations

import calendar
import re
import time

from awsudo_py.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def seconds_ago(text: str, name: str, *, most: int | None = None) -> int:
    """Seconds in a text such as 45m, 12h, 7d or 2w. name: what messages call it. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip().lower(), re.ASCII)
    if match is None or not int(match[1]):
        raise UsageError(f"{name}: invalid time {text!r}", hint="a number and a unit: 30m, 12h, 7d")
    seconds = int(match[1]) * _UNITS[match[2]]
    if most is not None and seconds > most:
        raise UsageError(f"{name}: {text} is too long ago", hint=f"the longest is {most // 86_400}d")
    return seconds


def for_people(moment: str, now: float) -> str:
    """A moment (RFC 3339, UTC) in local time: `today 14:02`, `yesterday 09:10`, `25 Nov 03:11`, `25 Nov 2025`."""
    try:
        at = calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return moment
    then, today = time.localtime(at), time.localtime(now)
    clock = time.strftime("%H:%M", then)
    days = _day(today) - _day(then)
    if days in (0, 1):
        return f"{'yesterday' if days else 'today'} {clock}"
    date = f"{then.tm_mday} {time.strftime('%b', then)}"
    return f"{date} {clock}" if 0 < days < 300 else f"{date} {then.tm_year}"


def _day(moment: time.struct_time) -> int:
    return calendar.timegm((moment.tm_year, moment.tm_mon, moment.tm_mday, 0, 0, 0)) // 86_400
