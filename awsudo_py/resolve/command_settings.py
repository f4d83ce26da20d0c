"""Finds a profile's settings for its commands besides credentials and region.

`aws --profile NAME` reads these settings from the profile. A command that awsudo runs has no profile, so each goes into
the variable by which the SDKs know it. Otherwise a session from one server would be sent to another.

1. A variable that the user has set wins, as it does for the SDKs.
2. SDKs without a profile read [default]. Where that would send calls elsewhere than the target's profile does, it is
   turned off.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from awsudo_py.errors import ConfigError
from awsudo_py.resolve.aws_config import nested

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.resolve.aws_config import AwsConfig, Settings

#: A profile's key → its variable. (SDK reference guide, "Settings reference".)
VARIABLES = {
    "use_fips_endpoint": "AWS_USE_FIPS_ENDPOINT",
    "use_dualstack_endpoint": "AWS_USE_DUALSTACK_ENDPOINT",
    "ignore_configured_endpoint_urls": "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "sts_regional_endpoints": "AWS_STS_REGIONAL_ENDPOINTS",
    "s3_us_east_1_regional_endpoint": "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
    "s3_use_arn_region": "AWS_S3_USE_ARN_REGION",
    "account_id_endpoint_mode": "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "ca_bundle": "AWS_CA_BUNDLE",
    "output": "AWS_DEFAULT_OUTPUT",
    "retry_mode": "AWS_RETRY_MODE",
    "max_attempts": "AWS_MAX_ATTEMPTS",
    "request_checksum_calculation": "AWS_REQUEST_CHECKSUM_CALCULATION",
    "response_checksum_validation": "AWS_RESPONSE_CHECKSUM_VALIDATION",
}
#: Variables that stand for another one of the list.
_ALSO = {"AWS_CA_BUNDLE": "REQUESTS_CA_BUNDLE"}
#: Turns off a setting of [default] (rule 2): the SDKs' own default.
_OFF = {
    "use_fips_endpoint": "false",
    "use_dualstack_endpoint": "false",
    "ignore_configured_endpoint_urls": "false",
    "sts_regional_endpoints": "regional",
}
_URL = "AWS_ENDPOINT_URL"
_IGNORE = VARIABLES["ignore_configured_endpoint_urls"]


def command_settings(
    config: AwsConfig, profile: str | None, environ: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables for a command of this profile, and notices. Raises ConfigError.

    environ holds the deciding variables of the user. A command of [default] reads that section by itself.
    """
    settings = config.profile(profile) if profile is not None else None
    if settings is None or profile == "default":
        return {}, ()
    default = config.profile("default") or {}
    found: dict[str, str] = {}
    for key, variable in VARIABLES.items():
        if key not in settings and key not in default:
            continue
        if environ.get(variable) or environ.get(_ALSO.get(variable, "")):
            continue
        if settings.get(key):
            found[variable] = settings[key]
        elif key in _OFF and default.get(key, _OFF[key]).lower() != _OFF[key]:
            found[variable] = _OFF[key]
    ignored = environ.get(_IGNORE) or found.get(_IGNORE, "")
    if ignored.lower() == "true":
        return found, ()
    urls, notices = _endpoint_urls(config, profile or "", settings, default, environ)
    found.update(urls)
    unusable = next((name for name, value in found.items() if not value.isprintable()), None)
    if unusable is not None:
        raise ConfigError(
            f"profile {profile}: the value for {unusable} has a character that no setting can have",
            hint=f"see: cat -A {shlex.quote(config.config_file)}",
        )
    return found, notices


def _endpoint_urls(
    config: AwsConfig, profile: str, settings: Settings, default: Settings, environ: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables for the profile's endpoint URLs, and notices."""
    if environ.get(_URL):
        return {}, ()  # the SDKs prefer it over all profile settings
    own, of_default = _urls(config, settings), _urls(config, default)
    found = {variable: url for variable, url in own.items() if not environ.get(variable)}
    if _URL in own or not of_default.keys() - own.keys():
        return found, ()
    # nothing of the profile's and the user's would be ignored along with that of [default]
    if not own and not any(name.startswith(f"{_URL}_") for name in environ):
        return {_IGNORE: "true"}, ()
    notice = f"the command also uses the endpoint URLs of [default], for services that profile {profile} does not set"
    return found, (f"{notice}; to use none: ignore_configured_endpoint_urls = true in [default]",)


def _urls(config: AwsConfig, settings: Settings) -> dict[str, str]:
    """The endpoint URLs that a profile sets, by variable."""
    found = {}
    for service, block in config.services.get(settings.get("services", ""), {}).items():
        try:
            url = nested(block).get("endpoint_url") if block.startswith("\n") else None
        except ValueError:
            continue  # not a block of settings: the SDKs ignore it
        if url and re.fullmatch(r"\w+", service, re.ASCII):
            found[f"{_URL}_{service.upper()}"] = url
    if settings.get("endpoint_url"):
        found[_URL] = settings["endpoint_url"]
    return found
