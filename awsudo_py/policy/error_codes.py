"""Reads an error of AWS: by its code and its text, with what awsudo knows about the call.

A text that may repeat a secret is cut before it is displayed.

Sources: STS, SSO OIDC and sign-in API references; IAM user guide, "Troubleshoot IAM roles".
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from awsudo_py.policy.arns import role_of
from awsudo_py.policy.denials import Call, Denial, access_denied

if TYPE_CHECKING:
    from collections.abc import Callable


def explained(code: str, text: str, call: Call) -> Denial | None:
    """The content of an AWS error, or None if neither its code nor its text is known."""
    found: Denial | None
    text, whole = text[:_MOST], text
    if code in ("AccessDenied", "AccessDeniedException"):
        found = access_denied(text, call)
    else:
        found = next((denial for reader in _READERS if (denial := reader(code, text, call)) is not None), None)
    return found._replace(text=safe(whole)) if found is not None else None


#: As much of a text as is read. AWS's are shorter, with a policy's ARN and a link.
_MOST = 4_000


def _validation(code: str, text: str, call: Call) -> Denial | None:
    if code not in ("ValidationError", "ValidationException", "InvalidParameterValue", "InvalidRequestException"):
        return None
    if "Duplicate tag keys" in text:
        return Denial("session", "two --tag keys differ in upper and lower case only", ("leave one of them out",))
    if "role chaining" in text:
        return Denial(
            "duration",
            "the source is itself a session, so 1h is the most",
            ("ask for less: -d 1h",),
        )
    if "MaxSessionDuration" in text or ("DurationSeconds" in text and "exceeds" in text):
        role = role_of(call.role_arn)
        raised = f"aws iam update-role --role-name {role.name if role else 'ROLE'} --max-session-duration"
        return Denial(
            "duration",
            "the role's maximum is lower",
            (f"ask for less (-d 1h); or raise it: {raised} {call.duration or 'SECONDS'}",),
        )
    for field, (side, rule) in _FIELDS.items():
        if f"at '{field}'" in text:
            return Denial(side, rule.partition("; ")[0], tuple(rule.split("; ")[1:]))
    return None


#: Fields in "Value 'x' at 'FIELD' failed to satisfy constraint" → side, and the rule.
_FIELDS = {
    "tokenCode": ("mfa", "an MFA code is six digits"),
    "serialNumber": ("mfa", "that is not the serial number or ARN of an MFA device; find yours: awsudo keys mfa"),
    "durationSeconds": (
        "duration",
        "that duration is out of bounds; a role: -d 15m to 12h; an MFA session: 15m to 36h",
    ),
    "roleSessionName": (
        "unknown",
        "a session name has 2 to 64 letters, digits and =,.@-_+; set one with --session-name",
    ),
    "externalId": ("unknown", "an external ID has 2 to 1,224 letters, digits and =,.@:/-_+; set it with --external-id"),
    "sourceIdentity": (
        "unknown",
        "a source identity has 2 to 64 letters, digits and =,.@-_+; set another with --source-identity",
    ),
    "roleArn": ("unknown", "that is not the ARN of a role; check role_arn"),
    "policy": ("session", "the session policy is too long or has characters that AWS does not accept; check --policy"),
}  # fmt: skip

_STAMPS = re.compile(r"(\d{8}T\d{6}Z).*?\((\d{8}T\d{6}Z) [+-] (\d+) min")


def _signature(code: str, text: str, call: Call) -> Denial | None:
    if "Signature" not in code and code not in ("RequestExpired", "RequestTimeTooSkewed", "AuthFailure"):
        return None
    if "expired" in text or "not yet current" in text or "Skew" in code + text or code == "RequestExpired":
        return _clock(text, call)
    if "scoped to a valid region" in text or "scoped to correct service" in text:
        return Denial(
            "region",
            f"the call was signed for {call.region or 'one region'}, and the endpoint is in another",
            (
                "make region and endpoint agree: --region, AWS_ENDPOINT_URL_STS and endpoint_url, "
                "sts_regional_endpoints = regional; the global endpoint accepts only us-east-1",
            ),
        )
    if "slash-delimited elements" in text:
        return Denial(
            "key",
            "access key ID and secret access key are swapped or incomplete",
            (f"they come from {call.where or 'the configuration'}: an ID begins with AKIA or ASIA, and has no '/'",),
        )
    return Denial(
        "key",
        "the secret access key does not match the access key ID",
        (f"they come from {call.where or 'the configuration'}: enter both again, without spaces or line breaks",),
    )


def _clock(text: str, call: Call) -> Denial:
    stamps = _STAMPS.search(text)
    ahead = call.ahead or 0.0
    if not ahead and stamps:
        ahead = _seconds(stamps[1]) - _seconds(stamps[2])
    how = f"{abs(ahead) / 60:.0f} min {'ahead' if ahead > 0 else 'behind'}" if abs(ahead) >= 60 else "off"
    most = stamps[3] if stamps else "15"
    return Denial(
        "clock",
        f"this machine's clock is {how}, and AWS takes {most} min at most",
        ("set the clock: sudo timedatectl set-ntp true (Linux), sudo sntp -sS time.apple.com (macOS)",),
    )


def _seconds(stamp: str) -> float:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return 0.0


#: Regions that an account must opt in to. Sessions of the global endpoint are not valid there [STS, "AWS Regions"].
OPT_IN_REGIONS = frozenset(
    [
        *("af-south-1", "ap-east-1", "ap-east-2", "ap-south-2"),
        *("ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7"),
        *("ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2"),
        *("il-central-1", "me-central-1", "me-south-1", "mx-central-1"),
    ]
)


def _token(code: str, text: str, call: Call) -> Denial | None:
    if code == "InvalidIdentityToken":
        return _identity_token(text, call)
    web = call.operation == "AssumeRoleWithWebIdentity"
    if code in ("ExpiredToken", "ExpiredTokenException"):
        if "redeemed within" in text:
            return Denial("token", "the SAML assertion is more than 5 min old", ("sign in again",))
        if web:
            file = f": {call.token_file}" if call.token_file else ""
            return Denial("token", "the web identity token has expired", (f"renew its file{file}",))
        hint = _new(call) if call.mfa_session else call.renew
        return Denial("token", "the credentials that make the call have expired", (hint,))
    if code in ("InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException"):
        return _unknown_key(call)
    return None


def _new(call: Call) -> str:
    return f"they are an MFA session: for a new one, {call.mfa_session}"


def _unknown_key(call: Call) -> Denial:
    role = role_of(call.role_arn)
    partition = role.partition if role else "aws"
    if call.mfa_session:
        return Denial("key", "AWS does not know the MFA session that makes the call", (_new(call),))
    if call.temporary and call.region in OPT_IN_REGIONS:
        return Denial(
            "region",
            f"the session that makes the call is unknown, or is not valid in {call.region}",
            (
                f"sessions of the global STS endpoint are not valid in {call.region}: get it with "
                "AWS_STS_REGIONAL_ENDPOINTS=regional, or use a region that is on by default, --region",
                f"if that is not it: {call.renew}",
            ),
        )
    other = f", or of another partition than {partition} ({call.role_arn})" if partition != "aws" else ""
    return Denial(
        "region" if other else "key",
        "AWS does not know the access key that makes the call",
        (
            f"it comes from {call.where or 'the configuration'}: is it deleted or inactive{other}, its account "
            "closed? See: aws iam list-access-keys",
        ),
    )


#: Words in an InvalidIdentityToken text → side, what failed, what to do. The first that fits counts.
_IDENTITY_TOKENS = (
    ("Couldn't retrieve verification key", "provider", "AWS could not fetch the identity provider's keys just now",
     "try again; if this persists, check that the provider's jwks_uri can be reached from the internet"),
    ("No OpenIDConnect provider found", "provider", "the role's account has no OIDC provider for the token's issuer",
     "create it in the role's account: aws iam create-open-id-connect-provider --url ISSUER"),
    ("required claim: aud", "token", "the token has no audience (aud)",
     "get one with an audience: a projected service account token with audience sts.amazonaws.com, for example"),
    ("Incorrect token audience", "token", "the provider in IAM does not list the token's audience (aud)",
     "add it: aws iam add-client-id-to-open-id-connect-provider; or get a token for an audience that is listed"),
    ("required claim", "token", "the token lacks a claim that AWS needs", "get an ID token of the provider"),
    ("not a valid JWT", "token", "that is not an ID token", "an access token is not accepted; get an ID token"),
    ("thumbprint", "provider", "the provider's certificate does not match the thumbprint in IAM",
     "update it: aws iam update-open-id-connect-provider-thumbprint"),
    ("signature", "token", "the token's signature does not match the provider's keys",
     "get a new token: the provider may have changed its keys"),
    ("RoleSessionName", "token", "the RoleSessionName attribute has characters that AWS does not accept",
     "let the provider send 2 to 64 letters, digits and =,.@-_+"),
    ("expired", "token", "the web identity token has expired", "get a new one"),
)  # fmt: skip


def _identity_token(text: str, call: Call) -> Denial:
    claims = tuple(f"  {name} {value}" for name, value in call.claims)
    claimed = ("the token says:", *claims) if claims else ()
    for words, side, failed, hint in _IDENTITY_TOKENS:
        if words.lower() in text.lower():
            return Denial(side, failed, (hint, *claimed))
    return Denial(
        "token",
        "AWS does not accept the web identity token",
        ("check that its provider is set up in IAM, with this audience", *claimed),
    )


#: Codes whose meaning needs no text: side, what failed, what to do. {renew} and {source} are filled in.
CODES: dict[str, tuple[str, str, str]] = {
    "MalformedPolicyDocument": (
        "session",
        "AWS does not accept the session policy",
        "check --policy with: aws accessanalyzer validate-policy",
    ),
    "PackedPolicyTooLarge": (
        "session",
        "session policy and tags are too large together once AWS has packed them",
        "use fewer tags, name fewer actions, or keep a role's policy as a managed one: --policy-arn ARN",
    ),
    "InsufficientSessionLifetime": (
        "session",
        "the session does not last that long any more",
        "use a smaller --shorten, or renew the session: awsudo --refresh TARGET …",
    ),
    "InvalidSubjectCredentials": (
        "session",
        "these credentials cannot be narrowed: STS narrows temporary sessions only",
        "name a role, or a profile whose keys can get a session",
    ),
    "RegionDisabledException": (
        "region",
        "STS is switched off in this region for the account",
        "use a region where it is on: --region us-east-1; or activate it in the IAM console, Account settings",
    ),
    "IDPRejectedClaim": (
        "provider",
        "the identity provider rejected the token",
        "get a new one: it may be expired or revoked",
    ),
    "IDPCommunicationError": (
        "provider",
        "AWS could not reach the identity provider",
        "try again; then look at the provider",
    ),
    "RequestLimitExceeded": ("limit", "AWS is throttling calls", "try again in a few seconds"),
    "Throttling": ("limit", "AWS is throttling calls", "try again in a few seconds; --verbose lists the calls"),
    "ThrottlingException": ("limit", "AWS is throttling calls", "try again in a few seconds"),
    "TooManyRequestsException": ("limit", "AWS is throttling calls", "try again in a few seconds"),
    "LimitExceeded": (
        "limit",
        "AWS allows a user two access keys, and there are two",
        "see them: aws iam list-access-keys; delete one: aws iam delete-access-key --access-key-id ID",
    ),
    "UnauthorizedException": ("token", "the SSO session has ended", "{renew}"),
    "InvalidGrantException": ("token", "the SSO session has ended, and could not be renewed", "{renew}"),
    "ForbiddenException": (
        "identity",
        "this SSO user may not use that account or role",
        "see which: aws sso list-account-roles, or the access portal",
    ),
    "ResourceNotFoundException": (
        "unknown",
        "SSO does not have that account or role",
        "check sso_account_id and sso_role_name of the profile",
    ),
}


def _by_code(code: str, _: str, call: Call) -> Denial | None:
    if code not in CODES:
        return None
    side, failed, hint = CODES[code]
    return Denial(side, failed, (hint.format(renew=call.renew, source=call.where),))


_READERS: tuple[Callable[[str, str, Call], Denial | None], ...] = (_validation, _signature, _token, _by_code)

#: The part of an unreadable header that STS repeats; it may contain the secret key.
_QUOTED = re.compile(r"'[^']{16,}'|\"[^\"]{16,}\"|\b[A-Za-z0-9/+=]{40,}\b")


def safe(text: str) -> str:
    """The text without what it repeats of an unreadable Authorization header."""
    if "slash-delimited" not in text and "Authorization header" not in text and "key=value pair" not in text:
        return text
    return _QUOTED.sub("'...'", text[:_MOST])
