"""Applies the inputs of a request to a chain: each is sent, or refused, or a notice says that it has no effect."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from awsudo_py.errors import ConfigError, UsageError
from awsudo_py.model import RoleHop, ScopedHop
from awsudo_py.resolve import limits
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.source_kinds import inputs_accepted, is_chaining, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from awsudo_py.model import Hop, Request, Source
    from awsudo_py.resolve.aws_config import AwsConfig

#: Inputs of AssumeRole only. Omitting one would produce another session than the user requested.
_ROLE_ONLY = ("external_id", "policy", "policy_arns", "tags", "transitive_tags", "source_identity")
_INPUTS = ("duration", "session_name", "mfa_serial", *_ROLE_ONLY)


def apply_inputs(
    source: Source, hops: tuple[RoleHop, ...], request: Request, config: AwsConfig, profile: str | None
) -> tuple[Source, tuple[RoleHop, ...], tuple[str, ...]]:
    """The chain with the inputs in it, and a notice for each input that it does not accept.

    They shape the last hop, which is the role that was named; without roles, the call that gives the profile's session.
    Raises the error of an input's origin if it cannot be sent, or breaks a bound that only the whole shows.
    """
    if request.duration is not None:
        # 12h for a role, with a token or an assertion too; 36h for GetSessionToken
        by_role = bool(hops) or "duration" in kind_of(source).accepts
        bounded = limits.duration if by_role else limits.session_duration
        bounded(request.duration, limits.written(request.origins, "duration"))
    given = {name: getattr(request, name) for name in _INPUTS if getattr(request, name)}
    if not hops and not sends_policies(source):  # narrowing.py sends them, with a call of their own
        given = {name: value for name, value in given.items() if name not in ("policy", "policy_arns")}
    accepted_by_call = _INPUTS if hops else inputs_accepted(source)
    notices = _refuse_unsent([name for name in given if name not in accepted_by_call], request, profile)
    accepted = {name: value for name, value in given.items() if name in accepted_by_call}
    if hops:
        return source, (*hops[:-1], _shaped_role(hops[-1], accepted, request, config)), notices
    added = {
        name: " ".join(value) if isinstance(value, tuple) else str(value)
        for name, value in accepted.items()
        if name in kind_of(source).accepts
    }
    source = source._replace(
        identity=tuple({**dict(source.identity), **added}.items()),
        settings=tuple({**dict(source.settings), **added}.items()),
    )
    return source, hops, notices


def sends_policies(source: Source) -> bool:
    """Whether the call for the source's own session takes session policies."""
    return "policy" in kind_of(source).accepts


def unsent_code(hops: Sequence[Hop], request: Request) -> tuple[str, ...]:
    """The notice about an MFA code that no call of these hops accepts. Raises if it was an option."""
    if not request.mfa_code or any(hop.mfa_serial for hop in hops):
        return ()
    why = "no MFA device is configured for it"
    return (_unsent(limits.written(request.origins, "mfa_code"), why, "name the device: --mfa-serial ARN"),)


def clamp(hops: Sequence[Hop], source: Source) -> tuple[tuple[Hop, ...], tuple[str, ...]]:
    """The hops with chained roles shortened to the hour that STS allows, and a notice for each."""
    result: list[Hop] = []
    notices: list[str] = []
    chained = is_chaining(source)
    for hop in hops:
        lasts = hop.duration
        if isinstance(hop, RoleHop) and chained and lasts is not None and lasts > limits.LONGEST_CHAINED:
            hop = hop._replace(duration=limits.LONGEST_CHAINED)
            notices.append(f"{hop.role_arn} is assumed from another session, so it lasts 1h instead of {lasts} s")
        result.append(hop)
        chained = True
    return tuple(result), tuple(notices)


def refuse_endless(hops: Sequence[Hop], source: Source, request: Request) -> None:
    """Refuse a --min-ttl that even a new session would not meet: it would be renewed on every run."""
    if request.min_ttl is None or not (hops or "duration" in kind_of(source).accepts):
        return
    if hops and isinstance(hops[-1], ScopedHop) and hops[-1].duration is None:
        hops = hops[:-1]
        if not hops:
            return
    if not hops and kind_of(source).by_token and not source.setting("duration"):
        return  # its service, not STS, has the default
    lasts = (hops[-1].duration if hops else int(source.setting("duration") or 0)) or limits.DEFAULT_ROLE
    if request.min_ttl >= lasts:
        raise limits.written(request.origins, "min_ttl").refuse(
            f"{request.min_ttl:g} s is not less than the session's own {lasts} s",
            "no session would ever be fresh enough: use a longer --duration or a smaller --min-ttl",
        )


def _shaped_role(hop: RoleHop, shaping: Mapping[str, Any], request: Request, config: AwsConfig) -> RoleHop:
    if not shaping:
        return hop
    # mfa_placement decides which call carries the device's code
    merged = hop._replace(**{name: value for name, value in shaping.items() if name != "mfa_serial"})
    place = config.where(hop.profile or "", "transitive_session_tags")
    in_profile = Origin(f"transitive_session_tags of profile {hop.profile} ({place})", ConfigError)
    origin = limits.written(request.origins, "transitive_tags") if "transitive_tags" in shaping else in_profile
    return merged._replace(transitive_tags=limits.transitive(merged.transitive_tags, merged.tags, origin))


def _refuse_unsent(unsent: Iterable[str], request: Request, profile: str | None) -> tuple[str, ...]:
    """A notice for each input that no call of this chain accepts. Raises if omitting one would matter."""
    notices: tuple[str, ...] = ()
    for name in unsent:
        origin, what = limits.written(request.origins, name), name.replace("_", " ")
        why = f"the session of profile {profile} takes no {what}, only that of a role assumed with it does"
        hint = f"name the role: awsudo -p {shlex.quote(profile or '')} arn:aws:iam::ACCOUNT:role/NAME …"
        if name in _ROLE_ONLY:
            raise origin.refuse(why, hint)
        notices = (*notices, _unsent(origin, why, hint))
    return notices


def _unsent(origin: Origin, why: str, hint: str) -> str:
    """The notice about an input without effect: a variable may be meant for other targets. Raises for an option."""
    if origin.error is UsageError:
        raise origin.refuse(why, hint)
    return f"{origin.name} has no effect: {why}"
