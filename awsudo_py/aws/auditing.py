"""Calls an auditor makes with a session: CloudTrail's LookupEvents, and IAM's GetRole."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from awsudo_py.aws.client import Aws
from awsudo_py.errors import AwsudoError
from awsudo_py.model import ServiceCall
from awsudo_py.resolve.endpoints import Endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from awsudo_py.aws.clients import Clients
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.model import RoleChain
    from awsudo_py.resolve.aws_config import AwsConfig


#: Seconds before a throttled call is tried again; None gives up.
_PAUSES = (1.0, 2.0, 4.0, 8.0, None)


class Auditor:
    """Calls with one session's credentials. Each call raises AwsudoError."""

    def __init__(
        self,
        chain: RoleChain,
        config: AwsConfig,
        clients: Clients,
        credentials: Credentials,
        environ: Mapping[str, str],
    ) -> None:
        self._chain, self._config, self._clients = chain, config, clients
        self._credentials = credentials
        self._endpoints = Endpoints(config, environ)

    def role(self, name: str) -> Mapping[str, Any]:
        """The role of that name in the session's account, as iam:GetRole returns it."""
        url = self._endpoints.url("iam", self._chain.config_profile)
        aws = self._aws()
        return aws.guarded(
            ServiceCall(f"the role {name}"),
            # IAM has one place in each partition, and botocore finds it from any of its Regions
            lambda: dict(
                aws.client(
                    "iam", self._chain.endpoint.region or "us-east-1", credentials=self._credentials, url=url
                ).get_role(RoleName=name)["Role"]
            ),
        )

    def lookup(self, region: str, pause: Callable[[float], None] = time.sleep) -> Callable[..., Mapping[str, Any]]:
        """LookupEvents in a Region, with the parameters of the call; a throttled call is tried again."""
        url = self._endpoints.url("cloudtrail", self._chain.config_profile)

        def call(**parameters: Any) -> Mapping[str, Any]:
            def once(aws: Aws) -> Mapping[str, Any]:
                client = aws.client("cloudtrail", region, credentials=self._credentials, url=url, tries=1)
                return dict(client.lookup_events(**parameters))

            for wait in _PAUSES:
                aws = self._aws()  # one for each call: its time limit is for one call
                try:
                    return aws.guarded(ServiceCall(f"the CloudTrail events in {region}"), partial(once, aws))
                except AwsudoError as error:
                    if not error.code.startswith("Throttling") or wait is None:
                        raise
                    pause(wait)
            raise AssertionError("the last pause is None")

        return call

    def _aws(self) -> Aws:
        return Aws(self._chain, self._config, time.time, self._clients)
