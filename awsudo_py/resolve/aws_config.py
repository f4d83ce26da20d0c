"""Reads profiles and their settings out of the AWS configuration files."""

from __future__ import annotations

import os
import re
import shlex
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import ConfigError, NoSuchProfile, did_you_mean, shortened
from awsudo_py.files import access_hint
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.quick_reader import quick_sections

if TYPE_CHECKING:
    import configparser
    from collections.abc import Mapping

    from awsudo_py.fingerprint import Files
    from awsudo_py.keys.index import StoredKey

Settings = dict[str, str]


class AwsConfig(NamedTuple):
    """Both files, as the SDKs read them, and the names of the keys in the OS keyring."""

    config_file: str
    credentials_file: str
    in_config: dict[str, Settings]  # by profile name
    in_credentials: dict[str, Settings]
    sso_sessions: dict[str, Settings]
    services: dict[str, Settings]
    strays: Mapping[str, Settings]  # the config file's sections that the SDKs ignore
    stored: Mapping[str, StoredKey] = MappingProxyType({})  # by profile name
    unreadable: tuple[ConfigError, ...] = ()  # the reason if a file could not be read
    added: frozenset[str] = frozenset()  # names of profiles that are in no file: roles that a portal lists
    about_home: str = ""  # for messages: the owner of the home with the files, if that may be unexpected

    def names(self) -> list[str]:
        """All profile names, those of the config file first."""
        return list(dict.fromkeys((*self.in_config, *self.in_credentials, *self.stored)))

    def profile(self, name: str) -> Settings | None:
        """The profile's settings; the credentials file wins over the config file, key by key."""
        config, credentials = self.in_config.get(name), self.in_credentials.get(name)
        if config is None and credentials is None and name not in self.stored:
            return None
        if credentials is None and config is not None:
            return config  # as it is for nearly all of thousands: copying them is what takes time
        return {**(config or {}), **(credentials or {})}

    def require(self, name: str, named_by: str = "") -> Settings:
        """The profile's settings. Raises NoSuchProfile, with the origin of the name and a similar name."""
        settings = self.profile(name)
        if settings is not None:
            return settings
        self.refuse_unreadable(f"profile {shortened(name, 80)} is not in the files that can be read")
        names = self.names()
        hint = self._misplaced(name) or did_you_mean(name, names)
        if not hint and names:
            hint = "list them: awsudo list"
        if not hint:
            hint = f"there are no profiles in {self.config_file}; make one: aws configure sso"
        origin = f" (named by {named_by})" if named_by else ""
        files = f"{self.config_file} or {self.credentials_file}"
        hints = tuple(line for line in (hint, self.about_home) if line)
        raise NoSuchProfile(f"no profile {shortened(name, 80)!r}{origin} in {files}", hint=hints)

    def refuse_unreadable(self, missing: str) -> None:
        """Fail if a file cannot be read, since something is missing. Raises ConfigError."""
        for error in self.unreadable:
            raise ConfigError(error.message, hint=(*error.hints, missing))

    def _misplaced(self, name: str) -> str:
        """The hint about a header that resembles this profile's."""
        for file, sections, header in (
            (self.config_file, self.strays, _header("profile", name)),
            (self.credentials_file, self.in_credentials, f"[{name}]"),
        ):
            for section in sections:
                bare = re.sub(r"^\s*profile(?=\W)\s*|^profile", "", section, flags=re.IGNORECASE)
                if (section != name and bare.strip().strip("\"'") == name) or section.strip() == name:
                    return f"{file} has [{shortened(section, 80)}], but the SDKs read {header} there"
        for file, in_config in ((self.config_file, True), (self.credentials_file, False)):
            line = _indented_header(file, name, in_config=in_config)
            if line:
                return f"{file}: line {line} is indented, and so continues the setting above it: remove the blanks"
        return ""

    def session_header(self, name: str) -> str:
        """The hint about a header that resembles this SSO session's; empty without one."""
        for section in self.strays:
            if re.sub(r"^\s*sso-session\s*", "", section, flags=re.IGNORECASE).strip().strip("\"'") == name:
                return f"{self.config_file} has [{section}], but the SDKs read {_header('sso-session', name)} there"
        return ""

    def lost(self, profile: str, *keys: str) -> str:
        """The hint about a key that is missing in a profile but written nearby; empty without one."""
        for key, value in (self.profile(profile) or {}).items():
            found = next((each for each in keys if re.search(rf"(?m)^{each}\s*[=:]", value)), None)
            if found:
                place = self.at(profile, key)
                return f"{found} is indented below {key} ({place}), and so is a part of it: remove the blanks before it"
        for file, sections in ((self.config_file, self.strays), (self.credentials_file, self.in_credentials)):
            found = next((key for key in keys if key in sections.get("DEFAULT", {})), None)
            if found:
                return f"{found} is in [DEFAULT] of {file}, which no profile inherits: move it to the profile"
        return ""

    def home_of(self, profile: str) -> str:
        """The file that has this profile's section, for messages."""
        return self.config_file if profile in self.in_config else self.credentials_file

    def where(self, profile: str, key: str) -> str:
        """The file that decides this key of this profile, for messages."""
        return self.credentials_file if key in self.in_credentials.get(profile, {}) else self.config_file

    def at(self, profile: str, key: str) -> str:
        """The file and the line of this key of this profile, for messages about a value; reads the file again."""
        from awsudo_py.resolve.setting_lines import (
            setting_lines,
        )  # here, so that runs without a mistake do not import it

        file = self.where(profile, key)
        try:
            with open(file, encoding="utf-8", errors="replace", newline="") as text:
                lines = setting_lines(text.read(), in_config=file == self.config_file)
        except OSError:
            return file
        return f"{file}, line {lines[profile, key]}" if (profile, key) in lines else file

    def origin(self, profile: str, key: str) -> Origin:
        """Where this key of this profile is written, for messages about its value."""
        what = f"{key} of profile {profile}"
        return Origin(f"{what} ({self.where(profile, key)})", ConfigError, lambda: f"{what} ({self.at(profile, key)})")

    def __repr__(self) -> str:  # the credentials file holds secrets
        return f"<AwsConfig {self.config_file} {self.credentials_file}>"


