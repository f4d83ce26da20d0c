"""Calls AWS for the credentials of a chain: those of its source, and the session of each hop."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from awsudo_py.aws.client import Aws
from awsudo_py.aws.fetchers import fetch
from awsudo_py.errors import AwsudoError
from awsudo_py.model import RoleHop, ScopedHop, SessionTokenHop
from awsudo_py.resolve import limits
from awsudo_py.resolve.limits import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.clients import Clients
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.model import Hop, RoleChain, Source
    from awsudo_py.resolve.aws_config import AwsConfig


class BotocoreSts:
    """The calls to AWS that one chain needs.

    session_name is for hops that have none; stored_key returns a key from the OS keyring, sso_token the access
    token of an SSO session, web_token a web identity token; clients are shared with other chains.
    """

    def __init__(
        self,
        chain: RoleChain,
        config: AwsConfig,
        *,
        session_name: str,
        stored_key: Callable[[Source], Credentials],
        sso_token: Callable[[Source, str], str],
        web_token: Callable[[Source], str] | None = None,
        saml_assertion: str | None = None,
        clock: Callable[[], float] = time.time,
        clients: Clients | None = None,
    ) -> None:
        self._aws = Aws(
            chain,
            config,
            clock,
            clients,
            stored_key=stored_key,
            sso_token=sso_token,
            web_token=web_token,
            saml_assertion=saml_assertion,
        )
        self._session_name = session_name

    def source(self, source: Source) -> Credentials:
        """The credentials that begin the chain. Raises AwsudoError."""
        return fetch(self._aws, source, self._session_name)

    def sign_in(self, source: Source) -> None:
        """Make sure that the user is signed in to a source of kind sso. Raises AwsudoError."""
        assert self._aws.sso_token is not None  # what has sources has tokens
        self._aws.sso_token(source, "")

    def session(self, hop: Hop, credentials: Credentials, code: str = "") -> Credentials:
        """AssumeRole or GetSessionToken with these credentials, and with an MFA code. Raises AwsudoError."""
        parameters, tries = session_parameters(hop, self._session_name), self._aws.tries
        if hop.mfa_serial is not None:
            # a code works once: the call that carries it is never sent again
            parameters, tries = {**parameters, "SerialNumber": hop.mfa_serial, "TokenCode": code}, 1
        operation = _OPERATIONS[type(hop)]
        return self._aws.credentials_of(
            hop, lambda: getattr(self._aws.sts(credentials, tries), operation)(**parameters)
        )


#: The call that makes a hop's session.
_OPERATIONS: dict[type[Hop], str] = {
    RoleHop: "assume_role",
    SessionTokenHop: "get_session_token",
    ScopedHop: "get_scoped_credentials",
}


def session_parameters(hop: Hop, session_name: str) -> dict[str, Any]:
    """The parameters of the call for this hop, but for an MFA code; session_name is for a hop that has none."""
    given: dict[str, Any] = {"DurationSeconds": hop.duration}
    if isinstance(hop, RoleHop):
        given |= {
            "RoleArn": hop.role_arn,
            "RoleSessionName": hop.session_name or session_name,
            "ExternalId": hop.external_id,
            "Policy": hop.policy,
            "PolicyArns": [{"arn": arn} for arn in hop.policy_arns],
            "Tags": [{"Key": key, "Value": value} for key, value in hop.tags],
            "TransitiveTagKeys": list(hop.transitive_tags),
            "SourceIdentity": hop.source_identity,
        }
    if isinstance(hop, ScopedHop):
        given |= {"Policy": hop.policy, "ScopedSessionDescription": hop.description}
    return {name: value for name, value in given.items() if value}


def default_session_name(user: str, host: str) -> str:
    """A session name that says who and where, made of what STS takes: USER@HOST, 64 characters at most."""
    name = re.sub(r"[^\w+=,.@-]+", "-", f"{user}@{host}", flags=re.ASCII)[:64]
    return limits.text("session_name", name if len(name) > 1 else "awsudo", Origin("session name", AwsudoError))
