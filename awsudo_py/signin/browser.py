"""Opens a page in the user's browser, and tells whether this machine has one."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Programs that open a page on a Unix desktop, in this order.
_OPENERS = (("xdg-open",), ("wslview",), ("gio", "open"), ("x-www-browser",), ("firefox",), ("chromium",))
#: Files and variables by which a container is known; its loopback address is not that of the user's browser.
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_CONTAINER_VARIABLES = ("container", "KUBERNETES_SERVICE_HOST", "CODESPACES", "REMOTE_CONTAINERS")


def callback_arrives(environ: Mapping[str, str], exists: Callable[[str], bool] = os.path.exists) -> bool:
    """Whether a browser that the user sees can reach a loopback address of this machine: not over ssh, for one."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return False
    if any(environ.get(name) for name in _CONTAINER_VARIABLES) or any(exists(path) for path in _CONTAINER_FILES):
        return False
    return _has_desktop(environ)


def open_page(url: str, environ: Mapping[str, str]) -> bool:
    """Open a page; returns whether a program was started for it. Never waits for that program.

    It gets no descriptor of ours: browsers write to stdout, which is the command's. It is not a child of the terminal's
    session, so that Ctrl-C leaves the browser alone.
    """
    if sys.platform == "win32":
        try:
            os.startfile(url)
        except OSError:
            return False
        return True
    return any(_start(command, environ) for command in _commands(url, environ))


def _has_desktop(environ: Mapping[str, str]) -> bool:
    has_display = bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY") or environ.get("BROWSER"))
    return sys.platform in ("darwin", "win32", "cygwin") or has_display or bool(environ.get("WSL_DISTRO_NAME"))


def _commands(url: str, environ: Mapping[str, str]) -> Iterator[list[str]]:
    """Programs that open a page, best first: what BROWSER names (`cmd`, `cmd %s`, several separated by colons)."""
    for entry in environ.get("BROWSER", "").split(os.pathsep):
        try:
            words = shlex.split(entry.rstrip(" &"))
        except ValueError:
            continue
        if words:
            yield [word.replace("%s", url) for word in words] if "%s" in entry else [*words, url]
    if sys.platform == "darwin":
        yield ["/usr/bin/open", url]
    elif _has_desktop(environ):
        yield from ([*words, url] for words in _OPENERS)


def _start(command: list[str], environ: Mapping[str, str]) -> bool:
    if shutil.which(command[0], path=environ.get("PATH")) is None:
        return False
    try:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
    except OSError:
        return False
    return True
