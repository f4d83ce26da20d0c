"""Explains a target: every value with the place that sets it, the cache, and what the command would get; no call."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py import child
from awsudo_py.aws_credentials import Credentials, rfc3339
from awsudo_py.child_environment import changes_for, marked
from awsudo_py.cli.output import terminal_width, write, write_json
from awsudo_py.durations import brief
from awsudo_py.errors import AwsudoError
from awsudo_py.grammar.options import INPUTS
from awsudo_py.model import RoleHop, ScopedHop, SessionTokenHop
from awsudo_py.resolve import limits
from awsudo_py.resolve.outline import account_and_role, account_names
from awsudo_py.resolve.setting_lines import setting_lines
from awsudo_py.resolve.source_kinds import kind_of
from awsudo_py.terminal import coloured, escape, styled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awsudo_py.context import Context
    from awsudo_py.model import Hop, Request, RoleChain
    from awsudo_py.sessions.obtain import Obtain

#: Fields of a hop that are explained → the key of a profile that sets each.
_KEYS = {
    "duration": "duration_seconds",
    "session_name": "role_session_name",
    "external_id": "external_id",
    "mfa_serial": "mfa_serial",
    "policy": "",
    "policy_arns": "",
    "tags": "session_tags",
    "transitive_tags": "transitive_session_tags",
    "source_identity": "source_identity",
    "description": "",
}
#: Fields that inputs of another name shape too (resolve/narrowing): the input, and the profile's key for it.
_SHAPED_BY = {
    "policy": (("only", "awsudo_only"), ("read_only", "awsudo_read_only")),
    "policy_arns": (("read_only", "awsudo_read_only"),),
    "duration": (("shorten", ""),),
    "description": (("reason", ""),),
    "tags": (("reason", "awsudo_reason_tag"),),
    "source_identity": (("reason", "awsudo_reason"),),
}
#: The key of a profile that makes it a source of that kind.
_SOURCE_KEYS = {
    "keys": "aws_access_key_id",
    "sso": "sso_account_id",
    "process": "credential_process",
    "web-identity": "web_identity_token_file",
    "login": "login_session",
}
_OPTIONS = {option.field: option for option in INPUTS}
#: The column of the places; a longer line does not widen it.
_WIDEST = 46
#: Variables whose values come from the session.
_OF_SESSION = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_CREDENTIAL_EXPIRATION", "AWSUDO_EXPIRATION"),
)


class _Place(NamedTuple):
    """Where a value is set: a file and its line, an option, a variable, or nothing (the default)."""

    text: str
    file: str = ""
    line: int | None = None

    def fields(self) -> dict[str, Any]:
        """The place for programs."""
        return {"place": self.text, "file": self.file or None, "line": self.line}


def show(
    context: Context,
    request: Request,
    chain: RoleChain,
    command: Sequence[str],
    *,
    as_json: bool = False,
    names: bool = False,
) -> None:
    """Write the explanation of the chain that a request resolved to. names: list the variables too."""
    found = explanation(context, request, chain, command)
    if as_json:
        write_json(found)
        return
    bold, width = coloured(sys.stdout, os.environ), terminal_width()
    write("".join(f"{line}\n" for line in _lines(found, context.run.clock(), names=names, bold=bold, width=width)))


def explanation(context: Context, request: Request, chain: RoleChain, command: Sequence[str]) -> dict[str, Any]:
    """The whole explanation of the chain, as data, without secrets."""
    from awsudo_py.session_for import obtain

    places = _Places(context)
    accounts = account_names(context.config.profile(name) or {} for name in context.config.names())
    way = obtain(context, chain, request)
    steps = [_source(chain, places, way)]
    last = len(chain.hops)
    for number, hop in enumerate(chain.hops, 1):
        steps.append(
            {
                "step": number + 1,
                **_hop(hop, places, request, chain, last=number == last, chained=_is_chained(chain, number)),
                "cached": _cached(way, number),
            }
        )
        steps[-1]["account_name"] = accounts.get(steps[-1].get("account") or "")
    region, region_place = _region(context, request, chain, places)
    endpoint = chain.endpoint
    return {
        "target": chain.target,
        "steps": steps,
        "sts": {
            "endpoint": endpoint.url or (f"endpoint of {endpoint.region}" if endpoint.region else "global endpoint"),
            "partition": endpoint.partition,
        },
        "region": {"value": region, **region_place.fields()},
        "mfa": _mfa(chain),
        "notes": [*chain.notices, *chain.call_notices, *chain.details],
        "next_run": _next_run(context, request, chain, way),
        "environment": _environment(context, chain),
        "command": _command(command),
    }


class _Places:
    """Finds settings and their lines; each file is read once."""

    def __init__(self, context: Context) -> None:
        self.config = context.config
        self._files = context.files
        self._lines: dict[str, dict[tuple[str, str], int]] = {}

    def setting(self, profile: str, key: str) -> _Place:
        """The place of a profile's setting."""
        file = self.config.where(profile, key)
        line = self._of(file).get((profile, key))
        return _Place(f"{_home(file)}:{line}" if line else _home(file), file, line)

    def _of(self, file: str) -> dict[tuple[str, str], int]:
        if file not in self._lines:
            content = self._files.read(file) or b""
            in_config = file == self.config.config_file
            self._lines[file] = setting_lines(content.decode("utf-8", "replace"), in_config=in_config)
        return self._lines[file]


