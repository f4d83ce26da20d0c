"""Reads profiles and their settings out of the AWS configuration files."""

from __future__ import annotations

import configparser
import io
import os
import shlex
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import ConfigError, NoSuchProfile, did_you_mean, shortened
from awsudo_py.files import access_hint
from awsudo_py.resolve.limits import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.fingerprint import Files
    from awsudo_py.keys.index import StoredKey

Settings = dict[str, str]


class AwsConfig(NamedTuple):
    """Both files, as the SDKs understand them, and the keys that the OS keyring has beside them."""

    config_file: str
    credentials_file: str
    in_config: dict[str, Settings]  # by profile name
    in_credentials: dict[str, Settings]
    sso_sessions: dict[str, Settings]
    services: dict[str, Settings]
    strays: frozenset[str]  # names of the config file's sections that are nothing to the SDKs
    stored: Mapping[str, StoredKey] = MappingProxyType({})  # by profile name

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

    def require(self, name: str, said_by: str = "") -> Settings:
        """The profile's settings. Raises NoSuchProfile, which says who named it and which name was perhaps meant."""
        settings = self.profile(name)
        if settings is not None:
            return settings
        names = self.names()
        hint = self._misplaced(name) or did_you_mean(name, names)
        if not hint and names:
            hint = "list them: awsudo list"
        if not hint:
            hint = f"there are no profiles in {self.config_file}; make one: aws configure sso"
        said = f" (named by {said_by})" if said_by else ""
        places = f"{self.config_file} or {self.credentials_file}"
        raise NoSuchProfile(f"no profile {shortened(name, 80)!r}{said} in {places}", hint=hint)

    def _misplaced(self, name: str) -> str:
        """The hint for a header that looks like this profile's and is not."""
        written = f'"{name}"' if " " in name else name
        if name in self.strays:
            return f"{self.config_file} has a section of that name, but the SDKs read [profile {written}] there"
        if f"profile {name}" in self.in_credentials:
            return f"{self.credentials_file} has [profile {name}], but the SDKs read [{name}] there"
        return ""

    def home_of(self, profile: str) -> str:
        """The file that has this profile's section, for messages."""
        return self.config_file if profile in self.in_config else self.credentials_file

    def where(self, profile: str, key: str) -> str:
        """The file that decides this key of this profile, for messages."""
        return self.credentials_file if key in self.in_credentials.get(profile, {}) else self.config_file

    def at(self, profile: str, key: str) -> str:
        """The file and the line of this key of this profile, for messages about a value; reads the file again."""
        from awsudo_py.resolve.setting_lines import setting_lines  # here, so that runs without a mistake do without it

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
    """Read both files; a missing one is empty. Raises ConfigError naming the file, and the line where there is one."""
    config_file, credentials_file = places(environ)
    if any(mark in environ.get(f"AWS_{name}_FILE", "") for name in ("CONFIG", "SHARED_CREDENTIALS") for mark in "$%"):
        files.settled = False  # a variable decides that no later run would look at
    kinds: dict[str, dict[str, Settings]] = {"profile": {}, "sso-session": {}, "services": {}}
    strays: set[str] = set()
    for section, settings in _sections(config_file, files).items():
        if section == "default":
            kinds["profile"]["default"] = settings
            continue
        kind, name = kind_and_name(section)
        if kind in kinds and name is not None:
            kinds[kind][name] = settings
        else:
            strays.add(section.removeprefix("profile "))
    return AwsConfig(
        config_file,
        credentials_file,
        kinds["profile"],
        _sections(credentials_file, files),
        kinds["sso-session"],
        kinds["services"],
        frozenset(strays),
    )


def faults(environ: Mapping[str, str], files: Files) -> list[ConfigError]:
    """What is wrong with each of the two files, if anything keeps it from being read."""
    found = []
    for path in places(environ):
        try:
            _sections(path, files)
        except ConfigError as error:
            found.append(error)
    return found


def nested(value: str) -> Settings:
    """The indented settings below a key (`sts =` and then `endpoint_url = …`). ValueError if they are none."""
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
    # [DEFAULT], to RawConfigParser, is inherited by all; nothing is inherited here, so it is called by a name
    # that no section can have.
    parser = configparser.RawConfigParser(default_section="\n")
    try:
        content = files.read(path)
        if content is None:
            return {}
        parser.read_file(io.StringIO(content.decode("utf-8"), newline=None), source=path)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}: line {line} is not UTF-8 text",
            hint=f"find it: sed -n {line}p {shlex.quote(path)} | od -c; then write the file again as UTF-8",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", hint=access_hint(path) or f"see: ls -ld {shlex.quote(path)}"
        ) from None
    except configparser.Error as error:
        raise _unparsable(path, error) from None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _unparsable(path: str, error: configparser.Error) -> ConfigError:
    if isinstance(error, configparser.DuplicateSectionError):
        what = f"line {error.lineno}: section [{error.section}] is there twice"
        hint = "the SDKs refuse such a file whole: merge the two sections"
    elif isinstance(error, configparser.DuplicateOptionError):
        what = f"line {error.lineno}: {error.option} is there twice in [{error.section}]"
        hint = "the SDKs refuse such a file whole: remove one of the two"
    elif isinstance(error, configparser.MissingSectionHeaderError):
        what, hint = f"line {error.lineno} stands before any [section]", "give it a section, such as [default]"
        if error.line.startswith("\ufeff"):
            what, hint = (
                "line 1 begins with a byte order mark",
                "the SDKs refuse it: save the file as UTF-8 without BOM",
            )
    elif isinstance(error, configparser.ParsingError) and error.errors:
        # the line's text is not shown: in a credentials file it may be a secret
        what, hint = f"line {error.errors[0][0]} is neither a [section] nor `key = value`", "mend that line"
    else:
        what, hint = "not a configuration file", "see: aws configure list"
    return ConfigError(f"{path}: {what}", hint=hint)


def kind_and_name(section: str) -> tuple[str, str | None]:
    """`profile x` and `profile "x y"` as the SDKs part them."""
    if section.isascii() and "'" not in section and '"' not in section and "\\" not in section:
        parts = section.split()  # what shlex gives, much faster: it counts with thousands of profiles
    else:
        try:
            parts = shlex.split(section)
        except ValueError:
            return section, None
    for kind in ("profile", "sso-session", "services"):
        if section.startswith(kind):
            return kind, parts[1] if len(parts) == 2 else None
    return section, None
