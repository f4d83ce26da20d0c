"""Finds the portal behind a start URL of one's own, and the region that a portal's host name has in it.

1. Hosts that are AWS's are taken as they are; nothing is sent.
2. For any other, one request without a body asks where it leads. One redirect counts, over https, to a host of AWS's;
   nothing else is followed, and nothing is sent along.
The list of hosts is that of the AWS CLI 2.36 (customizations/sso/resolve.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

from awsudo_py.errors import AwsudoError

if TYPE_CHECKING:
    from collections.abc import Callable

_SUFFIXES = (".app.aws", ".portal.amazonaws.com", ".portal.amazonaws.com.cn", ".awsapps.com", ".awsapps.cn")
_HOSTS = ("identitycenter.amazonaws.com", "identitycenter.amazonaws.com.cn")
_REGIONS = (
    re.compile(r"[^.]+\.portal\.([a-z0-9-]+)\.app\.aws"),
    re.compile(r"[^.]+\.([a-z0-9-]+)\.portal\.amazonaws\.com(?:\.cn)?"),
)
_REDIRECTS = (301, 302, 303, 307, 308)
_SECONDS = 10


def is_of_aws(host: str) -> bool:
    """Whether a host is one of a portal's own."""
    host = host.lower().rstrip(".")
    return host in _HOSTS or any(host == suffix[1:] or host.endswith(suffix) for suffix in _SUFFIXES)


def region_of_host(host: str) -> str | None:
    """The region in a portal's host name, if it has one."""
    for pattern in _REGIONS:
        found = pattern.fullmatch(host.lower().rstrip("."))
        if found:
            return found[1]
    return None


def resolved(start_url: str, head: Callable[[str], tuple[int, str]] | None = None) -> tuple[str, str | None]:
    """Rules 1 and 2: the portal's own URL, and its region, if the URL has it in it. Raises AwsudoError.

    head gives the status and the Location that a HEAD request to a URL brings.
    """
    host = urlsplit(start_url).hostname or ""
    if is_of_aws(host):
        return start_url, region_of_host(host)
    if not start_url.startswith("https://"):
        raise AwsudoError(f"the start URL {start_url} is not https", hint="mend sso_start_url")
    status, location = (head or _head)(start_url)
    target = urlsplit(urljoin(start_url, location)) if status in _REDIRECTS and location else urlsplit("")
    if target.scheme != "https" or not is_of_aws(target.hostname or ""):
        raise AwsudoError(
            f"{start_url} does not lead to an access portal of AWS",
            hint="a start URL of your own must redirect to https://….awsapps.com/start or https://….app.aws",
        )
    portal = urlunsplit(("https", target.netloc, target.path.rstrip("/"), "", ""))
    return portal, region_of_host(target.hostname or "")


def _head(url: str) -> tuple[int, str]:
    from http.client import HTTPException, HTTPSConnection

    parts = urlsplit(url)
    try:
        connection = HTTPSConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
        connection.request("HEAD", parts.path or "/")
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location") or ""
    except (OSError, HTTPException, ValueError) as error:
        raise AwsudoError(
            f"cannot reach the start URL {url}: {getattr(error, 'strerror', None) or error}",
            hint="open it in a browser; then check sso_start_url",
        ) from None
