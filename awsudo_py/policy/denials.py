"""Reads an AccessDenied of AWS: which side refused, by which policy, and what to do next.

1. Only facts from the text and from our side of the call are stated; all else is labelled as a candidate.
2. AWS names only one of several policies that refuse. A hint mentions that.

Sources: IAM user guide, "Troubleshoot access denied error messages"; AWS security blog, "Enhanced access denied error
messages with policy ARNs"; STS API reference.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import PolicyError
from awsudo_py.policy.arns import Caller, caller_of, role_of
from awsudo_py.policy.context import SET_CONTEXT, SET_SOURCE_IDENTITY, TAG_SESSION

if TYPE_CHECKING:
    from collections.abc import Callable


class Call(NamedTuple):
    """What awsudo knows about the failed call."""

    operation: str = "AssumeRole"
    role_arn: str = ""
    external_id: bool = False
    session_name: bool = False  # whether one was given, and not generated
    mfa_serial: str = ""
    mfa_session: str = ""  # how to end the MFA session that made the call, if one did
    tags: bool = False
    source_identity: bool = False
    duration: int | None = None  # seconds
    temporary: bool = False  # whether the credentials are a session's
    region: str = ""
    endpoint: str = ""  # of STS, as messages name it
    where: str = ""  # where the credentials come from
    renew: str = ""  # how to get new ones
    token_file: str = ""  # of a web identity
    claims: tuple[tuple[str, str], ...] = ()  # iss, aud and sub of the token
    ahead: float | None = None  # seconds by which our clock is ahead of AWS's, by the answer's Date


class Denial(NamedTuple):
    """The content of an error text."""

    side: str  # a side of verdicts.Side, or vpce, mfa, duration, clock, key, token, provider, region, limit, unknown
    failed: str  # what failed, for the first line
    hints: tuple[str, ...] = ()
    explicit: bool | None = None  # whether a Deny refused, or a missing Allow; None: not in the text
    caller: str = ""
    action: str = ""
    resource: str = ""
    policy_arn: str = ""
    authorization_id: str = ""
    link: str = ""
    candidates: tuple[str, ...] = ()  # possible reasons, if the text has none
    text: str = ""  # AWS's text, without possible secrets
    code_again: bool = True  # of a refused MFA code: whether another code may be accepted

    @property
    def lines(self) -> tuple[str, ...]:
        """Hints and candidates as a message lists them."""
        listed = ("one of these, to be checked in this order:", *(f"- {line}" for line in self.candidates))
        return self.hints + (listed if self.candidates else ())


_SENTENCE = re.compile(
    r"(?:User: )?(?P<caller>[^\s:]+:\S+) is not authorized to perform:? (?P<action>[\w:*-]+)"
    r"(?: on (?:resource:|role) (?P<resource>\S+))?"
)
_REASON = re.compile(
    r"(?:because no (?P<missing>[\w -]+?) allows the \S+ action"
    r"|with an explicit deny(?: in (?:an?|the) (?P<denying>[\w -]+))?)"
    r"(?:: (?P<policy>arn:\S+))?"
)
_LINK = re.compile(r"\bGo to (https://\S+)")
_AUTHORIZATION_ID = re.compile(r"\bauthorization id: ([0-9a-z]{1,256})\b")

#: Kinds of policies in AWS's words → side, what messages call it, and where to look.
_KINDS = {
    "identity-based policy": "identity",
    "resource-based policy": "trust",
    "role trust policy": "trust",
    "permissions boundary": "boundary",
    "permissions boundary policy": "boundary",
    "session policy": "session",
    "sessions policy": "session",  # so spelled on one page of the user guide
    "service control policy": "scp",
    "resource control policy": "rcp",
    "VPC endpoint policy": "vpce",
}
#: Side → what failed where no policy allows it, and where one denies it; then the side's name, and what to do.
_SIDES = {
    "identity": (
        "no policy of {owner} allows {action}",
        "a policy of {owner} denies {action}",
        "on the caller's side: attach a policy to {owner_arn} that allows {action} on {resource}",
        "on the caller's side: find the Deny {in_policy} of {owner_arn}; an Allow does not override it",
    ),
    "trust": (
        "the role's trust policy does not allow {action} to {caller}",
        "the role's trust policy denies {action} to {caller}",
        "on the role's side: its trust policy must allow {action} to {owner_arn}, and its conditions must be met",
        "on the role's side: find the Deny in its trust policy; an Allow does not override it",
    ),
    "boundary": (
        "the permissions boundary of {owner} does not allow {action}",
        "the permissions boundary of {owner} denies {action}",
        "on the caller's side: its permissions boundary must allow {action} too",
        "on the caller's side: find the Deny in its permissions boundary{policy}; an Allow does not override it",
    ),
    "session": (
        "the session policy of {caller} does not allow {action}",
        "the session policy of {caller} denies {action}",
        "the session that makes the call was narrowed by a policy: allow {action} in it, or leave it out",
        "the session that makes the call was narrowed by a policy: find the Deny in it, or leave it out",
    ),
    "scp": (
        "no service control policy of the caller's organization allows {action}",
        "a service control policy of the caller's organization denies {action}",
        "neither account can change it: ask the organization's administrator about {action}{policy}",
        "neither account can change it: ask the organization's administrator about the Deny{policy}",
    ),
    "rcp": (
        "no resource control policy of the role's organization allows {action}",
        "a resource control policy of the role's organization denies {action}",
        "neither account can change it: ask the administrator of the role's organization about {action}{policy}",
        "neither account can change it: ask the administrator of the role's organization about the Deny{policy}",
    ),
    "vpce": (
        "the policy of the STS VPC endpoint does not allow {action}",
        "the policy of the STS VPC endpoint denies {action}",
        "on the network's side: the policy of the STS VPC endpoint must allow {action}",
        "on the network's side: find the Deny in the policy of the STS VPC endpoint; an Allow does not override it",
    ),
}  # fmt: skip
_ONE_OF_SEVERAL = "AWS names only one reason: after this fix another may follow"


def access_denied(text: str, call: Call) -> Denial:
    """The content of an AccessDenied text."""
    for words, reader in _DENIED_TEXTS:
        if words in text:
            return reader(call)
    sentence, reason = _SENTENCE.search(text), _REASON.search(text)
    if sentence is None and "AssumeRoleWithWebIdentity" in (call.operation, text.rpartition("sts:")[2].strip(" .")):
        return _untrusted_token(call)
    arn = sentence["caller"] if sentence else ""
    action = sentence["action"].rstrip(",.") if sentence else f"sts:{call.operation}"
    action = action if ":" in action else f"sts:{action}"
    resource = (sentence["resource"] or "").rstrip(",.") if sentence else ""
    caller = _caller(arn)
    link, authorization = _LINK.search(text), _AUTHORIZATION_ID.search(text)
    base = Denial(
        "unknown",
        "access denied, and AWS does not say why",
        caller=arn,
        action=action,
        resource=resource,
        authorization_id=authorization[1] if authorization else "",
        link=link[1] if link else "",
    )
    if caller is not None and caller.kind == "federated-user" and action == "sts:AssumeRole":
        return base._replace(
            side="identity",
            failed="a session of GetFederationToken cannot assume a role",
            hints=("use the keys of an IAM user, or a session of a role",),
        )
    if action == "sts:AssumeRoleWithWebIdentity":
        return _untrusted_token(call, base)
    if action == "sts:GetSessionToken" and (reason is None or reason["missing"] is None):
        return _no_session_token(base, reason)
    if reason is not None and (kind := (reason["missing"] or reason["denying"] or "").strip()):
        policy = (reason["policy"] or "").rstrip(".,;")
        return _named(base._replace(policy_arn=policy), kind, reason["missing"] is None, caller, call)
    if reason is not None:
        return _some_deny(base, caller, call)
    return _open(base, caller, call)


def _caller(arn: str) -> Caller | None:
    try:
        return caller_of(arn)
    except PolicyError:
        return None


def owner_title(arn: str) -> str:
    """What a policy of this caller is attached to, as messages name it: the role, not its session."""
    caller = _caller(arn)
    if caller is None or caller.kind != "session":
        return arn or "the caller"
    if caller.name.startswith("AWSReservedSSO_"):
        return f"the permission set {caller.name.removeprefix('AWSReservedSSO_').rpartition('_')[0] or caller.name}"
    return f"the role {caller.name}"


def _owner_arn(arn: str) -> str:
    """The ARN of what a policy is attached to; for IAM Identity Center the permission set, which has no such ARN."""
    caller = _caller(arn)
    if caller is None or caller.kind != "session" or caller.name.startswith("AWSReservedSSO_"):
        return owner_title(arn)
    return caller.owner


def _named(base: Denial, kind: str, explicit: bool, caller: Caller | None, call: Call) -> Denial:
    """A denial that names the kind of policy."""
    side = _KINDS.get(kind, "unknown")
    if side == "unknown":
        how = "denies it" if explicit else "does not allow it"
        return base._replace(
            failed=f"a policy {how}; AWS calls it {kind!r}", explicit=explicit, hints=(_ONE_OF_SEVERAL,)
        )
    missing, denied, allow, remove = _SIDES[side]
    filled = {
        "owner": owner_title(base.caller),
        "owner_arn": _owner_arn(base.caller),
        "caller": base.caller or "the caller",
        "action": base.action,
        "resource": base.resource or call.role_arn or "the role",
        "policy": f": {base.policy_arn}" if base.policy_arn else "",
        "in_policy": f"in {base.policy_arn}, a policy" if base.policy_arn else "among the policies",
    }
    failed = (denied if explicit else missing).format(**filled)
    hints = [(remove if explicit else allow).format(**filled)]
    if base.policy_arn and base.policy_arn not in hints[0]:
        hints.append(f"the policy is {base.policy_arn}")
    hints.extend(_about_action(base, call))
    if call.mfa_session:
        hints.append(_mfa_session(call))
    elif side == "identity" and explicit and not call.mfa_serial and caller is not None and caller.kind == "user":
        hints.append(
            "often it is the Deny for calls without MFA: send a code, --mfa-serial ARN; find yours: awsudo keys mfa"
        )
    hints.append(_ONE_OF_SEVERAL)
    return base._replace(side=side, failed=f"{_what_for(base.action)}{failed}", hints=tuple(hints), explicit=explicit)


def _what_for(action: str) -> str:
    """The purpose of an action beside AssumeRole."""
    needed = {
        TAG_SESSION: "session tags need",
        SET_SOURCE_IDENTITY: "a source identity needs",
        SET_CONTEXT: "a provided context needs",
    }
    return f"{needed[action]} {action}, and " if action in needed else ""


def _about_action(base: Denial, call: Call) -> tuple[str, ...]:
    """The note that the caller's session, not the command line, brought what the action is needed for."""
    if base.action == TAG_SESSION and not call.tags:
        return ("no --tag was given: the caller's session passes its transitive tags on",)
    if base.action == SET_SOURCE_IDENTITY and not call.source_identity:
        return ("no --source-identity was given: the caller's session has one, and passes it on",)
    return ()


