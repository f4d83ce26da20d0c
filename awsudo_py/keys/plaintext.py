"""The plain copy of a key in an AWS file: finds it, shows what taking it out would change, takes it out.

1. Nothing but the key's own lines go, and the section's header where nothing else is below it. The result is parsed and
   compared with what it should be before anything is written.
2. The file is replaced in one step, where it lies (a link stays a link), with its mode and owner; not if it has changed
   since it was shown.
3. No secret is shown: neither this key's nor what stands around it.
"""

from __future__ import annotations

import configparser
import difflib
import io
import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.credentials import Credentials
from awsudo_py.errors import AwsudoError
from awsudo_py.resolve.aws_config import kind_and_name

if TYPE_CHECKING:
    from awsudo_py.resolve.aws_config import AwsConfig

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token")
#: Settings whose values may be shown; every other value could be a secret.
_SHOWN = {
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
        """Whether the section of that header is the key's."""
        if not self.in_config or section == "default":
            return section == self.profile
        return kind_and_name(section) == ("profile", self.profile)


def plain_copy(config: AwsConfig, name: str) -> PlainCopy | None:
    """The key that the files have for this profile, as the SDKs take it; None if they have none that is whole."""
    for file, sections in ((config.credentials_file, config.in_credentials), (config.config_file, config.in_config)):
        settings = sections.get(name, {})
        if settings.get("aws_access_key_id") and settings.get("aws_secret_access_key"):
            token = settings.get("aws_security_token") or settings.get("aws_session_token") or None
            keys = Credentials(settings["aws_access_key_id"], settings["aws_secret_access_key"], token)
            return PlainCopy(file, name, keys, sections is config.in_config)
    return None


class Removal:
    """What taking a plain copy out of its file does. Raises AwsudoError where it cannot be done safely."""

    def __init__(self, copy: PlainCopy) -> None:
        self.file = copy.file
        self._copy = copy
        self._path = os.path.realpath(copy.file)
        self._before = _content(self._path)
        before = self._before.decode("utf-8")
        self._after = _without(before, copy)
        wanted = _parsed(before)
        for section in [section for section in wanted if copy.found_in(section)]:
            wanted[section] = {name: value for name, value in wanted[section].items() if name not in _KEYS}
            if not wanted[section] and section not in _parsed(self._after):
                del wanted[section]
        if _parsed(self._after) != wanted:
            raise AwsudoError(
                f"{self.file} is written so that the key cannot be taken out safely",
                hint=f"take it out by hand: the lines {', '.join(_KEYS[:2])} of profile {copy.profile}",
            )

    def shown(self) -> list[str]:
        """The difference, as lines to show: no secret is in them."""
        before = _masked(self._before.decode("utf-8"))
        lines = difflib.unified_diff(before, _masked(self._after), self.file, self.file, n=2, lineterm="")
        return list(lines)

    def done(self, *, backup: str = "") -> str:
        """Take the copy out; returns the backup's path, if one of that suffix is wanted. Raises AwsudoError."""
        kept = f"{self._path}.{backup}" if backup else ""
        try:
            found = os.stat(self._path)
            if _content(self._path) != self._before:
                raise AwsudoError(f"{self.file} has changed meanwhile: nothing is taken out", hint="try again")
            if kept:
                _write(kept, self._before, 0o600)
            temporary = f"{self._path}.awsudo-{os.urandom(4).hex()}.tmp"
            try:
                _write(temporary, self._after.encode("utf-8"), stat.S_IMODE(found.st_mode), found)
                os.replace(temporary, self._path)
            finally:
                if os.path.exists(temporary):
                    os.unlink(temporary)
        except OSError as error:
            raise AwsudoError(
                f"cannot change {self.file}: {error.strerror}", hint="the key stays there; take it out by hand"
            ) from None
        return kept


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise AwsudoError(f"cannot read {path}: {error.strerror}") from None


def _write(path: str, content: bytes, mode: int, like: os.stat_result | None = None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if os.name != "nt":
            if like is not None and (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _without(text: str, copy: PlainCopy) -> str:
    """The text without the key's lines, read as configparser reads: what is indented below a setting belongs to it."""
    kept: list[str] = []
    header: int | None = None  # where in kept the section's header is, while nothing but blank lines is below it
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
                    _drop_empty(kept, header if inside else None)
                    inside, removing, header = copy.found_in(section[1]), False, len(kept)
                else:
                    removing = inside and re.split("[=:]", body, maxsplit=1)[0].strip().lower() in _KEYS
            if removing:
                continue
        kept.append(line)
        if header is not None and body and len(kept) - 1 != header:
            header = None
    _drop_empty(kept, header if inside else None)
    return "".join(kept)


def _drop_empty(kept: list[str], header: int | None) -> None:
    """Take a header that nothing is below out again, with the blank lines after it."""
    if header is not None:
        del kept[header:]


def _parsed(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(default_section="]")
    parser.read_file(io.StringIO(text, newline=None))
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _masked(text: str) -> list[str]:
    lines = []
    hiding = False  # what is indented below a value that is hidden is a part of it
    for line in text.splitlines():
        found = _SETTING.match(line)
        if line[:1].isspace() and hiding and line.strip():
            line = f"{line[: len(line) - len(line.lstrip())]}{_MASK}"
        elif found is not None:
            hiding = found["name"].lower() not in _SHOWN
            line = f"{found['before']}{_MASK}" if hiding else line
        elif line.strip():
            hiding = False
            line = line if line.lstrip().startswith("[") else _LONG_WORD.sub(_MASK, line)
        lines.append(line)
    return lines
