"""Checks whether an STS answers: one request without credentials, whose answer also tells AWS's time."""

from __future__ import annotations

import os
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from awsudo_py.aws.client import CONNECT, READ, address_of
from awsudo_py.errors import AwsudoError, Unreachable
from awsudo_py.model import ServiceCall

if TYPE_CHECKING:
    from awsudo_py.aws.client import Aws


#: Statuses of proxies and gateways on the way, not of STS.
_OF_GATEWAYS = (407, 502, 503, 504)


class Reached(NamedTuple):
    """The result of a check."""

    name: str  # the region, or the address of a server of one's own
    answered: bool
    seconds: float = 0.0
    ahead: float | None = None  # seconds by which this machine's clock is ahead; None: the answer has no Date
    proxy: str = ""  # the address of the proxy, if one is used
    why: str = ""
    hints: tuple[str, ...] = ()


def reach(aws: Aws) -> Reached:
    """Call the STS of a chain without credentials. Any response will do: it came through DNS, TLS and the proxy."""
    endpoint = aws.chain.endpoint
    name = endpoint.url or endpoint.region or "the global endpoint"
    try:
        url = str(aws.sts(None, 1).meta.endpoint_url)
        bundle = aws.session(aws.chain.config_profile).get_config_variable("ca_bundle")
        proxies = get_environ_proxies(url)
        proxy = address_of(proxies.get(url.partition(":")[0], "") or "")

        def send() -> tuple[float, str]:
            session = URLLib3Session(
                verify=bundle if isinstance(bundle, str) and os.path.exists(bundle) else True,
                proxies=proxies,
                timeout=(CONNECT, READ),
            )
            begun = time.monotonic()
            answer = session.send(AWSRequest("GET", url).prepare())
            if answer.status_code in _OF_GATEWAYS:
                hint = "the cause may be a proxy or a gateway: check HTTPS_PROXY"
                raise Unreachable(f"STS ({name}): HTTP {answer.status_code}", hint=hint)
            return time.monotonic() - begun, str(answer.headers.get("Date", ""))

        seconds, date = aws.guarded(ServiceCall(f"a response from STS ({name})"), send)
    except AwsudoError as error:
        return Reached(name, answered=False, why=error.message.partition(": ")[2] or error.message, hints=error.hints)
    try:
        ahead: float | None = aws.clock() - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        ahead = None
    return Reached(name, answered=True, seconds=seconds, ahead=ahead, proxy=proxy)
