"""Finds the credentials of a profile or the environment, in the search order of the SDKs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.aws_credentials import Credentials
from awsudo_py.errors import ConfigError, InvalidInput, NoCredentials, did_you_mean
from awsudo_py.model import Source
from awsudo_py.resolve import limits, roles
from awsudo_py.resolve.ci_identities import DEFAULT_AUDIENCE, PROVIDERS, provider_and_variable
from awsudo_py.resolve.credential_checks import TOKEN, refuse_malformed
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.sso_sources import by_account_access, source_of_account_access, source_of_portal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from awsudo_py.model import Request
    from awsudo_py.resolve.aws_config import AwsConfig, Settings

#: Profiles whose credential_process is running right now, one a line: the guard against endless recursion.
RUNNING = "AWSUDO_CREDENTIAL_PROCESS"
#: The order in which SDKs look for the session token.
TOKEN_VARIABLES = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")


class Sources:
    """The sources in one configuration and one environment (its deciding variables).

    fingerprint returns a digest of a token file's content, None if there is no such file.
    """

    def __init__(self, config: AwsConfig, environ: Mapping[str, str], fingerprint: Callable[[str], str | None]) -> None:
        self._config = config
        self._environ = environ
        self._fingerprint = fingerprint

    def held_by(self, name: str, settings: Settings) -> Source | None:
        """The credentials that a profile itself holds: a key in the keyring, else in the order of the SDKs."""
        if name in self._config.stored:
            return self._stored(name)
        if "web_identity_token_file" in settings:
            return self.web_identity(name, settings)
        if "web_identity_token_process" in settings:
            return self._token_process(name, settings)
        if "cognito_identity_pool" in settings:
            return self._cognito(name, settings)
        if by_account_access(settings):
            return source_of_account_access(name, settings, self._config, self._role(name, settings, "role_arn"))
        if "sso_role_name" in settings or "sso_account_id" in settings:
            return source_of_portal(name, settings, self._config)
        if "aws_access_key_id" in self._config.in_credentials.get(name, {}):
            return self._keys(name, self._config.in_credentials[name], self._config.credentials_file)
        if "login_session" in settings:
            session = settings["login_session"]
            return Source(
                "login",
                name,
                self._config.where(name, "login_session"),
                identity=(("login_session", session),),
            )
        if "credential_process" in settings:
            return self._process(name, settings["credential_process"])
        if "aws_access_key_id" in self._config.in_config.get(name, {}):
            return self._keys(name, self._config.in_config[name], self._config.config_file)
        return None

    def has_keys(self, name: str, settings: Mapping[str, str]) -> bool:
        """Whether a profile holds keys, or a part of them."""
        return name in self._config.stored or "aws_access_key_id" in settings or "aws_secret_access_key" in settings

    def shadowed(self, source: Source) -> tuple[str, ...]:
        """The notice that a profile's key is in the keyring and also, perhaps another one, in a file; usually none."""
        name = source.profile
        settings = (self._config.profile(name) or {}) if name is not None else {}
        key = settings.get("aws_access_key_id")
        if source.kind != "keyring" or name is None or key is None:
            return ()
        file, used = self._config.where(name, "aws_access_key_id"), self._config.stored[name].access_key_id
        another = "" if key == used else f" (another one, {key})"
        notice = f"profile {name}: using the key {used} of the keyring, not the one in {file}{another}"
        return (notice if another else f"{notice}; to remove that one: awsudo keys add {shlex.quote(name)} --import",)

    def keys_of(self, name: str, settings: Settings) -> Source:
        """The keys of a profile that names itself as source_profile."""
        source = self.held_by(name, settings)
        if source is None:
            raise ConfigError(
                f"profile {name} names itself as source_profile and has a secret key without an aws_access_key_id "
                f"({self._config.where(name, 'aws_secret_access_key')})",
                hint="add the aws_access_key_id, or name another source_profile",
            )
        return source

    def _keys(self, name: str, settings: Settings, file: str) -> Source:
        if "aws_secret_access_key" not in settings:
            raise ConfigError(
                f"profile {name} has an aws_access_key_id and no aws_secret_access_key ({file})",
                hint="both must be in the same file",
            )
        if not settings["aws_access_key_id"] or not settings["aws_secret_access_key"]:
            raise ConfigError(f"profile {name} has an empty key ({file})", hint="set it, or remove both keys")
        token = settings.get("aws_security_token") or settings.get("aws_session_token") or None
        keys = Credentials(settings["aws_access_key_id"], settings["aws_secret_access_key"], token)

        def place(part: str) -> str:
            key = "aws_security_token" if part == TOKEN and settings.get("aws_security_token") else part
            return f"{key} of profile {name} ({self._config.at(name, key)})"

        refuse_malformed(keys, place)
        return Source(
            "keys",
            name,
            file,
            identity=(("access_key_id", keys.access_key_id),),
            settings=self._device_setting(name),
            credentials=keys,
        )

    def _stored(self, name: str) -> Source:
        key = self._config.stored[name]
        return Source(
            "keyring",
            name,
            f"key {key.access_key_id} of the keyring",
            identity=(("access_key_id", key.access_key_id),),
            settings=(("backend", key.backend), *self._device_setting(name)),
        )

    def device(self, name: str) -> str | None:
        """The MFA device of a profile's keys, if it has one."""
        serial = (self._config.profile(name) or {}).get("mfa_serial")
        if not serial:
            return None
        return limits.text("mfa_serial", serial, self._config.origin(name, "mfa_serial"))

    def _device_setting(self, name: str) -> tuple[tuple[str, str], ...]:
        serial = self.device(name)
        return (("mfa_serial", serial),) if serial else ()

    def web_identity(
        self, name: str | None, settings: Mapping[str, str], where: str = "", explicit: bool = True
    ) -> Source:
        def value(key: str, variable: str) -> str | None:
            # if the environment counts, it takes precedence key by key
            return (None if explicit else self._environ.get(variable)) or settings.get(key)

        path = value("web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE") or ""
        role = value("role_arn", "AWS_ROLE_ARN")
        session_name = value("role_session_name", "AWS_ROLE_SESSION_NAME")
        place = where or self._config.where(name or "default", "web_identity_token_file")
        who = f"profile {name}" if name else "the environment"
        if not path:
            raise ConfigError(
                f"web_identity_token_file of {who} is empty ({place})", hint="set it to a file, or remove it"
            )
        if role is None:
            raise ConfigError(
                f"{who} has a web identity token and no role_arn for it ({place})",
                hint="set role_arn beside web_identity_token_file, or AWS_ROLE_ARN in the environment",
            )
        found = self._fingerprint(path)
        if found is None:
            raise NoCredentials(
                f"no web identity token at {path} ({place})",
                hint="the platform writes that file (EKS, GitHub, GitLab): is this running there?",
            )
        try:
            arn = roles.role_arn(role)
        except InvalidInput as error:
            raise ConfigError(f"role_arn of {who} ({place}): {error.message}", hint=error.hints) from None
        shaping = [("role_arn", arn), ("token_file", path), ("token", found)]
        if session_name:
            limits.text("session_name", session_name, Origin(f"the web identity's session name ({place})", ConfigError))
            shaping.append(("session_name", session_name))
        return Source("web-identity", name, place, identity=tuple(shaping), settings=tuple(shaping))

    def _token_process(self, name: str, settings: Settings) -> Source:
        """A profile whose web identity token a program prints."""
        place = self._config.where(name, "web_identity_token_process")
        command = settings["web_identity_token_process"]
        if "role_arn" not in settings or not command:
            missing = "role_arn beside its web_identity_token_process" if command else "web_identity_token_process"
            raise ConfigError(f"profile {name} has no {missing} ({place})", hint="set both")
        shaping = [("role_arn", self._role(name, settings, "role_arn")), ("token_process", command)]
        if "role_session_name" in settings:
            origin = Origin(f"role_session_name of profile {name} ({place})", ConfigError)
            shaping.append(("session_name", limits.text("session_name", settings["role_session_name"], origin)))
        where = f"web_identity_token_process of profile {name} ({place})"
        return Source("web-token-process", name, where, identity=tuple(shaping), settings=tuple(shaping))

    def _role(self, name: str, settings: Settings, key: str) -> str:
        try:
            return roles.role_arn(settings[key])
        except InvalidInput as error:
            where = self._config.where(name, key)
            raise ConfigError(f"{key} of profile {name} ({where}): {error.message}", hint=error.hints) from None

    def web_token(self, role_arn: str, profile: str | None, request: Request) -> Source:
        """A role that is assumed with the token of a CI job, or with one from a file or stdin."""
        shaping = [("role_arn", role_arn)]
        if request.web_identity_token:
            where = limits.written(request.origins, "web_identity_token").name
            shaping.append(("token", _digest(request.web_identity_token)))
            return Source("web-token", profile, where, identity=tuple(shaping), settings=tuple(shaping))
        name, variable = provider_and_variable(request.web_identity or "")
        provider = PROVIDERS[name]
        origin = limits.written(request.origins, "web_identity")
        if variable and provider.asks:
            raise origin.refuse(f"{provider.title} has no variable of its own to name", f"--web-identity {name}")
        variables = (variable,) if variable else provider.variables
        present = [each for each in variables if self._environ.get(each)]
        if not present or (provider.asks and len(present) < len(variables)):
            missing = next(each for each in variables if each not in present)
            raise NoCredentials(
                f"no web identity token of {provider.title}: {missing} is not set", hint=provider.missing
            )
        secret = "\0".join(self._environ[each] for each in (variables if provider.asks else present[:1]))
        audience = request.web_identity_audience or DEFAULT_AUDIENCE
        if request.web_identity_audience and not provider.asks:
            origin = limits.written(request.origins, "web_identity_audience")
            raise origin.refuse(
                f"{provider.title} sets the audience of its token itself", "set it there, leave it out here"
            )
        settings = [*shaping, ("provider", name), ("audience", audience), ("variable", present[0])]
        identity = (*shaping, ("provider", name), ("audience", audience), ("token", _digest(secret)))
        return Source("web-token", profile, provider.title, identity=identity, settings=tuple(settings))

    def saml(self, role_arn: str, profile: str | None, assertion: str) -> Source:
        """A role that is assumed with a SAML assertion."""
        from awsudo_py.resolve.saml import chosen, roles_of  # here: few runs need a parser of XML

        role = chosen(roles_of(assertion), role_arn)
        shaping = (("role_arn", role_arn), ("provider_arn", role.provider_arn), ("assertion", _digest(assertion)))
        return Source("saml", profile, "the SAML assertion", identity=shaping, settings=shaping)

    def _cognito(self, name: str, settings: Settings) -> Source:
        """A profile with an identity pool of Cognito: `cognito_login` and the file of its token, or a guest."""
        place = self._config.where(name, "cognito_identity_pool")
        pool = settings["cognito_identity_pool"]
        region, _, rest = pool.partition(":")
        if not rest or not region:
            raise ConfigError(
                f"cognito_identity_pool of profile {name} ({place}) is not the ID of a pool: {pool}",
                hint="such as eu-west-1:12345678-1234-1234-1234-123456789012",
            )
        limits.text("region", region, Origin(f"cognito_identity_pool of profile {name} ({place})", ConfigError))
        shaping = [("cognito_identity_pool", pool)]
        login, path = settings.get("cognito_login"), settings.get("cognito_token_file")
        if bool(login) != bool(path):
            raise ConfigError(
                f"profile {name} has {'cognito_login' if login else 'cognito_token_file'} without the other ({place})",
                hint="set both (cognito_login = accounts.google.com, cognito_token_file = PATH), or neither",
            )
        if login and path:
            found = self._fingerprint(path)
            if found is None:
                raise NoCredentials(f"no login token at {path} ({place})", hint="sign in to the web provider first")
            shaping += [("login", login), ("token_file", path), ("token", found)]
        return Source("cognito", name, place, identity=tuple(shaping), settings=tuple(shaping))

    def _process(self, name: str, command: str) -> Source:
        where = self._config.where(name, "credential_process")
        if name in self._environ.get(RUNNING, "").splitlines():
            raise ConfigError(
                f"credential_process of profile {name} calls awsudo for profile {name} again ({where})",
                hint="name another profile there, the one with the role_arn: awsudo export OTHER --format process",
            )
        return Source(
            "process",
            name,
            where,
            identity=(("credential_process", command), ("profile", name)),
            settings=(("command", command), *self._device_setting(name)),
        )

    def named(self, name: str, kind: str) -> Source:
        where = f"credential_source of profile {name} ({self._config.where(name, 'credential_source')})"
        if kind == "Environment":
            source = self.environment()
            if source is None:
                raise NoCredentials(
                    f"{where} is Environment, and AWS_ACCESS_KEY_ID is not set", hint="export the keys, then try again"
                )
            return source
        kinds = {"Ec2InstanceMetadata": "instance", "EcsContainer": "container"}
        if kind not in kinds:
            raise ConfigError(
                f"{where} is {kind}; valid values are Environment, Ec2InstanceMetadata and EcsContainer",
                hint=did_you_mean(kind, ["Environment", *kinds]),
            )
        return Source(kinds[kind], name, where)

    def environment(self) -> Source | None:
        access_key_id = self._environ.get("AWS_ACCESS_KEY_ID")
        if not access_key_id:
            return None
        secret = self._environ.get("AWS_SECRET_ACCESS_KEY")
        if not secret:
            raise NoCredentials(
                "AWS_ACCESS_KEY_ID is set in the environment and AWS_SECRET_ACCESS_KEY is not",
                hint="set both, or: unset AWS_ACCESS_KEY_ID",
            )
        token_variable = next((each for each in TOKEN_VARIABLES if self._environ.get(each)), TOKEN_VARIABLES[-1])
        keys = Credentials(access_key_id, secret, self._environ.get(token_variable) or None)
        refuse_malformed(keys, lambda part: token_variable if part == TOKEN else part.upper())
        return Source(
            "environment",
            None,
            "the environment",
            identity=(("access_key_id", access_key_id),),
            settings=(("expiration", self._environ.get("AWS_CREDENTIAL_EXPIRATION", "")),),
            credentials=keys,
        )


def _digest(secret: str) -> str:
    """The mark of a token, which does not reveal it."""
    import hashlib

    return hashlib.blake2b(secret.encode("utf-8", "surrogateescape"), digest_size=20).hexdigest()
