"""Turns a request and the profiles into a chain of roles: the precedence rules, and nothing but them.

1. An option wins over an AWSUDO_* variable, that over the profile, that over the default.
2. A profile gets its credentials in the order in which the SDKs look (botocore's chain; a test compares).
3. Nothing is inherited from [default], and nothing falls back: what is missing is an error that names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from awsudo_py import limits, roles
from awsudo_py.aws_config import nested
from awsudo_py.credentials import Credentials
from awsudo_py.errors import ConfigError, InvalidInput, NoCredentials, NoSuchProfile, UsageError
from awsudo_py.limits import Origin
from awsudo_py.model import Endpoint, RoleChain, RoleHop, SessionTokenHop, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.aws_config import AwsConfig, Settings
    from awsudo_py.model import Hop, Request

#: Regions whose STS is the global endpoint where sts_regional_endpoints is `legacy` (SDK reference guide, "AWS STS
#: Regional endpoints"). Its tokens do not hold in regions that an account has to opt in to.
LEGACY_GLOBAL = frozenset(
    ["ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "aws-global", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"]
)
#: Profiles whose credential_process is running right now, one a line: the guard against calling ourselves for ever.
RUNNING = "AWSUDO_CREDENTIAL_PROCESS"
#: What AssumeRole needs from the keys of a profile, by the name it has there.
_ROLE_KEYS = ("external_id", "policy", "policy_arns", "tags", "transitive_tags", "source_identity")


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


class _Resolver:
    def __init__(self, config: AwsConfig, environ: Mapping[str, str], fingerprint: Callable[[str], str | None]) -> None:
        self.config = config
        self.environ = environ
        self.fingerprint = fingerprint

    # -- the request -----------------------------------------------------------------------------------------------

    def chain(self, request: Request) -> RoleChain:
        name, role = self._named(request)
        notices: tuple[str, ...] = ()
        source: Source
        hops: tuple[Hop, ...]
        config_profile: str | None
        if name is not None:
            source, hops = self._from_profile(name, [])
            config_profile = name
        else:
            ambient = self._ambient()
            source, hops = self._from_ambient(ambient)
            config_profile = ambient.profile if self.config.profile(ambient.profile) is not None else None
            notices = ambient.notices
        if role is not None:
            hops = (*hops, RoleHop(role))
        hops = self._with_options(hops, request, source, name)
        hops, chaining = self._clamped(hops, source)
        if hops and isinstance(hops[0], SessionTokenHop):
            told = f"{source.where} holds long-lived keys of {name or 'yours'} and no role: the command gets a session of them"
            chaining = (f"{told} (with which IAM takes no call without MFA)", *chaining)
        if self.environ.get("AWSUDO_TARGET") and source.kind == "environment":
            inside = f"inside {self.environ['AWSUDO_TARGET']}: assuming a role from its session is role chaining"
            chaining = (f"{inside}, so the session lasts at most 1h", *chaining)
        region, region_origin = self._region(request, config_profile)
        return RoleChain(
            target=request.target or (role if role is not None else name) or "",
            source=source,
            hops=hops,
            endpoint=self._endpoint(hops, source, region, region_origin, config_profile),
            region=region,
            config_profile=config_profile,
            notices=notices,
            chaining_notices=chaining,
        )

    def _named(self, request: Request) -> tuple[str | None, str | None]:
        """Which profile is named, and which role."""
        if request.profile is not None:
            role = roles.role_arn(request.role) if request.role is not None else None
            return request.profile, role
        target = request.target
        assert target is not None  # the grammar asks for one of the two
        if self.config.profile(target) is not None:
            return target, None  # a profile may well be called 123456789012:admin
        if roles.looks_like_role(target):
            return None, roles.role_arn(target)
        raise self._no_such_profile(target)

    def _with_options(
        self, hops: tuple[Hop, ...], request: Request, source: Source, profile: str | None
    ) -> tuple[Hop, ...]:
        """The options shape the last hop: the role that was asked for."""
        last = hops[-1] if hops else None
        if not isinstance(last, RoleHop):
            given = [name for name in _ROLE_KEYS if getattr(request, name)]
            if given:
                raise UsageError(
                    f"profile {profile} has no role_arn, and {given[0].replace('_', ' ')} says something about a role",
                    hint=f"name the role: awsudo -p {profile} arn:aws:iam::ACCOUNT:role/NAME …",
                )
            if source.credentials is not None and not source.temporary:
                # Long-lived keys never reach a child: it gets a session of them.
                serial = request.mfa_serial or source.setting("mfa_serial") or None
                return (SessionTokenHop(profile, request.duration or limits.DEFAULT_ROLE, serial),)
            return hops
        changes = {
            name: getattr(request, name)
            for name in ("duration", "session_name", "mfa_serial", *_ROLE_KEYS)
            if getattr(request, name)
        }
        merged = last._replace(**changes)
        if merged.duration is not None:
            limits.duration(merged.duration, Origin("the session's duration", UsageError))
        limits.transitive(merged.transitive_tags, merged.tags, Origin("transitive tags", UsageError))
        least, lasts = request.min_ttl, merged.duration or limits.DEFAULT_ROLE
        if least is not None and least >= lasts:
            raise UsageError(
                f"--min-ttl {least:g} s is not less than the session's own {lasts} s",
                hint="no session could ever be new enough: ask for a longer one (--duration) or a smaller --min-ttl",
            )
        return (*hops[:-1], merged)

    def _clamped(self, hops: tuple[Hop, ...], source: Source) -> tuple[tuple[Hop, ...], tuple[str, ...]]:
        """Role chaining: STS gives one hour at most, and refuses to hear of more."""
        result: list[Hop] = []
        notices: list[str] = []
        chained = source.temporary
        for hop in hops:
            asked = hop.duration
            if isinstance(hop, RoleHop) and chained and asked is not None and asked > limits.LONGEST_CHAINED:
                hop = hop._replace(duration=limits.LONGEST_CHAINED)
                notices.append(f"{hop.role_arn} is assumed from another session, so it lasts 1h instead of {asked} s")
            result.append(hop)
            chained = True
        return tuple(result), tuple(notices)

    # -- profiles --------------------------------------------------------------------------------------------------

    def _from_profile(self, name: str, seen: Sequence[str]) -> tuple[Source, tuple[Hop, ...]]:
        """The chain that a profile means. seen: the profiles that led here, first to last."""
        settings = self.config.profile(name)
        if settings is None:
            raise self._no_such_profile(name)
        if not _is_role(settings) or (seen and _has_keys(settings)):
            source = self._source_in(name, settings)
            if source is None:
                raise ConfigError(
                    f"profile {name} has no credentials and no role_arn ({self.config.where(name, 'region')})",
                    hint=f"see what it has: aws configure list --profile {_word(name)}",
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
            return self._from_credential_source(name, credential_source), (hop,)
        if source_profile is None:
            raise ConfigError(
                f"profile {name} has a role_arn and no source_profile ({where})",
                hint=(
                    "say whose credentials assume the role: source_profile = NAME, or credential_source = Environment",
                    f"or assume it with what the environment holds: awsudo {settings['role_arn']} …",
                ),
            )
        if source_profile == name and _has_keys(settings):
            return self._keys_of(name, settings), (hop,)
        path = [*seen, name]
        if source_profile in path:
            loop = " -> ".join([*path[path.index(source_profile) :], source_profile])
            raise ConfigError(
                f"source_profile goes round in a circle: {loop} ({self.config.where(name, 'source_profile')})",
                hint=f"one of these profiles must hold credentials, not name another: {loop}",
            )
        if self.config.profile(source_profile) is None:
            place = self.config.where(name, "source_profile")
            raise self._no_such_profile(source_profile, f"source_profile of profile {name} ({place})")
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

    # -- sources ---------------------------------------------------------------------------------------------------

    def _source_in(self, name: str, settings: Settings) -> Source | None:
        """The credentials that a profile itself holds, in the order in which the SDKs look for them."""
        if "web_identity_token_file" in settings:
            return self._web_identity(name, settings)
        if "sso_role_name" in settings or "sso_account_id" in settings:
            return self._sso(name, settings)
        if "aws_access_key_id" in self.config.in_credentials.get(name, {}):
            return self._keys(name, self.config.in_credentials[name], self.config.credentials_file)
        if "login_session" in settings:
            session = settings["login_session"]
            return Source(
                "login",
                name,
                self.config.where(name, "login_session"),
                identity=(("login_session", session),),
                temporary=True,
            )
        if "credential_process" in settings:
            return self._process(name, settings["credential_process"])
        if "aws_access_key_id" in self.config.in_config.get(name, {}):
            return self._keys(name, self.config.in_config[name], self.config.config_file)
        return None

    def _keys_of(self, name: str, settings: Settings) -> Source:
        source = self._source_in(name, settings)
        if source is None:
            raise ConfigError(
                f"profile {name} names itself as source_profile and has a secret key without an aws_access_key_id "
                f"({self.config.where(name, 'aws_secret_access_key')})",
                hint="add the aws_access_key_id, or name another source_profile",
            )
        return source

    def _keys(self, name: str, settings: Settings, file: str) -> Source:
        if "aws_secret_access_key" not in settings:
            raise ConfigError(
                f"profile {name} has an aws_access_key_id and no aws_secret_access_key ({file})",
                hint="both must be in the same file",
            )
        token = settings.get("aws_security_token") or settings.get("aws_session_token")
        keys = Credentials(settings["aws_access_key_id"], settings["aws_secret_access_key"], token)
        return Source(
            "keys",
            name,
            file,
            identity=(("access_key_id", keys.access_key_id),),
            settings=(("mfa_serial", (self.config.profile(name) or {}).get("mfa_serial", "")),),
            credentials=keys,
            temporary=token is not None,
        )

    def _web_identity(
        self, name: str | None, settings: Mapping[str, str], where: str = "", explicit: bool = True
    ) -> Source:
        def value(key: str, variable: str) -> str | None:
            # where the environment is looked at, it wins key by key
            return (None if explicit else self.environ.get(variable)) or settings.get(key)

        path = value("web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE") or ""
        role = value("role_arn", "AWS_ROLE_ARN")
        session_name = value("role_session_name", "AWS_ROLE_SESSION_NAME")
        place = where or self.config.where(name or "default", "web_identity_token_file")
        if role is None:
            raise ConfigError(
                f"a web identity token and no role for it ({place})",
                hint="set role_arn beside web_identity_token_file, or AWS_ROLE_ARN in the environment",
            )
        found = self.fingerprint(path)
        if found is None:
            raise NoCredentials(
                f"no web identity token at {path} ({place})",
                hint="the platform writes that file (EKS, GitHub, GitLab): is this running there?",
            )
        arn = roles.role_arn(role)
        shaping = [("role_arn", arn), ("token_file", path), ("token", found)]
        if session_name:
            limits.text("session_name", session_name, Origin(f"the web identity's session name ({place})", ConfigError))
            shaping.append(("session_name", session_name))
        return Source("web-identity", name, place, identity=tuple(shaping), settings=tuple(shaping), temporary=True)

    def _sso(self, name: str, settings: Settings) -> Source:
        merged = dict(settings)
        session = settings.get("sso_session")
        where = self.config.where(name, "sso_account_id" if "sso_account_id" in settings else "sso_role_name")
        if session is not None:
            section = self.config.sso_sessions.get(session)
            if section is None:
                raise ConfigError(
                    f"profile {name} names [sso-session {session}], which {self.config.config_file} does not have",
                    hint=_did_you_mean(session, self.config.sso_sessions) or "add it: aws configure sso-session",
                )
            for key, value in section.items():
                if merged.setdefault(key, value) != value:
                    raise ConfigError(
                        f"{key} of profile {name} and of [sso-session {session}] differ ({where})",
                        hint="remove it from the profile",
                    )
        wanted = ("sso_start_url", "sso_region", "sso_account_id", "sso_role_name")
        missing = [key for key in wanted if key not in merged]
        if missing:
            raise ConfigError(
                f"profile {name} is set up for SSO and has no {', '.join(missing)} ({where})",
                hint=f"aws configure sso --profile {_word(name)}",
            )
        shaping = tuple((key, merged[key]) for key in wanted)
        extra = (("sso_session", session),) if session is not None else ()
        return Source("sso", name, where, identity=shaping, settings=(*shaping, *extra), temporary=True)

    def _process(self, name: str, command: str) -> Source:
        where = self.config.where(name, "credential_process")
        if name in self.environ.get(RUNNING, "").splitlines():
            raise ConfigError(
                f"credential_process of profile {name} calls awsudo for profile {name} again ({where})",
                hint="let it name another profile, the one that has the role_arn: awsudo export OTHER --format process",
            )
        return Source(
            "process",
            name,
            where,
            identity=(("credential_process", command), ("profile", name)),
            settings=(("command", command),),
            temporary=False,
        )

    def _from_credential_source(self, name: str, kind: str) -> Source:
        where = f"credential_source of profile {name} ({self.config.where(name, 'credential_source')})"
        if kind == "Environment":
            source = self._environment()
            if source is None:
                raise NoCredentials(
                    f"{where} is Environment, and AWS_ACCESS_KEY_ID is not set", hint="export the keys, then try again"
                )
            return source
        kinds = {"Ec2InstanceMetadata": "instance", "EcsContainer": "container"}
        if kind not in kinds:
            raise ConfigError(
                f"{where} is {kind}; it can be Environment, Ec2InstanceMetadata or EcsContainer",
                hint=_did_you_mean(kind, ["Environment", *kinds]) or "it is written just so, capitals included",
            )
        return Source(kinds[kind], name, where)

    def _environment(self) -> Source | None:
        access_key_id = self.environ.get("AWS_ACCESS_KEY_ID")
        if not access_key_id:
            return None
        secret = self.environ.get("AWS_SECRET_ACCESS_KEY")
        if not secret:
            raise NoCredentials(
                "AWS_ACCESS_KEY_ID is set in the environment and AWS_SECRET_ACCESS_KEY is not",
                hint="set both, or: unset AWS_ACCESS_KEY_ID",
            )
        token = self.environ.get("AWS_SECURITY_TOKEN") or self.environ.get("AWS_SESSION_TOKEN") or None
        return Source(
            "environment",
            None,
            "the environment",
            identity=(("access_key_id", access_key_id),),
            settings=(("expiration", self.environ.get("AWS_CREDENTIAL_EXPIRATION", "")),),
            credentials=Credentials(access_key_id, secret, token),
            temporary=token is not None,
        )

    # -- the ambient credentials -----------------------------------------------------------------------------------

    def _ambient(self) -> _Ambient:
        profile, default = self.environ.get("AWS_PROFILE"), self.environ.get("AWS_DEFAULT_PROFILE")
        if profile and default and profile != default:
            told = f"AWS_PROFILE ({profile}) and AWS_DEFAULT_PROFILE ({default}) differ: using AWS_PROFILE"
            return _Ambient(profile, "AWS_PROFILE", (told,))
        if profile:
            return _Ambient(profile, "AWS_PROFILE")
        return _Ambient(default, "AWS_DEFAULT_PROFILE") if default else _Ambient("default", None)

    def _from_ambient(self, ambient: _Ambient) -> tuple[Source, tuple[Hop, ...]]:
        """Credentials as the AWS CLI finds them when nothing is named."""
        settings = self.config.profile(ambient.profile)
        if settings is None and ambient.variable is not None:
            raise self._no_such_profile(ambient.profile, ambient.variable)
        in_environment = self._environment()
        if in_environment is not None:
            return in_environment, ()
        settings = settings or {}
        if _is_role(settings):
            return self._from_profile(ambient.profile, [])
        if self.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            return self._web_identity(None, settings, "AWS_WEB_IDENTITY_TOKEN_FILE", explicit=False), ()
        source = self._source_in(ambient.profile, settings)
        if source is not None:
            return source, ()
        if self.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or self.environ.get(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI"
        ):
            return Source("container", None, "AWS_CONTAINER_CREDENTIALS_*"), ()
        looked = f"the environment has no keys, profile {ambient.profile} has none ({self.config.config_file})"
        return Source("instance", None, looked), ()

    # -- where STS is ----------------------------------------------------------------------------------------------

    def _region(self, request: Request, profile: str | None) -> tuple[str | None, str]:
        """The child's region and what says so."""
        settings = (self.config.profile(profile) or {}) if profile is not None else {}
        for value, said in (
            (request.region, "--region"),
            (self.environ.get("AWS_REGION"), "AWS_REGION"),
            (self.environ.get("AWS_DEFAULT_REGION"), "AWS_DEFAULT_REGION"),
            (settings.get("region"), f"region of profile {profile}"),
        ):
            if value:
                return limits.text("region", value, Origin(said, InvalidInput)), said
        return None, ""

    def _endpoint(
        self, hops: tuple[Hop, ...], source: Source, region: str | None, said: str, profile: str | None
    ) -> Endpoint:
        arns = [hop.role_arn for hop in hops if isinstance(hop, RoleHop)]
        if source.setting("role_arn"):
            arns.insert(0, source.setting("role_arn"))
        partitions = [roles.partition_of_arn(arn) for arn in arns]
        partition = partitions[-1] if partitions else roles.partition_of_region(region or "")
        for arn in arns:
            if roles.partition_of_arn(arn) != partition:
                raise ConfigError(
                    f"no session passes from one partition to another: {arn} and {arns[-1]}",
                    hint="use a source in the role's own partition",
                )
        default_region = roles.PARTITIONS[partition][1] if partition in roles.PARTITIONS else None
        if region is not None and roles.partition_of_region(region) != partition:
            raise InvalidInput(
                f"{arns[-1]} is in the partition {partition}, and the region {region} ({said}) is not",
                hint=f"name a region of {partition}: --region {default_region or 'us-east-1'}",
            )
        settings: Settings = (self.config.profile(profile) or {}) if profile is not None else {}
        url = self._configured_url(settings, profile)
        asked = region or default_region
        legacy = (self.environ.get("AWS_STS_REGIONAL_ENDPOINTS") or settings.get("sts_regional_endpoints")) == "legacy"
        if url is not None:
            scope = url
        elif partition == "aws" and (asked in (None, "aws-global") or (legacy and asked in LEGACY_GLOBAL)):
            scope = "aws global"
        else:
            scope = f"{partition} regional"
        return Endpoint(partition, asked, url, scope)

    def _configured_url(self, settings: Settings, profile: str | None) -> str | None:
        """The endpoint that variables or the profile configure for STS, in the SDKs' order."""
        ignored = self.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or settings.get(
            "ignore_configured_endpoint_urls", ""
        )
        if ignored.lower() == "true":
            return None
        for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"):
            if self.environ.get(name):
                return _safe_url(self.environ[name], name)
        if "services" in settings:
            section = self.config.services.get(settings["services"])
            place = f"profile {profile} ({self.config.where(profile or '', 'services')})"
            if section is None:
                raise ConfigError(
                    f"{place} names [services {settings['services']}], which {self.config.config_file} does not have",
                    hint=_did_you_mean(settings["services"], self.config.services)
                    or "add that section, or remove the key",
                )
            try:
                url = nested(section.get("sts", "")).get("endpoint_url")
            except ValueError:
                raise ConfigError(
                    f"[services {settings['services']}] in {self.config.config_file}: sts is no list of settings",
                    hint="write `sts =`, and on the next line, indented, `endpoint_url = https://…`",
                ) from None
            if url:
                return _safe_url(url, f"[services {settings['services']}] in {self.config.config_file}")
        url = settings.get("endpoint_url")
        return _safe_url(url, f"endpoint_url of profile {profile}") if url else None

    # -- errors ----------------------------------------------------------------------------------------------------

    def _no_such_profile(self, name: str, said_by: str = "") -> NoSuchProfile:
        names = self.config.names()
        hint = _did_you_mean(name, names)
        if not hint and names:
            hint = "list them: aws configure list-profiles"
        if not hint:
            hint = f"there are no profiles in {self.config.config_file}; make one: aws configure sso"
        said = f" (named by {said_by})" if said_by else ""
        # a 4 KB name is shown by its beginning: the whole would push the hint off the screen
        shown = name if len(name) <= 80 else f"{name[:80]}… ({len(name)} characters)"
        return NoSuchProfile(f"no profile {shown!r}{said} in {self.config.config_file}", hint=hint)


