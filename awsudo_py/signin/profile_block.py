"""Writes a profile for each role of a portal into the AWS configuration file, between two marks.

1. Our profiles are between the marks of their session; all else in the file is unchanged, byte for byte.
2. A profile of the user's own with the same name wins, unless it is to be overwritten; then its settings are taken out,
   and comments around them stay.
3. Repeating it changes nothing; roles that the portal no longer has are removed from the block.
4. No file is written that the SDKs could not read.
"""

from __future__ import annotations

import configparser
import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import AwsudoError, InvalidInput
from awsudo_py.files import Change, content_of
from awsudo_py.resolve.aws_config import kind_and_name
from awsudo_py.resolve.sso_sessions import TENANT, settings_of_role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from awsudo_py.model import SsoSession

#: The fields of a name template.
FIELDS = ("account_name", "account_id", "role", "session", "email")
DEFAULT_TEMPLATE = "{account_name}-{role}"
_FIELD = re.compile(r"\{([^{}]*)\}")
_UNCLEAN = re.compile(r"-*[^\w+=,.@-]+-*", re.ASCII)
_HEADER = re.compile(r"\[([^\]\n]*)\]")


class Role(NamedTuple):
    """A role that a profile is to be written for."""

    account_id: str
    account_name: str
    role: str
    email: str = ""


class Plan(NamedTuple):
    """The changes of an import to the file."""

    change: Change
    new: tuple[str, ...]  # names of profiles
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    existing: tuple[str, ...]  # the user's own, which win
    overwritten: tuple[str, ...]
    collisions: tuple[str, ...]  # names that several roles would have had

    @property
    def written(self) -> int:
        """How many profiles the block has."""
        return len(self.new) + len(self.changed) + len(self.unchanged)


def named(roles: Sequence[Role], session: SsoSession, template: str) -> tuple[dict[str, Role], tuple[str, ...]]:
    """The roles by their profile's name, and the names that several would have had. Raises InvalidInput."""
    unknown = [field for field in _FIELD.findall(template) if field not in FIELDS]
    if unknown or "{" in _FIELD.sub("", template) or "}" in _FIELD.sub("", template):
        raise InvalidInput(
            f"--name: {template!r} is not a name template",
            hint=f"its fields: {', '.join(f'{{{field}}}' for field in FIELDS)}; such as {DEFAULT_TEMPLATE}",
        )
    by_name: dict[str, list[Role]] = {}
    for role in sorted(roles):
        by_name.setdefault(_name(role, session, template), []).append(role)
    found: dict[str, Role] = {}
    for name, several in by_name.items():
        for role in several:
            own = name if len(several) == 1 else f"{name}-{role.account_id}"
            if own in found:  # two roles of one account whose names differ in what is cleaned away
                own = f"{own}-{sum(other.startswith(own) for other in found) + 1}"
            found[own] = role
    return found, tuple(name for name, several in by_name.items() if len(several) > 1)


def plan(
    path: str,
    session: SsoSession,
    roles: Mapping[str, Role],
    *,
    collisions: tuple[str, ...] = (),
    with_session: bool = False,
    overwrite: bool = False,
    region: str | None = None,
) -> Plan:
    """What an import of these roles (by profile name) changes in the configuration file at the path.

    with_session: whether the block has the [sso-session] too, which the file does not have. region: of the profiles.
    Raises AwsudoError.
    """
    before = content_of(path)
    text = (before or b"").decode("utf-8", "surrogateescape")
    mark, end = _marks(session)
    head, block, tail = _parted(text, mark, end, path)
    own = _profiles(block)
    others = {**_profiles(head), **_profiles(tail)}
    existing = tuple(name for name in roles if name in others)
    if overwrite:
        head, tail = (_without(part, set(existing)) for part in (head, tail))
    if session.tenant:
        head, tail = (_with_tenant(part, session) for part in (head, tail))
    written = {name: role for name, role in roles.items() if overwrite or name not in others}
    sections = {name: _section(name, session, role, region) for name, role in written.items()}
    lines = [mark]
    with_session = with_session or f"[sso-session {_quoted(session.name or '')}]" in block
    if with_session:
        tenant = f"{TENANT} = {session.tenant}\n" if session.tenant else ""
        lines.append(
            f"[sso-session {_quoted(session.name or '')}]\nsso_start_url = {session.start_url}\n"
            f"sso_region = {session.region}\nsso_registration_scopes = sso:account:access\n{tenant}"
        )
    lines += [sections[name] for name in sorted(sections)]
    made = "\n".join(lines) + end if sections or with_session else ""
    after = _joined(head, made, tail)
    _check(after, path)
    encoded = after.encode("utf-8", "surrogateescape")
    bodies = {name: _body(section) for name, section in sections.items()}
    return Plan(
        Change(path, before, encoded if encoded or before is not None else None),
        new=tuple(name for name in written if name not in own),
        gone=tuple(name for name in own if name not in written),
        changed=tuple(name for name in written if name in own and own[name] != bodies[name]),
        unchanged=tuple(name for name in written if own.get(name) == bodies[name]),
        existing=() if overwrite else existing,
        overwritten=existing if overwrite else (),
        collisions=collisions,
    )


