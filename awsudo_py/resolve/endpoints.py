"""Finds the STS endpoint of a chain and the region of the command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.errors import ConfigError, InvalidInput, did_you_mean
from awsudo_py.model import Endpoint, RoleHop
from awsudo_py.resolve import limits, roles
from awsudo_py.resolve.aws_config import nested
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.source_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.model import Hop, Request, Source
    from awsudo_py.resolve.aws_config import AwsConfig, Settings

#: Regions whose STS is the global endpoint where sts_regional_endpoints is `legacy` (SDK reference guide, "AWS STS
#: Regional endpoints"). Its tokens are not valid in regions that an account has to opt in to.
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
        self.notices: tuple[str, ...] = ()  # about allowed endpoints without TLS
        self._safe: set[tuple[str, str]] = set()  # URLs that were checked, with their origins

    def region(self, request: Request, profile: str | None, *, named: bool) -> tuple[str | None, str]:
        """The command's region and its origin. named: whether the user named the profile, or it is the ambient one."""
        settings = (self._config.profile(profile) or {}) if profile is not None else {}
        in_profile = self._config.origin(profile or "", "region")._replace(name=f"region of profile {profile}")
        from_profile = (settings.get("region"), in_profile)
        variables = ("AWS_REGION", "AWS_DEFAULT_REGION")
        from_variables = [(self._environ.get(name), Origin(name, InvalidInput)) for name in variables]
        outer = self._config.profile(self._environ.get("AWSUDO_TARGET", "")) or {} if named else {}
        # a region that an outer awsudo took from its profile is not the user's own
        own = [(value, origin) for value, origin in from_variables if value != outer.get("region")]
        option = (request.region, limits.written(request.origins, "region")._replace(error=InvalidInput))
        for value, origin in (option, *own, from_profile, *from_variables):
            if value:
                return limits.text("region", value, origin), origin.name
        return None, ""

    def endpoint(
        self, hops: tuple[Hop, ...], source: Source, region: str | None, region_origin: str, profile: str | None
    ) -> Endpoint:
        """The STS that this chain calls: that of the roles' partition, in the region, or at a configured URL.

        region_origin is what names the region, profile the one whose settings count. Raises AwsudoError if roles,
        region and partition do not fit together.
        """
        arns = [arn for arn in (source.setting("role_arn"), *_role_arns(hops)) if arn]
        partition = _partition(arns, region)
        default_region = roles.PARTITIONS[partition][1]
        if region is not None and roles.partition_of_region(region) != partition:
            raise InvalidInput(
                f"{arns[-1]} is in the partition {partition}, and the region {region} ({region_origin}) is not",
                hint=f"name a region of {partition}: --region {default_region or 'us-east-1'}",
            )
        # all are looked at, to refuse plain http: a portal's token opens every account of its user
        urls = {service: self.url(service, profile) for service in ("sts", *kind_of(source).services)}
        nowhere = next((arn for arn in arns if not roles.has_account(arn)), None)
        if nowhere is not None and urls["sts"] is None:
            raise InvalidInput(
                f"{nowhere} has no account, as only the roles of S3-compatible servers may",
                hint="name the server: endpoint_url in the profile, or AWS_ENDPOINT_URL_STS",
            )
        return self._sts(partition, region or default_region, urls["sts"], profile)

    def _sts(self, partition: str, region: str | None, url: str | None, profile: str | None) -> Endpoint:
        """STS in this region (None: the global endpoint), and the scope of its tokens."""
        settings = (self._config.profile(profile) or {}) if profile is not None else {}
        legacy = self._regional_endpoints(settings, profile) == "legacy"
        if url is not None:
            # an emulator, say: it is signed for as the global endpoint is
            return Endpoint(partition, region or "us-east-1", url, scope=url)
        if partition == "aws" and (region in (None, "aws-global") or (legacy and region in LEGACY_GLOBAL)):
            return Endpoint(partition, region, url, _GLOBAL, wider=(_REGIONAL,), accepted=(_REGIONAL,))
        # a region that an account has to opt in to accepts no token of the global endpoint
        accepted = (_GLOBAL,) if region in LEGACY_GLOBAL else ()
        return Endpoint(partition, region, url, f"{partition} regional", accepted=accepted)

    def located(self, source: Source, endpoint: Endpoint, profile: str | None) -> Source:
        """The source with the server that gives its session, if one does, as a part of its identity.

        A session of one server does not work on another, and must not be sent there. Raises ConfigError.
        """
        services = kind_of(source).services
        if not services:
            return source
        server = endpoint.scope if services[0] == "sts" else self.url(services[0], profile) or ""
        where = (("partition", endpoint.partition), ("endpoint", server))
        return source._replace(identity=(*source.identity, *where))

    def _regional_endpoints(self, settings: Settings, profile: str | None) -> str:
        """How STS is found in a region: `regional`, or `legacy`."""
        variable, key = "AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints"
        value = self._environ.get(variable) or settings.get(key) or "regional"
        if value not in ("regional", "legacy"):
            in_profile = f"{key} of profile {profile} ({self._config.where(profile or '', key)})"
            origin = variable if self._environ.get(variable) else in_profile
            raise ConfigError(
                f"{origin} is {value}; valid values are regional and legacy",
                hint="remove it: regional is the default",
            )
        return value

    def federation_url(self) -> str | None:
        """The console's federation endpoint that AWSUDO_FEDERATION_ENDPOINT sets; None is AWS's. Raises ConfigError."""
        name = "AWSUDO_FEDERATION_ENDPOINT"
        return self._safe_url(self._environ[name], name) if self._environ.get(name) else None

    def url(self, service: str, profile: str | None) -> str | None:
        """The endpoint that variables or the profile configure for a service, in the SDKs' order; None is AWS's own.

        Raises ConfigError, also for one that would send sessions over a network in the clear.
        """
        settings = (self._config.profile(profile) or {}) if profile else {}
        ignored = self._environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or settings.get(
            "ignore_configured_endpoint_urls", ""
        )
        if ignored.lower() == "true":
            return None
        for name in (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL"):
            if self._environ.get(name):
                return self._safe_url(self._environ[name], name)
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
                    f"{place}: {service} is not a block of settings",
                    hint=f"write `{service} =`, and on the next line, indented, `endpoint_url = https://…`",
                ) from None
            if url:
                return self._safe_url(url, f"[services {settings['services']}] in {self._config.config_file}")
        url = settings.get("endpoint_url")
        return self._safe_url(url, f"endpoint_url of profile {profile}") if url else None

    def _safe_url(self, url: str, origin: str) -> str:
        """The URL, unless it would send signed requests and sessions over a network in clear text. Raises ConfigError.

        AWSUDO_ALLOW_HTTP names hosts for which the user wants that.
        """
        if (url, origin) not in self._safe:  # one variable may be that of thousands of profiles
            self._refuse_unsafe(url, origin)
            self._safe.add((url, origin))
        return url

    def _refuse_unsafe(self, url: str, origin: str) -> None:
        from ipaddress import ip_address
        from urllib.parse import urlsplit

        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            parts.port  # noqa: B018 (raises ValueError if it is not a number)
        except ValueError:
            host, parts = "", urlsplit("")
        if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
            raise ConfigError(f"{origin} is not a URL: {url}", hint="such as https://sts.eu-west-1.amazonaws.com")
        if parts.scheme == "https":
            return
        try:
            loopback = ip_address(host).is_loopback
        except ValueError:
            loopback = host == "localhost" or host.endswith(".localhost")
        if loopback:
            return
        if host in self._environ.get("AWSUDO_ALLOW_HTTP", "").lower().replace(",", " ").split():
            notice = f"{origin} is plain http: sessions cross the network to {host} in the clear (AWSUDO_ALLOW_HTTP)"
            self.notices = tuple(dict.fromkeys((*self.notices, notice)))
            return
        raise ConfigError(
            f"{origin} is plain http: {url}",
            hint=(
                "sessions would cross the network in the clear: use https, or an address on this machine",
                f"on a network of your own, such as that of containers: AWSUDO_ALLOW_HTTP={shlex.quote(host)}",
            ),
        )


def _role_arns(hops: tuple[Hop, ...]) -> list[str]:
    return [hop.role_arn for hop in hops if isinstance(hop, RoleHop)]


def _partition(arns: list[str], region: str | None) -> str:
    """The partition that these roles share; without roles, that of the region. Raises AwsudoError."""
    partition = roles.partition_of_arn(arns[-1]) if arns else roles.partition_of_region(region or "")
    other = next((arn for arn in arns if roles.partition_of_arn(arn) != partition), None)
    if other is not None:
        raise ConfigError(
            f"a session cannot cross from one partition to another: {other} and {arns[-1]}",
            hint="use a source in the role's own partition",
        )
    if partition not in roles.PARTITIONS:
        raise InvalidInput(
            f"unknown partition {partition}: {arns[-1]}",
            hint=did_you_mean(partition, roles.PARTITIONS) or f"known partitions: {', '.join(roles.PARTITIONS)}",
        )
    return partition
