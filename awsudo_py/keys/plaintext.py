"""Finds the plain-text copy of a key in an AWS file, and makes the change that removes it.

1. Only the key's own lines are removed, and the header of a section with no other settings. The result is parsed and
   compared with the expected settings before anything is written.
2. No secret is displayed: neither this key's nor one around it.
"""

from __future__ import annotations

import configparser
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.aws_credentials import Credentials
from awsudo_py.errors import AwsudoError
from awsudo_py.files import Change, content_of
from awsudo_py.resolve.aws_config import kind_and_name

if TYPE_CHECKING:
    from awsudo_py.resolve.aws_config import AwsConfig

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token")
#: Settings whose values may be displayed; every other value could be a secret.
_PUBLIC = {
    *("aws_access_key_id", "region", "output", "role_arn", "source_profile", "mfa_serial", "role_session_name"),
    *("duration_seconds", "sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name"),
}
_SETTING = re.compile(r"(?P<before>[#;\s]*(?P<name>[\w.-]+)\s*[=:]\s*)(?P<value>.*\S)", re.DOTALL)
_LONG_WORD = re.compile(r"[A-Za-z0-9/+=_-]{30,}")
_MASK = "********"


class PlainCopy(NamedTuple):
    """A key in an AWS file."""

    file: str
    profile: str
    credentials: Credentials
    in_config: bool  # whether the file is the one with [profile NAME]

    def found_in(self, section: str) -> bool:
        """Whether the section with that header is that of the key's profile."""
        if not self.in_config or section == "default":
            return section == self.profile
        return kind_and_name(section) == ("profile", self.profile)


def plain_copy(config: AwsConfig, name: str) -> PlainCopy | None:
    """The key of this profile in the AWS files, read as the SDKs read it; None if there is no complete one."""
    for file, sections in ((config.credentials_file, config.in_credentials), (config.config_file, config.in_config)):
        settings = sections.get(name, {})
        if settings.get("aws_access_key_id") and settings.get("aws_secret_access_key"):
            token = settings.get("aws_security_token") or settings.get("aws_session_token") or None
            keys = Credentials(settings["aws_access_key_id"], settings["aws_secret_access_key"], token)
            return PlainCopy(file, name, keys, sections is config.in_config)
    return None


def removal(copy: PlainCopy) -> Change:
    """The change that removes the key from its file. Raises AwsudoError if it cannot be removed safely."""
    content = content_of(copy.file) or b""
    before = content.decode("utf-8")
    after = _without(before, copy)
    expected = _parsed(before)
    for section in [section for section in expected if copy.found_in(section)]:
        expected[section] = {name: value for name, value in expected[section].items() if name not in _KEYS}
        if not expected[section] and section not in _parsed(after):
            del expected[section]
    if _parsed(after) != expected:
        raise AwsudoError(
            f"cannot remove the key from {copy.file} without changing other settings",
            hint=f"remove these lines of profile {copy.profile} by hand: {', '.join(_KEYS[:2])}",
        )
    return Change(copy.file, content, after.encode("utf-8"))


def masked_diff(change: Change) -> list[str]:
    """Rule 2: the lines of the change's diff, with every value hidden that could be a secret."""
    return change.diff(_masked, context=2).splitlines()


def _without(text: str, copy: PlainCopy) -> str:
    """The text without the key's lines. As for configparser, lines indented below a setting are part of it."""
    lines: list[str] = []
    header: int | None = None  # index of the section's header in lines, while only blank lines are below it
    inside = removing = False
    indent, setting = 0, False
    for line in io.StringIO(text, newline=""):
        body = line.strip()
        if body and body[0] not in "#;":
            level = len(line) - len(line.lstrip())
            if not (setting and level > indent):
                indent = level
                section = re.match(r"\[(.+)\]", body)
                setting = section is None
                if section is not None:
                    _drop_empty(lines, header if inside else None)
                    inside, removing, header = copy.found_in(section[1]), False, len(lines)
                else:
                    removing = inside and re.split("[=:]", body, maxsplit=1)[0].strip().lower() in _KEYS
            if removing:
                continue
        lines.append(line)
        if header is not None and body and len(lines) - 1 != header:
            header = None
    _drop_empty(lines, header if inside else None)
    return "".join(lines)


def _drop_empty(lines: list[str], header: int | None) -> None:
    """Remove a header without settings, and the blank lines after it."""
    if header is not None:
        del lines[header:]


def _parsed(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(default_section="]")
    parser.read_file(io.StringIO(text, newline=None))
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _masked(text: str) -> str:
    lines = []
    hiding = False  # lines indented below a hidden value are part of it
    for line in text.splitlines():
        found = _SETTING.match(line)
        if line[:1].isspace() and hiding and line.strip():
            line = f"{line[: len(line) - len(line.lstrip())]}{_MASK}"
        elif found is not None:
            hiding = found["name"].lower() not in _PUBLIC
            line = f"{found['before']}{_MASK}" if hiding else line
        elif line.strip():
            hiding = False
            line = line if line.lstrip().startswith("[") else _LONG_WORD.sub(_MASK, line)
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)
