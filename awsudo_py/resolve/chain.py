"""Turns a request and the profiles into a chain of roles, by the rules of precedence.

1. An option wins over an AWSUDO_* variable, that over the profile, that over the default.
2. A profile's credentials are found in the search order of the SDKs (botocore's chain; a test compares).
3. Nothing is inherited from [default], and nothing falls back: whatever is missing is an error that names it.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import ConfigError, InvalidInput, shortened
from awsudo_py.model import RoleChain, RoleHop, SessionTokenHop, Source
from awsudo_py.resolve import limits, mfa_placement, narrowing, roles
from awsudo_py.resolve.command_settings import command_settings
from awsudo_py.resolve.endpoints import Endpoints
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.other_tools import without_credentials
from awsudo_py.resolve.rails import RailsByTarget
from awsudo_py.resolve.role_words import looks_like_role
from awsudo_py.resolve.session_inputs import apply_inputs, clamp, refuse_endless, sends_policies, unsent_code
from awsudo_py.resolve.source_kinds import from_environment, kind_of
from awsudo_py.resolve.sources import Sources
from awsudo_py.resolve.sso_sessions import TENANT
from awsudo_py.resolve.sso_sources import by_account_access, source_of_word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.model import Hop, Request
    from awsudo_py.resolve.aws_config import AwsConfig, Settings


#: The longest chain of roles that is resolved; each is a call of STS.
MOST_ROLES = 50


class _Ambient(NamedTuple):
    """The profile that the environment names, by the rules of the AWS CLI."""

    profile: str
    variable: str | None  # None: not named, the default profile
    notices: tuple[str, ...] = ()


#: The keys by which a profile without a role gets its credentials.
_SOURCES_OF_CREDENTIALS = (
    *("role_arn", "aws_access_key_id", "aws_secret_access_key", "credential_process", "sso_account_id"),
    *("sso_role_name", "web_identity_token_file", "login_session"),
)


class Resolver:
    """Resolves requests with one configuration and one environment. Every method may raise AwsudoError.

    environ holds the deciding variables; fingerprint returns a digest of a token file's content, None if there is no
    such file; accounts the IDs of the accounts that a session's portal last listed under a name. rails: those of the
    configuration, where several resolvers share them.
    """

    def __init__(
        self,
        config: AwsConfig,
        environ: Mapping[str, str],
        fingerprint: Callable[[str], str | None],
        accounts: Callable[[str, str], Sequence[str]] = lambda _session, _name: (),
        rails: RailsByTarget | None = None,
    ) -> None:
        self._accounts = accounts
        self._rails = rails or RailsByTarget(config)
        self.config = config
        self.environ = environ
        self._sources = Sources(config, environ, fingerprint)
        self._endpoints = Endpoints(config, environ)
        self._from_profiles: dict[tuple[str, bool], tuple[Source, tuple[RoleHop, ...]]] = {}

    # -- the request -----------------------------------------------------------------------------------------------

    def chain(self, request: Request) -> RoleChain:
        """The chain that the request means.

        Raises AwsudoError: a profile, section or key is missing or wrong, or a chain comes back to itself.
        """
        token_source = self._token_source(request)
        portal_source = token_source or self._portal_source(request)
        name, role = (None, request.role and roles.role_arn(request.role)) if portal_source else self._named(request)
        if token_source is not None:
            role = None
        notices: tuple[str, ...] = ()
        roles_on_the_way: tuple[RoleHop, ...]
        config_profile: str | None
        if portal_source is not None:
            source, roles_on_the_way, config_profile = portal_source, (), portal_source.profile
        elif name is not None:
            source, roles_on_the_way = self._from_profile(name, [])
            config_profile = name
        else:
            ambient = self._ambient()
            source, roles_on_the_way = self._from_ambient(ambient)
            config_profile = ambient.profile if self.config.profile(ambient.profile) is not None else None
            notices = ambient.notices
        if role is not None:
            roles_on_the_way = (*roles_on_the_way, RoleHop(role))
        source, roles_on_the_way, unsent = apply_inputs(
            source, roles_on_the_way, request, self.config, name or request.profile or request.target
        )
        profiles = [*(hop.profile for hop in reversed(roles_on_the_way)), source.profile]
        inputs = mfa_placement.mfa_inputs(request, self.config, profiles)
        target = request.target or (role if role is not None else request.profile) or ""
        assumed = roles_on_the_way[-1].role_arn if roles_on_the_way else source.setting("role_arn")
        of_portal = source.setting("sso_account_id"), source.setting("sso_role_name")
        inputs = inputs._replace(confirms=self._rails.code_required(target, assumed or of_portal))
        placement = mfa_placement.place(source, roles_on_the_way, inputs)
        hops, clamped = clamp(placement.hops, source)
        if_session = None if placement.if_session is None else clamp(placement.if_session, source)[0]
        region, region_origin = self._endpoints.region(request, config_profile, named=name is not None)
        endpoint = self._endpoints.endpoint(hops, source, region, region_origin, config_profile)
        profile = name or source.profile
        limited_by = name if portal_source is None else portal_source.profile
        limiting = narrowing.narrowing_of(request, self.config, limited_by)
        # policies that the source's own call sends need no other call
        still = request if hops or not sends_policies(source) else request._replace(policy=None, policy_arns=())
        hops = narrowing.narrowed(hops, limiting, still, self.config, profile, endpoint.partition)
        if if_session is not None:
            if_session = narrowing.narrowed(if_session, limiting, request, self.config, profile, endpoint.partition)
        narrowing.refuse_global(hops, endpoint)
        if if_session != ():
            refuse_endless(hops, source, request)
        settings, about_settings = command_settings(self.config, config_profile, self.environ)
        return RoleChain(
            target=target,
            source=self._endpoints.located(source, endpoint, config_profile),
            hops=hops,
            endpoint=endpoint,
            region=region,
            config_profile=config_profile,
            settings=tuple(settings.items()),
            if_session=if_session,
            notices=(*notices, *self._sources.shadowed(source), *unsent, *unsent_code(hops, request), *about_settings),
            call_notices=(*self._call_notices(name, source, hops), *clamped, *self._endpoints.notices),
            details=(placement.why,) if placement.why else (),
            mfa_process=inputs.process,
            confirmed_by_code=bool(inputs.confirms),
        )

    def _call_notices(self, name: str | None, source: Source, hops: tuple[Hop, ...]) -> tuple[str, ...]:
        """The notices for a run that fetches the session at the end of the chain by a call."""
        notices: tuple[str, ...] = ()
        outer = self.environ.get("AWSUDO_TARGET")
        if outer and from_environment(source):
            notices = (
                f"inside {outer}: assuming a role from its session is role chaining, so the session lasts at most 1h",
            )
        last = hops[-1] if hops else None
        if isinstance(last, SessionTokenHop):
            notice = f"profile {name} has long-lived keys and no role: the command gets a session from them"
            notices = (
                *notices,
                notice if last.mfa_serial else f"{notice} (IAM accepts no call from it without MFA)",
            )
        return notices

    # -- one profile -----------------------------------------------------------------------------------------------

    def source(self, name: str | None) -> Source:
        """Where a profile starts from; with no name, the ambient credentials."""
        source, _ = self._from_profile(name, []) if name is not None else self._from_ambient(self._ambient())
        return source

    def device(self, name: str) -> str | None:
        """The MFA device of a profile's keys, if it has one."""
        return self._sources.device(name)

    def service_url(self, service: str, profile: str | None) -> str | None:
        """The endpoint that is configured for a service; None is AWS's own."""
        return self._endpoints.url(service, profile)

    def chain_of_keys(self, name: str, source: Source, request: Request, *, with_device: bool = False) -> RoleChain:
        """The chain that is a profile's keys alone, or, with_device, a session of them if it has an MFA device.

        The profile need not exist: keys are stored before anything names them.
        """
        inputs = mfa_placement.mfa_inputs(request, self.config, [name])
        # the session that roles share: a code that was typed once does here too
        needs_code = with_device and (inputs.serial or source.setting("mfa_serial"))
        hops = mfa_placement.place(source, (), inputs).hops if needs_code else ()
        config_profile = name if self.config.profile(name) is not None else None
        region, region_origin = self._endpoints.region(request, config_profile, named=True)
        endpoint = self._endpoints.endpoint(hops, source, region, region_origin, config_profile)
        return RoleChain(name, source, hops, endpoint, region, config_profile, mfa_process=inputs.process)

    def _token_source(self, request: Request) -> Source | None:
        """The role that is assumed with a token or an assertion of the request; None if it has none."""
        given = [name for name in ("web_identity", "web_identity_token", "saml") if getattr(request, name)]
        if not given:
            return None
        origin = limits.written(request.origins, given[0])
        if len(given) > 1:
            raise origin.refuse(
                f"it excludes {limits.written(request.origins, given[1]).name}", "leave one of them out"
            )
        profile = None
        word = request.role if request.role is not None else request.target or request.profile or ""
        settings = self.config.profile(word)
        if settings is not None:
            if "role_arn" not in settings:
                raise origin.refuse(f"profile {word} has no role_arn", "name a role: arn:aws:iam::ACCOUNT:role/NAME")
            profile, arn = word, self._role_arn(word, settings)
        elif request.profile is not None and request.role is not None:
            raise origin.refuse(
                "a role is assumed with the token, not with a profile", f"leave -p {shlex.quote(request.profile)} out"
            )
        else:
            arn = roles.role_arn(word)
        source = (
            self._sources.web_token(arn, profile, request)
            if request.saml is None
            else self._sources.saml(arn, profile, request.saml)
        )
        return source if profile is None else self._with_settings(source, self._hop(profile, settings or {}))

    def _with_settings(self, source: Source, hop: RoleHop) -> Source:
        """The source with its profile's session settings, as far as the call accepts them."""
        given = {"duration": hop.duration, "session_name": hop.session_name}
        added = [(name, str(value)) for name, value in given.items() if value and name in kind_of(source).accepts]
        return source._replace(identity=(*source.identity, *added), settings=(*source.settings, *added))

    def _portal_source(self, request: Request) -> Source | None:
        """The role of a portal that SESSION/ACCOUNT/ROLE names; None for a word that is something else."""
        word = request.profile if request.profile is not None else request.target or ""
        session, _, rest = word.partition("/")
        if session not in self.config.sso_sessions or self.config.profile(word) is not None:
            return None
        # roles of a tenant may have a path, those of a portal have none, and accounts any name
        of_tenant = bool(self.config.sso_sessions[session].get(TENANT))
        account, _, role = rest.partition("/") if of_tenant else rest.rpartition("/")
        if not account or not role:
            return None
        account_id = account
        if not (len(account) == 12 and account.isascii() and account.isdigit()):
            found = self._accounts(session, account)
            if len(found) != 1:
                several = f"several accounts of {session} are named {account}: {', '.join(found)}"
                raise ConfigError(
                    several if found else f"no account named {shortened(account, 80)!r} was listed for {session}",
                    hint="use its ID"
                    if found
                    else f"list them: awsudo import --sso {shlex.quote(session)} --diff; or use the account ID",
                )
            account_id = found[0]
        return source_of_word(session, account_id, role, self.config)

    def _named(self, request: Request) -> tuple[str | None, str | None]:
        """Which profile is named, and which role."""
        if request.profile is not None:
            role = roles.role_arn(request.role) if request.role is not None else None
            return request.profile, role
        target = request.target
        assert target is not None  # the grammar requires one of the two
        # a profile may be called 123456789012:admin
        if looks_like_role(target) and self.config.profile(target) is None:
            return None, roles.role_arn(target)
        self.config.require(target)
        return target, None

    # -- profiles --------------------------------------------------------------------------------------------------

    def _from_profile(self, name: str, seen: Sequence[str]) -> tuple[Source, tuple[RoleHop, ...]]:
        """The chain of a profile. seen: the profiles that led here, first to last."""
        # one source may serve thousands of profiles; with a profile that led here in its chain, it is a loop
        key = name, bool(seen)
        found = self._from_profiles.get(key)
        if found is None or (seen and not {found[0].profile, *(hop.profile for hop in found[1])}.isdisjoint(seen)):
            found = self._from_profiles[key] = self._resolved(name, seen)
        return found

    def _resolved(self, name: str, seen: Sequence[str]) -> tuple[Source, tuple[RoleHop, ...]]:
        settings = self.config.require(name)
        if not _is_role(settings) or (seen and self._sources.has_keys(name, settings)):
            source = self._sources.held_by(name, settings)
            if source is None:
                self.config.refuse_unreadable(f"profile {name} has no credentials in the files that can be read")
                raise ConfigError(
                    f"profile {name} has no credentials and no role_arn ({self.config.home_of(name)})",
                    hint=self.config.lost(name, *_SOURCES_OF_CREDENTIALS) or without_credentials(name, settings),
                )
            if by_account_access(settings) and name not in self.config.stored:
                return self._with_settings(source, self._hop(name, settings)), ()
            return source, ()
        hop = self._hop(name, settings)
        source_profile, credential_source = settings.get("source_profile"), settings.get("credential_source")
        where = self.config.where(name, "role_arn")
        if source_profile is not None and credential_source is not None:
            raise ConfigError(
                f"profile {name} has both source_profile and credential_source ({where})", hint="remove one of the two"
            )
        if credential_source is not None:
            return self._sources.named(name, credential_source), (hop,)
        if source_profile is None:
            lost = self.config.lost(name, "source_profile", "credential_source")
            raise ConfigError(
                f"profile {name} has a role_arn and no source_profile ({where})",
                hint=lost
                or (
                    "add the profile whose credentials assume the role: source_profile = NAME",
                    f"or assume it with the ambient credentials: awsudo {shlex.quote(settings['role_arn'])} …",
                ),
            )
        if source_profile == name and self._sources.has_keys(name, settings):
            return self._sources.keys_of(name, settings), (hop,)
        path = [*seen, name]
        if source_profile in path:
            loop = " -> ".join([*path[path.index(source_profile) :], source_profile])
            raise ConfigError(
                f"source_profile loop: {loop} ({self.config.where(name, 'source_profile')})",
                hint="one of these profiles must have credentials of its own instead of a source_profile",
            )
        self.config.require(
            source_profile, f"source_profile of profile {name}, {self.config.where(name, 'source_profile')}"
        )
        # the length is the same wherever one begins to count: from the target down, or up from a source that is known
        source, hops = self._from_profile(source_profile, path) if len(path) <= MOST_ROLES else (None, ())
        if source is None or len(hops) >= MOST_ROLES:
            where = self.config.where(name, "source_profile")
            raise ConfigError(
                f"more than {MOST_ROLES} roles in a chain of source_profile ({where})",
                hint="see it: awsudo list --tree",
            )
        return source, (*hops, hop)

    def _hop(self, name: str, settings: Settings) -> RoleHop:
        def origin(key: str) -> Origin:
            return self.config.origin(name, key)

        def text(key: str, kind: str) -> str | None:
            return limits.text(kind, settings[key], origin(key)) if key in settings else None

        def words(key: str) -> list[str]:
            return [word.strip() for word in settings.get(key, "").split(",") if word.strip()]

        duration = None
        if "duration_seconds" in settings:
            there = origin("duration_seconds")
            duration = limits.duration(limits.seconds(settings["duration_seconds"], there), there)
        tags = limits.tags(words("session_tags"), origin("session_tags")) if "session_tags" in settings else ()
        return RoleHop(
            self._role_arn(name, settings),
            profile=name,
            session_name=text("role_session_name", "session_name"),
            duration=duration,
            external_id=text("external_id", "external_id"),
            mfa_serial=text("mfa_serial", "mfa_serial"),
            tags=tags,
            transitive_tags=limits.transitive(
                words("transitive_session_tags"), tags, origin("transitive_session_tags")
            ),
            source_identity=text("source_identity", "source_identity"),
        )

    def _role_arn(self, name: str, settings: Settings) -> str:
        try:
            return roles.role_arn(settings["role_arn"])
        except InvalidInput as error:
            slip = limits.slip_in(settings["role_arn"])
            raise self.config.origin(name, "role_arn").refuse(error.message, slip or error.hints) from None

    # -- the ambient credentials -----------------------------------------------------------------------------------

    def _ambient(self) -> _Ambient:
        profile, default = self.environ.get("AWS_PROFILE"), self.environ.get("AWS_DEFAULT_PROFILE")
        if profile and default and profile != default:
            notice = f"AWS_PROFILE ({profile}) and AWS_DEFAULT_PROFILE ({default}) differ: using AWS_PROFILE"
            return _Ambient(profile, "AWS_PROFILE", (notice,))
        if profile:
            return _Ambient(profile, "AWS_PROFILE")
        return _Ambient(default, "AWS_DEFAULT_PROFILE") if default else _Ambient("default", None)

    def _from_ambient(self, ambient: _Ambient) -> tuple[Source, tuple[RoleHop, ...]]:
        """Credentials as the AWS CLI finds them without a profile name."""
        if ambient.variable is not None:
            self.config.require(ambient.profile, ambient.variable)
        settings = self.config.profile(ambient.profile) or {}
        in_environment = self._sources.environment()
        if in_environment is not None:
            return in_environment, ()
        if _is_role(settings):
            return self._from_profile(ambient.profile, [])
        if self.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            return self._sources.web_identity(None, settings, "AWS_WEB_IDENTITY_TOKEN_FILE", explicit=False), ()
        if "web_identity_token_file" in settings and ambient.profile not in self.config.stored:
            return self._sources.web_identity(ambient.profile, settings, explicit=False), ()
        source = self._sources.held_by(ambient.profile, settings)
        if source is not None:
            return source, ()
        if self.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or self.environ.get(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI"
        ):
            return Source("container", None, "AWS_CONTAINER_CREDENTIALS_*"), ()
        self.config.refuse_unreadable("the environment has no credentials")
        keys = "no keys in the environment"
        if self.environ.get("AWS_SECRET_ACCESS_KEY") and not self.environ.get("AWS_ACCESS_KEY_ID"):
            keys = "AWS_SECRET_ACCESS_KEY is set in the environment without AWS_ACCESS_KEY_ID,"
        where = f"{keys} and none in profile {ambient.profile} ({self.config.config_file})"
        return Source("instance", None, where), ()


def _is_role(settings: Mapping[str, str]) -> bool:
    """Whether a profile's role is assumed with other credentials than its own."""
    if "role_arn" not in settings or by_account_access(settings):
        return False
    return not {"web_identity_token_file", "web_identity_token_process"} & set(settings)