def _some_deny(base: Denial, caller: Caller | None, call: Call) -> Denial:
    """The text from before 2021: a Deny, of any policy."""
    owner = _owner_arn(base.caller)
    without_mfa = caller is not None and caller.kind == "user" and not call.mfa_serial
    return base._replace(
        failed=f"a policy denies {base.action}; AWS does not say which",
        explicit=True,
        hints=_about_action(base, call),
        candidates=(
            f"a Deny in the policies of {owner}"
            + (", often the one for calls without MFA (--mfa-serial ARN)" if without_mfa else ""),
            *((_mfa_session(call),) if call.mfa_session else ()),
            "a Deny in the role's trust policy",
            f"a Deny of the organization (SCP or RCP), often for a region{_went_to(call)}",
            f"a Deny in the permissions boundary of {owner}, or in the policy of its session",
        ),
    )


def _went_to(call: Call) -> str:
    return f"; the call went to {call.endpoint}" if call.endpoint else ""


def _no_session_token(base: Denial, reason: re.Match[str] | None) -> Denial:
    """GetSessionToken needs no permission, so that only a Deny refuses it."""
    kind = (reason["denying"] or "").strip() if reason else ""
    policy = (reason["policy"] or "").rstrip(".,;") if reason else ""
    side = _KINDS.get(kind, "identity")
    return base._replace(
        side=side,
        failed=f"a policy of {base.caller or 'the caller'} denies sts:GetSessionToken",
        explicit=True,
        policy_arn=policy,
        hints=(
            "the call needs no Allow, so a Deny refuses it; often it is the one for calls without MFA, which must "
            f"except sts:GetSessionToken{f': {policy}' if policy else ''}",
            "or send the code with the role: --mfa-per-role",
        ),
    )


