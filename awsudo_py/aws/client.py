"""Clients and calls: botocore with our time-outs, our configuration, and readable errors.

1. No call hangs: 5 s to connect, 10 s to read, three tries, and 38 s for all of it.
2. Errors of botocore get a text of our own; theirs is not displayed, as it may quote its input.
3. botocore's DEBUG log prints secrets: nothing here turns logging on.
"""

from __future__ import annotations

import os
import re
import shlex
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import botocore
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    DataNotFoundError,
    EndpointConnectionError,
    HTTPClientError,
    LoginError,
    MissingDependencyException,
    NoRegionError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp

from awsudo_py.aws.botocore_session import GivenSession
from awsudo_py.aws.clients import Call, Clients, sign_with
from awsudo_py.aws.deadline import DeadlinePassed, within
from awsudo_py.aws.errors import refusal, subject
from awsudo_py.aws_credentials import Credentials
from awsudo_py.durations import brief
from awsudo_py.errors import AwsudoError, ConfigError, NoCredentials, Rejected, Unreachable
from awsudo_py.model import SessionTokenHop, Source
from awsudo_py.resolve.source_kinds import kind_of, renew

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from awsudo_py.model import CallObject, RoleChain
    from awsudo_py.resolve.aws_config import AwsConfig

#: Seconds; see rule 1. No run may take longer than 40 s, and a run that waits for this one must hear of it in time.
CONNECT, READ, TRIES, ALTOGETHER = 5, 10, 3, 38
#: The oldest botocore that has all calls which awsudo makes; pyproject.toml requires it.
OLDEST_BOTOCORE = "1.44.8"
#: Connections that threads can have to one service at the same time.
CONNECTIONS = 64
#: A clock that is further off than this (seconds) is reported: AWS itself allows five minutes (IAM user guide).
_CLOCK_OFF = 300
#: What goes wrong before a request is on its way.
_NOT_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, SSLError)
#: Settings about credentials, which no client reads: profiles that differ only in these share a client.
_OF_NO_CLIENT = ("aws_", "role_", "sso_", "mfa_", "credential_", "source_", "external_id", "duration_", "login_")
#: Error codes of servers that do not support a call.
_NO_SUCH_ACTION = ("InvalidAction", "NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "UnknownOperation")
_Result = TypeVar("_Result")


class Aws:
    """The connection of one chain to AWS. clients: shared with other chains.

    sso_token returns the access token for a source that needs one, but not one that was refused.
    """

    def __init__(
        self,
        chain: RoleChain,
        config: AwsConfig,
        clock: Callable[[], float],
        clients: Clients | None = None,
        *,
        stored_key: Callable[[Source], Credentials] | None = None,
        sso_token: Callable[[Source, str], str] | None = None,
        web_token: Callable[[Source], str] | None = None,
        saml_assertion: str | None = None,
    ) -> None:
        self.chain = chain
        self.clock = clock
        self.stored_key = stored_key  # returns the key that the OS keyring has for a source
        self.sso_token = sso_token
        self.web_token = web_token  # returns the web identity token for a source of a CI job or a program
        self.saml_assertion = saml_assertion
        self._config = config
        self._clients = clients or Clients()
        self._left = float(ALTOGETHER)
        self._call = Call()  # the last one

    @property
    def call(self) -> Call:
        """The call that is being made."""
        return self._call

    def restart(self) -> None:
        """Reset the time limit for the next call: time was spent waiting for a user or a queue."""
        self._left = float(ALTOGETHER)

    def session(self, profile: str | None) -> Any:
        """A botocore session that works with this profile's settings; without a profile, with no settings."""
        return GivenSession(self._config, profile, self.chain.source.profile)

    def client(
        self,
        service: str,
        region: str | None,
        *,
        credentials: Credentials | None = None,
        url: str | None = None,
        tries: int = TRIES,
        bearer: str | None = None,
    ) -> Any:
        """A client that signs what this thread calls next with these credentials; without any, it does not sign.

        bearer: the token that is sent instead.
        """
        profile, signs = self.chain.config_profile, credentials is not None
        sign_with(credentials, bearer)

        def make() -> Any:
            settings: dict[str, Any] = {} if signs else {"signature_version": UNSIGNED}
            config = Config(
                connect_timeout=CONNECT,
                read_timeout=READ,
                max_pool_connections=CONNECTIONS,
                retries={"mode": "standard", "total_max_attempts": tries},
                **settings,
            )
            return self.session(profile).create_client(
                service, region_name=region, endpoint_url=url, config=config
            )  # fmt: skip

        used = (self._config.profile(profile) or {}).items() if profile is not None else ()
        decides = frozenset((name, value) for name, value in used if not name.startswith(_OF_NO_CLIENT))
        return self._clients.get((service, region, url, tries, signs, decides), make)

    @property
    def tries(self) -> int:
        """How often a call is tried. Paced calls are retried by their caller, at that pace."""
        return TRIES if self._clients.pace is None else 1

    def sts(self, credentials: Credentials | None, tries: int) -> Any:
        """A client for STS, where the chain has it."""
        endpoint = self.chain.endpoint
        # passed even if empty: botocore would otherwise look for one, and use an empty one as it is
        region = endpoint.region or ("aws-global" if endpoint.url is None else None)
        return self.client("sts", region, credentials=credentials, url=endpoint.url, tries=tries)

    def credentials_of(self, what: CallObject, call: Callable[[], Any]) -> Credentials:
        """The credentials in the response of call(). Raises AwsudoError."""

        def ask() -> Credentials:
            answer = call()
            got = answer["Credentials"]
            user = answer.get("AssumedRoleUser", {})
            return self.session_of(
                got["AccessKeyId"],
                got["SecretAccessKey"],
                got["SessionToken"],
                got["Expiration"].timestamp(),
                arn=user.get("Arn", ""),
                user_id=user.get("AssumedRoleId", ""),
                date=date_of(answer),
            )

        return self.guarded(what, ask)

    def session_of(
        self,
        access_key_id: object,
        secret: object,
        token: object,
        until: float,
        *,
        arn: str = "",
        user_id: str = "",
        date: str = "",
    ) -> Credentials:
        """The session with these parts. date: the Date of the answer. ValueError if no command could use them."""
        now = self.clock()
        if until <= now:
            off = _seconds_ahead(date, now)
            if off > _CLOCK_OFF:
                raise Rejected(
                    f"this machine's clock is {brief(off)} ahead of AWS: the session from AWS seems to have expired",
                    hint="set the clock: sudo timedatectl set-ntp true (Linux), sudo sntp -sS time.apple.com (macOS)",
                )
            raise ValueError("a session that has expired")
        return Credentials(*usable(access_key_id, secret, token), until, arn=arn, user_id=user_id)

    def guarded(self, what: CallObject, call: Callable[[], _Result]) -> _Result:
        """The result of the call; any error becomes an AwsudoError.

        A plain Python error means a malformed response if a request was sent, else a bad setting.
        """
        source = self.chain.source
        self._call = made = Call()
        if self._clients.pace is not None:
            # not part of the call's time: how long it waits depends on the others
            kind = kind_of(what) if isinstance(what, Source) else None
            self._clients.pace.take(kind.services[0].replace("_", "-") if kind is not None and kind.by_token else "sts")
        begun = time.monotonic()

        try:
            return within(self._left, lambda: made.run(call))
        except ClientError as error:
            raise self._refusal(what, error) from None
        except LoginError:
            raise NoCredentials(
                f"the login session of profile {source.profile} cannot be used", hint=renew(source)
            ) from None
        except MissingDependencyException:
            raise
        except DataNotFoundError as error:
            raise self._unknown_to_botocore(what, error) from None
        except CredentialRetrievalError:
            raise NoCredentials(
                f"{kind_of(source).giver or source.where} returned no credentials", hint=renew(source)
            ) from None
        except DeadlinePassed:
            raise self._unreachable(what, f"no response within {ALTOGETHER} s") from None
        except ResponseParserError:
            raise self._garbage(what) from None
        except NoRegionError:
            raise ConfigError(
                f"cannot get {subject(what)}: no region is set, and {self._address()} needs one",
                hint="name it: --region eu-west-1, AWS_REGION, or region in the profile",
            ) from None
        except (HTTPClientError, ConnectionError, ProxyConnectionError) as error:
            sent = not isinstance(error, _NOT_SENT)
            proxy = address_of(str(error.kwargs.get("proxy_url", "")))
            raise self._unreachable(what, _network_trouble(error), sent=sent, proxy=proxy) from None
        except (
            BotoCoreError,
            ValueError,
            AttributeError,
            TypeError,
            LookupError,
            RuntimeError,
            ArithmeticError,
            OSError,
        ) as error:
            if self._call.address:
                raise self._garbage(what) from None
            # botocore fails like this on a setting that it does not check
            raise ConfigError(
                f"cannot get {subject(what)}: botocore cannot work with the settings of profile "
                f"{self.chain.config_profile or source.profile or 'default'} ({type(error).__name__})",
                hint="look at its ca_bundle, *_endpoint*, api_versions, retry and time-out settings: "
                f"aws configure list --profile {shlex.quote(self.chain.config_profile or source.profile or 'default')}",
            ) from None
        finally:
            # all calls of a chain share one time limit
            self._left = max(self._left - (time.monotonic() - begun), 0.001)

    def _unknown_to_botocore(self, what: CallObject, error: DataNotFoundError) -> AwsudoError:
        """The error for a botocore whose data lack a service: it is older than awsudo requires, or was cut down."""
        from awsudo_py.installation import command_to_add

        service = error.kwargs.get("service_name") or error.kwargs.get("data_path", "")
        return AwsudoError(
            f"cannot get {subject(what)}: botocore {botocore.__version__} does not have the service {service}",
            hint=f"install {OLDEST_BOTOCORE} or a later version: {command_to_add(f'botocore>={OLDEST_BOTOCORE}')}",
        )

    def _garbage(self, what: CallObject) -> Unreachable:
        return Unreachable(
            f"cannot get {subject(what)}: {self._address()} returned a response that is not from AWS",
            hint="it may be a proxy, a captive portal or a wrong endpoint_url: check HTTPS_PROXY and AWS_ENDPOINT_URL",
        )

    def _refusal(self, what: CallObject, error: ClientError) -> AwsudoError:
        # S3-compatible servers have the code at the top of the answer
        answer = error.response.get("Error") or error.response
        metadata = error.response.get("ResponseMetadata", {})
        status, code = int(metadata.get("HTTPStatusCode", 0)), str(answer.get("Code") or "")
        text, date = str(answer.get("Message") or ""), str(metadata.get("HTTPHeaders", {}).get("date", ""))
        if (
            isinstance(what, SessionTokenHop)
            and self.chain.endpoint.url
            and (code in _NO_SUCH_ACTION or status in (404, 405, 501))
        ):
            return Rejected(
                f"cannot get {subject(what)}: {self._address()} does not support GetSessionToken",
                hint="S3-compatible servers return sessions of roles only: name a profile with a role_arn",
            )
        if code == str(status) and status < 500:
            # botocore's placeholder for a missing error code
            if status != 429:
                return self._foreign(what, status)
            code, text = "TooManyRequestsException", ""
        struck = self._call.struck
        refused = refusal(struck(code), struck(text), status, date, what, self.chain, self.clock())
        refused.code = struck(code)
        return refused

    def _foreign(self, what: CallObject, status: int) -> Unreachable:
        if status == 407:
            return Unreachable(
                f"cannot get {subject(what)}: the proxy requires a user name and a password (HTTP 407)",
                hint="add them to its URL: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
            )
        return Unreachable(
            f"cannot get {subject(what)}: {self._address()} answered HTTP {status} without an AWS error",
            hint="it may be a proxy, a captive portal or a wrong endpoint_url: check HTTPS_PROXY and AWS_ENDPOINT_URL",
        )

    def _unreachable(self, what: CallObject, why: str, *, sent: bool = True, proxy: str = "") -> AwsudoError:
        bundle = self.session(self.chain.config_profile).get_config_variable("ca_bundle")
        if isinstance(bundle, str) and not os.path.exists(bundle):
            return ConfigError(
                f"cannot get {subject(what)}: CA bundle not found: {bundle}",
                hint="named by AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE or ca_bundle in the profile",
            )
        error = Unreachable(
            f"cannot get {subject(what)}: {why} ({proxy or self._address()})",
            hint="check the network, HTTPS_PROXY, AWS_ENDPOINT_URL and the region, then try again",
        )
        error.sent = sent
        return error

    def _address(self) -> str:
        endpoint = self.chain.endpoint
        return (
            self._call.address
            or endpoint.url
            or (f"STS in {endpoint.region}" if endpoint.region else "STS, global endpoint")
        )


def address_of(url: str) -> str:
    """Scheme, host and port of a URL, without user and password; empty for an empty URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if url else ""


def date_of(answer: Mapping[str, Any]) -> str:
    """The Date header of an answer of a botocore client."""
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))


def _seconds_ahead(date: str, now: float) -> float:
    """By how many seconds this machine's clock is ahead of a Date header; 0 without a header."""
    try:
        return now - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return 0.0


def usable(access_key_id: object, secret: object, token: object) -> tuple[str, str, str]:
    """The three parts, if an environment can hold each. ValueError if not.

    An empty value is worse than a missing one: an SDK would look for credentials elsewhere, and find others.
    """
    for part in (access_key_id, secret, token):
        if not isinstance(part, str) or not part or b"\0" in part.encode():
            raise ValueError("a part of the credentials that cannot be used")
    return str(access_key_id), str(secret), str(token)


def moment(text: str) -> float:
    """Seconds since the epoch of a time stamp, read as the SDKs read them. ValueError if it is not one."""
    try:
        stamp: datetime = parse_timestamp(text)
    except RuntimeError as error:  # raised by botocore for a number out of range
        raise ValueError(str(error)) from None
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=timezone.utc)).timestamp()


def _network_trouble(error: Exception) -> str:
    if isinstance(error, SSLError):
        # OpenSSL's reason, such as `[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)`
        reason = re.search(r"\[SSL(?:: \w+)?\] ([\w ]+)|(EOF occurred[\w ]*)", str(error))
        if "CERTIFICATE_VERIFY_FAILED" in str(error) or reason is None:
            return "the server's certificate is not trusted on this machine (see AWS_CA_BUNDLE)"
        return f"TLS failed: {(reason[1] or reason[2]).strip()}"
    for kind, meaning in (
        (ConnectTimeoutError, "connection timed out"),
        (ReadTimeoutError, "no response"),
        (ProxyConnectionError, "the proxy cannot be reached"),
        ((ConnectionError, HTTPClientError), "the connection failed or was closed"),
    ):
        if isinstance(error, kind):
            return meaning
    return f"botocore cannot make the call ({type(error).__name__})"
