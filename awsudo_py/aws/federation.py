"""Exchanges a role session for a sign-in token of the AWS Management Console.

The session goes in the body of a POST, so that no proxy or server writes it to an access log.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from awsudo_py.errors import AwsudoError, Rejected, Unreachable

if TYPE_CHECKING:
    from awsudo_py.aws_credentials import Credentials

#: Seconds to connect and to read.
CONNECT, READ = 5, 15
#: A console session lasts 15 minutes to 12 hours (IAM user guide, custom identity broker).
SHORTEST, LONGEST = 900, 43_200


def sign_in_token(
    endpoint: str, credentials: Credentials, *, duration: int | None = None, ca_bundle: str | None = None
) -> str:
    """A sign-in token for this role session; it is valid for 15 minutes.

    endpoint: the URL of the federation endpoint. duration: seconds that the console session lasts; None leaves that to
    the console, which ends it with the credentials. Raises Rejected, Unreachable.
    """
    session = {
        "sessionId": credentials.access_key_id,
        "sessionKey": credentials.secret_access_key,
        "sessionToken": credentials.session_token,
    }
    form = {"Action": "getSigninToken", "Session": json.dumps(session, separators=(",", ":"))}
    if duration is not None:
        form["SessionDuration"] = str(duration)
    host = urlsplit(endpoint).netloc
    request = AWSRequest(
        method="POST",
        url=endpoint,
        data=urlencode(form),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
    )
    try:
        client = URLLib3Session(
            verify=ca_bundle or True, proxies=get_environ_proxies(endpoint), timeout=(CONNECT, READ)
        )
        answer = client.send(request.prepare())
        status, body = answer.status_code, answer.content
    except (BotoCoreError, HTTPClientError, OSError) as error:
        raise Unreachable(
            f"cannot reach the console's sign-in endpoint: {type(error).__name__} ({host})",
            hint="check the network, HTTPS_PROXY and AWS_CA_BUNDLE, then try again",
        ) from None
    if status != 200:
        raise _refused(status, host, duration)
    try:
        token = json.loads(body)["SigninToken"]
        if not isinstance(token, str) or not token.isprintable() or not token:
            raise ValueError("not a token")
    except (ValueError, TypeError, KeyError):
        raise Unreachable(
            f"{host} does not respond like the console's sign-in endpoint",
            hint="the cause may be a proxy or a captive portal: check HTTPS_PROXY",
        ) from None
    return token


def _refused(status: int, host: str, duration: int | None) -> AwsudoError:
    if status in (400, 401, 403):
        hint = (
            "AWS accepts a console duration up to the role's maximum session duration: leave --duration out"
            if duration is not None
            else "the session may have ended, or may not be a role session: awsudo --refresh console TARGET"
        )
        return Rejected(f"the console's sign-in endpoint refused the session (HTTP {status}, {host})", hint=hint)
    return Unreachable(f"the console's sign-in endpoint answered HTTP {status} ({host})", hint="try again in a minute")
