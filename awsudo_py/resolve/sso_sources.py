"""Makes the sources behind SSO sessions: roles of a portal, and those that account access gives."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.errors import ConfigError, did_you_mean
from awsudo_py.model import Source
from awsudo_py.resolve import limits, roles
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.sso_sessions import TENANT, role_arn_in, session_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.model import SsoSession
    from awsudo_py.resolve.aws_config import AwsConfig, Settings

#: Where else the credentials for a profile's role_arn, or those of the profile, can come from.
_OTHER_SOURCES = ("source_profile", "credential_source", "sso_account_id", "sso_role_name", "web_identity_token_file")
#: Inputs of AssumeRole that account access does not accept. Omitting one would produce another session.
_UNSENT = ("external_id", "session_tags", "transitive_session_tags", "source_identity")


def by_account_access(settings: Mapping[str, str]) -> bool:
    """Whether a profile's role is one that account access gives: beside its ARN there is an SSO session alone."""
    return "role_arn" in settings and "sso_session" in settings and not any(key in settings for key in _OTHER_SOURCES)


def source_of_word(session: str, account_id: str, role: str, config: AwsConfig) -> Source:
    """A role without a profile: what SESSION/ACCOUNT/ROLE names. Raises AwsudoError."""
    found = session_named(session, config)
    where = f"[sso-session {session}] in {config.config_file}"
    if found.tenant:
        return _of_tenant(None, found, roles.role_arn(role_arn_in(found, account_id, role)), where)
    shaping = (
        ("sso_start_url", found.start_url),
        ("sso_region", found.region),
        ("sso_account_id", account_id),
        ("sso_role_name", role),
    )
    return Source("sso", None, where, identity=shaping, settings=(*shaping, ("sso_session", session)))


def source_of_account_access(name: str, settings: Settings, config: AwsConfig, role_arn: str) -> Source:
    """A profile with an SSO session and the ARN of a role that the session's tenant gives. Raises ConfigError."""
    where = config.where(name, "role_arn")
    session = settings["sso_session"]
    _section(name, session, config)
    found = session_named(session, config)
    if not found.tenant:
        raise ConfigError(
            f"profile {name} has a role_arn without source_profile, and [sso-session {session}] no {TENANT} ({where})",
            hint=(
                "add the profile whose credentials assume the role: source_profile = NAME",
                f"or, for a role of account access: awsudo import --sso {shlex.quote(session)} --tenant aa-…",
            ),
        )
    unsent = next((key for key in _UNSENT if key in settings), None)
    if unsent is not None:
        raise config.origin(name, unsent).refuse(
            "the role's session comes from account access, which does not accept this input",
            "remove it from the profile",
        )
    return _of_tenant(name, found, role_arn, where)


def source_of_portal(name: str, settings: Settings, config: AwsConfig) -> Source:
    """A profile with an account and a role of a portal. Raises ConfigError."""
    merged = dict(settings)
    session = settings.get("sso_session")
    where = config.where(name, "sso_account_id" if "sso_account_id" in settings else "sso_role_name")
    if session is not None:
        section = _section(name, session, config)
        for key in ("sso_start_url", "sso_region"):
            if key not in section:  # to renew a session's token, only its section is read
                raise ConfigError(
                    f"[sso-session {session}] has no {key} ({config.config_file})",
                    hint="add it there: aws configure sso-session",
                )
        for key, value in section.items():
            if merged.setdefault(key, value) != value:
                raise ConfigError(
                    f"{key} of profile {name} and of [sso-session {session}] differ ({where})",
                    hint="remove it from the profile",
                )
    required = ("sso_start_url", "sso_region", "sso_account_id", "sso_role_name")
    missing = [key for key in required if key not in merged]
    if missing:
        raise ConfigError(
            f"profile {name} is set up for SSO and has no {', '.join(missing)} ({where})",
            hint=f"aws configure sso --profile {shlex.quote(name)}",
        )
    limits.text("region", merged["sso_region"], Origin(f"sso_region of profile {name} ({where})", ConfigError))
    for key in ("sso_account_id", "sso_role_name"):
        limits.text(key, merged[key], config.origin(name, key))
    shaping = tuple((key, merged[key]) for key in required)
    extra = (("sso_session", session),) if session is not None else ()
    return Source("sso", name, where, identity=shaping, settings=(*shaping, *extra))


def _section(name: str, session: str, config: AwsConfig) -> Settings:
    """The [sso-session] section that a profile names."""
    section = config.sso_sessions.get(session)
    if section is None:
        raise ConfigError(
            f"profile {name} names [sso-session {session}], which {config.config_file} does not have",
            hint=config.session_header(session)
            or did_you_mean(session, config.sso_sessions)
            or "add it: aws configure sso-session",
        )
    return section


def _of_tenant(profile: str | None, session: SsoSession, role_arn: str, where: str) -> Source:
    shaping = (
        ("sso_start_url", session.start_url),
        ("sso_region", session.region),
        ("tenant_id", session.tenant),
        ("role_arn", role_arn),
    )
    settings = (*shaping, ("sso_session", session.name or ""))
    return Source("account-access", profile, where, identity=shaping, settings=settings)
