"""Converts the profiles that other tools wrote into ~/.aws/config."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from awsudo_py.errors import AwsudoError
from awsudo_py.files import Change, content_of
from awsudo_py.signin.other_tools import Portal, converted, portals_of_aws_sso

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.context import Context

#: Where aws-sso-cli has its configuration, below the home.
_AWS_SSO_FILES = (".config/aws-sso/config.yaml", ".aws-sso/config.yaml")


def import_from(context: Context, tool: str, apply: Callable[[Change, str], bool]) -> None:
    """Convert the profiles of a tool; apply shows a change, prompts, and makes it. Raises AwsudoError."""
    if tool == "leapp":
        raise AwsudoError(
            "Leapp encrypts its workspace (~/.Leapp/Leapp-lock.json): nothing can be read from it",
            hint=(
                "for its IAM Identity Center integration: awsudo import --sso https://….awsapps.com/start --region R",
                "for its IAM users: awsudo keys add NAME",
            ),
        )
    config = context.config
    before = content_of(config.config_file)
    sessions = {
        name: Portal(section.get("sso_start_url", ""), section.get("sso_region", ""))
        for name, section in config.sso_sessions.items()
    }
    portals = _portals(context) if tool == "aws-sso" else {}
    result = converted((before or b"").decode("utf-8", "surrogateescape"), tool, portals, sessions)
    for name, why in result.left:
        context.terminal.notice(f"profile {name} is not changed: {why}")
    if not result.profiles:
        raise AwsudoError(
            f"no profile of {tool} in {config.config_file}",
            hint="for all accounts and roles of a portal: awsudo import --sso SESSION",
        )
    count = f"{len(result.profiles):,} profile{'' if len(result.profiles) == 1 else 's'}"
    change = Change(config.config_file, before, result.text.encode("utf-8", "surrogateescape"))
    if apply(change, f"Convert {count} of {tool} to profiles of an SSO session?"):
        named = f"; added [sso-session {'], [sso-session '.join(result.sessions)}]" if result.sessions else ""
        context.terminal.notice(f"converted {count} of {tool}{named}")


def _portals(context: Context) -> dict[str, Portal]:
    home = context.environ.get("HOME") or os.path.expanduser("~")
    for name in _AWS_SSO_FILES:
        path = os.path.join(home, name)
        content = content_of(path)
        if content is not None:
            found = portals_of_aws_sso(content.decode("utf-8", "replace"))
            if not found:
                raise AwsudoError(
                    f"{path} has no SSOConfig with StartUrl and SSORegion",
                    hint="import the portal: awsudo import --sso URL",
                )
            return found
    raise AwsudoError(
        "aws-sso-cli has no configuration here",
        hint=f"looked for {' and '.join(f'~/{name}' for name in _AWS_SSO_FILES)}",
    )
