"""Reads the profile data for completion from the AWS files: names, roles and accounts, without a parser's imports.

configparser costs 6 ms to import and 100 ms for 5,000 profiles. This reads lines, knows just enough of its rules to
find the same sections (a test compares on every file there is), and where a file is broken it gives what it found.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: The keys of a profile that are displayed; all others are skipped.
_SHOWN = ("mfa_serial", "role_arn", "sso_account_id", "sso_role_name", "sso_session")
_INITIALS = tuple({name[0] for name in _SHOWN} | {name[0].upper() for name in _SHOWN})

Settings = dict[str, str]


def profiles(environ: Mapping[str, str]) -> dict[str, str]:
    """The profiles of both files by name, those of the config file first, with the text that shown reads."""
    config, credentials = (
        _text(_path(environ, variable, name))
        for variable, name in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
    )
    # without these, a header's words are parted by spaces alone, and there is no need to look again at each
    plain = config.isascii() and not ("'" in config or '"' in config or "\\" in config)
    found: dict[str, str] = {}
    for section, text in _sections(config):
        kind, _, name = section.partition(" ")
        if plain and kind == "profile" and name and name.isprintable() and " " not in name:
            found[name] = text
        elif section == "default":
            found[section] = text
        elif section[:7] == "profile":
            written = _profile_name(section)
            if written is not None:
                found[written] = text
    for section, text in _sections(credentials):
        found[section] = f"{found[section]}\n[{text}" if section in found else text
    return found


def sso_sessions(environ: Mapping[str, str]) -> list[str]:
    """The names of the [sso-session] sections."""
    config = _text(_path(environ, "AWS_CONFIG_FILE", "config"))
    found = []
    for section, _ in _sections(config) if "sso-session" in config else ():
        kind, _, name = section.partition(" ")
        if kind == "sso-session" and name:
            found.append(name.strip().strip("\"'"))
    return found


def summary(text: str) -> Settings:
    """What is shown of the profile that has this text; the credentials file wins, key by key."""
    merged: Settings = {}
    for _, _, settings in _sections_line_by_line(f"[{text}"):
        merged.update(settings)
    return merged


def setting(text: str, name: str) -> str:
    """What shown has of that name, or nothing: for thousands of profiles, of which most write it in the usual way."""
    if name not in text.lower():
        return ""
    usual = text.partition(f"\n{name} = ")[2]
    # two sections are behind one name: which of them has the last word is not told so easily
    if usual and "\n[" not in text:
        return usual.partition("\n")[0].strip()
    return summary(text).get(name, "")


def _path(environ: Mapping[str, str], variable: str, name: str) -> str:
    return os.path.expanduser(os.path.expandvars(environ.get(variable) or os.path.join("~", ".aws", name)))


def _text(path: str) -> str:
    """The file's text; none where it cannot be read."""
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _sections(text: str) -> Iterable[tuple[str, str]]:
    """A file's sections: the name of each, and its text from behind the header's first bracket."""
    parts = text.split("\n[")
    headed = parts[0][:1] == "["
    parts[0] = parts[0][1:] if headed else "\n" + parts[0]
    if text.count("[") != len(parts) - (not headed) and any("[" in part and _has_set_in(part) for part in parts):
        # that may be a header, or go on with a value
        return ((section, part) for section, part, _ in _sections_line_by_line(text))
    found = []
    for part in parts:
        # this, thousands of times, is most of what a TAB takes: nearly all headers end with their first bracket
        section = part[: part.find("]\n")]
        if not section or "\n" in section or part[len(section)] != "]":
            section = part.partition("\n")[0].rpartition("]")[0]
        if section and section != "]":
            found.append((section, part))
    return found


def _has_set_in(part: str) -> bool:
    """Whether a line after the first begins with a bracket that is set in."""
    return any("[" in line and line.lstrip()[:1] == "[" for line in part.split("\n")[1:])


def _sections_line_by_line(text: str) -> Iterator[tuple[str, str, Settings]]:
    """Name, text and settings of each section, by the rules of configparser."""
    settings: Settings = {}
    section, lines = "", []
    depth, in_option = 0, False
    for line in text.split("\n"):
        lines.append(line)
        first = line[:1]
        if first.isspace():
            # deeper than the option before it, a line goes on with that option's value, whatever it looks like
            bare = line.strip()
            if not bare or bare[0] in "#;":
                continue
            indent = len(line) - len(line.lstrip())
            if in_option and indent > depth:
                continue
            depth, line, first = indent, bare, bare[0]
        elif not first or first in "#;":
            continue
        else:
            depth = 0
        if first == "[" and "]" in line[2:]:
            if section:
                yield section, "\n".join(lines[:-1]), settings
            section, settings, in_option, lines = line[1 : line.rindex("]")], {}, False, [line[1:]]
            # to configparser, a section called so is where defaults are kept
            section = "" if section == "]" else section
        else:
            in_option = True
            if first in _INITIALS:
                _keep(line, settings)
    if section:
        yield section, "\n".join(lines), settings


def _keep(line: str, settings: Settings) -> None:
    equals, colon = line.find("="), line.find(":")
    end = min(equals, colon) if equals >= 0 and colon >= 0 else max(equals, colon)
    name = line[:end].rstrip().lower()
    if end > 0 and name in _SHOWN:
        settings[name] = line[end + 1 :].strip()


def _profile_name(section: str) -> str | None:
    """The name in a section that begins with `profile`; None where it is not written as the SDKs read it."""
    if "'" in section or "\\" in section or '"' in section:
        name = section[9:-1]
        if section[:9] == 'profile "' and section[-1:] == '"' and not ("'" in name or '"' in name or "\\" in name):
            return name
        import shlex  # 5 ms, for names that nearly nobody has

        try:
            parts = shlex.split(section)
        except ValueError:
            return None
    elif section.isascii():
        parts = section.split()
    else:
        parts = [part for part in section.replace("\t", " ").split(" ") if part]
    return parts[1] if len(parts) == 2 else None
