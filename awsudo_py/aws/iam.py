"""Reads and changes an access key and its user at AWS: the IAM calls, and GetCallerIdentity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from awsudo_py.aws.client import TRIES
from awsudo_py.aws_credentials import Credentials, rfc3339
from awsudo_py.model import ServiceCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.client import Aws

_Result = TypeVar("_Result")


class AccessKey(NamedTuple):
    """A key of a user, as IAM describes it."""

    access_key_id: str
    active: bool
    created: str  # RFC 3339


class LastUse(NamedTuple):
    """When a key was used last (RFC 3339; empty: never, or before IAM kept count), and for which service."""

    at: str
    service: str


class Identity(NamedTuple):
    """The identity of credentials, from STS."""

    arn: str
    account: str
    user_id: str


class Iam:
    """IAM calls with one key, about that key's own user. Each method raises AwsudoError.

    url is the address of IAM, None for AWS's own. tries: how often a call that changes nothing is sent.
    """

    def __init__(self, aws: Aws, credentials: Credentials, url: str | None, *, tries: int = TRIES) -> None:
        self._aws = aws
        self._credentials = credentials
        self._url = url
        self._tries = tries

    def arn(self) -> str:
        """The ARN of the key's user."""
        return self.identity().arn

    def identity(self) -> Identity:
        """The identity of the credentials (sts:GetCallerIdentity, which needs no permission)."""

        def call() -> Identity:
            answer = self._aws.sts(self._credentials, self._tries).get_caller_identity()
            return Identity(str(answer["Arn"]), str(answer["Account"]), str(answer["UserId"]))

        return self._ask(f"the owner of the key {self._credentials.access_key_id}", call)

    def access_keys(self) -> list[AccessKey]:
        """The keys of the user, oldest first; AWS allows two."""

        def ask() -> list[AccessKey]:
            found = self._client().list_access_keys()["AccessKeyMetadata"]
            keys = [AccessKey(each["AccessKeyId"], each["Status"] == "Active", _moment(each)) for each in found]
            return sorted(keys, key=lambda key: key.created)

        return self._ask("the list of access keys", ask)

    def last_use(self, access_key_id: str) -> LastUse:
        """When a key was used last."""

        def ask() -> LastUse:
            used = self._client().get_access_key_last_used(AccessKeyId=access_key_id)["AccessKeyLastUsed"]
            at = used.get("LastUsedDate")
            return LastUse(rfc3339(at.timestamp()) if at is not None else "", str(used["ServiceName"]))

        return self._ask(f"the last use of the key {access_key_id}", ask)

    def devices(self) -> list[str]:
        """The serial numbers of the user's MFA devices: ARNs, or those printed on hardware."""

        def ask() -> list[str]:
            return [str(each["SerialNumber"]) for each in self._client().list_mfa_devices()["MFADevices"]]

        return self._ask("the list of MFA devices", ask)

    def create(self) -> tuple[Credentials, str]:
        """A new key of the user, and when it was made (RFC 3339).

        Sent once: each request that arrives creates one more key, even if the response is lost.
        """

        def ask() -> tuple[Credentials, str]:
            made = self._client(tries=1).create_access_key()["AccessKey"]
            return Credentials(made["AccessKeyId"], made["SecretAccessKey"], None), _moment(made)

        return self._ask("a new access key", ask)

    def deactivate(self, access_key_id: str) -> None:
        """Make a key of the user useless; it can be made active again."""
        self._ask(
            f"the key {access_key_id} deactivated",
            lambda: self._client().update_access_key(AccessKeyId=access_key_id, Status="Inactive"),
        )

    def delete(self, access_key_id: str) -> None:
        """Delete a key of the user, for good."""
        self._ask(
            f"the key {access_key_id} deleted", lambda: self._client().delete_access_key(AccessKeyId=access_key_id)
        )

    def _client(self, tries: int | None = None) -> Any:
        # any region of the partition: IAM has one place in each, and botocore knows it
        region = self._aws.chain.endpoint.region or "us-east-1"
        return self._aws.client(
            "iam",
            region,
            credentials=self._credentials,
            url=self._url,
            tries=tries or self._tries,
        )

    def _ask(self, title: str, call: Callable[[], _Result]) -> _Result:
        return self._aws.guarded(ServiceCall(title), call)


def _moment(found: dict[str, Any]) -> str:
    return rfc3339(found["CreateDate"].timestamp())
