"""Turns the profiles that other tools wrote into ~/.aws/config into profiles of an SSO session, which every SDK reads.

Granted has its own keys (`granted_sso_account_id`) beside a credential_process of its own; aws-sso-cli has a
credential_process with the role's ARN, and the portals in a file of its own. Only these lines of a profile change;
comments and all other keys stay byte for byte.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from awsudo_py.resolve.aws_config import kind_and_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER = re.compile(r"\[([^\]\n]*)\]")
_SETTING = re.compile(r"([A-Za-z_0-9]+)[ \t]*=[ \t]*([^\r\n]*)")
_GRANTED = "granted_sso_"
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/([\w+=,.@/-]+)", re.ASCII)


class Portal(NamedTuple):
    """Where a tool's profiles sign in."""

    start_url: str
    region: str


class Converted(NamedTuple):
    """A file's new text, and the result for each profile."""

    text: str
    profiles: tuple[str, ...]  # those that were converted
    sessions: tuple[str, ...]  # those that were added
    left: tuple[tuple[str, str], ...]  # those that were not, and why


def converted(text: str, tool: str, portals: Mapping[str, Portal], sessions: Mapping[str, Portal]) -> Converted:
    """The file's text with the profiles of a tool (`granted`, `aws-sso`) converted.

    portals: those of aws-sso-cli, by its own names. sessions: the [sso-session] sections that are there.
    """
    known = {portal: name for name, portal in sessions.items()}
    added: dict[str, Portal] = {}
    done: list[str] = []
    left: list[tuple[str, str]] = []
    parts = []
    for section in _sections(text):
        name = _profile(section)
        found = None if name is None else (_granted(section) if tool == "granted" else _aws_sso(section, portals))
        if name is None or found is None:
            parts.append(section)
        elif isinstance(found, str):
            parts.append(section)
            left.append((name, found))
        else:
            portal, account, role, dropped = found
            if portal not in known:
                known[portal] = _free(urlsplit(portal.start_url).hostname or "", {*sessions, *added})
                added[known[portal]] = portal
            settings = {"sso_session": known[portal], "sso_account_id": account, "sso_role_name": role}
            parts.append(_rewritten(section, settings, dropped))
            done.append(name)
    result = "".join(parts)
    for name, portal in added.items():
        result += "" if not result or result.endswith("\n") else "\n"
        result += (
            f"\n[sso-session {name}]\nsso_start_url = {portal.start_url}\nsso_region = {portal.region}\n"
            "sso_registration_scopes = sso:account:access\n"
        )
    return Converted(result, tuple(done), tuple(added), tuple(left))


def portals_of_aws_sso(text: str) -> dict[str, Portal]:
    """The portals in aws-sso-cli's config.yaml, by name: `SSOConfig:`, and below it a block for each.

    Reads what that tool's own `setup` writes, plain keys and values; a file of another shape gives none.
    """
    found: dict[str, dict[str, str]] = {}
    inside, outer, name = False, 0, ""
    for line in text.splitlines():
        bare = line.split(" #")[0].rstrip()
        indent = len(bare) - len(bare.lstrip())
        key, colon, value = bare.strip().partition(":")
        if not bare.strip() or bare.strip().startswith("#") or not colon:
            continue
        value = value.strip().strip("\"'")
        if indent == 0:
            inside, outer = key == "SSOConfig", 0
        elif inside and (not outer or indent <= outer):
            outer, name = indent, key.strip("\"'")
            found[name] = {}
        elif inside and name:
            found[name].setdefault(key, value)
    return {
        name: Portal(_start_url(settings["StartUrl"]), settings["SSORegion"])
        for name, settings in found.items()
        if settings.get("StartUrl") and settings.get("SSORegion")
    }


_Found = tuple[Portal, str, str, tuple[str, ...]]


def _granted(section: str) -> _Found | str | None:
    """What Granted has in a profile: the portal, account and role, and the keys to drop; or why it cannot be used."""
    settings = _settings(section)
    own = {key.removeprefix(_GRANTED): value for key, value in settings.items() if key.startswith(_GRANTED)}
    if not own:
        return None
    missing = [key for key in ("start_url", "region", "account_id", "role_name") if not own.get(key)]
    if missing:
        return f"it has no {_GRANTED}{missing[0]}"
    dropped = tuple(key for key in settings if key.startswith(_GRANTED))
    if "granted" in settings.get("credential_process", ""):
        dropped = (*dropped, "credential_process")
    elif "credential_process" in settings:
        return "its credential_process is not Granted's"
    return Portal(own["start_url"], own["region"]), own["account_id"], own["role_name"], dropped


def _aws_sso(section: str, portals: Mapping[str, Portal]) -> _Found | str | None:
    """What aws-sso-cli has in a profile, as _granted() gives it."""
    command = _settings(section).get("credential_process", "")
    if "aws-sso" not in command:
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return "its credential_process cannot be parsed"
    arn = _ROLE_ARN.search(command)
    if arn is None:
        return "its credential_process names no role"
    flags = [at for at, word in enumerate(words[:-1]) if word in ("-S", "--sso")]
    name = words[flags[0] + 1] if flags else "Default"
    if name not in portals:
        return f"aws-sso-cli's configuration has no portal {name}"
    return portals[name], arn[1], arn[2].rpartition("/")[2], ("credential_process",)


def _rewritten(section: str, settings: Mapping[str, str], dropped: tuple[str, ...]) -> str:
    lines = section.splitlines(keepends=True)
    end = "\r\n" if lines[0].endswith("\r\n") else "\n"
    head = lines[0] if lines[0].endswith("\n") else lines[0] + end
    rest, inside = [], False
    for line in lines[1:]:
        match = _SETTING.match(line)
        if match:
            inside = match[1].lower() in dropped or match[1].lower() in settings
        elif not line[:1].isspace() or not line.strip():
            inside = False  # a comment, or the end of a value that goes over lines
        if not inside:
            rest.append(line)
    return head + "".join(f"{key} = {value}{end}" for key, value in settings.items()) + "".join(rest)


def _settings(section: str) -> dict[str, str]:
    found = (_SETTING.match(line) for line in section.splitlines()[1:])
    return {match[1].lower(): match[2].strip() for match in found if match}


def _sections(text: str) -> list[str]:
    return [part for part in re.split(r"(?m)^(?=\[)", text) if part]


def _profile(section: str) -> str | None:
    header = _HEADER.match(section)
    if header is None:
        return None
    kind, name = kind_and_name(header[1])
    return "default" if header[1].strip() == "default" else name if kind == "profile" else None


def _start_url(value: str) -> str:
    return value if value.startswith("https://") else f"https://{value}.awsapps.com/start"


def _free(host: str, used: set[str]) -> str:
    """A name for a session that no other has."""
    name = re.sub(r"[^\w-]", "-", host.partition(".")[0], flags=re.ASCII) or "sso"
    number = 2
    while name in used:
        name, number = f"{name.rstrip('0123456789')}{number}", number + 1
    return name