def _source(chain: RoleChain, places: _Places, way: Obtain) -> dict[str, Any]:
    source = chain.source
    key = _SOURCE_KEYS.get(source.kind, "")
    settings = places.config.profile(source.profile) or {} if source.profile else {}
    place = places.setting(source.profile, key) if source.profile and key in settings else _Place(_home(source.where))
    return {
        "step": 1,
        "kind": source.kind,
        "title": f"{kind_of(source).noun} credentials" + (f" of profile {source.profile}" if source.profile else ""),
        "profile": source.profile,
        **place.fields(),
        "access_key_id": dict(source.identity).get("access_key_id"),
        "account": source.setting("sso_account_id") or None,
        "values": [],
        "cached": _cached(way, 0),
    }


def _is_chained(chain: RoleChain, number: int) -> bool:
    """Whether the hop of this number (from 1) is role chaining."""
    return any(isinstance(hop, RoleHop) for hop in chain.hops[: number - 1])


def _hop(hop: Hop, places: _Places, request: Request, chain: RoleChain, *, last: bool, chained: bool) -> dict[str, Any]:
    if isinstance(hop, ScopedHop):
        title, arn, place = "the same session, narrowed", "", _Place("GetScopedCredentials")
    elif not isinstance(hop, RoleHop):
        title, arn = "session of these keys", ""
        place = _Place("long-lived keys never reach a command" if not hop.mfa_serial else "one MFA code for all roles")
    else:
        arn = hop.role_arn
        title = f"role/{account_and_role(arn)[1] or arn}"
        place = places.setting(hop.profile, "role_arn") if hop.profile else _Place("named on the command line")
    others = [*(each.profile for each in reversed(chain.hops)), chain.source.profile]
    found = (_value(field, hop, places, request, last=last, others=others) for field in _KEYS)
    values = [each for each in found if each is not None]
    if isinstance(hop, RoleHop) and chained:
        for each in values:
            if each["name"] == "duration":
                each["note"] = "role chaining: at most 1h"
    return {
        "kind": "role" if arn else "session",
        "title": title,
        "profile": hop.profile,
        **place.fields(),
        "role_arn": arn or None,
        "account": account_and_role(arn)[0] or None,
        "values": values,
    }


def _value(
    field: str, hop: Hop, places: _Places, request: Request, *, last: bool, others: Sequence[str | None]
) -> dict[str, Any] | None:
    """One value of a hop, the place that sets it, and what that place overrides; None if there is nothing to report."""
    value = getattr(hop, field, None)
    ways: list[tuple[str, _Place]] = []
    origins = request.origins
    # the request's inputs shape the last call, and the device the call that takes its code
    origin = origins.get(field) if last or field == "mfa_serial" else None
    if origin is not None:
        ways.append((_text(field, value), _Place(origin.name)))
        variable = os.environ.get(_OPTIONS[field].variable, "")
        if origin.name.startswith("--") and variable:
            ways.append((variable, _Place(_OPTIONS[field].variable)))
    if field == "duration" and isinstance(hop, SessionTokenHop) and "mfa_session_duration" in origins:
        ways.append((_text(field, value), _Place(origins["mfa_session_duration"].name)))
    key = _KEYS[field]
    # a device may be named by another profile of the chain than the one whose call takes the code
    profiles = (hop.profile, *others) if field == "mfa_serial" else (hop.profile,)
    for profile in filter(None, profiles):
        settings = places.config.profile(profile) or {}
        if key and key in settings and (field != "mfa_serial" or settings[key] == value or origin is not None):
            text = settings[key] if origin is not None else _text(field, value)
            ways.append((text, places.setting(profile, key)))
            break
    if not value:
        if isinstance(hop, RoleHop) and field in ("duration", "session_name"):
            text = brief(limits.DEFAULT_ROLE) if field == "duration" else _session_name()
            return {"name": field, "value": text, **_Place("default").fields(), "overrides": []}
        return None
    if not ways and last:
        for shaping, setting in _SHAPED_BY.get(field, ()):
            if shaping in origins:
                ways.append((_text(field, value), _Place(origins[shaping].name)))
            elif setting and setting in (places.config.profile(hop.profile or "") or {}):
                ways.append((_text(field, value), places.setting(hop.profile or "", setting)))
        ways = ways[:1]
    shown, place = ways[0] if ways else (_text(field, value), _Place("default"))
    overridden = [{"value": text, **each.fields()} for text, each in ways[1:]]
    return {"name": field, "value": shown, **place.fields(), "overrides": overridden}


