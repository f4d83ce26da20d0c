"""Adds awsudo's lines to a shell's start-up file, or removes them.

They are between two marks. Nothing else in the file changes, and adding them twice is the same as adding them once.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from awsudo_py.errors import AwsudoError
from awsudo_py.files import Change, content_of
from awsudo_py.shell.shell_init import COMPLETION

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGIN, END = "# >>> awsudo completion >>>\n", "# <<< awsudo completion <<<\n"
#: The lines between the marks.
_LINES = {
    "bash": COMPLETION["bash"],
    "zsh": "(( ${+functions[compdef]} )) || { autoload -Uz compinit && compinit; }\n" + COMPLETION["zsh"],
    "fish": "command -q awsudo; and awsudo completion fish | source\n",
}


def change(shell: str, environ: Mapping[str, str], *, remove: bool = False) -> Change:
    """The change that sets up completion for this shell, or removes it. Raises AwsudoError."""
    path = rc_file(shell, environ)
    before = content_of(path)
    text = (before or b"").decode("utf-8", "surrogateescape")
    without = _without(text, path)
    if remove:
        # a file that held nothing but our lines was created by us
        after = None if text and not without else without if before is not None else None
    else:
        start = without if not without or without.endswith("\n") else f"{without}\n"
        after = f"{start}{BEGIN}{_LINES[shell]}{END}"
    return Change(path, before, None if after is None else after.encode("utf-8", "surrogateescape"), new_mode=0o644)


def rc_file(shell: str, environ: Mapping[str, str]) -> str:
    """The file that an interactive shell of this kind reads when it starts."""
    home = os.path.expanduser("~")
    if shell == "bash":
        return os.path.join(home, ".bashrc")
    if shell == "zsh":
        return os.path.join(environ.get("ZDOTDIR") or home, ".zshrc")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return os.path.join(config, "fish", "completions", "awsudo.fish")


def _without(text: str, path: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    if not begin:
        return text
    _, end, after = rest.partition(END)
    if not end:
        raise AwsudoError(
            f"{path} has the line {BEGIN.strip()!r} without {END.strip()!r} after it",
            hint="remove awsudo's lines by hand",
        )
    return before + after
