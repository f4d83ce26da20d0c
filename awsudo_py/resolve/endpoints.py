"""Says where STS is, and which region the child works in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awsudo_py.errors import ConfigError, InvalidInput, did_you_mean
from awsudo_py.model import Endpoint, RoleHop
from awsudo_py.resolve import limits, roles
from awsudo_py.resolve.aws_config import nested
from awsudo_py.resolve.limits import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.model import Hop, Request, Source
    from awsudo_py.resolve.aws_config import AwsConfig, Settings

#: Regions whose STS is the global endpoint where sts_regional_endpoints is `legacy` (SDK reference guide, "AWS STS
#: Regional endpoints"). Its tokens do not hold in regions that an account has to opt in to.
LEGACY_GLOBAL = frozenset(
    (
        *("ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "aws-global", "ca-central-1"),
        *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"),
        *("sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    )
)

#: Scopes in the partition aws; see model.py.
_GLOBAL, _REGIONAL = "aws global", "aws regional"


class Endpoints:
    """Regions and addresses as one configuration and one environment (its deciding variables) have them."""

    def __init__(self, config: AwsConfig, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ

    def region(self, request: Request, profile: str | None, *, named: bool) -> tuple[str | None, str]:
        """The child's region and what says so. named: whether the user named the profile, or it is the ambient one."""
        settings = (self._config.profile(profile) or {}) if profile is not None else {}
        from_profile = (settings.get("region"), f"region of profile {profile}")
        from_variables = [(self._environ.get(name), name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")]
        outer = self._config.profile(self._environ.get("AWSUDO_TARGET", "")) or {} if named else {}
        # what an outer awsudo took from its profile is not the user's own
        own = [(value, said) for value, said in from_variables if value != outer.get("region")]
        said_by = limits.written(request.origins, "region").name
        for value, said in ((request.region, said_by), *own, from_profile, *from_variables):
            if value:
                return limits.text("region", value, Origin(said, InvalidInput)), said
        return None, ""

    def endpoint(
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
        if partition not in roles.PARTITIONS:
            raise InvalidInput(
                f"there is no partition {partition}: {arns[-1]}",
                hint=did_you_mean(partition, roles.PARTITIONS) or f"there are {', '.join(roles.PARTITIONS)}",
            )
        default_region = roles.PARTITIONS[partition][1]
        if region is not None and roles.partition_of_region(region) != partition:
            raise InvalidInput(
                f"{arns[-1]} is in the partition {partition}, and the region {region} ({said}) is not",
                hint=f"name a region of {partition}: --region {default_region or 'us-east-1'}",
            )
        settings: Settings = (self._config.profile(profile) or {}) if profile is not None else {}
        url = self._configured_url(settings, profile)
        if source.kind == "sso":
            # refused here if it is in the clear: the portal's token opens every account of its user
            for service in ("sso", "sso_oidc"):
                self._configured_url(settings, profile, service)
        asked = region or default_region
        legacy = self._regional_endpoints(settings, profile) == "legacy"
        if url is not None:
            return Endpoint(partition, asked, url, scope=url)
        if partition == "aws" and (asked in (None, "aws-global") or (legacy and asked in LEGACY_GLOBAL)):
            return Endpoint(partition, asked, url, _GLOBAL, wider=(_REGIONAL,), heard=(_REGIONAL,))
        # a region that an account has to opt in to takes no token of the global endpoint
        heard = (_GLOBAL,) if asked in LEGACY_GLOBAL else ()
        return Endpoint(partition, asked, url, f"{partition} regional", heard=heard)

    def _regional_endpoints(self, settings: Settings, profile: str | None) -> str:
        """How STS is found in a region: `regional`, or `legacy`."""
        said_by = "AWS_STS_REGIONAL_ENDPOINTS"
        value = self._environ.get(said_by)
        if not value:
            said_by = f"sts_regional_endpoints of profile {profile} ({self._config.where(profile or '', 'region')})"
            value = settings.get("sts_regional_endpoints") or "regional"
        if value not in ("regional", "legacy"):
            raise ConfigError(
                f"{said_by} is {value}; it can be regional or legacy", hint="remove it: regional is usual"
            )
        return value

    def url(self, service: str, profile: str | None) -> str | None:
        """The endpoint that variables or the profile configure for a service; None is AWS's own. Raises ConfigError."""
        return self._configured_url((self._config.profile(profile) or {}) if profile else {}, profile, service)

    def federation_url(self) -> str | None:
        """The console's federation endpoint that AWSUDO_FEDERATION_ENDPOINT sets; None is AWS's. Raises ConfigError."""
        name = "AWSUDO_FEDERATION_ENDPOINT"
        return _safe_url(self._environ[name], name) if self._environ.get(name) else None

    def _configured_url(self, settings: Settings, profile: str | None, service: str = "sts") -> str | None:
        """The endpoint that variables or the profile configure for a service, in the SDKs' order."""
        ignored = self._environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or settings.get(
            "ignore_configured_endpoint_urls", ""
        )
        if ignored.lower() == "true":
            return None
        for name in (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL"):
            if self._environ.get(name):
                return _safe_url(self._environ[name], name)
        if "services" in settings:
            section = self._config.services.get(settings["services"])
            place = f"profile {profile} ({self._config.where(profile or '', 'services')})"
            if not section:
                raise ConfigError(
                    f"{place} names [services {settings['services']}], which {self._config.config_file} does not have",
                    hint=did_you_mean(settings["services"], self._config.services)
                    or "add that section, or remove the key",
                )
            try:
                url = nested(section.get(service, "")).get("endpoint_url")
            except ValueError:
                place = f"[services {settings['services']}] in {self._config.config_file}"
                raise ConfigError(
                    f"{place}: {service} is no list of settings",
                    hint=f"write `{service} =`, and on the next line, indented, `endpoint_url = https://…`",
                ) from None
            if url:
                return _safe_url(url, f"[services {settings['services']}] in {self._config.config_file}")
        url = settings.get("endpoint_url")
        return _safe_url(url, f"endpoint_url of profile {profile}") if url else None


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
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
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
