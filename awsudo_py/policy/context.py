"""The condition keys of a request: each key's values, its absence, or that it is unknown.

1. Known: what is sent with the call, the caller, the role, and what the caller of this module adds.
2. Absent: keys of other calls only, and those that a user's long-lived keys never have.
3. Unknown: all others. A key that this module does not know is unknown too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import PolicyError
from awsudo_py.policy.arns import LONGEST, Caller, Role, caller_of, role_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The values of a key. None: the key is not in the request.
Values = tuple[str, ...] | None

ASSUME_ROLE, TAG_SESSION = "sts:AssumeRole", "sts:TagSession"
SET_SOURCE_IDENTITY, SET_CONTEXT = "sts:SetSourceIdentity", "sts:SetContext"

#: Keys that a call of AssumeRole by a person or a program never carries: those of calls by a service.
_OF_SERVICES = {
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:referer",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "sts:awsservicename",
}
#: Keys that a call carries only if it goes through a VPC endpoint.
OF_VPC_ENDPOINTS = {
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:vpcsourceip",
}
#: Keys that only sessions have.
_OF_SESSIONS = {
    "aws:assumedroot",
    "aws:chatbotsourcearn",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:federatedprovider",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:signinsessionarn",
    "aws:sourceidentity",
    "aws:tokenissuetime",
}


class Request(NamedTuple):
    """One AssumeRole call: its caller, its role, and its parameters."""

    caller: Caller
    role: Role
    session_name: str | None = None  # None: not known
    external_id: str | None = None
    source_identity: str | None = None
    inherited_source_identity: str | None = None  # set on the caller's session, and passed on
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tags: tuple[str, ...] = ()
    inherited_tags: tuple[tuple[str, str], ...] = ()  # transitive tags of the caller's session
    mfa_code: bool = False  # whether a code is sent with the call
    provided_contexts: bool = False
    duration: int | None = None  # seconds; None: not sent
    region: str | None = None  # of the endpoint; None: not known
    now: float | None = None
    context: tuple[tuple[str, tuple[str, ...]], ...] = ()  # more keys with their values; no value: known to be absent
    unknown: frozenset[str] = frozenset()  # keys, in lower case, that are unknown although a rule covers them

    @property
    def same_account(self) -> bool:
        """Whether the caller belongs to the role's account."""
        return (self.caller.partition, self.caller.account) == (self.role.partition, self.role.account)

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions that both sides must allow."""
        keys = _names(self)
        tagged = self.tags or self.transitive_tags or self.inherited_tags or _any(keys, _TAG_KEYS)
        named = self.source_identity or self.inherited_source_identity or _any(keys, _IDENTITY_KEYS)
        provided = self.provided_contexts or _any(keys, _CONTEXT_KEYS)
        return (
            ASSUME_ROLE,
            *([TAG_SESSION] if tagged else ()),
            *([SET_SOURCE_IDENTITY] if named else ()),
            *([SET_CONTEXT] if provided else ()),
        )


_TAG_KEYS = ("aws:tagkeys", "aws:requesttag/", "sts:transitivetagkeys")
_IDENTITY_KEYS = ("sts:sourceidentity", "aws:sourceidentity")
_CONTEXT_KEYS = ("sts:requestcontext/", "sts:requestcontextproviders")


def _names(request: Request) -> set[str]:
    """The keys that were given with a value, in lower case."""
    return {key.lower() for key, values in request.context if values}


def _any(keys: set[str], prefixes: tuple[str, ...]) -> bool:
    return any(key.startswith(prefixes) for key in keys)


def request(caller: str, role: str, *, caller_role: str | None = None, **sent: object) -> Request:
    """A request from the ARNs of caller and role; caller_role is the role of a session, with its path."""
    found = role_of(role) if len(role) <= LONGEST else None
    if found is None:
        raise PolicyError(f"{role[:200]!r} is not the ARN of a role")
    return Request(caller_of(caller, caller_role), found, **sent)  # type: ignore[arg-type]


class Context:
    """The keys of one request."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._known = _known(request)
        caller = request.caller
        known = caller.kind != "session" or caller.role_arn or _any(_names(request), ("aws:principalarn",))
        #: Of a session whose role may have any path: the prefix of the role's ARN, and its name.
        self.open_role = None if known else (caller.role_prefix, caller.name)

    def alternatives(self, key: str) -> tuple[Values, ...]:
        """All possible values of a key: one alternative if it is known; empty if it is unknown."""
        lower = key.lower()
        if lower in self._request.unknown:
            return ()
        if lower in self._known:
            return self._known[lower]
        caller = self._request.caller
        if lower in _OF_SERVICES or lower in OF_VPC_ENDPOINTS:
            return (None,)
        if lower.startswith(("aws:requesttag/", "sts:requestcontext")):
            return () if self._request.inherited_tags or self._request.provided_contexts else (None,)
        if lower in _OF_SESSIONS or not lower.startswith(("aws:", "sts:", "iam:")):
            # a service, or a provider of identities, may have put it into a session; never into a user's own keys
            return () if caller.temporary else (None,)
        return ()


_PRINCIPAL_TYPES = {"user": "User", "root": "Account", "session": "AssumedRole", "federated-user": "FederatedUser"}


def _known(request: Request) -> dict[str, tuple[Values, ...]]:
    caller, sent = request.caller, request
    inherited = bool(sent.inherited_tags)
    found: dict[str, tuple[Values, ...]] = {
        "aws:principalarn": tuple((arn,) for arn in caller.principal_arns),
        "aws:principalaccount": ((caller.account,),),
        "aws:principaltype": ((_PRINCIPAL_TYPES[caller.kind],),),
        "aws:principalisawsservice": (("false",),),
        "aws:viaawsservice": (("false",),),
        "aws:securetransport": (("true",),),
        "aws:resourceaccount": ((request.role.account,),),
        "aws:username": ((caller.name,),) if caller.kind == "user" else (None,),
        "sts:externalid": (_one(sent.external_id),),
        "sts:sourceidentity": (_one(sent.source_identity or sent.inherited_source_identity),),
    }
    if not inherited:
        found["aws:tagkeys"] = (tuple(key for key, _ in sent.tags) or None,)
        found["sts:transitivetagkeys"] = (sent.transitive_tags or None,)
    for key, value in sent.tags:
        found[f"aws:requesttag/{key.lower()}"] = ((value,),)
    if sent.inherited_source_identity is not None:
        found["aws:sourceidentity"] = ((sent.inherited_source_identity,),)
    if sent.session_name is not None:
        found["sts:rolesessionname"] = ((sent.session_name,),)
    if sent.duration is not None:
        found["sts:durationseconds"] = ((str(sent.duration),),)
    if sent.region is not None:
        found["aws:requestedregion"] = ((sent.region,),)
    if sent.now is not None:
        found["aws:epochtime"] = ((str(int(sent.now)),),)
        found["aws:currenttime"] = ((time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(sent.now)),),)
    if sent.mfa_code:
        found["aws:multifactorauthpresent"] = (("true",),)
        found["aws:multifactorauthage"] = (("0",),)
    for key, values in sent.context:
        found[key.lower()] = (values or None,) if all(len(value) <= LONGEST for value in values) else ()
    if found.get("aws:multifactorauthpresent") == (("true",),):
        found.setdefault("aws:multifactorauthage", ())
    return found


def _one(value: str | None) -> Values:
    return None if value is None else (value,)


def added(pairs: Mapping[str, Sequence[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Keys and values in the form of Request.context."""
    return tuple((key, tuple(values)) for key, values in pairs.items())