def load(environ: Mapping[str, str], files: Files) -> AwsConfig:
    """Read both files. One that is missing, or cannot be read, is empty; see AwsConfig.refuse_unreadable().

    Raises ConfigError with the file and the line of a mistake.
    """
    config_file, credentials_file = places(environ)
    if any(mark in environ.get(f"AWS_{name}_FILE", "") for name in ("CONFIG", "SHARED_CREDENTIALS") for mark in "$%"):
        files.settled = False  # it depends on a variable that no later run would check
    kinds: dict[str, dict[str, Settings]] = {"profile": {}, "sso-session": {}, "services": {}}
    strays: dict[str, Settings] = {}
    unreadable: list[ConfigError] = []
    for section, settings in _readable_sections(config_file, files, unreadable).items():
        if section == "default":
            kinds["profile"]["default"] = settings
            continue
        kind, name = kind_and_name(section)
        if kind in kinds and name is not None:
            kinds[kind][name] = settings
        else:
            strays[section] = settings
    return AwsConfig(
        config_file,
        credentials_file,
        kinds["profile"],
        _readable_sections(credentials_file, files, unreadable),
        kinds["sso-session"],
        kinds["services"],
        strays,
        unreadable=tuple(unreadable),
        about_home=_about_home(environ),
    )


def _readable_sections(path: str, files: Files, unreadable: list[ConfigError]) -> dict[str, Settings]:
    try:
        return _sections(path, files)
    except _UnreadableError as error:
        unreadable.append(error)
        return {}


def _about_home(environ: Mapping[str, str]) -> str:
    """The owner of the home with the AWS files, if it may be unexpected: under sudo, and without a home."""
    user = environ.get("SUDO_USER")
    if user and user != "root" and hasattr(os, "geteuid") and os.geteuid() == 0:
        return (
            f"sudo runs awsudo as root, with root's files, not those of {user}: awsudo TARGET sudo COMMAND… uses yours"
        )
    if os.path.expanduser("~") == "~":
        return "there is no home directory: HOME is not set, and this user has no entry in the password database"
    return ""


class _UnreadableError(ConfigError):
    """A file is there, and cannot be read."""


def faults(environ: Mapping[str, str], files: Files) -> list[ConfigError]:
    """The fault of each of the two files, if it cannot be read."""
    found = []
    for path in places(environ):
        try:
            _sections(path, files)
        except ConfigError as error:
            found.append(error)
    return found


