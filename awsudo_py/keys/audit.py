"""Finds the long-lived keys that lie on this machine, and names for each the command that removes it.

1. A key is shown by its id; the secret beside it is never stored, and never displayed.
2. Files are read as text, whatever state they are in: a key that is commented out, or in a file that no SDK would
   accept, can still be stolen.
3. AWS is not called, and nothing is changed.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
from glob import escape, glob
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.keys.aws_vault import is_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from awsudo_py.keys.index import StoredKey

#: IAM user guide, "IAM identifiers": AKIA is the prefix of long-lived access keys, ASIA that of temporary ones.
_KEY_ID = re.compile(r"(?<![A-Za-z0-9])AKIA[A-Z0-9]{12,124}(?![A-Za-z0-9])")
#: Secret keys have 40 characters of base64. Without one nearby, an id is a mention and opens nothing.
_SECRET = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
#: How far from its id (characters) a secret is searched for.
_NEARBY = 600
_SECTION = re.compile(r"(?m)^\s*\[\s*(?:profile\s+)?['\"]?([^\]\n'\"]+?)['\"]?\s*\]")
#: Larger files are no configuration, and are read up to here.
_MOST = 4 * 1024 * 1024


class Found(NamedTuple):
    """One long-lived key in one place."""

    access_key_id: str  # empty if the place is encrypted, and only a name is visible
    place: str  # as displayed: "profile base", "s3cmd", "the environment"
    file: str  # empty if it is not in a file
    mode: int | None  # the file's permission bits
    foreign: bool  # whether the file belongs to somebody else
    since: float | None  # since when the key is there at the latest (seconds since the epoch): the file's last change
    remedy: tuple[str, ...]  # commands
    kept_well: bool = False  # whether it is in the right place for a key: the OS keyring

    @property
    def open_to_others(self) -> bool:
        """Whether anybody but its owner can read the file."""
        return self.mode is not None and bool(self.mode & 0o077)


class Place(NamedTuple):
    """A place where a tool stores keys."""

    tool: str
    patterns: tuple[str, ...]  # of files, below the home
    remedy: Callable[[str, str], str]  # from file and section to a command
    sections: bool = False  # whether its files have [sections] that name the key


def _without_lines(pattern: str) -> Callable[[str, str], str]:
    """The remedy that deletes lines of a file."""
    in_place = "sed -i ''" if sys.platform == "darwin" else "sed -i"
    return lambda file, _: f"{in_place} -E {shlex.quote(f'/{pattern}/d')} {shlex.quote(file)}"


_AWS_LINES = _without_lines("aws_?(access_?key|secret)|AWS_(ACCESS_KEY|SECRET)")
#: Each from the documentation of its tool.
PLACES = (
    Place("a copy beside the AWS files", (".aws/*",), lambda file, _: f"rm {shlex.quote(file)}", True),
    Place("s3cmd", (".s3cfg",), _without_lines("^(access_key|secret_key) *=")),
    Place("boto", (".boto", "/etc/boto.cfg"), _AWS_LINES),
    Place(
        "rclone",
        (".config/rclone/rclone.conf", ".rclone.conf"),
        lambda _, section: (
            f"rclone config update {shlex.quote(section or 'REMOTE')} env_auth=true access_key_id= secret_access_key="
        ),
        True,
    ),
    Place("s3fs", (".passwd-s3fs", "/etc/passwd-s3fs"), lambda file, _: f"rm {shlex.quote(file)}"),
    Place("MinIO client", (".mc/config.json", ".mcli/config.json"), lambda _file, _: "mc alias remove ALIAS"),
    Place(
        "a shell's start-up file",
        (
            *(".profile", ".bashrc", ".bash_profile", ".bash_login", ".zshrc", ".zshenv", ".zprofile", ".zlogin"),
            *(".kshrc", ".mkshrc", ".cshrc", ".config/fish/config.fish", ".config/fish/conf.d/*.fish"),
            *(".pam_environment", ".config/environment.d/*.conf", "/etc/environment"),
        ),
        _AWS_LINES,
    ),
    Place(
        "fish's universal variables",
        (".config/fish/fish_variables",),
        lambda _file, _: "fish -c 'set -eU AWS_ACCESS_KEY_ID; set -eU AWS_SECRET_ACCESS_KEY'",
    ),
    Place(
        "a shell's history",
        (".bash_history", ".zsh_history", ".histfile", ".local/share/fish/fish_history", ".sh_history"),
        _AWS_LINES,
    ),
    Place("an .env file", (".env", ".envrc"), _AWS_LINES),
)


def audit(
    environ: Mapping[str, str],
    *,
    home: str,
    folder: str,
    config_file: str,
    credentials_file: str,
    stored: Mapping[str, StoredKey],
) -> Iterator[Found]:
    """All long-lived keys in the known places: the AWS files, the environment, other tools' files, the OS keyring.

    folder is searched for .env files, as is home; stored are the keys in the keyring, by their names.
    """
    seen: set[str] = set()
    for file in (credentials_file, config_file):
        seen.add(os.path.realpath(file))
        for access_key_id, section in _keys_in(file):
            name = section or "default"
            remedy = f"awsudo keys add {shlex.quote(name)} --import"
            yield _found(access_key_id, f"profile {name}", file, (remedy,))
    yield from _in_environment(environ)
    for place in PLACES:
        for file in _files(place.patterns, home, folder if place.tool == "an .env file" else home):
            if os.path.realpath(file) in seen:
                continue
            seen.add(os.path.realpath(file))
            for access_key_id, section in _keys_in(file, sections=place.sections):
                title = f"{place.tool}{f' ({section})' if section else ''}"
                yield _found(access_key_id, title, file, (place.remedy(file, section),))
    yield from _of_aws_vault(home)
    for name, key in stored.items():
        remedy = f"awsudo keys rotate {shlex.quote(name)}"
        title = f"the OS keyring ({name})"
        yield Found(key.access_key_id, title, "", None, False, key.stored, (remedy,), kept_well=True)


def _in_environment(environ: Mapping[str, str]) -> Iterator[Found]:
    temporary = bool(environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN"))
    for name, value in environ.items():
        # a short-term one, with another prefix, lasts 12 hours at most (Bedrock user guide, "API keys")
        if name.startswith("AWS_BEARER_TOKEN_") and value and not value.startswith("bedrock-api-key-"):
            yield Found("", f"the environment, {name}", "", None, False, None, (f"unset {name}",))
        # an id alone opens nothing; in the variables that SDKs read, its secret is beside it
        if _KEY_ID.fullmatch(value) and not (temporary and name == "AWS_ACCESS_KEY_ID"):
            secret = {"AWS_ACCESS_KEY_ID": " AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY": " AWS_SECRET_KEY"}
            yield Found(
                value, f"the environment, {name}", "", None, False, None, (f"unset {name}{secret.get(name, '')}",)
            )


def _of_aws_vault(home: str) -> Iterator[Found]:
    """aws-vault's encrypted files: only their names show whose keys they are."""
    for file in sorted(glob(os.path.join(escape(home), ".awsvault/keys/*"))):
        name = os.path.basename(file)
        if is_key(name) and os.path.isfile(file):
            quoted = shlex.quote(name)
            yield _found("", f"aws-vault ({name})", file, (f"awsudo keys add {quoted}", f"aws-vault remove {quoted}"))


