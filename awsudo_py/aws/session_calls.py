"""Calls AWS services with the credentials of one session; where the service throttles, more slowly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from awsudo_py.aws.client import TRIES, Aws
from awsudo_py.errors import Throttled
from awsudo_py.model import ServiceCall
from awsudo_py.resolve.endpoints import Endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from awsudo_py.aws.clients import Clients
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.model import RoleChain
    from awsudo_py.resolve.aws_config import AwsConfig

_Result = TypeVar("_Result")
#: Seconds before a throttled call is made again; after the last it is given up.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)


class SessionCalls:
    """Calls with the session that a chain leads to. environ: the variables that may set endpoints of services."""

    def __init__(
        self,
        chain: RoleChain,
        config: AwsConfig,
        clients: Clients,
        credentials: Credentials,
        environ: Mapping[str, str],
    ) -> None:
        self.chain = chain
        self._config, self._clients, self._credentials = config, clients, credentials
        self._endpoints = Endpoints(config, environ)

    def sts(self, title: str, call: Callable[[Any], _Result]) -> _Result:
        """One call to the chain's own STS; call gets its client. Raises AwsudoError, with title as its object."""
        aws = Aws(self.chain, self._config, time.time, self._clients)
        return aws.guarded(ServiceCall(title), lambda: call(aws.sts(self._credentials, aws.tries)))

    def service(self, name: str, title: str, call: Callable[[Any], _Result], *, region: str = "") -> _Result:
        """One call to a service, named as botocore does; call gets its client. Raises AwsudoError, as sts does.

        Without a region it goes to the chain's: global services have one place in each partition, and botocore finds it
        from any of its Regions.
        """
        return self._once(name, title, call, region, TRIES)

    def patiently(self, name: str, title: str, call: Callable[[Any], _Result], *, region: str = "") -> _Result:
        """The same, for the many calls of a list: one that is throttled is made again after a pause."""
        for pause in (*_PAUSES, None):
            try:
                return self._once(name, title, call, region, 1)
            except Throttled:
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _once(self, name: str, title: str, call: Callable[[Any], _Result], region: str, tries: int) -> _Result:
        aws = Aws(self.chain, self._config, time.time, self._clients)  # a new one: its time limit is for one call
        url = self._endpoints.url(name.replace("-", "_"), self.chain.config_profile)
        where = region or self.chain.endpoint.region or "us-east-1"
        return aws.guarded(
            ServiceCall(title),
            lambda: call(aws.client(name, where, credentials=self._credentials, url=url, tries=tries)),
        )
