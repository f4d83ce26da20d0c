"""Decides where an MFA code goes: to a session that all roles of a source share, or along with one AssumeRole.

1. The device is the one that the request names, else that of the first role, else that of the source's profile. It
   belongs to the user whose keys begin the chain, so only the first call can carry its code: an AssumeRole from a
   role's session cannot.
2. Long-lived keys get a session with the code (GetSessionToken), and the roles are assumed from it: one code serves
   them all.
3. The code goes with AssumeRole if no such session can be had, or if it would not do: the source is a session itself,
   the first role is to last longer than role chaining allows, or the user prefers it.
4. A device of the source's profile guards the keys of the source. A source that gives a session has passed it already.
   awsudo_confirm = mfa requires that: there the code confirms the run, and must reach the call for its session.
5. If only the call shows whether a source returns keys or a session (a credential_process), both verdicts are returned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import ConfigError
from awsudo_py.model import Program, RoleHop, SessionTokenHop
from awsudo_py.resolve import limits
from awsudo_py.resolve.limits import DEFAULT_ROLE, DEFAULT_SESSION_TOKEN, LONGEST_CHAINED, Origin
from awsudo_py.resolve.source_kinds import gives_session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from awsudo_py.model import Hop, Request, Source
    from awsudo_py.resolve.aws_config import AwsConfig


class MfaInputs(NamedTuple):
    """The MFA settings of options, variables and profiles, in their order."""

    serial: str | None = None  # of an option or variable; a profile's is with its role or its source
    duration: int | None = None  # seconds; of the command's session, if it is one of keys
    session_duration: int = DEFAULT_SESSION_TOKEN  # seconds; of the session that roles share
    per_role: str = ""  # the setting that turns sharing a session off; empty: none does
    process: Program | None = None  # what prints the code
    confirms: str = ""  # the setting that makes the code the confirmation of a run; empty: none does


def mfa_inputs(request: Request, config: AwsConfig, profiles: Iterable[str | None]) -> MfaInputs:
    """The MFA settings of the request and these profiles, the target's first. Raises ConfigError."""
    found: dict[str, str] = {}
    origins: dict[str, Origin] = {}
    for name in profiles:
        settings = (config.profile(name) or {}) if name is not None else {}
        for key in ("mfa_session_duration", "mfa_per_role", "mfa_process"):
            if name is not None and settings.get(key) and key not in found:
                found[key] = settings[key]
                origins[key] = Origin(f"{key} of profile {name} ({config.where(name, key)})", ConfigError)
    lasts, per_role = request.mfa_session_duration, request.mfa_per_role
    if lasts is None and "mfa_session_duration" in found:
        there = origins["mfa_session_duration"]
        lasts = limits.session_duration(limits.span(found["mfa_session_duration"], there), there)
    origin_name = limits.written(request.origins, "mfa_per_role").name
    if per_role is None and "mfa_per_role" in found:
        origin_name = origins["mfa_per_role"].name
        per_role = limits.switch(found["mfa_per_role"], origins["mfa_per_role"])
    process = None
    if request.mfa_process:
        process = Program(request.mfa_process, limits.written(request.origins, "mfa_process").name)
    elif "mfa_process" in found:
        process = Program(found["mfa_process"], origins["mfa_process"].name)
    return MfaInputs(
        request.mfa_serial,
        request.duration,
        DEFAULT_SESSION_TOKEN if lasts is None else lasts,
        origin_name if per_role else "",
        process,
    )


class Placement(NamedTuple):
    """A chain's hops with the code in its place."""

    hops: tuple[Hop, ...]
    if_session: tuple[Hop, ...] | None = None  # rule 5: the hops if the source turns out to give a session
    why: str = ""  # why the code goes with one role alone; empty: it does not, or there was no choice


def place(source: Source, hops: tuple[RoleHop, ...], inputs: MfaInputs) -> Placement:
    """The hops from this source with the MFA code where it serves most. Raises ConfigError (rule 3)."""
    gives = gives_session(source)
    placement = (_place_after_session if gives else _place_after_keys)(source, hops, inputs)
    if gives is None:
        placement = placement._replace(if_session=_place_after_session(source, hops, inputs).hops)
    if inputs.confirms:
        _refuse_unconfirmed(placement, inputs.confirms)
    return placement


def _refuse_unconfirmed(placement: Placement, where: str) -> None:
    """Refuse hops whose last session would be made without the code that confirms a run. Raises ConfigError."""
    for hops in (placement.hops, placement.if_session):
        if hops is None:
            continue
        last = hops[-1] if hops else None
        if not isinstance(last, RoleHop):
            why, hint = "the target has no role to assume", "awsudo_confirm = true asks without a code"
        elif len(hops) > 1:
            why = f"{last.role_arn} is assumed from the session of another role, and AWS accepts no code there"
            hint = "awsudo_confirm = true; or set source_profile to the profile of the keys"
        elif last.mfa_serial is None:
            why, hint = "no MFA device is configured", "mfa_serial = arn:aws:iam::ACCOUNT:mfa/NAME in the profile"
        else:
            continue
        raise ConfigError(f"{where} requires an MFA code, and {why}", hint=hint)


def _place_after_session(source: Source, hops: tuple[RoleHop, ...], inputs: MfaInputs) -> Placement:
    """Rules 3 and 4: GetSessionToken cannot be called with a session."""
    device = (inputs.serial or hops[0].mfa_serial) if hops else None
    if device is None:
        return Placement(hops)
    return _with_first_role(hops, device, f"{source.where} already returns a session")


def _place_after_keys(source: Source, hops: tuple[RoleHop, ...], inputs: MfaInputs) -> Placement:
    """Rules 1 to 3 for long-lived keys, which never reach a command: it gets a session of them."""
    device = inputs.serial or (hops[0].mfa_serial if hops else None) or source.setting("mfa_serial") or None
    if not hops:
        lasts = inputs.duration or (inputs.session_duration if device else DEFAULT_ROLE)
        return Placement((SessionTokenHop(source.profile, lasts, device),))
    if device is None:
        return Placement(hops)
    first, *later = hops
    per_role = inputs.confirms or inputs.per_role
    if per_role:
        return _with_first_role(hops, device, f"{per_role} is set")
    if first.duration is not None and first.duration > LONGEST_CHAINED:
        why = f"{first.duration} s is more than the 1h that a role assumed from an MFA session can last"
        return _with_first_role(hops, device, why)
    return Placement(
        (
            SessionTokenHop(source.profile, inputs.session_duration, device),
            first._replace(mfa_serial=None),
            *(hop._replace(mfa_serial=None) if hop.mfa_serial == device else hop for hop in later),
        )
    )


def _with_first_role(hops: tuple[RoleHop, ...], device: str, why: str) -> Placement:
    first, *later = hops
    return Placement(
        (first._replace(mfa_serial=device), *later), why=f"the MFA code goes with {first.role_arn} alone: {why}"
    )
