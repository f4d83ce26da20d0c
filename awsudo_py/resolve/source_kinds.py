"""The kinds of source that a chain can start from: one row each, which every decision about a kind reads.

A new kind is a row here, a function in aws/fetchers that its `fetch` names, and a place in the search order of
resolve/sources.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Literal, NamedTuple

from awsudo_py.errors import NoCredentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.model import Source

#: The result of a kind of source: long-lived keys, a session, or either. Which of the two is shown by the session token
#: that is beside the keys, or by nothing but the call.
Gives = Literal["keys", "session", "the token shows", "the call shows"]


class SourceKind(NamedTuple):
    """How the sources of one kind behave."""

    noun: str  # for messages: "<noun> credentials"
    gives: Gives
    renew: Callable[[Source], str]  # the hint that says how to get new credentials
    fetch: str = ""  # the function of aws/fetchers that gets the credentials; empty: the record holds them
    giver: str = ""  # for messages: the service behind that function
    services: tuple[str, ...] = ()  # the AWS services that the function calls, as AWS_ENDPOINT_URL_… names them
    accepts: tuple[str, ...] = ()  # the inputs of a request that the call for its session accepts
    chains: bool = True  # whether STS counts AssumeRole from its session as role chaining
    cached: bool = False  # whether its session costs a call, and is stored like that of a hop
    signs_in: bool = False  # whether its call may wait for a person who signs in
    by_token: bool = False  # whether a token of our own sign-in must be there before its sessions are looked up
    in_turn: bool = False  # whether runs call it one after the other: several at once would sign in several times
    may_be_locked: bool = False  # whether its user may have to unlock it
    made_elsewhere: bool = False  # whether its session may be narrowed by a policy that awsudo cannot see
    known_by_call: bool = False  # whether only its credentials show its identity, so that it is called on every run
    replayable: bool = True  # whether files and variables alone show that it is unchanged


def _renew_elsewhere(source: Source) -> str:
    return f"renew the credentials from {source.where}"


def _renew_environment(_: Source) -> str:
    return "remove them from the environment (awsudo export --unset), or leave the shell that set them"


def _sign_in_to_sso(source: Source) -> str:
    return f"sign in: awsudo login {shlex.quote(source.setting('sso_session') or source.profile or '')}"


def _sign_in(source: Source) -> str:
    return f"sign in: aws login --profile {shlex.quote(source.profile or '')}"


KINDS = {
    "keys": SourceKind("key", "the token shows", _renew_elsewhere),
    "environment": SourceKind("environment", "the token shows", _renew_environment, made_elsewhere=True),
    "keyring": SourceKind("keyring", "keys", _renew_elsewhere, fetch="keyring", may_be_locked=True),
    "sso": SourceKind(
        "SSO",
        "session",
        _sign_in_to_sso,
        fetch="sso",
        giver="the SSO portal",
        services=("sso", "sso_oidc"),
        cached=True,
        signs_in=True,
        by_token=True,
    ),
    "account-access": SourceKind(
        "account access",
        "session",
        _sign_in_to_sso,
        fetch="account_access",
        giver="account access",
        services=("account_access_runtime", "sso_oidc"),
        accepts=("duration", "session_name"),
        cached=True,
        signs_in=True,
        by_token=True,
    ),
    "web-identity": SourceKind(
        "web identity",
        "session",
        _renew_elsewhere,
        fetch="web_identity",
        giver="STS",
        services=("sts",),
        accepts=("duration", "session_name"),
        cached=True,
    ),
    "web-token": SourceKind(
        "web identity",
        "session",
        _renew_elsewhere,
        fetch="web_token",
        giver="STS",
        services=("sts",),
        accepts=("duration", "session_name", "policy", "policy_arns"),
        cached=True,
        replayable=False,
    ),
    "web-token-process": SourceKind(
        "web identity",
        "session",
        _renew_elsewhere,
        fetch="web_token",
        giver="STS",
        services=("sts",),
        accepts=("duration", "session_name", "policy", "policy_arns"),
        replayable=False,
    ),
    "saml": SourceKind(
        "SAML",
        "session",
        _renew_elsewhere,
        fetch="saml",
        giver="STS",
        services=("sts",),
        accepts=("duration", "policy", "policy_arns"),
        cached=True,
        replayable=False,
    ),
    "cognito": SourceKind(
        "Cognito",
        "session",
        _renew_elsewhere,
        fetch="cognito",
        giver="the Cognito identity pool",
        services=("cognito_identity",),
        cached=True,
    ),
    "login": SourceKind(
        "aws login",
        "session",
        _sign_in,
        fetch="login",
        giver="the sign-in service",
        services=("signin",),
        in_turn=True,
        replayable=False,
    ),
    "process": SourceKind(
        "credential_process",
        "the call shows",
        _renew_elsewhere,
        fetch="process",
        giver="credential_process",
        in_turn=True,
        made_elsewhere=True,
        known_by_call=True,
        replayable=False,
    ),
    # roles of a machine: STS lets their sessions assume a role for longer than an hour
    "container": SourceKind(
        "container",
        "session",
        _renew_elsewhere,
        fetch="container",
        giver="the container credentials endpoint",
        chains=False,
        known_by_call=True,
        replayable=False,
    ),
    "instance": SourceKind(
        "instance",
        "session",
        _renew_elsewhere,
        fetch="instance",
        giver="the instance metadata service",
        chains=False,
        known_by_call=True,
        replayable=False,
    ),
}

#: The kinds whose sessions come from an SSO session.
BY_TOKEN = tuple(name for name, kind in KINDS.items() if kind.by_token)


def kind_of(source: Source) -> SourceKind:
    """The row of this source's kind."""
    return KINDS[source.kind]


def from_environment(source: Source) -> bool:
    """Whether the credentials are in environment variables."""
    return source.kind == "environment"


def gives_session(source: Source) -> bool | None:
    """Whether this source returns a session (or else long-lived keys); None if only the call shows it."""
    gives = kind_of(source).gives
    if gives == "the token shows":
        return source.credentials is not None and source.credentials.session_token is not None
    return None if gives == "the call shows" else gives == "session"


def is_chaining(source: Source) -> bool:
    """Whether a role that is assumed from this source is known to be role chaining, which lasts an hour at most."""
    return gives_session(source) is True and kind_of(source).chains


def inputs_accepted(source: Source) -> tuple[str, ...]:
    """The inputs that shape the source's own session, where no role is assumed from it."""
    # GetSessionToken gives the session of long-lived keys
    return kind_of(source).accepts if gives_session(source) else ("duration", "mfa_serial")


def renew(source: Source) -> str:
    """The hint that says how to get new credentials of this source."""
    return kind_of(source).renew(source)


def refuse_expired(source: Source, now: float) -> None:
    """Refuse credentials that have expired, by the time that is set with them."""
    until = source.setting("expiration")
    if not until:
        return
    from datetime import datetime, timezone  # here, so that other runs do not import it

    try:
        stamp = datetime.fromisoformat(until.replace("Z", "+00:00"))
    except ValueError:
        return  # not a time stamp: AWS decides
    if (stamp if stamp.tzinfo else stamp.replace(tzinfo=timezone.utc)).timestamp() <= now:
        raise NoCredentials(f"the credentials in the environment expired at {until}", hint=renew(source))
