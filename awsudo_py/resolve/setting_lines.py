"""Finds the line of a profile's setting in an AWS file, for explanations."""

from __future__ import annotations

import re

from awsudo_py.resolve.aws_config import kind_and_name

_HEADER = re.compile(r"\[(?P<section>.+)\]")
_SETTING = re.compile(r"(?P<key>[^=:\s][^=:]*?)\s*[=:]")


def setting_lines(text: str, *, in_config: bool) -> dict[tuple[str, str], int]:
    """The line of each setting, by profile and key, the first line being 1; a header is under the empty key.

    in_config: whether the file is the one with [profile NAME]. Lines are read as configparser reads them: what is
    indented below a setting belongs to it.
    """
    found: dict[tuple[str, str], int] = {}
    profile, depth, in_setting = "", 0, False
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        body = line.strip()
        if not body or body[0] in "#;":
            continue
        indent = len(line) - len(line.lstrip())
        if in_setting and indent > depth:
            continue
        depth = indent
        header = _HEADER.match(body)
        if header is not None:
            profile, in_setting = _profile(header["section"], in_config), False
            found.setdefault((profile, ""), number)
            continue
        in_setting = True
        setting = _SETTING.match(body)
        if setting is not None:
            found[profile, setting["key"].lower()] = number
    return found


def _profile(section: str, in_config: bool) -> str:
    """The profile of a section; other sections keep their brackets."""
    if not in_config or section == "default":
        return section
    kind, name = kind_and_name(section)
    return name if kind == "profile" and name is not None else f"[{section}]"
