"""Turns a request and the profiles into a chain of roles: the precedence rules, and nothing but them.

1. An option wins over an AWSUDO_* variable, that over the profile, that over the default.
2. A profile gets its credentials in the order in which the SDKs look (botocore's chain; a test compares).
3. Nothing is inherited from [default], and nothing falls back: what is missing is an error that names it.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import ConfigError, InvalidInput
from awsudo_py.model import RoleChain, RoleHop, SessionTokenHop, Source
from awsudo_py.resolve import limits, mfa_placement, roles
from awsudo_py.resolve.endpoints import Endpoints
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.role_words import looks_like_role
from awsudo_py.resolve.session_inputs import clamped, refuse_endless, shaped, told_of_code
from awsudo_py.resolve.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.model import Hop, Request
    from awsudo_py.resolve.aws_config import AwsConfig, Settings


class _Ambient(NamedTuple):
    """The profile that the environment names, as the AWS CLI would take it."""

    profile: str
    variable: str | None  # None: nothing names it, it is the default one
    notices: tuple[str, ...] = ()


def resolve(
    request: Request,
    config: AwsConfig,
    environ: Mapping[str, str],
    fingerprint: Callable[[str], str | None],
) -> RoleChain:
    """The chain that the request means.

    environ holds the deciding variables; fingerprint gives a digest of a token file's content, None if there is no
    such file. Raises AwsudoError: a profile, section or key is missing or wrong, or a chain comes back to itself.
    """
    return _Resolver(config, environ, fingerprint).chain(request)


def chain_of_keys(
    name: str,
    source: Source,
    request: Request,
    config: AwsConfig,
    environ: Mapping[str, str],
    hops: tuple[Hop, ...] = (),
) -> RoleChain:
    """The chain that is a profile's keys and nothing else, for what is asked of AWS about them. Raises AwsudoError.

    The profile need not be there: keys are stored before anything names them.
    """
    endpoints = Endpoints(config, environ)
    config_profile = name if config.profile(name) is not None else None
    region, said_by = endpoints.region(request, config_profile, named=True)
    endpoint = endpoints.endpoint(hops, source, region, said_by, config_profile)
    return RoleChain(name, source, hops, endpoint, region, config_profile)


def source_of(
    name: str | None, config: AwsConfig, environ: Mapping[str, str], fingerprint: Callable[[str], str | None]
) -> Source:
    """Where a profile starts from; with no name, the ambient credentials. Raises AwsudoError."""
    resolver = _Resolver(config, environ, fingerprint)
    source, _ = resolver._from_profile(name, []) if name is not None else resolver._from_ambient(resolver._ambient())
    return source


class _Resolver:
    def __init__(self, config: AwsConfig, environ: Mapping[str, str], fingerprint: Callable[[str], str | None]) -> None:
        self.config = config
        self.environ = environ
        self.sources = Sources(config, environ, fingerprint)
        self.endpoints = Endpoints(config, environ)

    # -- the request -----------------------------------------------------------------------------------------------

    def chain(self, request: Request) -> RoleChain:
        name, role = self._named(request)
        notices: tuple[str, ...] = ()
        source: Source
        roles_asked: tuple[RoleHop, ...]
        config_profile: str | None
        if name is not None:
            source, roles_asked = self._from_profile(name, [])
            config_profile = name
        else:
            ambient = self._ambient()
            source, roles_asked = self._from_ambient(ambient)
            config_profile = ambient.profile if self.config.profile(ambient.profile) is not None else None
            notices = ambient.notices
        if role is not None:
            roles_asked = (*roles_asked, RoleHop(role))
        source, roles_asked, told = shaped(source, roles_asked, request, self.config, name)
        profiles = [*(hop.profile for hop in reversed(roles_asked)), source.profile]
        asked = mfa_placement.asked_by(request, self.config, profiles)
        placed = mfa_placement.placed(source, roles_asked, asked)
        hops, chaining = clamped(placed.hops, source)
        refuse_endless(hops, source, request)
        told = (*told, *told_of_code(hops, request))
        last = hops[-1] if hops else None
        if isinstance(last, SessionTokenHop):
            session = f"profile {name} is long-lived keys and no role: the command gets a session of them"
            chaining = (session if last.mfa_serial else f"{session} (IAM takes no call from it without MFA)", *chaining)
        if self.environ.get("AWSUDO_TARGET") and source.kind == "environment":
            inside = f"inside {self.environ['AWSUDO_TARGET']}: assuming a role from its session is role chaining"
            chaining = (f"{inside}, so the session lasts at most 1h", *chaining)
        if source.kind == "keyring" and source.profile:
            shadowed = self.sources.shadowed(source.profile)
            notices = (*notices, shadowed) if shadowed else notices
        region, region_origin = self.endpoints.region(request, config_profile, named=name is not None)
        return RoleChain(
            target=request.target or (role if role is not None else name) or "",
            source=source,
            hops=hops,
            endpoint=self.endpoints.endpoint(hops, source, region, region_origin, config_profile),
            region=region,
            config_profile=config_profile,
            notices=(*notices, *told),
            chaining_notices=chaining,
            details=(placed.why,) if placed.why else (),
            mfa_process=asked.process,
        )

    def _named(self, request: Request) -> tuple[str | None, str | None]:
        """Which profile is named, and which role."""
        if request.profile is not None:
            role = roles.role_arn(request.role) if request.role is not None else None
            return request.profile, role
        target = request.target
        assert target is not None  # the grammar requires one of the two
        # a profile may well be called 123456789012:admin
        if looks_like_role(target) and self.config.profile(target) is None:
            return None, roles.role_arn(target)
        self.config.require(target)
        return target, None

    # -- profiles --------------------------------------------------------------------------------------------------

    def _from_profile(self, name: str, seen: Sequence[str]) -> tuple[Source, tuple[RoleHop, ...]]:
        """The chain that a profile means. seen: the profiles that led here, first to last."""
        settings = self.config.require(name)
        if not _is_role(settings) or (seen and self.sources.has_keys(name, settings)):
            source = self.sources.held_by(name, settings)
            if source is None:
                raise ConfigError(
                    f"profile {name} has no credentials and no role_arn ({self.config.home_of(name)})",
                    hint=f"see what it has: aws configure list --profile {shlex.quote(name)}",
                )
            return source, ()
        hop = self._hop(name, settings)
        source_profile, credential_source = settings.get("source_profile"), settings.get("credential_source")
        where = self.config.where(name, "role_arn")
        if source_profile is not None and credential_source is not None:
            raise ConfigError(
                f"profile {name} has both source_profile and credential_source ({where})", hint="remove one of the two"
            )
        if credential_source is not None:
            return self.sources.named(name, credential_source), (hop,)
        if source_profile is None:
            raise ConfigError(
                f"profile {name} has a role_arn and no source_profile ({where})",
                hint=(
                    "say whose credentials assume the role: source_profile = NAME, or credential_source = Environment",
                    f"or assume it with what the environment holds: awsudo {settings['role_arn']} …",
                ),
            )
        if source_profile == name and self.sources.has_keys(name, settings):
            return self.sources.keys_of(name, settings), (hop,)
        path = [*seen, name]
        if source_profile in path:
            loop = " -> ".join([*path[path.index(source_profile) :], source_profile])
            raise ConfigError(
                f"source_profile goes round in a circle: {loop} ({self.config.where(name, 'source_profile')})",
                hint=f"one of these profiles must hold credentials, not name another: {loop}",
            )
        self.config.require(
            source_profile, f"source_profile of profile {name}, {self.config.where(name, 'source_profile')}"
        )
        source, hops = self._from_profile(source_profile, path)
        return source, (*hops, hop)

    def _hop(self, name: str, settings: Settings) -> RoleHop:
        def origin(key: str) -> Origin:
            return Origin(f"{key} of profile {name} ({self.config.where(name, key)})", ConfigError)

        def text(key: str, kind: str) -> str | None:
            return limits.text(kind, settings[key], origin(key)) if key in settings else None

        def words(key: str) -> list[str]:
            return [word.strip() for word in settings.get(key, "").split(",") if word.strip()]

        duration = None
        if "duration_seconds" in settings:
            there = origin("duration_seconds")
            duration = limits.duration(limits.seconds(settings["duration_seconds"], there), there)
        tags = limits.tags(words("session_tags"), origin("session_tags"))
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
            where = self.config.where(name, "role_arn")
            raise ConfigError(f"role_arn of profile {name} ({where}): {error.message}", hint=error.hints) from None

    # -- the ambient credentials -----------------------------------------------------------------------------------

    def _ambient(self) -> _Ambient:
        profile, default = self.environ.get("AWS_PROFILE"), self.environ.get("AWS_DEFAULT_PROFILE")
        if profile and default and profile != default:
            told = f"AWS_PROFILE ({profile}) and AWS_DEFAULT_PROFILE ({default}) differ: using AWS_PROFILE"
            return _Ambient(profile, "AWS_PROFILE", (told,))
        if profile:
            return _Ambient(profile, "AWS_PROFILE")
        return _Ambient(default, "AWS_DEFAULT_PROFILE") if default else _Ambient("default", None)

    def _from_ambient(self, ambient: _Ambient) -> tuple[Source, tuple[RoleHop, ...]]:
        """Credentials as the AWS CLI finds them when nothing is named."""
        if ambient.variable is not None:
            self.config.require(ambient.profile, ambient.variable)
        settings = self.config.profile(ambient.profile) or {}
        in_environment = self.sources.environment()
        if in_environment is not None:
            return in_environment, ()
        if _is_role(settings):
            return self._from_profile(ambient.profile, [])
        if self.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            return self.sources.web_identity(None, settings, "AWS_WEB_IDENTITY_TOKEN_FILE", explicit=False), ()
        if "web_identity_token_file" in settings and ambient.profile not in self.config.stored:
            return self.sources.web_identity(ambient.profile, settings, explicit=False), ()
        source = self.sources.held_by(ambient.profile, settings)
        if source is not None:
            return source, ()
        if self.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or self.environ.get(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI"
        ):
            return Source("container", None, "AWS_CONTAINER_CREDENTIALS_*"), ()
        looked = f"the environment has no keys, profile {ambient.profile} has none ({self.config.config_file})"
        return Source("instance", None, looked), ()


def _is_role(settings: Mapping[str, str]) -> bool:
    return "role_arn" in settings and "web_identity_token_file" not in settings
