"""Turns a refusal of AWS into an error: what was refused, which side to look at, and what to do next.

The answer's text is read by policy/; this module adds what awsudo knows: the call, the chain, the clock.
"""

from __future__ import annotations

import base64
import binascii
import json
import shlex
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from awsudo_py.errors import AwsudoError, CodeRefused, Rejected, Throttled, Unreachable
from awsudo_py.model import RoleHop, ScopedHop, ServiceCall, SessionTokenHop, Source
from awsudo_py.resolve.role_words import looks_like_role
from awsudo_py.resolve.source_kinds import gives_session, renew

if TYPE_CHECKING:
    from awsudo_py.model import CallObject, RoleChain
    from awsudo_py.policy.denials import Call

#: Kinds of source → the operation that gets its session.
_OPERATIONS = {
    "web-identity": "AssumeRoleWithWebIdentity",
    "sso": "GetRoleCredentials",
    "account-access": "GetRoleCredentials",
    "login": "CreateOAuth2Token",
}
#: Error codes of throttled calls.
THROTTLED = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded")
#: Sides on which policies decide, so that evaluating them tells more.
_OF_POLICIES = {"trust", "identity", "boundary", "session", "scp", "rcp", "unknown"}


def refusal(
    code: str, text: str, status: int, date: str, what: CallObject, chain: RoleChain, now: float
) -> AwsudoError:
    """The error for an answer of AWS.

    code, text, status and date are those of the answer; what is the object of the call, on the way through the chain.
    """
    title = subject(what)
    text = "" if text == "None" else text  # an answer without a text
    if status >= 500:
        return Unreachable(
            f"cannot get {title}: AWS failed (HTTP {status})",
            hint="try again; see https://health.aws.amazon.com",
            detail=text,
        )
    from awsudo_py.policy.error_codes import explained, safe  # here, so that a call that succeeds does not import it

    call = _call(what, chain, date, now)
    of_tenant = isinstance(what, Source) and what.setting("tenant_id") != ""
    if code == "AccessDeniedException" and isinstance(what, Source) and of_tenant:
        listing = f"awsudo import --sso {shlex.quote(what.setting('sso_session'))} --diff"
        return Rejected(
            f"cannot get {title}: this SSO user may not use that role", hint=f"see which: {listing}", detail=safe(text)
        )
    denial = explained(code, text, call)
    if denial is None:
        hint = f"see what is sent, and where it is set: awsudo explain {_words(chain)}" if of_tenant else ()
        return Rejected(f"cannot get {title}: {code or f'HTTP {status}'}", hint=hint, detail=safe(text))
    length = f" for {call.duration} s" if denial.side == "duration" and call.duration else ""
    message = f"cannot get {title}{length}: {denial.failed}"
    if denial.side == "mfa":
        refused = CodeRefused(message, hint=denial.lines, detail=denial.text)
        refused.again = denial.code_again
        return refused
    tells_more = code.startswith("AccessDenied") and isinstance(what, RoleHop) and denial.side in _OF_POLICIES
    more = (f"why, statement by statement: awsudo explain {_words(chain)} --why",) if tells_more else ()
    kind = Throttled if code in THROTTLED else Rejected
    return kind(message, hint=(*denial.lines, *more), detail=denial.text)


def _words(chain: RoleChain) -> str:
    """The words of a command line that name the chain: a role by its ARN needs the profile that it started from."""
    target, profile = shlex.quote(chain.target), chain.source.profile
    return f"-p {shlex.quote(profile)} {target}" if profile and looks_like_role(chain.target) else target


def _call(what: CallObject, chain: RoleChain, date: str, now: float) -> Call:
    """What awsudo knows about the call."""
    from awsudo_py.policy.denials import Call  # here, so that a call that succeeds does not import it

    source, endpoint = chain.source, chain.endpoint
    call = Call(
        operation="",
        region=endpoint.region or "us-east-1",
        endpoint=endpoint.url or (f"STS in {endpoint.region}" if endpoint.region else "the global STS endpoint"),
        where=source.where,
        renew=renew(source),
        ahead=_ahead(date, now),
    )
    if isinstance(what, RoleHop):
        session = _mfa_session_before(what, chain)
        return call._replace(
            operation="AssumeRole",
            role_arn=what.role_arn,
            external_id=what.external_id is not None,
            session_name=what.session_name is not None,
            mfa_serial=what.mfa_serial or "",
            mfa_session=_clear(session) if session else "",
            tags=bool(what.tags),
            source_identity=what.source_identity is not None,
            duration=what.duration,
            temporary=gives_session(source) is True or what is not chain.hops[0],
        )
    if isinstance(what, SessionTokenHop):
        return call._replace(operation="GetSessionToken", mfa_serial=what.mfa_serial or "", duration=what.duration)
    if isinstance(what, ScopedHop):
        return call._replace(operation="GetScopedCredentials", duration=what.duration)
    if isinstance(what, ServiceCall):
        return call
    file = what.setting("token_file")
    return call._replace(
        operation=_OPERATIONS.get(what.kind, ""),
        role_arn=what.setting("role_arn"),
        duration=int(what.setting("duration") or 0) or None,
        token_file=file,
        claims=_claims(file) if file else (),
    )


def _ahead(date: str, now: float) -> float | None:
    try:
        return now - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return None


def _claims(file: str) -> tuple[tuple[str, str], ...]:
    """Issuer, audience and subject of the token in a file; none if it cannot be read."""
    try:
        with open(file, "rb") as opened:
            part = opened.read(100_000).split(b".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
        return tuple((name, str(claims[name])[:200]) for name in ("iss", "aud", "sub") if name in claims)
    except (OSError, ValueError, IndexError, TypeError, binascii.Error, RecursionError):
        return ()


def subject(what: CallObject) -> str:
    """The object of the call, as messages name it."""
    if isinstance(what, ServiceCall):
        return what.title
    if isinstance(what, RoleHop):
        return f"a session of {what.role_arn}"
    if isinstance(what, ScopedHop):
        return f"a narrowed session of profile {what.profile}" if what.profile else "a narrowed session"
    if isinstance(what, Source) and not what.profile and what.setting("role_arn"):
        return f"a session of {what.setting('role_arn')}"
    kind = "an MFA session" if getattr(what, "mfa_serial", None) else "a session"
    return f"{kind} of profile {what.profile}" if what.profile else kind


def _mfa_session_before(what: CallObject, chain: RoleChain) -> SessionTokenHop | None:
    """The MFA session with which a role of the chain is assumed, if there is one."""
    if len(chain.hops) < 2 or not isinstance(what, RoleHop):
        return None
    session, role = chain.hops[:2]
    is_first = isinstance(role, RoleHop) and role.role_arn == what.role_arn
    return session if is_first and isinstance(session, SessionTokenHop) and what.mfa_serial is None else None


def _clear(session: SessionTokenHop) -> str:
    return f"awsudo clear {shlex.quote(session.profile)}" if session.profile else "awsudo clear"
