"""What is asked for and what it resolves to: immutable records, no I/O, no secret in any text form."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.credentials import Credentials
    from awsudo_py.resolve.limits import Origin


class Request(NamedTuple):
    """What the user asked for, after options and AWSUDO_* variables were put in order."""

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
    mfa_per_role: bool | None = None  # None: the profile says
    policy: str | None = None  # JSON text, or a file's path
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tags: tuple[str, ...] = ()
    source_identity: str | None = None
    region: str | None = None
    min_ttl: float | None = None  # seconds
    refresh: bool = False
    no_cache: bool = False
    store: str | None = None  # file or keyring
    origins: Mapping[str, Origin] = MappingProxyType({})  # where each input was written, for messages

    def __repr__(self) -> str:
        return f"<Request {self.target or self.profile!r}>"


class Source(NamedTuple):
    """Where a chain's first credentials come from. kind names the way they are got; see sts.py."""

    kind: str
    profile: str | None = None  # the profile that says so, if one does
    where: str = ""  # for messages: the file or variable that says so
    identity: tuple[tuple[str, str], ...] = ()  # what tells it from every other source
    settings: tuple[tuple[str, str], ...] = ()  # what getting them takes
    credentials: Credentials | None = None  # of kinds that have them at hand
    temporary: bool = False  # whether AssumeRole from here counts as role chaining
    long_lived: bool = False  # whether it is known to be a user's keys, which no command ever gets

    def setting(self, name: str) -> str:
        """One of the settings; empty if it is not there."""
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

    @property
    def title(self) -> str:
        """The session as messages name it."""
        return self.name or self.start_url

    @property
    def word(self) -> str:
        """What names the session on the command line."""
        return self.name or self.profile or self.start_url


class RoleHop(NamedTuple):
    """One AssumeRole call, with everything that shapes the session it gives."""

    role_arn: str
    profile: str | None = None  # the profile that describes it, for messages
    session_name: str | None = None  # None: a generated one, which shapes nothing
    duration: int | None = None  # seconds; None: what STS gives when not asked, one hour
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


Hop = RoleHop | SessionTokenHop


class Ask(NamedTuple):
    """A question that is no session: title is what is to be got, as messages name it."""

    title: str


#: What a call to AWS is for.
Wanted = Hop | Source | Ask


class Endpoint(NamedTuple):
    """Which STS is asked."""

    partition: str  # of the roles
    region: str | None  # for signing and the host name; None is the global endpoint
    url: str | None  # where one is configured
    scope: str  # what of this shapes a session: a custom URL, or whether its tokens hold in every region
    wider: tuple[str, ...] = ()  # scopes whose tokens hold wherever those of this one do
    heard: tuple[str, ...] = ()  # scopes whose tokens are good enough to ask here


class Program(NamedTuple):
    """A program that is run for what it prints."""

    command: str
    where: str  # for messages: what names it


class RoleChain(NamedTuple):
    """A resolved request: a source and the roles to assume from it, one after the other."""

    target: str  # the name it is shown under
    source: Source
    hops: tuple[Hop, ...]
    endpoint: Endpoint
    region: str | None  # for the child
    config_profile: str | None  # the profile whose settings (CA bundle, FIPS, …) the SDK is to read
    notices: tuple[str, ...] = ()  # what resolving found worth saying
    chaining_notices: tuple[str, ...] = ()  # what is worth saying only when STS is really called
    details: tuple[str, ...] = ()  # what only --verbose says
    mfa_process: Program | None = None  # what prints the MFA code, if a program does

    @property
    def role_arn(self) -> str:
        """The role that the child runs as; empty where there is none (an SSO profile, say)."""
        last = self.hops[-1] if self.hops else None
        return last.role_arn if isinstance(last, RoleHop) else self.source.setting("role_arn")
