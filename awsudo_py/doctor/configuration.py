"""Checks the AWS files: their faults with line numbers, their profiles, and names that hide subcommands."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from awsudo_py.doctor.finding import Finding, ok, problem, warning
from awsudo_py.errors import AwsudoError
from awsudo_py.grammar.registry import RESERVED, SHORT_FORM, SUBCOMMANDS
from awsudo_py.resolve.aws_config import faults, places
from awsudo_py.resolve.setting_lines import setting_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awsudo_py.context import Context
    from awsudo_py.resolve.aws_config import AwsConfig
    from awsudo_py.resolve.outline import Outline

TOPIC = "config"
#: The prefixes of keys that make a profile a target.
_CREDENTIALS = (
    *("aws_access_key_id", "aws_secret_access_key", "role_arn", "source_profile", "credential_", "sso_"),
    *("web_identity_token_file", "login_session"),
)
#: The keys that locate the cause of a fault: the first one that a profile has.
_CAUSES = ("source_profile", "credential_source", "role_arn", "sso_session", "mfa_serial", "")


def file_faults(context: Context) -> list[Finding]:
    """What prevents a file from being read, or its sections from being profiles; empty if nothing does."""
    found = [problem(TOPIC, error.message, *error.hints) for error in faults(context.deciding, context.files)]
    if found:
        return found
    try:
        config = context.config
    except AwsudoError as error:
        return [problem(TOPIC, error.message, *error.hints)]
    lines = _lines(context, config.config_file, in_config=True)
    for name in sorted(config.strays):
        line = next((number for (section, key), number in lines.items() if not key and name in section), 0)
        meant = re.sub(r"^profile\s*", "", name.strip(), flags=re.IGNORECASE) or name
        header = f'[profile "{meant}"]' if " " in meant else f"[profile {meant}]"
        where = f"{config.config_file}:{line}" if line else config.config_file
        found.append(
            warning(TOPIC, f"{where}: section [{name}] is not a profile for the SDKs", f"rename it to {header}")
        )
    return found


def profile_faults(context: Context, outlines: Sequence[Outline]) -> Iterator[Finding]:
    """The profiles that do not resolve, each with its line, and a summary of those that do."""
    config = context.config
    existing = [path for path in places(context.deciding) if context.fingerprint(path) is not None]
    # a profile of settings alone, a region say, is fine; but it is no target
    broken = [each for each in outlines if each.fault and (len(outlines) == 1 or _has_credentials(config, each.name))]
    if not broken:
        count = len(outlines)
        files = f"{len(existing)} file{'' if len(existing) == 1 else 's'}"
        yield ok(TOPIC, f"{files}, {count} profile{'' if count == 1 else 's'}")
    lines = {
        config.config_file: _lines(context, config.config_file, in_config=True),
        config.credentials_file: _lines(context, config.credentials_file, in_config=False),
    }
    for each in broken:
        yield problem(
            TOPIC,
            f"{_place(config, each.name, lines)}: {each.fault.replace(f' ({config.config_file})', '')}",
            f"awsudo explain {shlex.quote(each.name)}",
        )


def hidden_subcommands(config: AwsConfig) -> Iterator[Finding]:
    """Profiles that are named like a subcommand: which of the two the name means, and how to reach the other."""
    for name in config.names():
        quoted = shlex.quote(name)
        if name in RESERVED:
            yield warning(
                "names", f"profile {name} is hidden by the subcommand of that name", f"awsudo exec {quoted} COMMAND"
            )
        elif name in SUBCOMMANDS:
            yield warning(
                "names",
                f"profile {name} hides the subcommand of that name",
                f"awsudo {SHORT_FORM}{name} is the subcommand",
            )


def _has_credentials(config: AwsConfig, name: str) -> bool:
    settings = config.profile(name) or {}
    return any(key.startswith(_CREDENTIALS) for key in settings)


def _place(config: AwsConfig, name: str, lines: dict[str, dict[tuple[str, str], int]]) -> str:
    own = config.profile(name) or {}
    key = next(key for key in _CAUSES if key in own or not key)
    file = config.where(name, key) if key else config.home_of(name)
    number = lines.get(file, {}).get((name, key)) or lines.get(file, {}).get((name, ""))
    return f"{file}:{number}" if number else file


def _lines(context: Context, path: str, *, in_config: bool) -> dict[tuple[str, str], int]:
    try:
        content = context.files.read(path)
    except OSError:
        return {}
    return setting_lines((content or b"").decode("utf-8", "replace"), in_config=in_config)
