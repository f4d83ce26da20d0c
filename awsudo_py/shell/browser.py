"""Opens a page in the user's browser, or puts a text on the clipboard.

1. No page is opened that would not be seen: not over ssh, and not without a display, unless BROWSER names a program.
2. A browser that stays in the foreground does not block awsudo.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from shutil import which
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds within which a browser reports that it did not start.
_PATIENCE = 3.0
#: Programs that put stdin on the clipboard, by the variable that shows that they have a display.
_CLIPBOARDS = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
)


def over_ssh(environ: Mapping[str, str]) -> bool:
    """Whether the user is at another machine."""
    return any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"))


def has_browser(environ: Mapping[str, str]) -> bool:
    """Rule 1: whether a browser that is opened from here would be seen."""
    if environ.get("BROWSER"):
        return True
    if over_ssh(environ):
        return False
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_page(url: str, environ: Mapping[str, str]) -> bool:
    """Open a page in the browser; returns whether one took it (rule 2: or has not failed for three seconds)."""
    if not has_browser(environ):
        return False
    import webbrowser

    opened: list[bool] = []

    def start() -> None:
        try:
            opened.append(webbrowser.open(url))
        except (OSError, webbrowser.Error):
            opened.append(False)

    # a thread of its own: open() returns when the program that BROWSER names has ended
    thread = threading.Thread(target=start, daemon=True)
    with _quiet():
        thread.start()
        thread.join(_PATIENCE)
    return opened[0] if opened else True


def copy(text: str, environ: Mapping[str, str], terminal: int | None) -> str:
    """Put a text on the clipboard; returns by what, empty if nothing could.

    terminal: a descriptor of the terminal. Over ssh it gets the text in an OSC 52 sequence, which puts it on the
    clipboard of the machine that the person sits at, if the terminal program allows it.
    """
    if not over_ssh(environ):
        for variable, words in _CLIPBOARDS:
            if environ.get(variable) and which(words[0]) and _fed(words, text):
                return words[0]
        for words in (("pbcopy",), ("clip.exe",)):
            if which(words[0]) and _fed(words, text):
                return words[0]
    if terminal is None:
        return ""
    sequence = b"\x1b]52;c;" + base64.b64encode(text.encode()) + b"\x07"
    if environ.get("TMUX"):
        # tmux passes on what it does not know only in this envelope (tmux(1), allow-passthrough)
        sequence = b"\x1bPtmux;" + sequence.replace(b"\x1b", b"\x1b\x1b") + b"\x1b\\"
    try:
        os.write(terminal, sequence)
    except OSError:
        return ""
    return "OSC 52"


def _fed(words: tuple[str, ...], text: str) -> bool:
    try:
        done = subprocess.run(
            words, input=text.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


class _quiet:
    """Keeps a browser's output off stdout, which belongs to the link, and off the terminal."""

    def __enter__(self) -> None:
        self._saved = [os.dup(number) for number in (1, 2)]
        null = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(null, number)
        os.close(null)

    def __exit__(self, *_: object) -> None:
        for number, saved in zip((1, 2), self._saved, strict=True):
            os.dup2(saved, number)
            os.close(saved)
