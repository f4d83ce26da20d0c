"""Checks the installation: versions, other programs of the name, and the shell's setup for awsudo."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from awsudo_py import __version__
from awsudo_py.doctor.finding import Finding, ok, warning
from awsudo_py.shell.calling import calling_shell, users_shell
from awsudo_py.shell.rc_files import rc_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Shells whose completion awsudo installs.
_COMPLETED = ("bash", "zsh", "fish")


def versions(environ: Mapping[str, str]) -> Iterator[Finding]:
    """The versions of awsudo and its dependencies, and which awsudo the PATH finds first."""
    found = [f"awsudo {__version__}", f"Python {platform.python_version()}"]
    for name in ("botocore", "boto3"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    yield ok("versions", ", ".join(found))
    first = shutil.which("awsudo", path=environ.get("PATH"))
    own = os.path.realpath(sys.argv[0])
    if first is not None and os.path.basename(own) == "awsudo" and os.path.realpath(first) != own:
        yield warning(
            "versions",
            f"PATH finds another awsudo first: {first}; this is {own}",
            f"see: {shlex.quote(first)} --version",
        )


def shell(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether completion is set up for the shell in use."""
    name = calling_shell()
    if name not in _COMPLETED:
        name = os.path.basename(users_shell(environ))
    if name not in _COMPLETED:
        return
    path = rc_file(name, environ)
    text = _text(path) + (_text(os.path.join(os.path.dirname(path), "..", "config.fish")) if name == "fish" else "")
    if "awsudo completion" in text:
        yield ok("completion", f"set up for {name}")
    elif "awsudo shell-init" in text:
        yield ok("completion", f"set up for {name}, with awsudo-use")
    else:
        yield warning("completion", f"not set up for {name}", "awsudo completion --install")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1024 * 1024)
    except OSError:
        return ""
