"""Gets the credentials of a machine's role: from a container's endpoint, or from EC2's instance metadata service.

botocore makes the requests. The responses of the services are kept, since botocore leaves their text out of its errors.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import HTTPClientError, MetadataRetrievalError
from botocore.httpsession import URLLib3Session
from botocore.utils import ContainerMetadataFetcher

from awsudo_py.aws.client import address_of, moment, usable
from awsudo_py.aws.clients import note_address
from awsudo_py.aws_credentials import Credentials, rfc3339
from awsudo_py.errors import ConfigError, NoCredentials, Unreachable
from awsudo_py.files import access_hint
from awsudo_py.resolve.source_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.aws.client import Aws
    from awsudo_py.model import Source

#: Where a relative path is requested (Amazon ECS developer guide, "Task IAM role").
_ECS = "http://169.254.170.2"
_TOKEN, _TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
#: The fields that a response must have.
_FIELDS = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
#: Code of an instance metadata answer → what to do.
_INSTANCE_HINTS = {
    "AssumeRoleUnauthorizedAccess": "the trust policy of the instance's role must allow sts:AssumeRole to the service "
    "ec2.amazonaws.com",
    "InstanceProfileNotFound": "the instance profile was deleted: attach another one",
}


class _Answer:
    """One response of a service: its status, and its error."""

    def __init__(self, method: str, status: int, body: bytes) -> None:
        self.method = method
        self.status = status
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        self.fields: Mapping[str, Any] = found if isinstance(found, dict) else {}
        self.code = self._text("code", "Code")
        self.message = self._text("message", "Message")

    @property
    def text(self) -> str:
        """Its code and its message."""
        return ": ".join(filter(None, (self.code, self.message)))

    def _text(self, *names: str) -> str:
        found = next((self.fields[name] for name in names if name in self.fields), "")
        return found[:500] if isinstance(found, str) else ""


class _Recorder:
    """A botocore HTTP session that keeps its answers."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.answers: list[_Answer] = []

    def send(self, request: Any) -> Any:
        """Send a request, and keep the answer to it."""
        note_address(request)
        response = self._session.send(request)
        self.answers.append(_Answer(request.method, response.status_code, response.content))
        return response


class _NoRetry(Exception):
    """The service's answer is final: calling again would return the same."""


def container(aws: Aws, source: Source) -> Credentials:
    """The session of a container's role. Raises AwsudoError."""
    # an empty variable counts as one that is not set
    environ = {name: value for name, value in os.environ.items() if value}
    relative, full = (environ.get(f"AWS_CONTAINER_CREDENTIALS_{kind}_URI", "") for kind in ("RELATIVE", "FULL"))
    giver = kind_of(source).giver
    if not relative and not full:
        raise NoCredentials(
            f"{source.where}: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor _FULL_URI is set",
            hint="ECS and EKS set one of them in a container that has a role: is this running in one?",
        )
    url = f"{_ECS}{relative}" if relative else full
    token, token_from = _authorization(environ)
    recorder = _Recorder(URLLib3Session(timeout=ContainerMetadataFetcher.TIMEOUT_SECONDS))

    def pause(seconds: float) -> None:
        if recorder.answers and 400 <= recorder.answers[-1].status < 500:
            raise _NoRetry
        time.sleep(seconds)

    def fetch() -> Credentials:
        aws.call.note_sent(token)
        fetcher = ContainerMetadataFetcher(session=recorder, sleep=pause)
        try:
            answer = fetcher.retrieve_full_uri(url, headers={"Authorization": token} if token else None)
        except (_NoRetry, MetadataRetrievalError, HTTPClientError):
            refused = _refused(giver, url, recorder.answers, token_from, ecs=bool(relative))
            refused.detail = aws.call.struck(refused.detail)  # the service may repeat what it was sent
            raise refused from None
        except ValueError:
            raise ConfigError(
                f"AWS_CONTAINER_CREDENTIALS_FULL_URI is {address_of(full)}: plain http is allowed only "
                "to this machine and to the addresses of ECS and EKS",
                hint="use https, or leave it to the platform to set this variable",
            ) from None
        return _credentials(aws, f"{giver} ({address_of(url)})", answer)

    return aws.guarded(source, fetch)


def _authorization(environ: Mapping[str, str]) -> tuple[str, str]:
    """The token for the container's endpoint, and its origin; both empty if there is no token."""
    path = environ.get(_TOKEN_FILE, "")
    token, where = environ.get(_TOKEN, ""), _TOKEN
    if path:
        where = f"{path}, named by {_TOKEN_FILE}"
        try:
            with open(path, encoding="utf-8", newline="") as file:
                token = file.read()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise NoCredentials(
                f"cannot read the container's authorization token: {path}: {why}",
                hint=access_hint(path) or f"{_TOKEN_FILE} names it; the platform writes it",
            ) from None
    if "\r" in token or "\n" in token:
        raise NoCredentials(
            f"the container's authorization token has a line break ({where})",
            hint="the file must hold the token alone, without a line end" if path else f"set {_TOKEN} without it",
        )
    return (token, where) if token else ("", "")


