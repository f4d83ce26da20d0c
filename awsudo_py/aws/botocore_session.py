"""A botocore session with the configuration that we have read already."""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.loaders import Loader
from botocore.regions import EndpointResolver

from awsudo_py.aws.clients import CurrentCredentials, add_bearer, note_address, note_parameters
from awsudo_py.resolve.aws_config import nested

if TYPE_CHECKING:
    from awsudo_py.resolve.aws_config import AwsConfig

#: The services that awsudo calls for credentials and about keys.
_SERVICES = (
    "account-access-runtime",
    "cloudtrail",
    "cognito-identity",
    "iam",
    "iam-toolbox",
    "organizations",
    "signin",
    "sso",
    "sso-oidc",
    "sts",
)


class _SlimLoader(Loader):  # type: ignore[misc]  # botocore has no types
    """botocore's loader with a fixed list of services: searching for them takes as long as the call to STS."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 (botocore's signature)
        return list(_SERVICES)


#: One for all sessions: it remembers what it has read.
_LOADER = _SlimLoader()


class _SlimResolver(EndpointResolver):  # type: ignore[misc]  # botocore has no types
    """botocore's resolver of endpoints, which reads endpoints.json (1.2 MB) only where partitions.json does not do.

    It does for STS in a region: a host name by the partition's pattern. botocore resolves the same with both.
    """

    def __init__(self) -> None:
        places = (os.path.join(place, "endpoints") for place in _LOADER.search_paths)
        used = next((place for place in places if _LOADER.file_loader.exists(place)), "")
        self.uses_builtin_data = _LOADER.is_builtin_path(used)  # not a file of the user's, in ~/.aws/models

    @cached_property
    def _endpoint_data(self) -> Any:
        return _LOADER.load_data("endpoints")

    def construct_endpoint(
        self, service_name: str, region_name: str | None = None, partition_name: str | None = None, **variants: bool
    ) -> Any:
        if service_name == "sts" and region_name and not partition_name and not any(variants.values()):
            for partition in _LOADER.load_data("partitions")["partitions"] if self.uses_builtin_data else ():
                if re.match(partition["regionRegex"], region_name):
                    suffix = partition["outputs"]["dnsSuffix"]
                    return {
                        "partition": partition["id"],
                        "endpointName": region_name,
                        "dnsSuffix": suffix,
                        "hostname": f"sts.{region_name}.{suffix}",
                        "protocols": ["https"],
                        "signatureVersions": ["v4"],
                    }
        return super().construct_endpoint(service_name, region_name, partition_name, **variants)


class GivenSession(botocore.session.Session):  # type: ignore[misc]  # botocore has no types
    """A botocore session with the configuration that we have read already."""

    def __init__(self, config: AwsConfig, profile: str | None, source: str | None = None) -> None:
        """With the settings of a profile, and with those of another, from which its chain starts, at hand."""
        # set even if it is empty: the chain, not AWS_PROFILE, decides which profile counts
        super().__init__(profile=profile or "default")
        self._given, self._names = config, {"default", profile, source}
        self.register_component("data_loader", _LOADER)
        self.register("before-send", note_address)
        self.register("before-parameter-build", note_parameters)
        self.register("before-call", add_bearer)

    def _register_endpoint_resolver(self) -> None:
        self._internal_components.lazy_register_component("endpoint_resolver", _SlimResolver)

    def register(self, event_name: str, handler: Any, *more: Any, **named: Any) -> None:
        """Register a handler, unless it is for documentation or a service that is not called: botocore has many."""
        event, _, rest = event_name.partition(".")
        if event != "docs" and rest.partition(".")[0] in ("", "*", *_SERVICES):
            super().register(event_name, handler, *more, **named)

    def get_credentials(self) -> CurrentCredentials:
        """What signs the calls of the session's clients; it never looks for credentials itself."""
        return CurrentCredentials()

    @cached_property
    def full_config(self) -> dict[str, Any]:
        given = self._given
        return {
            # no more than these: with thousands, copying all takes as long as a call
            "profiles": {name: _with_nested(given.profile(name) or {}) for name in self._names if name},
            "sso_sessions": given.sso_sessions,
            "services": {name: _with_nested(settings) for name, settings in given.services.items()},
        }


def _with_nested(settings: dict[str, str]) -> dict[str, Any]:
    """The settings with indented blocks as dictionaries, as in botocore."""
    result: dict[str, Any] = dict(settings)
    for key, value in settings.items():
        if value.startswith("\n"):
            try:
                result[key] = nested(value)
            except ValueError:
                continue  # not used by STS, or already refused by resolve
    return result