def _text(field: str, value: Any) -> str:
    if field == "duration":
        return brief(value or limits.DEFAULT_ROLE)
    if field == "policy":
        return f"{len(value)} characters of JSON"
    if field == "tags":
        return ", ".join(f"{key}={text}" for key, text in value)
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _session_name() -> str:
    from awsudo_py.session_for import session_name

    return session_name()


def _region(context: Context, request: Request, chain: RoleChain, places: _Places) -> tuple[str | None, _Place]:
    from awsudo_py.resolve.endpoints import Endpoints

    named = request.profile is not None or chain.config_profile == request.target
    endpoints = Endpoints(context.config, context.deciding)
    region, origin = endpoints.region(request, chain.config_profile, named=named)
    if origin.startswith("region of profile") and chain.config_profile:
        return region, places.setting(chain.config_profile, "region")
    return region, _Place(origin)


def _mfa(chain: RoleChain) -> dict[str, Any]:
    serials = [(number, hop.mfa_serial) for number, hop in enumerate(chain.hops, 2) if hop.mfa_serial]
    process = chain.mfa_process
    return {
        "step": serials[0][0] if serials else None,
        "serial": serials[0][1] if serials else None,
        "code_from": None if not serials else process.where if process else "the terminal",
    }


def _cached(way: Obtain, hops: int) -> dict[str, Any]:
    found = way.cached(hops)
    until = found.session.expiration if found.session is not None else None
    return {"until": rfc3339(until) if until is not None else None, "why": found.why}


def _next_run(context: Context, request: Request, chain: RoleChain, way: Obtain) -> dict[str, Any]:
    """Whether the next run calls AWS, and whether it replays an earlier one."""
    from awsudo_py.replay import session_of, surroundings, verdict_for
    from awsudo_py.sessions.file_store import FileStore, cache_directory

    cached = way.cached()
    directory = cache_directory(context.environ)
    replayed = False
    if directory is not None and cached.session is not None:
        store = FileStore(directory)
        words = ["-p", request.profile] if request.profile is not None else [request.target or ""]
        verdict = verdict_for(words, surroundings(context.environ, store), store) if not request.origins else None
        replayed = verdict is not None and session_of(verdict, store, context.run.clock()) is not None
    reasons = {
        "its credentials are fetched on every run": not kind_of(chain.source).replayable,
        "the OS keyring holds its session": request.store == "keyring",
        "it prints a notice": bool(chain.notices),
        "no run with exactly these words and files is on record": True,
    }
    return {
        "calls_aws": cached.session is None,
        "why": cached.why or None,
        "replays": replayed,
        "why_not_replayed": None if replayed else next(why for why, holds in reasons.items() if holds),
    }


def _environment(context: Context, chain: RoleChain) -> dict[str, Any]:
    """The variables that the command would get and lose: names, and the values that are not secret."""
    nobody = Credentials("", "", "", context.run.clock() + 3600)
    changes = changes_for(
        nobody,
        context.environ,
        target=chain.target,
        role_arn=chain.role_arn,
        region=chain.region or "",
        settings=marked(dict(chain.settings)),
    )
    return {
        "set": {name: None if name in _OF_SESSION else value for name, value in changes.items() if value is not None},
        "removed": [name for name, value in changes.items() if value is None and name in context.environ],
    }


def _command(command: Sequence[str]) -> dict[str, Any] | None:
    if not command:
        return None
    try:
        return {"words": [*command], "path": child.find(command[0], os.environ), "fault": None}
    except AwsudoError as error:
        return {"words": [*command], "path": None, "fault": error.message}


def _home(text: str) -> str:
    home = os.path.expanduser("~")
    return text.replace(home + os.sep, f"~{os.sep}") if len(home) > 1 else text


# the text


def _lines(found: dict[str, Any], now: float, *, names: bool, bold: bool, width: int | None) -> Iterator[str]:
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
    import calendar

    return float(calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")))


def _clock(moment: str) -> str:
    return time.strftime("%H:%M", time.localtime(_seconds(moment)))