def _refused(
    giver: str, url: str, answers: list[_Answer], token_from: str, *, ecs: bool
) -> NoCredentials | Unreachable:
    where = f"{giver} ({address_of(url)})"
    if not answers:
        return Unreachable(f"{where} does not respond", hint="is this running in a container of ECS or EKS?")
    last = answers[-1]
    if last.status == 200:
        return NoCredentials(
            f"{where} returned a response that is not JSON", hint=f"check what is listening at {address_of(url)}"
        )
    hint = "does the task have a task role?" if ecs else "is AWS_CONTAINER_CREDENTIALS_FULL_URI right?"
    if last.status in (401, 403):
        hint = f"it did not accept the authorization token ({token_from})" if token_from else f"no {_TOKEN} is set"
    return NoCredentials(f"{where} refused: HTTP {last.status}", hint=hint, detail=last.text)


def _credentials(aws: Aws, where: str, answer: object) -> Credentials:
    fields = answer if isinstance(answer, dict) else {}
    # an empty token is that of long-lived keys, which some credential servers return
    missing = [name for name in _FIELDS if not (fields.get(name) or (name == "Token" and fields.get(name) == ""))]
    if missing:
        raise NoCredentials(f"the response from {where} has no {', '.join(missing)}")
    try:
        until = moment(str(fields["Expiration"]))
        *keys, _ = usable(fields["AccessKeyId"], fields["SecretAccessKey"], fields["Token"] or "none")
    except ValueError:
        raise NoCredentials(f"the response from {where} has an Expiration or keys that cannot be used") from None
    if until <= aws.clock():
        raise NoCredentials(
            f"{where} returned credentials that expired at {rfc3339(until)}",
            hint="check this machine's clock; if it is right, restart the service that provides them",
        )
    return Credentials(keys[0], keys[1], fields["Token"] or None, until)


def instance(aws: Aws, source: Source) -> Credentials:
    """The session of an EC2 instance's role. Raises AwsudoError."""
    giver = kind_of(source).giver
    # without any configuration, this is the last place searched
    lead = f"{source.where}: " if source.where.startswith("credential_source") else f"no credentials: {source.where}; "
    elsewhere = "name a profile (awsudo PROFILE …, or -p PROFILE ROLE), or sign in: awsudo login"
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise NoCredentials(f"{lead}{giver} is switched off by AWS_EC2_METADATA_DISABLED", hint=elsewhere)

    def fetch() -> Credentials:
        provider = aws.session(aws.chain.config_profile).get_component("credential_provider").get_provider("iam-role")
        fetcher = provider._role_fetcher  # noqa: SLF001 (neither it nor its session has a public name)
        recorder = fetcher._session = _Recorder(fetcher._session)  # noqa: SLF001 (as above)
        where = f"{giver} ({address_of(fetcher.get_base_url())})"
        try:
            found = provider.load()
        except MetadataRetrievalError:
            status = f"HTTP {recorder.answers[-1].status}" if recorder.answers else "no response"
            raise NoCredentials(
                f"{lead}{where} returned no token for IMDSv2 ({status}), and IMDSv1 is switched off",
                hint=(
                    "by AWS_EC2_METADATA_V1_DISABLED or ec2_metadata_v1_disabled",
                    "in a container, the instance needs a hop limit of 2: aws ec2 modify-instance-metadata-options "
                    "--instance-id ID --http-put-response-hop-limit 2",
                ),
            ) from None
        if found is None:
            raise _without_role(lead, where, recorder.answers, elsewhere)
        frozen = found.get_frozen_credentials()
        until = getattr(found, "_expiry_time", None)  # no public name for it
        *keys, _ = usable(frozen.access_key, frozen.secret_key, frozen.token or "none")
        return Credentials(keys[0], keys[1], frozen.token or None, until and until.timestamp())

    return aws.guarded(source, fetch)


def _without_role(lead: str, where: str, answers: list[_Answer], elsewhere: str) -> NoCredentials:
    if not answers:
        return NoCredentials(f"{lead}{where} does not respond", hint=(elsewhere, "it exists only on EC2 instances"))
    last = answers[-1]
    if last.status == 200 and last.code and last.code != "Success":
        hint = _INSTANCE_HINTS.get(last.code, "see the instance's role in the EC2 console")
        return NoCredentials(f"{lead}{where} returned no credentials: {last.code}", hint=hint, detail=last.message)
    if last.status == 200 and last.method == "GET":
        missing = [name for name in _FIELDS if not last.fields.get(name)]
        return NoCredentials(f"{lead}the response from {where} has no {', '.join(missing)}", hint=elsewhere)
    if last.status == 404:
        return NoCredentials(
            f"{lead}the instance has no role (HTTP 404 from {where})",
            hint=("attach an instance profile: aws ec2 associate-iam-instance-profile", elsewhere),
        )
    return NoCredentials(f"{lead}{where} refused: HTTP {last.status}", hint=elsewhere, detail=last.text)
