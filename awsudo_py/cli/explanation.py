"""Explains a target: every value with the place that sets it, the cache, and what the command would get; no call."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from awsudo_py import child
from awsudo_py.aws_credentials import Credentials, rfc3339
from awsudo_py.child_environment import changes_for, marked
from awsudo_py.cli.explanation_lines import lines_of
from awsudo_py.cli.output import terminal_width, write, write_json
from awsudo_py.display import coloured
from awsudo_py.errors import AwsudoError
from awsudo_py.resolve.explain import Place
from awsudo_py.resolve.outline import account_names
from awsudo_py.resolve.source_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.context import Context
    from awsudo_py.model import Request, RoleChain
    from awsudo_py.resolve.explain import Explained, Step, Value
    from awsudo_py.sessions.obtain import Obtain

#: Variables whose values come from the session.
_OF_SESSION = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_CREDENTIAL_EXPIRATION", "AWSUDO_EXPIRATION"),
)


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
    lines = lines_of(found, context.run.clock(), names=names, bold=bold, width=width)
    write("".join(f"{line}\n" for line in lines))


def explanation(context: Context, request: Request, chain: RoleChain, command: Sequence[str]) -> dict[str, Any]:
    """The whole explanation of the chain, as data, without secrets."""
    from awsudo_py.session_for import explained, obtain

    about = explained(context, request, chain)
    accounts = account_names(context.config.profile(name) or {} for name in context.config.names())
    way = obtain(context, chain, request)
    region, region_place = _region(context, request, chain, about)
    endpoint = chain.endpoint
    return {
        "target": chain.target,
        "steps": [
            {
                "step": number + 1,
                **_step(step),
                "account_name": accounts.get(step.account),
                "cached": _cached(way, number),
            }
            for number, step in enumerate(about.steps())
        ],
        "sts": {
            "endpoint": endpoint.url or (f"endpoint of {endpoint.region}" if endpoint.region else "global endpoint"),
            "partition": endpoint.partition,
        },
        "region": {"value": region, **_place(region_place)},
        "mfa": _mfa(chain),
        "notes": [*chain.notices, *chain.call_notices, *chain.details],
        "next_run": _next_run(context, request, chain, way),
        "environment": _environment(context, chain),
        "command": _command(command),
    }


def _place(place: Place) -> dict[str, Any]:
    return {"place": place.text, "file": place.file or None, "line": place.line}


def _step(step: Step) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "title": step.title,
        "profile": step.profile,
        **_place(step.place),
        "access_key_id": step.access_key_id or None,
        "role_arn": step.role_arn or None,
        "account": step.account or None,
        "values": [_value(value) for value in step.values],
    }


def _value(value: Value) -> dict[str, Any]:
    overrides = [{"value": text, **_place(place)} for text, place in value.overrides]
    note = {"note": value.note} if value.note else {}
    return {"name": value.name, "value": value.text, **_place(value.place), "overrides": overrides, **note}


def _region(context: Context, request: Request, chain: RoleChain, about: Explained) -> tuple[str | None, Place]:
    from awsudo_py.resolve.endpoints import Endpoints

    named = request.profile is not None or chain.config_profile == request.target
    endpoints = Endpoints(context.config, context.deciding)
    region, origin = endpoints.region(request, chain.config_profile, named=named)
    if origin.startswith("region of profile") and chain.config_profile:
        return region, about.setting(chain.config_profile, "region")
    return region, Place(origin)


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