def _open(base: Denial, caller: Caller | None, call: Call) -> Denial:
    """A denial without a reason: candidates, most likely first."""
    role = role_of(base.resource or call.role_arn)
    who = base.caller or "the caller"
    owner = _owner_arn(base.caller)
    if base.action in (TAG_SESSION, SET_SOURCE_IDENTITY, SET_CONTEXT):
        return base._replace(
            failed=f"{_what_for(base.action)}it is not allowed",
            hints=(
                *_about_action(base, call),
                f"the policies of {owner} and the role's trust policy must both allow {base.action}",
            ),
        )
    if call.operation != "AssumeRole" and base.action != "sts:AssumeRole":
        return base._replace(failed="access denied")
    candidates = [
        "there is no such role: check the ARN, path included, and that its account is open",
        f"its trust policy does not name {who}" + (f" or {owner}" if owner.startswith("arn:") and owner != who else ""),
        f"its trust policy requires {'another external ID' if call.external_id else 'an --external-id'}",
        _mfa_session(call) if call.mfa_session else _about_mfa(call),
        f"its trust policy requires {'another' if call.session_name else 'a certain'} --session-name, source IP, "
        f"VPC endpoint or organization{_went_to(call)}",
        f"no policy of {owner} allows {base.action} on it",
        "a policy of the organization (SCP or RCP), a permissions boundary or a session policy refuses it",
    ]
    if base.resource and role is None:
        candidates.insert(0, f"{base.resource} is not the ARN of a role")
    itself = role is not None and caller is not None and (caller.account, caller.name) == (role.account, role.name)
    if itself and caller is not None and caller.kind == "session":
        candidates.insert(0, "the caller is a session of this very role already: run the command without it")
    return base._replace(candidates=tuple(candidates))


