"""Decides where an MFA code goes: to a session that all roles of a source share, or along with one AssumeRole.

1. The device is the one asked for, else that of the first role, else that of the source's profile. It belongs to the
   user whose keys begin the chain, so only the first call can show its code: an AssumeRole by a role's session cannot.
2. Long-lived keys get a session behind the code (GetSessionToken), and the roles are assumed from it: one code serves
   them all. With a credential_process, only running it shows whether it gives such keys.
3. The code goes with AssumeRole where no such session can be had, or where it would not do: a source that is a session
   itself, a first role that is to last longer than role chaining allows, a user who wants it so.
4. A device of the source's profile guards the keys of the source. Where those are a session, they are past it already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import ConfigError
from awsudo_py.model import Program, RoleHop, SessionTokenHop
from awsudo_py.resolve import limits
from awsudo_py.resolve.limits import DEFAULT_ROLE, DEFAULT_SESSION_TOKEN, LONGEST_CHAINED, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from awsudo_py.model import Hop, Request, Source
    from awsudo_py.resolve.aws_config import AwsConfig

#: Sources that give sessions, though assuming a role from them is no role chaining to STS.
_GIVE_SESSIONS = frozenset({"instance", "container"})
#: Sources of which only asking shows whether they give long-lived keys.
_UNCERTAIN = frozenset({"process"})


class Asked(NamedTuple):
    """What was asked for about MFA, by options, variables and profiles in their order."""

    serial: str | None = None  # by option or variable; a profile's is with its role or its source
    duration: int | None = None  # seconds; of the command's session, where it is one of keys
    session_duration: int = DEFAULT_SESSION_TOKEN  # seconds; of the session that roles share
    per_role: str = ""  # what says that no session is to be shared; empty: nothing does
    process: Program | None = None  # what prints the code


def asked_by(request: Request, config: AwsConfig, profiles: Iterable[str | None]) -> Asked:
    """What the request and these profiles, the target's first, say about MFA. Raises ConfigError."""
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
    said_by = limits.written(request.origins, "mfa_per_role").name
    if per_role is None and "mfa_per_role" in found:
        said_by = origins["mfa_per_role"].name
        per_role = limits.switch(found["mfa_per_role"], origins["mfa_per_role"])
    process = None
    if request.mfa_process:
        process = Program(request.mfa_process, limits.written(request.origins, "mfa_process").name)
    elif "mfa_process" in found:
        process = Program(found["mfa_process"], origins["mfa_process"].name)
    return Asked(
        request.mfa_serial,
        request.duration,
        DEFAULT_SESSION_TOKEN if lasts is None else lasts,
        said_by if per_role else "",
        process,
    )


class Placed(NamedTuple):
    """A chain's hops with the code in its place, and why it is there; empty where there is no choice to explain."""

    hops: tuple[Hop, ...]
    why: str = ""


def placed(source: Source, hops: tuple[RoleHop, ...], asked: Asked) -> Placed:
    """The hops from this source with the MFA code where it does most.

    A role behind a credential_process keeps its device beside the session in front of it: Obtain leaves out whichever
    of the two turns out not to be needed.
    """
    gives_session = source.temporary or source.kind in _GIVE_SESSIONS
    of_source = None if gives_session else source.setting("mfa_serial") or None
    if not hops:
        device = asked.serial or of_source
        if gives_session or (source.kind in _UNCERTAIN and device is None):
            return Placed(())
        # Long-lived keys never reach a child: it gets a session of them.
        lasts = asked.duration or (asked.session_duration if device else DEFAULT_ROLE)
        return Placed((SessionTokenHop(source.profile, lasts, device),))
    first, *later = hops
    own = asked.serial or first.mfa_serial
    device = own or of_source
    if device is None:
        return Placed(hops)
    why = ""
    if gives_session:
        why = f"{source.where} gives a session already"
    elif asked.per_role:
        why = f"{asked.per_role} says so"
    elif first.duration is not None and first.duration > LONGEST_CHAINED:
        why = f"{first.duration} s is more than the 1h that a role assumed from an MFA session can last"
    if why:
        return Placed(
            (first._replace(mfa_serial=device), *later), f"the MFA code goes with {first.role_arn} alone: {why}"
        )
    return Placed(
        (
            SessionTokenHop(source.profile, asked.session_duration, device),
            first._replace(mfa_serial=own if source.kind in _UNCERTAIN else None),
            *(hop._replace(mfa_serial=None) if hop.mfa_serial == device else hop for hop in later),
        )
    )