def nested(value: str) -> Settings:
    """The indented settings below a key (`sts =` and then `endpoint_url = …`). ValueError if they are not settings."""
    pairs = [line.split("=", 1) for line in value.splitlines() if line.strip()]
    if any(len(pair) == 1 for pair in pairs):
        raise ValueError("a line without =")
    return {name.strip(): setting.strip() for name, setting in pairs}


def places(environ: Mapping[str, str]) -> tuple[str, str]:
    """Where the config file and the credentials file are, whether they exist or not."""
    return _path(environ, "AWS_CONFIG_FILE", "config"), _path(environ, "AWS_SHARED_CREDENTIALS_FILE", "credentials")


def _path(environ: Mapping[str, str], variable: str, name: str) -> str:
    return os.path.expanduser(os.path.expandvars(environ.get(variable) or os.path.join("~", ".aws", name)))


def _sections(path: str, files: Files) -> dict[str, Settings]:
    try:
        content = files.read(path)
        if content is None:
            return {}
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}: line {line} is not UTF-8 text",
            hint=f"find it: sed -n {line}p {shlex.quote(path)} | od -c; then write the file again as UTF-8",
        ) from None
    except OSError as error:
        raise _UnreadableError(
            f"cannot read {path}: {error.strerror}", hint=access_hint(path) or f"see: ls -ld {shlex.quote(path)}"
        ) from None
    found = quick_sections(text)
    return _parsed(path, text) if found is None else found


def _parsed(path: str, text: str) -> dict[str, Settings]:
    """The sections found by the SDKs' own parser. Raises ConfigError."""
    import configparser
    import io

    # RawConfigParser lets all sections inherit [DEFAULT]; nothing is inherited here, so it gets a name
    # that no section can have.
    parser = configparser.RawConfigParser(default_section="\n")
    try:
        parser.read_file(io.StringIO(text, newline=None), source=path)
    except configparser.Error as error:
        raise _unparsable(path, error) from None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _header(kind: str, name: str) -> str:
    """The header of a section of the config file, quoted as the SDKs read it."""
    plain = re.fullmatch(r"[^\s'\"\\\[\]]+", name)
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f"[{kind} {name}]" if plain else f'[{kind} "{escaped}"]'


def _indented_header(file: str, name: str, *, in_config: bool) -> int:
    """The line of this profile's header if it is indented, and so is none; 0 if there is no such line."""
    header = re.escape(_header("profile", name) if in_config and name != "default" else f"[{name}]")
    try:
        with open(file, encoding="utf-8", errors="replace") as text:
            return next((number for number, line in enumerate(text, 1) if re.match(rf"[ \t]+{header}", line)), 0)
    except OSError:
        return 0


def _unparsable(path: str, error: configparser.Error) -> ConfigError:
    import configparser

    if isinstance(error, configparser.DuplicateSectionError):
        what = f"line {error.lineno}: duplicate section [{error.section}]"
        hint = "the SDKs refuse the whole file: merge the two sections"
    elif isinstance(error, configparser.DuplicateOptionError):
        what = f"line {error.lineno}: duplicate setting {error.option} in [{error.section}]"
        hint = "the SDKs refuse the whole file: remove one of the two"
    elif isinstance(error, configparser.MissingSectionHeaderError):
        what, hint = f"line {error.lineno} is before any [section]", "give it a section, such as [default]"
        if error.line.startswith("\ufeff"):
            what, hint = (
                "line 1 begins with a byte order mark",
                "the SDKs refuse it: save the file as UTF-8 without BOM",
            )
    elif isinstance(error, configparser.ParsingError) and error.errors:
        # the line's text is not shown: in a credentials file it may be a secret
        what, hint = f"line {error.errors[0][0]} is neither a [section] nor `key = value`", "correct that line"
    else:
        what, hint = "not a configuration file", "see: aws configure list"
    return ConfigError(f"{path}: {what}", hint=hint)


def kind_and_name(section: str) -> tuple[str, str | None]:
    """`profile x` and `profile "x y"` as the SDKs split them."""
    if section.isascii() and "'" not in section and '"' not in section and "\\" not in section:
        parts = section.split()  # the same result as shlex, much faster: it matters with thousands of profiles
    else:
        try:
            parts = shlex.split(section)
        except ValueError:
            return section, None
    for kind in ("profile", "sso-session", "services"):
        if section.startswith(kind):
            return kind, parts[1] if len(parts) == 2 else None
    return section, None
