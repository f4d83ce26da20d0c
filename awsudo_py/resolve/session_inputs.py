"""Lets the inputs that were asked for shape a chain: each is sent, or refused, or it is told that it is not sent."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from awsudo_py.errors import ConfigError, UsageError
from awsudo_py.model import RoleHop
from awsudo_py.resolve import limits
from awsudo_py.resolve.limits import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from awsudo_py.model import Hop, Request, Source
    from awsudo_py.resolve.aws_config import AwsConfig

#: What only AssumeRole takes. Leaving it out would give another session than the one that was asked for.
_ROLE_ONLY = ("external_id", "policy", "policy_arns", "tags", "transitive_tags", "source_identity")
_SHAPING = ("duration", "session_name", "mfa_serial", *_ROLE_ONLY)
#: Which of it is taken where no role is assumed: by GetSessionToken, and by the kinds of source that have a call. (A
#: credential_process may turn out to give long-lived keys.)
_TAKEN_BY = {
    "long-lived keys": ("duration", "mfa_serial"),
    "web-identity": ("duration", "session_name"),
    "process": ("duration", "mfa_serial"),
}


def shaped(
    source: Source, hops: tuple[RoleHop, ...], request: Request, config: AwsConfig, profile: str | None
) -> tuple[Source, tuple[RoleHop, ...], tuple[str, ...]]:
    """The chain with the inputs in it, and what is to be told of those that it does not take.

    They shape the last hop, the role that was asked for; where there is none, what gives the profile's session. Raises
    the error of an input's origin where it cannot be sent, or breaks a bound that only the whole shows.
    """
    given = {name: getattr(request, name) for name in _SHAPING if getattr(request, name)}
    last = hops[-1] if hops else None
    kind = "long-lived keys" if source.credentials is not None and not source.temporary else source.kind
    takes = _SHAPING if last is not None else _TAKEN_BY.get(kind, ())
    told = _told_of([name for name in given if name not in takes], request, profile)
    shaping = {name: value for name, value in given.items() if name in takes}
    if last is not None:
        hops = (*hops[:-1], _shaped_role(last, shaping, request, config))
    elif kind == "web-identity":
        added = {name: str(value) for name, value in shaping.items()}
        source = source._replace(
            identity=tuple({**dict(source.identity), **added}.items()),
            settings=tuple({**dict(source.settings), **added}.items()),
        )
    return source, hops, told


def told_of_code(hops: Sequence[Hop], request: Request) -> tuple[str, ...]:
    """What is told of an MFA code that no call of these takes. Raises where it was an option."""
    if not request.mfa_code or any(hop.mfa_serial for hop in hops):
        return ()
    why = "no MFA device is named that the code could be of"
    return (_unsent(limits.written(request.origins, "mfa_code"), why, "name the device: --mfa-serial ARN"),)


def clamped(hops: Sequence[Hop], source: Source) -> tuple[tuple[Hop, ...], tuple[str, ...]]:
    """The hops, and what is to be told: STS gives chained roles one hour at most, and refuses to hear of more."""
    result: list[Hop] = []
    notices: list[str] = []
    chained = source.temporary
    for hop in hops:
        asked = hop.duration
        if isinstance(hop, RoleHop) and chained and asked is not None and asked > limits.LONGEST_CHAINED:
            hop = hop._replace(duration=limits.LONGEST_CHAINED)
            notices.append(f"{hop.role_arn} is assumed from another session, so it lasts 1h instead of {asked} s")
        result.append(hop)
        chained = True
    return tuple(result), tuple(notices)


def refuse_endless(hops: Sequence[Hop], source: Source, request: Request) -> None:
    """Refuse a --min-ttl that even a new session would not have: it would be renewed on every run for ever."""
    if request.min_ttl is None or not (hops or source.kind == "web-identity"):
        return
    lasts = (hops[-1].duration if hops else int(source.setting("duration") or 0)) or limits.DEFAULT_ROLE
    if request.min_ttl >= lasts:
        raise limits.written(request.origins, "min_ttl").refuse(
            f"{request.min_ttl:g} s is not less than the session's own {lasts} s",
            "no session could ever be new enough: ask for a longer one (--duration) or a smaller --min-ttl",
        )


def _shaped_role(hop: RoleHop, shaping: Mapping[str, Any], request: Request, config: AwsConfig) -> RoleHop:
    # mfa.py says which call has the device's code
    merged = hop._replace(**{name: value for name, value in shaping.items() if name != "mfa_serial"})
    if "duration" in shaping:
        limits.duration(shaping["duration"], limits.written(request.origins, "duration"))
    place = config.where(hop.profile or "", "transitive_session_tags")
    in_profile = Origin(f"transitive_session_tags of profile {hop.profile} ({place})", ConfigError)
    origin = limits.written(request.origins, "transitive_tags") if "transitive_tags" in shaping else in_profile
    return merged._replace(transitive_tags=limits.transitive(merged.transitive_tags, merged.tags, origin))


def _told_of(unsent: Iterable[str], request: Request, profile: str | None) -> tuple[str, ...]:
    """What is told of inputs that no call of this chain has. Raises where leaving one out is no small thing."""
    told: tuple[str, ...] = ()
    for name in unsent:
        origin, what = limits.written(request.origins, name), name.replace("_", " ")
        why = f"the session of profile {profile} takes no {what}, only that of a role assumed with it does"
        hint = f"name the role: awsudo -p {shlex.quote(profile or '')} arn:aws:iam::ACCOUNT:role/NAME …"
        if name in _ROLE_ONLY:
            raise origin.refuse(why, hint)
        told = (*told, _unsent(origin, why, hint))
    return told


def _unsent(origin: Origin, why: str, hint: str) -> str:
    """What is told of an input without effect: a variable may be meant for other targets. Raises for an option."""
    if origin.error is UsageError:
        raise origin.refuse(why, hint)
    return f"{origin.name} has no effect: {why}"
