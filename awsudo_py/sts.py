"""Asks AWS: source credentials, AssumeRole and its sisters. The only module that knows botocore.

1. No call hangs: 5 s to connect, 10 s to read, three tries, and 38 s for all of it. A call with an MFA code on board
   is tried once: a code works once.
2. What botocore raises is told in words, and its own text is not shown: it may quote what it was given.
3. botocore's DEBUG log prints secrets: nothing here turns logging on.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    ConnectTimeoutError,
    HTTPClientError,
    MissingDependencyException,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError

from awsudo_py import limits
from awsudo_py.aws_config import nested
from awsudo_py.credentials import Credentials
from awsudo_py.errors import AwsudoError, NoCredentials, Unreachable
from awsudo_py.limits import Origin
from awsudo_py.model import RoleHop, SessionTokenHop
from awsudo_py.refusals import refusal, renew, subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws_config import AwsConfig
    from awsudo_py.model import Hop, RoleChain, Source

#: Seconds; see rule 1. Nobody is to wait longer than 40 s, and a run that waits for this one must be told in time.
CONNECT, READ, TRIES, ALTOGETHER = 5, 10, 3, 38
Result = TypeVar("Result")
_SERVICES = ["signin", "sso", "sso-oidc", "sts"]


class BotocoreSts:
    """AWS as one chain needs it. ask_code(serial, profile, role_arn) gives an MFA code."""

    def __init__(
        self,
        chain: RoleChain,
        config: AwsConfig,
        *,
        session_name: str,
        ask_code: Callable[[str, str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._chain = chain
        self._config = config
        self._session_name = session_name
        self._ask_code = ask_code
        self._clock = clock

    # -- what the flow asks for ------------------------------------------------------------------------------------

    def source(self, source: Source) -> Credentials:
        """The credentials that begin the chain. Raises AwsudoError."""
        ways: dict[str, Callable[[Source], Credentials]] = {
            "sso": self._sso,
            "web-identity": self._web_identity,
            "process": self._process,
            "login": self._login,
            "container": lambda given: self._from_provider(given, "container-role"),
            "instance": lambda given: self._from_provider(given, "iam-role"),
        }
        return ways[source.kind](source)

    def session(self, hop: Hop, credentials: Credentials) -> Credentials:
        """AssumeRole or GetSessionToken with these credentials. Raises AwsudoError."""
        self._refuse_expired()
        parameters = session_parameters(hop, self._session_name)
        if hop.mfa_serial is not None:
            parameters["SerialNumber"] = hop.mfa_serial
            parameters["TokenCode"] = self._ask_code(hop.mfa_serial, subject(hop))
        operation = "get_session_token" if isinstance(hop, SessionTokenHop) else "assume_role"
        tries = TRIES if hop.mfa_serial is None else 1
        return self._asked(hop, lambda: getattr(self._sts(credentials, tries), operation)(**parameters))

    # -- sources ---------------------------------------------------------------------------------------------------

    def _sso(self, source: Source) -> Credentials:
        from botocore.tokens import SSOTokenProvider
        from botocore.utils import JSONFileCache, SSOTokenLoader

        session = self._botocore(source.profile)

        def ask() -> Any:
            if source.setting("sso_session"):
                # renews the token where it can, as the AWS CLI does, in the AWS CLI's own file
                token = SSOTokenProvider(session, profile_name=source.profile).load_token().get_frozen_token().token
            else:
                kept = SSOTokenLoader(JSONFileCache(os.path.expanduser("~/.aws/sso/cache")))(
                    source.setting("sso_start_url")
                )
                if _moment(kept["expiresAt"]) <= self._clock():
                    raise _no_sso_session(source)
                token = kept["accessToken"]
            client = self._client("sso", source.setting("sso_region"), session=session)
            return client.get_role_credentials(
                roleName=source.setting("sso_role_name"), accountId=source.setting("sso_account_id"), accessToken=token
            )

        got = self._guarded(source, ask)["roleCredentials"]
        return Credentials(got["accessKeyId"], got["secretAccessKey"], got["sessionToken"], got["expiration"] / 1000)

    def _web_identity(self, source: Source) -> Credentials:
        path = source.setting("token_file")
        try:
            with open(path, encoding="utf-8") as file:
                token = file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NoCredentials(f"cannot read the web identity token {path}: {error}") from None
        parameters = {
            "RoleArn": source.setting("role_arn"),
            "RoleSessionName": source.setting("session_name") or self._session_name,
            "WebIdentityToken": token,
        }
        return self._asked(source, lambda: self._sts(None, TRIES).assume_role_with_web_identity(**parameters))

    def _process(self, source: Source) -> Credentials:
        """Run a credential_process. Its stderr and its terminal are the user's; stdin is the child's and not given."""
        import json
        import shlex
        import subprocess

        from awsudo_py.resolve import RUNNING

        where = f"credential_process of profile {source.profile} ({source.where})"
        running = [*os.environ.get(RUNNING, "").splitlines(), source.profile or ""]
        try:
            words = shlex.split(source.setting("command"), posix=os.name != "nt")
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env={**os.environ, RUNNING: "\n".join(running)},
                check=False,
            )
        except (OSError, ValueError, IndexError) as error:
            why = getattr(error, "strerror", None) or "its words cannot be parted"
            raise NoCredentials(f"{where} cannot be run: {why}", hint="run it by hand to see") from None
        if done.returncode != 0:
            raise NoCredentials(
                f"{where} failed with exit code {done.returncode}",
                hint="what it said stands above; run it by hand to see more",
            )
        try:
            given = json.loads(done.stdout)
            if given["Version"] != 1:
                raise ValueError
            expiration = given.get("Expiration")
            token = given.get("SessionToken")
            until = _moment(expiration) if expiration else None
            credentials = Credentials(str(given["AccessKeyId"]), str(given["SecretAccessKey"]), token, until)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise NoCredentials(
                f"{where} printed no credentials as the SDKs expect them",
                hint='it must print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …, "SessionToken": …}',
            ) from None
        if until is not None and until <= self._clock():
            raise NoCredentials(f"{where} gave credentials that have expired", hint="log in there again")
        return credentials

    def _login(self, source: Source) -> Credentials:
        try:
            return self._from_provider(source, "login")
        except MissingDependencyException:
            raise AwsudoError(
                f"profile {source.profile} uses aws login, which needs the AWS common runtime",
                hint="install it beside awsudo: pip install 'botocore[crt]'",
            ) from None

    def _from_provider(self, source: Source, name: str) -> Credentials:
        """Credentials of one of botocore's own providers."""

        def ask() -> Credentials | None:
            provider = self._botocore(source.profile).get_component("credential_provider").get_provider(name)
            found = provider.load()
            if found is None:
                return None
            frozen = found.get_frozen_credentials()
            until = getattr(found, "_expiry_time", None)  # no public name for it
            return Credentials(
                frozen.access_key, frozen.secret_key, frozen.token, until.timestamp() if until is not None else None
            )

        credentials = self._guarded(source, ask)
        if credentials is None:
            raise NoCredentials(
                f"no credentials found: {source.where}, and {_ASKED[source.kind]} gave none",
                hint="name a profile (awsudo PROFILE …, or -p PROFILE ROLE), or log in: aws sso login",
            )
        return credentials

    def _refuse_expired(self) -> None:
        source = self._chain.source
        until = source.setting("expiration")
        try:
            expired = bool(until) and _moment(until) <= self._clock()
        except ValueError:
            return
        if expired:
            raise NoCredentials(f"the credentials in the environment expired at {until}", hint=renew(source))

    # -- calls -----------------------------------------------------------------------------------------------------

    def _asked(self, what: Hop | Source, call: Callable[[], Any]) -> Credentials:
        answer = self._guarded(what, call)
        try:
            got = answer["Credentials"]
            return Credentials(
                got["AccessKeyId"],
                got["SecretAccessKey"],
                got["SessionToken"],
                got["Expiration"].timestamp(),
                arn=answer.get("AssumedRoleUser", {}).get("Arn", ""),
            )
        except (KeyError, AttributeError):
            raise self._garbage(what) from None

    def _guarded(self, what: Hop | Source, call: Callable[[], Result]) -> Result:
        """What the call gives; whatever botocore raises becomes an AwsudoError."""
        from botocore.exceptions import (
            CredentialRetrievalError,
            LoginError,
            SSOError,
            TokenRetrievalError,
            UnauthorizedSSOTokenError,
        )

        source = self._chain.source
        try:
            with _Deadline(ALTOGETHER):
                return call()
        except ClientError as error:
            answer = error.response.get("Error", {})
            metadata = error.response.get("ResponseMetadata", {})
            raise refusal(
                str(answer.get("Code", "")),
                str(answer.get("Message", "")),
                int(metadata.get("HTTPStatusCode", 0)),
                str(metadata.get("HTTPHeaders", {}).get("date", "")),
                what,
                source,
                self._clock(),
            ) from None
        except (SSOError, UnauthorizedSSOTokenError, TokenRetrievalError):
            raise _no_sso_session(source) from None
        except LoginError:
            raise NoCredentials(
                f"the login session of profile {source.profile} cannot be used", hint=renew(source)
            ) from None
        except MissingDependencyException:
            raise
        except CredentialRetrievalError:
            raise NoCredentials(
                f"{_ASKED.get(source.kind, source.where)} gave no credentials", hint=renew(source)
            ) from None
        except _DeadlinePassed:
            raise self._unreachable(what, f"no answer in {ALTOGETHER} s") from None
        except ResponseParserError:
            raise self._garbage(what) from None
        except (HTTPClientError, ConnectionError, BotoCoreError) as error:
            raise self._unreachable(what, _network_trouble(error)) from None

    def _garbage(self, what: Hop | Source) -> Unreachable:
        return Unreachable(
            f"cannot get {subject(what)}: {self._address()} answered something that is not AWS's",
            hint="a proxy, a captive portal or a wrong endpoint_url answers so: check HTTPS_PROXY and AWS_ENDPOINT_URL",
        )

    def _unreachable(self, what: Hop | Source, why: str) -> Unreachable:
        return Unreachable(
            f"cannot get {subject(what)}: {why} ({self._address()})",
            hint="check the network, HTTPS_PROXY, AWS_ENDPOINT_URL and the region, then try again",
        )

    def _address(self) -> str:
        endpoint = self._chain.endpoint
        return endpoint.url or (f"STS in {endpoint.region}" if endpoint.region else "STS, global endpoint")

    def _sts(self, credentials: Credentials | None, tries: int) -> Any:
        endpoint = self._chain.endpoint
        return self._client("sts", endpoint.region, credentials=credentials, url=endpoint.url, tries=tries)

    def _client(
        self,
        service: str,
        region: str | None,
        *,
        credentials: Credentials | None = None,
        url: str | None = None,
        tries: int = TRIES,
        session: Any = None,
    ) -> Any:
        """A client that signs with these credentials; with none it does not sign, and looks for none."""
        settings: dict[str, Any] = {"signature_version": UNSIGNED} if credentials is None else {}
        return (session or self._botocore(self._chain.config_profile)).create_client(
            service,
            region_name=region,
            endpoint_url=url,
            aws_access_key_id=credentials.access_key_id if credentials else "unsigned",
            aws_secret_access_key=credentials.secret_access_key if credentials else "unsigned",
            aws_session_token=credentials.session_token if credentials else None,
            config=Config(
                connect_timeout=CONNECT,
                read_timeout=READ,
                retries={"mode": "standard", "total_max_attempts": tries},
                **settings,
            ),
        )

    def _botocore(self, profile: str | None) -> Any:
        return _Session(self._config, profile)


