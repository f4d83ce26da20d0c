"""Checks the permissions of the files with credentials: the AWS files, the SSO cache, and awsudo's own."""

from __future__ import annotations

import os
import shlex
import stat
from typing import TYPE_CHECKING

from awsudo_py.doctor.finding import Finding, ok, problem, warning
from awsudo_py.files import user_name
from awsudo_py.resolve.aws_config import places
from awsudo_py.sessions.file_store import cache_directory, data_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOPIC = "permissions"


def check(environ: Mapping[str, str]) -> Iterator[Finding]:
    """All findings about the files that these variables lead to."""
    if os.name == "nt":
        return  # access lists decide there, not mode bits
    config, credentials = places(environ)
    found = [*_file(credentials), *_files_in(os.path.join(os.path.dirname(config), "sso", "cache"))]
    for directory in dict.fromkeys(map(os.path.dirname, (config, credentials))):
        found += _writable(directory)
    for place in (cache_directory(environ), data_directory(environ)):
        found += _own(place) if place else ()
    yield from found
    if not found:
        yield ok(TOPIC, "credentials, sign-ins and cached sessions are readable only by you")


def _file(path: str) -> Iterator[Finding]:
    try:
        found = os.stat(path)
    except OSError:
        return
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        yield warning(TOPIC, f"{path} belongs to {user_name(found.st_uid)}", f"see: ls -l {shlex.quote(path)}")
    elif mode & 0o077 and stat.S_ISREG(found.st_mode):
        yield warning(TOPIC, f"{path} is open to others (mode {mode:04o})", f"chmod 600 {shlex.quote(path)}")


def _files_in(directory: str) -> Iterator[Finding]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        if name.endswith(".json"):
            yield from _file(os.path.join(directory, name))


def _writable(directory: str) -> Iterator[Finding]:
    try:
        mode = stat.S_IMODE(os.stat(directory).st_mode)
    except OSError:
        return
    if mode & 0o022 and not mode & stat.S_ISVTX:
        quoted = shlex.quote(directory)
        yield warning(TOPIC, f"{directory} can be written by others (mode {mode:04o})", f"chmod go-w {quoted}")


def _own(directory: str) -> Iterator[Finding]:
    try:
        found = os.lstat(directory)
    except OSError:
        return
    quoted, mode = shlex.quote(directory), stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        yield problem(TOPIC, f"{directory} is not a directory, so nothing is cached", f"see: ls -ld {quoted}")
    elif found.st_uid != os.geteuid():
        text = f"{directory} belongs to {user_name(found.st_uid)}, so nothing is cached"
        yield problem(TOPIC, text, f"sudo chown -R {user_name(os.geteuid())} {quoted}")
    elif mode & 0o077:
        text = f"{directory} is open to others (mode {mode:04o}), so nothing is cached"
        yield problem(TOPIC, text, f"chmod 700 {quoted}")