def _about_mfa(call: Call) -> str:
    if call.mfa_serial:
        return "its trust policy requires another MFA device"
    return "its trust policy requires MFA: --mfa-serial ARN; find yours: awsudo keys mfa"


def _mfa_session(call: Call) -> str:
    return (
        f"a policy refuses MFA sessions that are not new, or any: for a new one, {call.mfa_session}; "
        "to send a code with this role, --mfa-per-role"
    )


def _untrusted_token(call: Call, base: Denial | None = None) -> Denial:
    """AssumeRoleWithWebIdentity refused: only the trust policy decides on the token."""
    base = base or Denial("trust", "", action="sts:AssumeRoleWithWebIdentity")
    claims = tuple(f"  {name} {value}" for name, value in call.claims)
    return base._replace(
        side="trust",
        failed="the role does not trust this web identity token",
        hints=(
            "its trust policy must allow sts:AssumeRoleWithWebIdentity to the token's provider, and its conditions on "
            "aud and sub must match the token, upper and lower case included",
            *(("the token says:", *claims) if claims else ()),
        ),
    )


def _wrong_code(call: Call) -> Denial:
    return Denial(
        "mfa",
        f"the MFA code was refused for {call.mfa_serial or 'the device'}",
        ("a code works once: wait for the next one; if new ones fail too, check the clock of the device",),
    )


def _half_a_code(_: Call) -> Denial:
    return Denial(
        "mfa",
        "MFA serial and code must be sent together, and only one of them was",
        ("name the device: --mfa-serial ARN; find yours: awsudo keys mfa",),
        code_again=False,
    )


def _wrong_device(call: Call) -> Denial:
    return Denial(
        "mfa",
        f"{call.mfa_serial or 'the device'} is not an MFA device of the user whose keys these are, "
        "or its code was wrong",
        ("see which devices the user has: awsudo keys mfa",),
        code_again=False,
    )


def _root(_: Call) -> Denial:
    return Denial(
        "identity",
        "roles cannot be assumed with the root user's keys",
        ("use an IAM user's or an SSO session, and delete the root user's keys",),
    )


def _session_of_a_session(_: Call) -> Denial:
    return Denial(
        "token",
        "the credentials are a session's already, and GetSessionToken accepts only a user's own keys",
        ("send the code with the role: --mfa-per-role",),
    )


#: Phrases in an AccessDenied text that fully explain it.
_DENIED_TEXTS: tuple[tuple[str, Callable[[Call], Denial]], ...] = (
    ("must provide both MFA serial number and one time pass code", _half_a_code),
    ("serial number", _wrong_device),
    ("MultiFactorAuthentication", _wrong_code),
    ("root accounts", _root),
    ("with session credentials", _session_of_a_session),
)
