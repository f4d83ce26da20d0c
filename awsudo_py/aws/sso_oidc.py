"""Calls to the OIDC service of IAM Identity Center: register a client, start a device sign-in, get a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from awsudo_py.aws.client import TRIES
from awsudo_py.model import ServiceCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.client import Aws

DEVICE_CODE, REFRESH_TOKEN, AUTHORIZATION_CODE = (
    "urn:ietf:params:oauth:grant-type:device_code",
    "refresh_token",
    "authorization_code",
)
_Result = TypeVar("_Result")


class Registered(NamedTuple):
    """A client, as the service has registered it."""

    client_id: str
    client_secret: str
    expires_at: float  # seconds since the epoch

    def __repr__(self) -> str:
        return "<Registered>"


class Device(NamedTuple):
    """A device sign-in that is waiting for its user."""

    device_code: str
    user_code: str
    page: str  # where the user types the code
    page_with_code: str
    expires_in: float  # seconds
    interval: float

    def __repr__(self) -> str:
        return "<Device>"


class Granted(NamedTuple):
    """A token for the portal."""

    access_token: str
    expires_in: float  # seconds
    refresh_token: str

    def __repr__(self) -> str:
        return "<Granted>"


class Oidc:
    """The service in one region; title names the session for messages. Each method raises AwsudoError.

    Where the service refuses, the error is Rejected, and its code is the service's name for the reason
    (`AuthorizationPendingException`).
    """

    def __init__(self, aws: Aws, region: str, title: str) -> None:
        self._aws = aws
        self._region = region
        self._title = f"the SSO session {title}"

    @property
    def url(self) -> str:
        """Where the service is."""
        return self._ask(lambda client: str(client.meta.endpoint_url))

    def register(
        self, name: str, *, scopes: tuple[str, ...], grants: tuple[str, ...], redirect: str = "", issuer: str = ""
    ) -> Registered:
        """Register a public client."""
        given: dict[str, Any] = {
            "clientName": name,
            "clientType": "public",
            "scopes": list(scopes),
            "grantTypes": list(grants),
            "redirectUris": [redirect] if redirect else [],
            "issuerUrl": issuer,
        }

        def call(client: Any) -> Registered:
            found = client.register_client(**{key: value for key, value in given.items() if value})
            return Registered(found["clientId"], found["clientSecret"], float(found["clientSecretExpiresAt"]))

        return self._ask(call)

    def start_device(self, client_id: str, client_secret: str, start_url: str) -> Device:
        """Start a device sign-in."""

        def call(client: Any) -> Device:
            found = client.start_device_authorization(
                clientId=client_id, clientSecret=client_secret, startUrl=start_url
            )
            return Device(
                found["deviceCode"],
                found["userCode"],
                found["verificationUri"],
                found["verificationUriComplete"],
                float(found.get("expiresIn") or 600),
                float(found.get("interval") or 5),
            )

        return self._ask(call)

    def token(self, client_id: str, client_secret: str, grant: str, **proof: str) -> Granted:
        """Trade a proof (a code, a refresh token) for a token. Sent once: each proof is good for one call."""

        def call(client: Any) -> Granted:
            found = client.create_token(clientId=client_id, clientSecret=client_secret, grantType=grant, **proof)
            return Granted(found["accessToken"], float(found["expiresIn"]), found.get("refreshToken") or "")

        return self._ask(call, tries=1)

    def _ask(self, call: Callable[[Any], _Result], tries: int = TRIES) -> _Result:
        self._aws.restart()  # a person is at work between two calls

        return self._aws.guarded(
            ServiceCall(self._title), lambda: call(self._aws.client("sso-oidc", self._region, tries=tries))
        )