def session_parameters(hop: Hop, session_name: str) -> dict[str, Any]:
    """The parameters of the call for this hop, but for an MFA code; session_name is for a hop that has none."""
    given: dict[str, Any] = {"DurationSeconds": hop.duration}
    if isinstance(hop, RoleHop):
        given |= {
            "RoleArn": hop.role_arn,
            "RoleSessionName": hop.session_name or session_name,
            "ExternalId": hop.external_id,
            "Policy": hop.policy,
            "PolicyArns": [{"arn": arn} for arn in hop.policy_arns],
            "Tags": [{"Key": key, "Value": value} for key, value in hop.tags],
            "TransitiveTagKeys": list(hop.transitive_tags),
            "SourceIdentity": hop.source_identity,
        }
    return {name: value for name, value in given.items() if value}


_ASKED = {
    "instance": "the instance metadata service",
    "container": "the container credentials endpoint",
    "login": "the login session",
}


class _SlimLoader(Loader):  # type: ignore[misc]  # botocore has no types
    """botocore's loader, told which services there are: looking takes it as long as the call to STS."""

    def list_available_services(self, type_name: str) -> list[str]:
        return list(_SERVICES)


class _Session(botocore.session.Session):  # type: ignore[misc]  # botocore has no types
    """A botocore session with the configuration that we have read already."""

    def __init__(self, config: AwsConfig, profile: str | None) -> None:
        # named even where there is none: the chain, not AWS_PROFILE, says which profile counts
        super().__init__(profile=profile or "default")
        self._given = config
        self.register_component("data_loader", _SlimLoader())

    @cached_property
    def full_config(self) -> dict[str, Any]:
        given = self._given
        profiles = {"default": {}, **{name: given.profile(name) or {} for name in given.names()}}
        return {
            "profiles": {name: _with_nested(settings) for name, settings in profiles.items()},
            "sso_sessions": given.sso_sessions,
            "services": {name: _with_nested(settings) for name, settings in given.services.items()},
        }


