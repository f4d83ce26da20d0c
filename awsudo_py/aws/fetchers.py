"""Gets the credentials of each kind of source: one function for each, which its row in source_kinds names."""

from __future__ import annotations

import json
import os
import shlex
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from botocore.credentials import CredentialResolver, ProfileProviderBuilder
from botocore.exceptions import MissingDependencyException
from botocore.utils import parse_timestamp

from awsudo_py.aws.client import TRIES, usable
from awsudo_py.credentials import Credentials
from awsudo_py.environment import applied
from awsudo_py.errors import AwsudoError, NoCredentials, Rejected, Told
from awsudo_py.resolve.source_kinds import kind_of
from awsudo_py.resolve.sources import RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.client import Aws
    from awsudo_py.model import Source


def fetch(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The credentials of a source; the session name is for calls that take one. Raises AwsudoError."""
    way: Callable[[Aws, Source, str], Credentials] = globals()[kind_of(source).fetch]
    return way(aws, source, session_name)


def keyring(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The key that is stored in the OS keyring."""
    assert aws.stored_key is not None
    return aws.stored_key(source)


def sso(aws: Aws, source: Source, session_name: str) -> Credentials:
    """GetRoleCredentials with the access token of the SSO session."""
    assert aws.sso_token is not None  # what has sources has tokens

    def ask() -> Credentials:
        got = aws.client("sso", source.setting("sso_region")).get_role_credentials(
            roleName=source.setting("sso_role_name"), accountId=source.setting("sso_account_id"), accessToken=token
        )["roleCredentials"]
        return aws.session_of(got["accessKeyId"], got["secretAccessKey"], got["sessionToken"], got["expiration"] / 1000)

    token = aws.sso_token(source, "")
    try:
        return aws.guarded(source, ask)
    except Rejected as error:
        if error.code != "UnauthorizedException":
            raise
    token = aws.sso_token(source, token)  # that one was revoked: another sign-in may have stored a new one
    return aws.guarded(source, ask)


def web_identity(aws: Aws, source: Source, session_name: str) -> Credentials:
    """AssumeRoleWithWebIdentity with the token in the source's file."""
    path = source.setting("token_file")
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoCredentials(f"cannot read the web identity token {path}: {error}") from None
    parameters: dict[str, Any] = {
        "RoleArn": source.setting("role_arn"),
        "RoleSessionName": source.setting("session_name") or session_name,
        "WebIdentityToken": token,
    }
    if source.setting("duration"):
        parameters["DurationSeconds"] = int(source.setting("duration"))
    return aws.credentials_of(source, lambda: aws.sts(None, TRIES).assume_role_with_web_identity(**parameters))


def process(aws: Aws, source: Source, session_name: str) -> Credentials:
    """Run a credential_process. Its stderr and its terminal are the user's; stdin is the child's and not given."""
    import subprocess

    where = f"credential_process of profile {source.profile} ({source.where})"
    outer = os.environ.get(RUNNING, "").splitlines()
    try:
        words = shlex.split(source.setting("command"), posix=os.name != "nt")
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=applied(os.environ, {RUNNING: "\n".join([*outer, source.profile or ""])}),
            check=False,
        )
    except (OSError, ValueError, IndexError) as error:
        why = getattr(error, "strerror", None) or "its words cannot be parted"
        raise NoCredentials(f"{where} cannot be run: {why}", hint="run it by hand to see") from None
    if outer and done.returncode == AwsudoError.exit_code:
        raise Told  # an awsudo inside has said why, and the outermost adds for which profile
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
        # long-lived keys have no token
        *keys, token = usable(given["AccessKeyId"], given["SecretAccessKey"], given.get("SessionToken") or "none")
        until = moment(expiration) if expiration else None
        credentials = Credentials(keys[0], keys[1], token if given.get("SessionToken") else None, until)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NoCredentials(
            f"{where} printed no credentials as the SDKs expect them",
            hint='it must print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …, "SessionToken": …}',
        ) from None
    if until is not None and until <= aws.clock():
        raise NoCredentials(f"{where} gave credentials that have expired", hint="log in there again")
    return credentials


def login(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The session that `aws login` left, renewed if need be."""
    try:
        return _from_provider(aws, source, "login", of_profile=True)
    except MissingDependencyException:
        from awsudo_py.installation import command_to_add

        raise AwsudoError(
            f"profile {source.profile} uses aws login, which needs the AWS Common Runtime",
            hint=f"install it: {command_to_add('botocore[crt]')}",
        ) from None


def _from_provider(aws: Aws, source: Source, name: str, *, of_profile: bool = False) -> Credentials:
    """Credentials of one of botocore's own providers; of_profile: one that reads a profile, and so the source's."""

    def ask() -> Credentials | None:
        session = aws.session(aws.chain.config_profile)
        resolver = session.get_component("credential_provider")
        if of_profile:  # which need not be the profile that was named
            resolver = CredentialResolver(ProfileProviderBuilder(session).providers(source.profile))
        provider = resolver.get_provider(name)
        found = provider.load()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        until = getattr(found, "_expiry_time", None)  # no public name for it
        return Credentials(
            frozen.access_key, frozen.secret_key, frozen.token, until.timestamp() if until is not None else None
        )

    credentials = aws.guarded(source, ask)
    if credentials is None:
        raise NoCredentials(
            f"no credentials found: {source.where}, and {kind_of(source).giver} gave none",
            hint="name a profile (awsudo PROFILE …, or -p PROFILE ROLE), or log in: aws sso login",
        )
    return credentials


def container(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The session of a container's role."""
    return _from_provider(aws, source, "container-role")


def instance(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The session of a machine's role."""
    return _from_provider(aws, source, "iam-role")


def moment(text: str) -> float:
    """Seconds since the epoch out of a time stamp as the SDKs read them. ValueError if it is none."""
    try:
        stamp: datetime = parse_timestamp(text)
    except RuntimeError as error:  # botocore's word for a number that is no time
        raise ValueError(str(error)) from None
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=timezone.utc)).timestamp()
