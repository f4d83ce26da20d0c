"""Puts options and AWSUDO_* variables in order: one table says what can be asked for, under which names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py import limits
from awsudo_py.errors import InvalidInput, UsageError
from awsudo_py.limits import Origin
from awsudo_py.model import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.deciding import Files


class Input(NamedTuple):
    """Something that can be asked for: how it is written, and how it is read."""

    field: str  # of Request
    flags: tuple[str, ...]
    metavar: str  # empty: a switch
    said: str  # in --help
    read: Callable[[Any, Origin, Files], Any]
    many: bool = False  # may be given more than once; in a variable, parted by commas

    @property
    def variable(self) -> str:
        """The AWSUDO_* variable that says the same."""
        return {"policy_arns": "AWSUDO_POLICY_ARNS", "tags": "AWSUDO_TAGS"}.get(
            self.field, f"AWSUDO_{self.field.upper()}"
        )


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


#: Every input of AssumeRole, and what else shapes a run. click's options, the variables and --help are made from it.
INPUTS = (
    Input(
        "duration", ("-d", "--duration"), "TIME", "How long the session lasts: 900, 15m, 1h (15m to 12h).", _duration
    ),
    Input(
        "session_name",
        ("-n", "--session-name"),
        "NAME",
        "Name of the session in CloudTrail [USER@HOST].",
        _text("session_name"),
    ),
    Input(
        "external_id",
        ("-e", "--external-id"),
        "ID",
        "External id that the role's trust policy asks for.",
        _text("external_id"),
    ),
    Input(
        "mfa_serial",
        ("-m", "--mfa-serial", "--mfa-token-arn"),
        "SERIAL",
        "MFA device: its ARN or serial number.",
        _text("mfa_serial"),
    ),
    Input(
        "mfa_code",
        ("-t", "--mfa-code", "--mfa-token"),
        "CODE",
        "Code of the MFA device; without it, the terminal is asked.",
        lambda value, origin, _files: limits.mfa_code(value, origin),
    ),
    Input("policy", ("--policy",), "JSON|FILE", "Session policy that narrows what the role may do.", _policy),
    Input(
        "policy_arns",
        ("--policy-arn",),
        "ARN",
        "Managed policy as session policy; up to ten times.",
        lambda value, origin, _files: limits.policy_arns(value, origin),
        many=True,
    ),
    Input(
        "tags",
        ("--tag",),
        "KEY=VALUE",
        "Session tag; up to fifty times.",
        lambda value, origin, _files: limits.tags(value, origin),
        many=True,
    ),
    Input(
        "transitive_tags",
        ("--transitive-tag",),
        "KEY",
        "Tag that holds through role chaining too; repeatable.",
        lambda value, _origin, _files: tuple(value),
        many=True,
    ),
    Input(
        "source_identity",
        ("--source-identity",),
        "NAME",
        "Who is behind the session, for CloudTrail.",
        _text("source_identity"),
    ),
    Input("region", ("--region",), "REGION", "Region for STS and for the command.", _text("region")),
    Input(
        "min_ttl",
        ("--min-ttl",),
        "TIME",
        "Least time the credentials must still be valid [5m, or a third].",
        lambda value, origin, _files: limits.span(value, origin),
    ),
    Input("refresh", ("--refresh",), "", "Renew the session even if it is fresh.", _switch),
    Input("no_cache", ("--no-cache",), "", "Neither read nor keep sessions.", _switch),
)


def read_inputs(options: Mapping[str, Any], environ: Mapping[str, str], files: Files) -> dict[str, Any]:
    """The fields of a Request that options and variables set; an option wins. Raises the error of a value's origin."""
    found: dict[str, Any] = {}
    for wanted in INPUTS:
        value = options.get(wanted.field)
        if value:
            origin = Origin(wanted.flags[-1] if len(wanted.flags) == 1 else wanted.flags[1], UsageError)
        elif environ.get(wanted.variable):
            value, origin = environ[wanted.variable], Origin(wanted.variable, InvalidInput)
            if wanted.many:
                value = [word.strip() for word in value.split(",") if word.strip()]
        else:
            continue
        found[wanted.field] = wanted.read(value, origin, files)
    return found


def exec_request(
    words: Sequence[str], profile: str | None, inputs: Mapping[str, Any], *, dashed: bool = False
) -> Request:
    """The request out of the words after the options: [ROLE] [--] [COMMAND …] with -p, else TARGET [--] [COMMAND …].

    dashed: whether a `--` that ended the options stands right before these words. Raises UsageError.
    """
    from awsudo_py.roles import looks_like_role, unquoted

    rest = list(words)
    target = role = None
    if profile is None:
        if not rest:
            raise UsageError("no target: which profile or role?", hint="awsudo TARGET COMMAND…; see awsudo --help")
        target = unquoted(rest.pop(0))
        dashed = False
    elif rest and not dashed and looks_like_role(rest[0]):
        role = unquoted(rest.pop(0))
    if rest and rest[0] == "--" and not dashed:
        rest.pop(0)
    return Request(target=target, profile=profile, role=role, command=tuple(rest), **inputs)