def _name(role: Role, session: SsoSession, template: str) -> str:
    values = {
        "account_name": role.account_name or role.account_id,
        "account_id": role.account_id,
        "role": role.role,
        "session": session.name or "",
        "email": role.email,
    }
    filled = _FIELD.sub(lambda field: values[field[1]], template)
    return _UNCLEAN.sub("-", filled).strip("-") or f"{role.account_id}-{role.role}"


def _marks(session: SsoSession) -> tuple[str, str]:
    return f"# awsudo: {session.name}\n", f"# awsudo: {session.name} end\n"


def _parted(text: str, mark: str, end: str, path: str) -> tuple[str, str, str]:
    """The text before the block, in it, and after it."""
    lines = text.splitlines(keepends=True)
    plain = [line.rstrip("\r\n") + "\n" for line in lines]
    starts, ends = plain.count(mark), plain.count(end)
    if starts == ends == 0:
        return text, "", ""
    if starts != 1 or ends != 1 or plain.index(end) < plain.index(mark):
        raise AwsudoError(
            f"{path}: the marks {mark.strip()!r} and {end.strip()!r} must each appear once, in this order",
            hint="remove them by hand, with the profiles between them; then run the same command again",
        )
    first, last = plain.index(mark), plain.index(end)
    return "".join(lines[:first]), "".join(lines[first + 1 : last]), "".join(lines[last + 1 :])


def _joined(head: str, block: str, tail: str) -> str:
    if not block:
        return head + tail
    if head and not head.endswith("\n"):
        head += "\n"
    if head and not tail and not head.endswith(("\n\n", "\r\n\r\n")):
        head += "\n"
    return head + block + tail


def _section(name: str, session: SsoSession, role: Role, region: str | None) -> str:
    settings = settings_of_role(session, role.account_id, role.role)
    if region:
        settings["region"] = region
    header = "default" if name == "default" else f"profile {_quoted(name)}"
    return f"[{header}]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w+=,.@-]+", name, re.ASCII) else f'"{name}"'


def _body(section: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in section.splitlines()[1:] if line.strip() and line.strip()[0] not in "#;")


def _profiles(text: str) -> dict[str, tuple[str, ...]]:
    """The profiles of a part of the file: their settings, line by line."""
    found: dict[str, tuple[str, ...]] = {}
    for section in _sections(text):
        header = _HEADER.match(section)
        name = _profile_of(header[1]) if header else None
        if name is not None:
            found[name] = _body(section)
    return found


def _profile_of(header: str) -> str | None:
    if header.strip() == "default":
        return "default"
    kind, name = kind_and_name(header)
    return name if kind == "profile" else None


def _sections(text: str) -> list[str]:
    """The text, cut before each header."""
    cut = [0, *(match.start() for match in re.finditer(r"^\[", text, re.MULTILINE)), len(text)]
    return [text[start:stop] for start, stop in pairwise(cut) if start < stop]


def _without(text: str, names: set[str]) -> str:
    """Rule 2: the text without the header and the settings of these profiles."""
    result = []
    for section in _sections(text):
        header = _HEADER.match(section)
        name = _profile_of(header[1]) if header is not None else None
        if name is None or name not in names:
            result.append(section)
            continue
        result += [line for line in section.splitlines(keepends=True)[1:] if not line.strip() or line[0] in "#;"]
    return "".join(result)


def _with_tenant(text: str, session: SsoSession) -> str:
    """The text with the session's tenant in its [sso-session] section, if that is here."""
    result = []
    for section in _sections(text):
        header = _HEADER.match(section)
        if header is not None and kind_and_name(header[1]) == ("sso-session", session.name):
            lines = section.splitlines(keepends=True)
            old = [number for number, line in enumerate(lines) if re.match(rf"{TENANT}\s*[=:]", line)]
            # after the last setting: blank lines and comments below it belong to what follows
            end = max(number for number, line in enumerate(lines) if line.strip() and line[0] not in "#;") + 1
            start, end = (old[0], old[0] + 1) if old else (end, end)
            newline = "\r\n" if lines[0].endswith("\r\n") else "\n"
            if start and not lines[start - 1].endswith("\n"):
                lines[start - 1] += newline
            lines[start:end] = [f"{TENANT} = {session.tenant}{newline}"]
            section = "".join(lines)
        result.append(section)
    return "".join(result)


def _check(text: str, path: str) -> None:
    """Rule 4."""
    parser = configparser.RawConfigParser(default_section="\n")
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        raise AwsudoError(
            f"{path}: the SDKs could not read the file after this change"
            f"{f' (line {line} of it)' if line else ''}: nothing was written",
            hint="see what they report now: aws configure list",
        ) from None
