"""Puts options and AWSUDO_* variables in order, and makes a request of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from awsudo_py import limits
from awsudo_py.errors import InvalidInput, UsageError
from awsudo_py.limits import Origin
from awsudo_py.model import Request
from awsudo_py.options import INPUTS
from awsudo_py.role_words import looks_like_role, unquoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.deciding import Files


def _text(kind: str) -> Callable[[Any, Origin, Files], str]:
    return lambda value, origin, _files: limits.text(kind, value, origin)


def _duration(value: str, origin: Origin, _files: Files) -> int:
    return limits.duration(limits.span(value, origin), origin, most=limits.LONGEST_SESSION_TOKEN)


def _policy(value: str, origin: Origin, files: Files) -> str:
    if value.lstrip().startswith("{"):
        return limits.policy(value, origin)
    path = os.path.expanduser(value.removeprefix("file://"))
    try:
        content = files.read(path)
        if content is None:
            raise origin.refuse(f"there is no file {path}", "give a file's path, or the policy's JSON itself")
        return limits.policy(content.decode("utf-8"), Origin(f"{origin.name} ({path})", origin.error))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise origin.refuse(
            f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
        ) from None


def _switch(value: Any, origin: Origin, _files: Files) -> bool:
    if isinstance(value, bool):
        return value
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if value.lower() not in known:
        raise origin.refuse(f"{value!r} is neither 1 nor 0")
    return known[value.lower()]


#: How the value of each input is read; a switch has True, or a variable's text.
_READ: dict[str, Callable[[Any, Origin, Files], Any]] = {
    "duration": _duration,
    "session_name": _text("session_name"),
    "external_id": _text("external_id"),
    "mfa_serial": _text("mfa_serial"),
    "mfa_code": lambda value, origin, _files: limits.mfa_code(value, origin),
    "policy": _policy,
    "policy_arns": lambda value, origin, _files: limits.policy_arns(value, origin),
    "tags": lambda value, origin, _files: limits.tags(value, origin),
    "transitive_tags": lambda value, _origin, _files: tuple(value),
    "source_identity": _text("source_identity"),
    "region": _text("region"),
    "min_ttl": lambda value, origin, _files: limits.span(value, origin),
    "refresh": _switch,
    "no_cache": _switch,
}


def read_inputs(options: Mapping[str, Any], environ: Mapping[str, str], files: Files) -> dict[str, Any]:
    """The fields of a Request that options and variables set; an option wins. Raises the error of a value's origin."""
    found: dict[str, Any] = {}
    for wanted in INPUTS:
        value = options.get(wanted.field)
        if value:
            origin = Origin(wanted.name, UsageError)
        elif environ.get(wanted.variable):
            value, origin = environ[wanted.variable], Origin(wanted.variable, InvalidInput)
            if wanted.many:
                value = [word.strip() for word in value.split(",") if word.strip()]
        else:
            continue
        found[wanted.field] = _READ[wanted.field](value, origin, files)
    return found


def exec_request(
    words: Sequence[str], profile: str | None, inputs: Mapping[str, Any], *, dashed: bool = False
) -> Request:
    """The request out of the words after the options: [ROLE] [--] [COMMAND …] with -p, else TARGET [--] [COMMAND …].

    dashed: whether a `--` that ended the options stands right before these words. Raises UsageError.
    """
    rest = list(words)
    target = role = None
    if profile is None:
        if not rest:
            raise no_target()
        target = unquoted(rest.pop(0))
        dashed = False
    elif rest and not dashed and looks_like_role(rest[0]):
        role = unquoted(rest.pop(0))
    if rest and rest[0] == "--" and not dashed:
        rest.pop(0)
    return Request(target=target, profile=profile, role=role, command=tuple(rest), **inputs)


def no_target() -> UsageError:
    """The error where nothing is named and nothing can be picked."""
    return UsageError("no target: which profile or role?", hint="awsudo TARGET COMMAND…; see awsudo --help")