class _DeadlinePassed(BaseException):
    """Not an Exception: the libraries in between would take it for one of theirs, and try again."""


class _Deadline:
    """Cuts off what takes longer than this many seconds, where the system has a timer for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        if hasattr(os, "fork"):
            import signal

            def passed(_number: int, _frame: object) -> None:
                raise _DeadlinePassed

            self._before = signal.signal(signal.SIGALRM, passed)
            signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        if hasattr(os, "fork"):
            import signal

            # a timer survives exec: it would kill the child
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)


def default_session_name(user: str, host: str) -> str:
    """A session name that says who and where, made of what STS takes: USER@HOST, 64 characters at most."""
    import re

    name = re.sub(r"[^\w+=,.@-]+", "-", f"{user}@{host}", flags=re.ASCII)[:64]
    return limits.text("session_name", name if len(name) > 1 else "awsudo", Origin("session name", AwsudoError))


def _network_trouble(error: Exception) -> str:
    for kind, said in (
        (ConnectTimeoutError, "nobody took the connection"),
        (ReadTimeoutError, "no answer"),
        (ProxyConnectionError, "the proxy cannot be reached"),
        (SSLError, "the server's certificate is not one that is trusted here (see AWS_CA_BUNDLE)"),
        ((ConnectionError, HTTPClientError), "no connection, or one that broke"),
    ):
        if isinstance(error, kind):
            return said
    return f"botocore cannot ask for it ({type(error).__name__})"


def _no_sso_session(source: Source) -> NoCredentials:
    return NoCredentials(f"profile {source.profile} has no SSO session, or it has ended", hint=renew(source))


def _moment(text: str) -> float:
    """Seconds since the epoch out of an ISO 8601 text. ValueError if it is none."""
    moment = datetime.fromisoformat(text.replace("UTC", "Z").replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _with_nested(settings: dict[str, str]) -> dict[str, Any]:
    """The settings with indented blocks as dictionaries, as botocore has them."""
    result: dict[str, Any] = dict(settings)
    for key, value in settings.items():
        if value.startswith("\n"):
            try:
                result[key] = nested(value)
            except ValueError:
                continue  # of no meaning to STS, or resolve has refused it
    return result
