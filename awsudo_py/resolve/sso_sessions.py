"""Finds the sessions of IAM Identity Center in the AWS configuration, and the one that a word names."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.errors import AwsudoError, ConfigError, did_you_mean, shortened
from awsudo_py.model import Endpoint, RoleChain, Source, SsoSession
from awsudo_py.resolve import limits, roles
from awsudo_py.resolve.endpoints import Endpoints
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.outline import account_and_role
from awsudo_py.resolve.source_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.resolve.aws_config import AwsConfig, Settings

#: The key of an [sso-session] section that has the ID of its account access tenant.
TENANT = "awsudo_tenant_id"


def sessions(config: AwsConfig) -> list[SsoSession]:
    """Every session of the configuration: the [sso-session] sections, then the start URLs of legacy profiles."""
    found = [session_named(name, config) for name in config.sso_sessions]
    seen = set()
    for name in config.names():
        settings = config.profile(name) or {}
        start_url = settings.get("sso_start_url")
        if start_url and "sso_region" in settings and "sso_session" not in settings and start_url not in seen:
            seen.add(start_url)
            found.append(_legacy(name, settings))
    return found


def session_named(name: str, config: AwsConfig) -> SsoSession:
    """The session of a [sso-session] section, which must be there. Raises ConfigError."""
    section = config.sso_sessions[name]
    for key in ("sso_start_url", "sso_region"):
        if not section.get(key):  # where a session's token is renewed, only its section is read
            raise ConfigError(
                f"[sso-session {name}] has no {key} ({config.config_file})",
                hint="add it there: aws configure sso-session",
            )
    region = limits.text("region", section["sso_region"], Origin(f"sso_region of [sso-session {name}]", ConfigError))
    scopes = section.get("sso_registration_scopes")
    listed = None if scopes is None else tuple(each.strip() for each in scopes.split(",") if each.strip())
    tenant = section.get(TENANT, "")
    if tenant:
        limits.text("tenant_id", tenant, Origin(f"{TENANT} of [sso-session {name}]", ConfigError))
    return SsoSession(name, section["sso_start_url"], region, listed, tenant=tenant)


def role_arn_in(session: SsoSession, account_id: str, role: str) -> str:
    """The ARN of a role that the session's tenant gives; role is its name, with its path."""
    return f"arn:{roles.partition_of_region(session.region)}:iam::{account_id}:role/{role}"


def settings_of_role(session: SsoSession, account_id: str, role: str) -> dict[str, str]:
    """The settings of a profile for a role of the session's tenant, or else of its portal.

    Account access is not known to the SDKs: with a role_arn alone they refuse the profile. Without any key that they
    know, they would go on to the credentials of the machine.
    """
    if session.tenant:
        return {"sso_session": session.name or "", "role_arn": role_arn_in(session, account_id, role)}
    return {"sso_session": session.name or "", "sso_account_id": account_id, "sso_role_name": role}


def session_of_source(source: Source, config: AwsConfig, profile: str | None = None) -> SsoSession:
    """The session whose token a source needs. profile: whose settings apply, if not those of the source's own."""
    name = source.setting("sso_session")
    if name:
        found = session_named(name, config)
    else:
        found = SsoSession(None, source.setting("sso_start_url"), source.setting("sso_region"))
    account, role = account_and_role(source.setting("role_arn"))
    return found._replace(
        profile=profile or source.profile,
        account=account or source.setting("sso_account_id"),
        role=role or source.setting("sso_role_name"),
    )


def find_session(word: str | None, config: AwsConfig, source: Source | None) -> SsoSession:
    """The session that a word means: a session's name, a start URL, or the target whose source is given.

    Without a word it is the only session there is. Raises AwsudoError.
    """
    if word is None:
        found = sessions(config)
        if len(found) == 1:
            return found[0]
        if not found:
            raise AwsudoError(f"no SSO session in {config.config_file}", hint="add one: aws configure sso-session")
        names = ", ".join(each.word for each in found)
        raise AwsudoError(f"several SSO sessions: {names}", hint=f"name one: awsudo login {shlex.quote(found[0].word)}")
    if word in config.sso_sessions:
        return session_named(word, config)
    if source is not None and kind_of(source).by_token:
        return session_of_source(source, config)
    if word.startswith("https://"):
        for each in sessions(config):
            if each.start_url.rstrip("/#") == word.rstrip("/#"):
                return each
        raise AwsudoError(
            f"no SSO session with the start URL {shortened(word, 80)} in {config.config_file}",
            hint="add one: aws configure sso-session",
        )
    if source is not None and source.kind == "login":
        raise AwsudoError(
            f"profile {source.profile} signs in with `aws login`, not with an SSO session",
            hint=(
                f"aws login --profile {shlex.quote(source.profile or '')}; awsudo then renews it by itself",
                *_missing_runtime(),
            ),
        )
    if source is not None:
        raise AwsudoError(
            f"{word} does not use an SSO session: its credentials come from {source.where}",
            hint="list the SSO sessions: awsudo login --list",
        )
    raise AwsudoError(
        f"no SSO session or profile {shortened(word, 80)!r} in {config.config_file}",
        hint=did_you_mean(word, [*config.sso_sessions, *config.names()]) or "list them: awsudo login --list",
    )


def _missing_runtime() -> tuple[str, ...]:
    """The hint for what botocore needs to renew a session of `aws login`, where that is missing."""
    from importlib.util import find_spec

    if find_spec("awscrt") is not None:
        return ()
    from awsudo_py.installation import command_to_add

    return (f"to renew it, awsudo needs the AWS Common Runtime: {command_to_add('botocore[crt]')}",)


def chain_of_session(session: SsoSession, config: AwsConfig, environ: Mapping[str, str]) -> RoleChain:
    """A chain that assumes nothing, for calls to the portal of this session. Raises ConfigError.

    The portal's token gives every account of its user: an endpoint without TLS is refused here.
    """
    endpoints = Endpoints(config, environ)
    for service in ("sso", "sso_oidc", *(["account_access_runtime"] if session.tenant else [])):
        endpoints.url(service, session.profile)
    settings = [("sso_start_url", session.start_url), ("sso_region", session.region)]
    if session.name:
        settings.append(("sso_session", session.name))
    where = f"[sso-session {session.name}]" if session.name else f"profile {session.profile}"
    source = Source("sso", session.profile, where, identity=tuple(settings), settings=tuple(settings))
    partition = roles.partition_of_region(session.region)
    endpoint = Endpoint(partition, session.region, None, scope="")
    return RoleChain(session.title, source, (), endpoint, session.region, session.profile)


def _legacy(profile: str, settings: Settings) -> SsoSession:
    return SsoSession(None, settings["sso_start_url"], settings["sso_region"], profile=profile)
