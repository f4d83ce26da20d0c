"""Gets the credentials of each kind of source: one function for each, which its row in source_kinds names."""

from __future__ import annotations

import json
import os
import shlex
import signal
from typing import TYPE_CHECKING, Any

from botocore.credentials import CredentialResolver, ProfileProviderBuilder
from botocore.exceptions import MissingDependencyException

from awsudo_py.aws import metadata
from awsudo_py.aws.client import TRIES, date_of, moment, usable
from awsudo_py.aws_credentials import Credentials, rfc3339
from awsudo_py.child_environment import applied
from awsudo_py.errors import AlreadyReported, AwsudoError, NoCredentials, Rejected
from awsudo_py.files import access_hint
from awsudo_py.resolve.credential_checks import ID, SECRET, TOKEN, refuse_malformed
from awsudo_py.resolve.source_kinds import kind_of, renew
from awsudo_py.resolve.sources import RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws.client import Aws
    from awsudo_py.model import Source


#: Characters of a web identity token (service model of STS).
SHORTEST_TOKEN, LONGEST_TOKEN = 4, 20_000


def fetch(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The credentials of a source; the session name is for calls that take one. Raises AwsudoError."""
    way: Callable[[Aws, Source, str], Credentials] = globals()[kind_of(source).fetch]
    return way(aws, source, session_name)


def keyring(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The key that is stored in the OS keyring."""
    assert aws.stored_key is not None
    key = aws.stored_key(source)
    fix = f"store it again: awsudo keys add {shlex.quote(source.profile or 'NAME')}"
    refuse_malformed(key, lambda part: f"{part} of profile {source.profile} in the keyring", fix=fix)
    return key


def sso(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The portal's GetRoleCredentials with the access token of the SSO session."""

    def call(token: str) -> Credentials:
        answer = aws.client("sso", source.setting("sso_region")).get_role_credentials(
            roleName=source.setting("sso_role_name"), accountId=source.setting("sso_account_id"), accessToken=token
        )
        got = answer["roleCredentials"]
        return aws.session_of(
            got["accessKeyId"],
            got["secretAccessKey"],
            got["sessionToken"],
            got["expiration"] / 1000,
            date=date_of(answer),
        )

    return _with_token(aws, source, call)


def account_access(aws: Aws, source: Source, session_name: str) -> Credentials:
    """GetRoleCredentials of account access, with the access token of the SSO session.

    Without a name of the user's, the service names the session: it knows who signed in.
    """
    parameters: dict[str, Any] = {
        "tenantId": source.setting("tenant_id"),
        "roleArn": source.setting("role_arn"),
        "accessType": "PROGRAMMATIC_ACCESS",
    }
    if source.setting("session_name"):
        parameters["sessionName"] = source.setting("session_name")
    if source.setting("duration"):
        parameters["sessionDuration"] = int(source.setting("duration"))

    def call(token: str) -> Credentials:
        client = aws.client("account-access-runtime", source.setting("sso_region"), bearer=token)
        answer = client.get_role_credentials(**parameters)
        got = answer["credentialsDetails"]["programmaticAccess"]
        return aws.session_of(
            got["accessKeyId"],
            got["secretAccessKey"],
            got["sessionToken"],
            got["expiresAt"].timestamp(),
            date=date_of(answer),
        )

    return _with_token(aws, source, call)


def _with_token(aws: Aws, source: Source, call: Callable[[str], Credentials]) -> Credentials:
    """The result of a call with the access token of the source's SSO session."""
    assert aws.sso_token is not None  # what has sources has tokens
    token = aws.sso_token(source, "")
    try:
        return aws.guarded(source, lambda: call(token))
    except Rejected as error:
        if error.code != "UnauthorizedException":
            raise
    renewed = aws.sso_token(source, token)  # that one was revoked: another sign-in may have stored a new one
    return aws.guarded(source, lambda: call(renewed))


def web_identity(aws: Aws, source: Source, session_name: str) -> Credentials:
    """AssumeRoleWithWebIdentity with the token in the source's file."""
    token = _file_token(source, "web identity token")
    parameters: dict[str, Any] = {
        "RoleArn": source.setting("role_arn"),
        "RoleSessionName": source.setting("session_name") or session_name,
        "WebIdentityToken": token,
    }
    if source.setting("duration"):
        parameters["DurationSeconds"] = int(source.setting("duration"))
    return aws.credentials_of(source, lambda: aws.sts(None, TRIES).assume_role_with_web_identity(**parameters))


_JSON_NAMES = {ID: "AccessKeyId", SECRET: "SecretAccessKey", TOKEN: "SessionToken"}


def _file_token(source: Source, what: str) -> str:
    """The token in the source's file."""
    path = source.setting("token_file")
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise NoCredentials(
            f"cannot read the {what} {path}: {why}", hint=access_hint(path) or f"named by {source.where}"
        ) from None
    if not SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN:
        size = f"has {len(token)} characters, which is not a token" if token else "is empty"
        raise NoCredentials(
            f"the {what} {path} {size} ({source.where})",
            hint="the platform writes that file (EKS, GitHub, GitLab): see why it wrote no token",
        )
    return token


def web_token(aws: Aws, source: Source, session_name: str) -> Credentials:
    """AssumeRoleWithWebIdentity with the token of a CI job, of a program, or one that was given."""
    assert aws.web_token is not None
    parameters = {
        "RoleArn": source.setting("role_arn"),
        "RoleSessionName": source.setting("session_name") or session_name,
        "WebIdentityToken": aws.web_token(source),
        **_role_parameters(source),
    }
    return aws.credentials_of(source, lambda: aws.sts(None, aws.tries).assume_role_with_web_identity(**parameters))


def saml(aws: Aws, source: Source, session_name: str) -> Credentials:
    """AssumeRoleWithSAML; the session's name is in the assertion."""
    assert aws.saml_assertion is not None
    parameters = {
        "RoleArn": source.setting("role_arn"),
        "PrincipalArn": source.setting("provider_arn"),
        "SAMLAssertion": aws.saml_assertion,
        **_role_parameters(source),
    }
    return aws.credentials_of(source, lambda: aws.sts(None, aws.tries).assume_role_with_saml(**parameters))


def _role_parameters(source: Source) -> dict[str, Any]:
    """The inputs that both calls accept."""
    found: dict[str, Any] = {}
    if source.setting("duration"):
        found["DurationSeconds"] = int(source.setting("duration"))
    if source.setting("policy"):
        found["Policy"] = source.setting("policy")
    if source.setting("policy_arns"):
        found["PolicyArns"] = [{"arn": arn} for arn in source.setting("policy_arns").split()]
    return found


def cognito(aws: Aws, source: Source, session_name: str) -> Credentials:
    """GetId, then GetCredentialsForIdentity: Cognito's enhanced flow. Without a login, it is a guest's identity."""
    pool = source.setting("cognito_identity_pool")
    logins: dict[str, Any] = {}
    if source.setting("login"):
        logins = {"Logins": {source.setting("login"): _file_token(source, "login token")}}

    def ask() -> Credentials:
        client = aws.client("cognito-identity", pool.partition(":")[0])
        identity = client.get_id(IdentityPoolId=pool, **logins)["IdentityId"]
        got = client.get_credentials_for_identity(IdentityId=identity, **logins)["Credentials"]
        return aws.session_of(got["AccessKeyId"], got["SecretKey"], got["SessionToken"], got["Expiration"].timestamp())

    return aws.guarded(source, ask)


def process(aws: Aws, source: Source, session_name: str) -> Credentials:
    """Run a credential_process. It has the user's terminal and stderr, but no stdin."""
    import subprocess

    where = f"credential_process of profile {source.profile} ({source.where})"
    outer = os.environ.get(RUNNING, "").splitlines()
    command = source.setting("command")
    try:
        words = shlex.split(command, posix=os.name != "nt")
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=applied(os.environ, {RUNNING: "\n".join([*outer, source.profile or ""])}),
            check=False,
        )
    except (OSError, ValueError, IndexError) as error:
        why = getattr(error, "strerror", None) or "it cannot be parsed: it is empty or has unbalanced quotes"
        raise NoCredentials(f"{where} cannot be run: {why}", hint=_no_shell(command)) from None
    if outer and done.returncode == AwsudoError.exit_code:
        raise AlreadyReported  # an awsudo inside has printed why, and the outermost adds for which profile
    if done.returncode != 0:
        how = f"failed with exit code {done.returncode}"
        if done.returncode < 0:
            how = f"was killed by signal {-done.returncode} ({signal.strsignal(-done.returncode) or 'unknown'})"
        raise NoCredentials(f"{where} {how}", hint="its own message is above; to see more, run it by hand")
    wrong, credentials = _printed(done.stdout)
    if credentials is None:
        raise NoCredentials(
            f"{where} printed no valid credentials: {wrong}",
            hint='it must print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …, "SessionToken": …}',
        )
    refuse_malformed(
        credentials,
        lambda part: f"{where}: its {_JSON_NAMES[part]}",
        error=NoCredentials,
        fix="the program must print it without; run it by hand to see",
    )
    if credentials.expiration is not None and credentials.expiration <= aws.clock():
        raise NoCredentials(
            f"{where} printed credentials that expired at {rfc3339(credentials.expiration)}", hint="sign in there again"
        )
    return credentials


def _no_shell(command: str) -> str:
    """The hint for a command that cannot be run; a shell might have expanded it."""
    expands = next((character for character in "~$*|<>;&`" if character in command), "")
    if not expands:
        return "run it by hand to see"
    return f"it is not run by a shell, so {expands} has no meaning: write the whole path, or sh -c '…'"


def _printed(output: bytes) -> tuple[str, Credentials | None]:
    """The fault in the output of a credential_process, or its credentials. The output is never repeated."""
    if not output.strip():
        return "there is no output", None
    try:
        given = json.loads(output)
    except (ValueError, RecursionError):
        start = output.find(b"{")
        return ("it is not JSON" if start <= 0 else "there is text before the JSON, or after it"), None
    if not isinstance(given, dict):
        return "the JSON is not an object", None
    if "Version" not in given:
        return "no Version", None
    version = given["Version"]
    if version != 1 or isinstance(version, bool):
        return f"Version is {version if isinstance(version, int) else 'not a number'}, and must be 1", None
    token = given.get("SessionToken")
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        value = given.get(name)
        if name != "SessionToken" and name not in given:
            return f"no {name}", None
        if (name != "SessionToken" or value is not None) and not isinstance(value, str):
            return f"{name} is not a string", None
        if name != "SessionToken" and not value:
            return f"{name} is empty", None
    until: float | None = None
    if given.get("Expiration"):
        try:
            until = moment(given["Expiration"])
        except (ValueError, TypeError, AttributeError, OverflowError):
            return "Expiration is not a time such as 2030-01-01T00:00:00Z", None
    try:
        *keys, _ = usable(given["AccessKeyId"], given["SecretAccessKey"], token or "none")
    except ValueError:
        return "a value contains a NUL or an incomplete character", None
    return "", Credentials(keys[0], keys[1], token or None, until)


def login(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The session that `aws login` left, renewed if need be."""

    def load() -> Credentials | None:
        # the profile that has it may not be the one that was named
        session = aws.session(aws.chain.config_profile)
        resolver = CredentialResolver(ProfileProviderBuilder(session).providers(source.profile))
        found = resolver.get_provider("login").load()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        until = getattr(found, "_expiry_time", None)  # no public name for it
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token, until and until.timestamp())

    try:
        try:
            credentials = aws.guarded(source, load)
        except (Rejected, NoCredentials):
            # another program may have renewed it meanwhile, with our token: the file has the result
            credentials = aws.guarded(source, load)
    except MissingDependencyException:
        from awsudo_py.installation import command_to_add

        raise AwsudoError(
            f"profile {source.profile} uses aws login, which needs the AWS Common Runtime",
            hint=f"install it: {command_to_add('botocore[crt]')}",
        ) from None
    if credentials is None:
        raise NoCredentials(f"the login session of profile {source.profile} is missing", hint=renew(source))
    return credentials


def container(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The session of a container's role."""
    return metadata.container(aws, source)


def instance(aws: Aws, source: Source, session_name: str) -> Credentials:
    """The session of a machine's role."""
    return metadata.instance(aws, source)
