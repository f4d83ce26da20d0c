"""Gives the completion scripts: the files of completions/, which a wheel holds beside this module."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FILES = {"bash": "awsudo.bash", "zsh": "_awsudo", "fish": "awsudo.fish"}


def script(shell: str) -> bytes:
    """The completion script of this shell. Raises OSError where the installation lacks it."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    installed = os.path.join(here, "completions", FILES[shell])
    # a development install runs out of the checkout, where there is one copy of each
    path = installed if os.path.exists(installed) else os.path.join(os.path.dirname(here), "completions", FILES[shell])
    with open(path, "rb") as file:
        return file.read()


def print_script(words: Sequence[str]) -> int | None:
    """Print the script of the shell that words name; returns the exit code, None if it is for click to judge."""
    if len(words) != 1 or words[0] not in FILES:
        return None
    text = script(words[0])
    while text:
        text = text[os.write(1, text) :]
    return 0