def _is_role(settings: Mapping[str, str]) -> bool:
    return "role_arn" in settings and "web_identity_token_file" not in settings


def _has_keys(settings: Mapping[str, str]) -> bool:
    return "aws_access_key_id" in settings or "aws_secret_access_key" in settings


def _did_you_mean(name: str, names: Sequence[str] | Mapping[str, object]) -> str:
    if len(name) > 200:
        return ""
    import difflib

    lower = {known.lower(): known for known in reversed(list(names))}
    close = [lower[found] for found in difflib.get_close_matches(name.lower(), lower, 3, 0.6)]
    return f"did you mean {' or '.join(close)}?" if close else ""


def _word(name: str) -> str:
    import shlex

    return shlex.quote(name)


def _safe_url(url: str, said_by: str) -> str:
    """The URL, unless it would send signed requests and sessions in the clear over a network."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018 (raises ValueError where it is no number)
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{said_by} is not a URL: {url}", hint="such as https://sts.eu-west-1.amazonaws.com")
    if parts.scheme == "http":
        try:
            loopback = ip_address(host).is_loopback
        except ValueError:
            loopback = host == "localhost" or host.endswith(".localhost")
        if not loopback:
            raise ConfigError(
                f"{said_by} is plain http: {url}",
                hint="sessions would cross the network in the clear; use https, or an address on this machine",
            )
    return url
