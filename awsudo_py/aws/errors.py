"""Says in words what AWS refused, which side to look at, and what to do next.

The facts behind the tables: IAM user guide, "Troubleshoot access denied error messages"; STS API reference. Without
a reason in the answer the cause is unknown: then candidates are listed, and none is claimed.
"""

from __future__ import annotations

import re
import shlex
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from awsudo_py.errors import AwsudoError, CodeRefused, Rejected, Throttled, Unreachable
from awsudo_py.model import Ask, RoleHop, SessionTokenHop
from awsudo_py.resolve.source_kinds import renew

if TYPE_CHECKING:
    from awsudo_py.model import RoleChain, Source, Wanted

_DENIED = re.compile(
    r"User: (?P<caller>\S+) is not authorized to perform: (?P<action>\S+)(?: on resource: (?P<role>\S+))?"
)

#: Words in an AccessDenied text → whose side it is, and what to do there. The first that fits counts.
_REASONS = (
    ("because no identity-based policy allows", "no policy of {caller} allows it",
     "on the caller's side: attach a policy to {caller} that allows {action} on {role}"),
    ("with an explicit deny in an identity-based policy", "a policy of {caller} forbids it",
     "on the caller's side: find the Deny among the policies of {caller}"),
    ("because no role trust policy allows", "the role does not trust {caller}",
     "on the role's side: its trust policy must allow {action} to {caller}"),
    ("because no resource-based policy allows", "the role does not trust {caller}",
     "on the role's side: its trust policy must allow {action} to {caller}"),
    ("with an explicit deny in the role trust policy", "the role's trust policy forbids it to {caller}",
     "on the role's side: find the Deny in its trust policy"),
    ("with an explicit deny in a resource-based policy", "the role's trust policy forbids it to {caller}",
     "on the role's side: find the Deny in its trust policy"),
    ("service control policy", "a service control policy of the organization forbids it",
     "neither side can change it: ask who administers the organization"),
    ("resource control policy", "a resource control policy of the organization forbids it",
     "neither side can change it: ask who administers the organization"),
    ("permissions boundary", "the permissions boundary of {caller} does not allow it",
     "on the caller's side: its permissions boundary must allow {action} too"),
    ("session policy", "the policy of the session {caller} does not allow it",
     "the session that assumes the role was itself narrowed by a policy: leave that out"),
    ("VPC endpoint policy", "the policy of the VPC endpoint does not allow it",
     "on the network's side: the policy of the STS VPC endpoint must allow {action}"),
)  # fmt: skip

#: Error codes → what failed, what to do next.
_CODES = {
    "ExpiredToken": ("the credentials that ask for it have expired", "{renew}"),
    "ExpiredTokenException": ("the credentials or the token that ask for it have expired", "{renew}"),
    "InvalidClientTokenId": (
        "AWS does not know the access key that asks for it",
        "{source}: is the key deleted or inactive, or of another partition? See: aws iam list-access-keys",
    ),
    "UnrecognizedClientException": (
        "AWS does not know the access key that asks for it",
        "{source}: is the key deleted?",
    ),
    "MalformedPolicyDocument": (
        "the session policy is not one that AWS takes",
        "check --policy with: aws accessanalyzer validate-policy",
    ),
    "PackedPolicyTooLarge": (
        "session policy and tags are too large together once AWS has packed them",
        "use fewer tags, or keep the policy as a managed one: --policy-arn ARN",
    ),
    "RegionDisabledException": (
        "STS is switched off in this region for the account",
        "use a region where it is on: --region us-east-1; or activate it in the IAM console, Account settings",
    ),
    "InvalidIdentityToken": (
        "the web identity token is not one that AWS takes",
        "is the provider set up in IAM, with this audience?",
    ),
    "IDPRejectedClaim": ("the identity provider rejected the token", "get a new one: it may be expired or revoked"),
    "IDPCommunicationError": ("AWS could not reach the identity provider", "try again; then look at the provider"),
    "RequestLimitExceeded": ("AWS is being called too often", "try again in a few seconds"),
    "Throttling": ("AWS is being asked too often", "try again in some seconds; use --verbose to see what is asked"),
    "ThrottlingException": ("AWS is being asked too often", "try again in some seconds"),
    "TooManyRequestsException": ("AWS is being asked too often", "try again in some seconds"),
    "LimitExceeded": (
        "AWS allows a user two access keys, and there are two",
        "see them: aws iam list-access-keys; delete one: aws iam delete-access-key --access-key-id ID",
    ),
    "UnauthorizedException": ("the SSO session has ended", "{renew}"),
    "ForbiddenException": (
        "this SSO user may not use that account or role",
        "see which: aws sso list-account-roles, or the access portal",
    ),
    "ResourceNotFoundException": (
        "SSO knows no such account or role",
        "check sso_account_id and sso_role_name of the profile",
    ),
}

