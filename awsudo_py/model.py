"""A request and what it resolves to: immutable records, no I/O, no secret in any text form."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.resolve.limits import Origin


class Request(NamedTuple):
    """The user's request, from options and AWSUDO_* variables in their order of precedence."""

    target: str | None = None  # a profile, a role ARN or a short form, as typed
    profile: str | None = None  # -p: the source where role is given, else the target
    role: str | None = None  # with -p: the role to assume
    command: tuple[str, ...] = ()
    duration: int | None = None  # seconds
    session_name: str | None = None
    external_id: str | None = None
    mfa_serial: str | None = None
    mfa_code: str | None = None
    mfa_process: str | None = None  # a program that prints a code
    mfa_session_duration: int | None = None  # seconds
    mfa_per_role: bool | None = None  # None: set by the profile
    policy: str | None = None  # JSON text, or a file's path
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tags: tuple[str, ...] = ()
    source_identity: str | None = None
    web_identity: str | None = None  # a CI system, perhaps with the variable that has the token: gitlab:MY_TOKEN
    web_identity_audience: str | None = None
    web_identity_token: str | None = None  # the token itself
    saml: str | None = None  # an assertion, in base64
    region: str | None = None
    min_ttl: float | None = None  # seconds
    refresh: bool = False
    no_cache: bool = False
    store: str | None = None  # file or keyring
    only: tuple[str, ...] = ()  # actions to narrow the session to
    on: tuple[str, ...] = ()  # ARNs of the resources for these actions
    read_only: bool = False
    shorten: int | None = None  # seconds
    reason: str | None = None
    origins: Mapping[str, Origin] = MappingProxyType({})  # where each input was written, for messages

    def __repr__(self) -> str:
        return f"<Request {self.target or self.profile!r}>"


class Source(NamedTuple):
    """Where a chain's first credentials come from. kind is a row of resolve/source_kinds."""

    kind: str
    profile: str | None = None  # the profile that sets it, if one does
    where: str = ""  # for messages: the file or variable that sets it
    identity: tuple[tuple[str, str], ...] = ()  # its identity among all sources
    settings: tuple[tuple[str, str], ...] = ()  # the parameters of the call that gets them
    credentials: Credentials | None = None  # of kinds that need no call

    def setting(self, name: str) -> str:
        """One of the settings; empty if it is not set."""
        return dict(self.settings).get(name, "")


class SsoSession(NamedTuple):
    """A session of IAM Identity Center to sign in to, as the AWS configuration describes it."""

    name: str | None  # of its [sso-session]; None where a profile has the settings itself (legacy)
    start_url: str
    region: str
    scopes: tuple[str, ...] | None = None  # sso_registration_scopes; None: the key is absent
    profile: str | None = None  # whose endpoint and certificate settings apply, if one was named
    account: str = ""  # what the sign-in is for, to display
    role: str = ""
    tenant: str = ""  # the ID of its account access tenant, if it has one

    @property
    def title(self) -> str:
        """The session as messages name it."""
        return self.name or self.start_url

    @property
    def word(self) -> str:
        """The session's name on the command line."""
        return self.name or self.profile or self.start_url


class RoleHop(NamedTuple):
    """One AssumeRole call, with everything that shapes its session."""

    role_arn: str
    profile: str | None = None  # the profile that describes it, for messages
    session_name: str | None = None  # None: a generated one, which shapes nothing
    duration: int | None = None  # seconds; None: the default of STS, one hour
    external_id: str | None = None
    mfa_serial: str | None = None
    policy: str | None = None  # JSON text
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tags: tuple[str, ...] = ()
    source_identity: str | None = None


class SessionTokenHop(NamedTuple):
    """One GetSessionToken call: a session of the long-lived keys before it."""

    profile: str | None
    duration: int | None  # seconds
    mfa_serial: str | None = None


class ScopedHop(NamedTuple):
    """One GetScopedCredentials call: the session before it, narrowed or shortened."""

    profile: str | None
    policy: str | None = None  # JSON text
    duration: int | None = None  # seconds; None: as long as the session before it
    description: str | None = None  # for CloudTrail
    mfa_serial: None = None  # it needs no code


Hop = RoleHop | SessionTokenHop | ScopedHop


class ServiceCall(NamedTuple):
    """A call other than for a session: title is its object, as messages name it."""

    title: str


#: The object of a call to AWS.
CallObject = Hop | Source | ServiceCall


class Endpoint(NamedTuple):
    """The STS that a chain calls."""

    partition: str  # of the roles
    region: str | None  # for signing and the host name; None is the global endpoint
    url: str | None  # if one is configured
    scope: str  # what of this shapes a session: a custom URL, or whether its tokens are valid in every region
    wider: tuple[str, ...] = ()  # scopes whose tokens are valid wherever those of this one are
    accepted: tuple[str, ...] = ()  # scopes whose tokens this STS accepts


class Program(NamedTuple):
    """A program that is run for its output."""

    command: str
    where: str  # for messages: the setting that names it


class RoleChain(NamedTuple):
    """A resolved request: a source and the roles to assume from it, one after the other."""

    target: str  # its name in messages
    source: Source
    hops: tuple[Hop, ...]
    endpoint: Endpoint
    region: str | None  # for the command
    config_profile: str | None  # the profile whose settings (CA bundle, FIPS, …) the SDK reads
    settings: tuple[tuple[str, str], ...] = ()  # variables for the command: what else the profile sets
    if_session: tuple[Hop, ...] | None = None  # the hops if the source turns out to give a session; None: those above
    notices: tuple[str, ...] = ()  # for every run
    call_notices: tuple[str, ...] = ()  # for a run that calls STS
    details: tuple[str, ...] = ()  # for --verbose
    mfa_process: Program | None = None  # prints the MFA code, if one is configured
    confirmed_by_code: bool = False  # whether each run needs an MFA code of its own: its session is not cached

    @property
    def role_arn(self) -> str:
        """The role that the command runs as; empty if there is none (an SSO profile, for one)."""
        last = next((hop for hop in reversed(self.hops) if not isinstance(hop, ScopedHop)), None)
        return last.role_arn if isinstance(last, RoleHop) else self.source.setting("role_arn")