def _found(access_key_id: str, place: str, file: str, remedy: tuple[str, ...]) -> Found:
    try:
        status = os.stat(file)
    except OSError:
        return Found(access_key_id, place, file, None, False, None, remedy)
    if os.name == "nt":  # access lists, not mode bits, decide who can read it
        return Found(access_key_id, place, file, None, False, status.st_mtime, remedy)
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        remedy = (f"chmod 600 {shlex.quote(file)}", *remedy)
    return Found(access_key_id, place, file, mode, status.st_uid != os.geteuid(), status.st_mtime, remedy)


def _files(patterns: Iterable[str], *folders: str) -> Iterator[str]:
    for folder in dict.fromkeys(folders):
        for pattern in patterns:
            yield from sorted(file for file in glob(os.path.join(escape(folder), pattern)) if os.path.isfile(file))


def _keys_in(file: str, *, sections: bool = True) -> list[tuple[str, str]]:
    """The long-lived keys in a file's text, each once per section: its id, and the section it stands in."""
    try:
        with open(file, "rb") as opened:
            text = opened.read(_MOST).decode("utf-8", "replace")
    except OSError:
        return []
    headings = [(header.start(), header[1].strip()) for header in _SECTION.finditer(text)] if sections else []
    found: dict[tuple[str, str], None] = {}
    for key in _KEY_ID.finditer(text):
        if _SECRET.search(text, max(key.start() - _NEARBY, 0), key.end() + _NEARBY):
            section = next((name for start, name in reversed(headings) if start < key.start()), "")
            found[(key[0], section)] = None
    return list(found)