#: Codes of services that are called too often.
THROTTLED = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded")
#: Codes that find fault with the credentials that ask.
_OF_CREDENTIALS = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")


def refusal(code: str, text: str, status: int, date: str, what: Wanted, chain: RoleChain, now: float) -> AwsudoError:
    """The error that says what an answer of AWS means for us.

    code, text, status and date are the answer's; what was being asked for, on the way through the chain.
    """
    title, source = subject(what), chain.source
    if status >= 500:
        return Unreachable(
            f"cannot get {title}: AWS failed (HTTP {status})",
            hint="try again; see https://health.aws.amazon.com",
            detail=text,
        )
    if code in ("AccessDenied", "AccessDeniedException"):
        return _access_denied(text, title, what, chain)
    if code == "ValidationError" and "DurationSeconds" in text:
        return _duration(text, title, what)
    if "Signature" in code or code in ("RequestExpired", "RequestTimeTooSkewed"):
        return _signature(text, title, source, date, now)
    known = _CODES.get(code)
    if known is None:
        return Rejected(f"cannot get {title}: {code or f'HTTP {status}'}", detail=text)
    failed, hint = known
    filled = hint.format(renew=renew(source), source=f"they come from {source.where}")
    session = _mfa_session_before(what, chain)
    if session is not None and code in _OF_CREDENTIALS:
        filled = f"they are an MFA session: for a new one, {_clear(session)}"
    kind = Throttled if code in THROTTLED else Rejected
    return kind(f"cannot get {title}: {failed}", hint=filled, detail=text)


def subject(what: Wanted) -> str:
    """What was asked for, as messages name it."""
    if isinstance(what, Ask):
        return what.title
    if isinstance(what, RoleHop):
        return f"a session of {what.role_arn}"
    kind = "an MFA session" if getattr(what, "mfa_serial", None) else "a session"
    return f"{kind} of profile {what.profile}" if what.profile else kind


def _mfa_session_before(what: Wanted, chain: RoleChain) -> SessionTokenHop | None:
    """The MFA session with which a role of the chain is assumed, if it is with one."""
    if len(chain.hops) < 2 or not isinstance(what, RoleHop):
        return None
    session, role = chain.hops[:2]
    is_first = isinstance(role, RoleHop) and role.role_arn == what.role_arn
    return session if is_first and isinstance(session, SessionTokenHop) and what.mfa_serial is None else None


def _code_refused(text: str, title: str, serial: str) -> CodeRefused:
    if "serial number" in text:
        error = CodeRefused(
            f"cannot get {title}: {serial} is no MFA device of the user whose keys these are, or its code was wrong",
            hint="see which devices the user has: awsudo keys mfa",
            detail=text,
        )
        error.again = False
        return error
    return CodeRefused(
        f"cannot get {title}: the MFA code was refused for {serial}",
        hint="a code works once: wait for the next one; if new ones fail too, check the clock of the device",
        detail=text,
    )


def _access_denied(text: str, title: str, what: Wanted, chain: RoleChain) -> Rejected:
    serial = getattr(what, "mfa_serial", None)
    if "MultiFactorAuthentication" in text:
        return _code_refused(text, title, serial or "the device")
    if "root accounts" in text:
        return Rejected(
            f"cannot get {title}: roles cannot be assumed with the root user's keys",
            hint="use an IAM user's or an SSO session, and delete the root user's keys",
            detail=text,
        )
    found = _DENIED.search(text)
    caller = found["caller"] if found else "the caller"
    action = found["action"].rstrip(",.") if found else "sts:AssumeRole"
    role = (found["role"] if found else None) or getattr(what, "role_arn", "the role")
    set_by = {"sts:TagSession": "tags", "sts:SetSourceIdentity": "a source identity"}.get(action)
    missing = f"{set_by} may not be set, {action} is missing" if set_by else ""
    for words, failed, hint in _REASONS:
        if words in text:
            filled = {"caller": caller, "action": action, "role": role}
            why = failed.format(**filled)
            hints = (hint.format(**filled), *_about_mfa_session(what, chain))
            return Rejected(f"cannot get {title}: {f'{missing}: ' if missing else ''}{why}", hint=hints, detail=text)
    if missing:
        return Rejected(
            f"cannot get {title}: {missing}",
            hint=f"the policies of {caller} and the role's trust policy must both allow {action}",
            detail=text,
        )
    if not isinstance(what, RoleHop):
        return Rejected(f"cannot get {title}: access denied", detail=text)
    return Rejected(
        f"cannot get {title}: access denied, and AWS does not say why",
        hint=(
            "one of these, to be checked in this order:",
            "- there is no such role: is the ARN written right, path included?",
            f"- its trust policy does not name {caller}",
            "- its trust policy asks for another external id" if what.external_id else "- it asks for an --external-id",
            *(f"- {line}" for line in _about_mfa_session(what, chain) or (_about_mfa(what),)),
            f"- no policy of {caller} allows {action} on it",
        ),
        detail=text,
    )  # fmt: skip


def _about_mfa(what: RoleHop) -> str:
    if what.mfa_serial:
        return "the MFA device is another one"
    return "it asks for MFA: --mfa-serial ARN; find yours: awsudo keys mfa"


def _about_mfa_session(what: Wanted, chain: RoleChain) -> tuple[str, ...]:
    """What a refusal may have to do with the MFA session that the role was assumed with, if it was."""
    session = _mfa_session_before(what, chain)
    if session is None:
        return ()
    said = "a policy refuses MFA sessions that are not new, or any"
    return (f"{said}: for a new one, {_clear(session)}; to send a code with this role, --mfa-per-role",)


def _clear(session: SessionTokenHop) -> str:
    return f"awsudo clear {shlex.quote(session.profile)}" if session.profile else "awsudo clear"


def _duration(text: str, title: str, what: Wanted) -> Rejected:
    asked = getattr(what, "duration", None)
    said = f"cannot get {title} for {asked} s" if asked else f"cannot get {title}"
    if "chaining" in text:
        return Rejected(
            f"{said}: the source is itself a session, so 1h is the most", hint="ask for less: -d 1h", detail=text
        )
    name = what.role_arn.rsplit("/", 1)[-1] if isinstance(what, RoleHop) else "ROLE"
    raising = f"aws iam update-role --role-name {name} --max-session-duration {asked}"
    return Rejected(
        f"{said}: the role's maximum is lower",
        hint=f"ask for less (-d 1h); or raise it: {raising}",
        detail=text,
    )


def _signature(text: str, title: str, source: Source, date: str, now: float) -> Rejected:
    if "expired" in text or "not yet current" in text or "Skew" in text:
        try:
            off = now - parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError):
            off = 0.0
        how = f"{abs(off) / 60:.0f} min {'ahead' if off > 0 else 'behind'}" if abs(off) >= 60 else "off"
        return Rejected(
            f"cannot get {title}: this machine's clock is {how}, and AWS takes 15 min at most",
            hint="set the clock: sudo timedatectl set-ntp true (Linux), sudo sntp -sS time.apple.com (macOS)",
            detail=text,
        )
    return Rejected(
        f"cannot get {title}: the secret key does not fit the access key",
        hint=f"they come from {source.where}: enter both again",
        detail=text,
    )
