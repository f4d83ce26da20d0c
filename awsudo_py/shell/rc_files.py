"""Puts lines into a shell's start-up file, or takes them out again: first as a change that can be shown, then for real.

1. What is ours stands between two marks; nothing else in the file is touched, and doing it twice is doing it once.
2. A file is replaced whole, its mode kept; a link stays a link, and what it leads to is changed.
"""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import AwsudoError
from awsudo_py.shell.shell_init import COMPLETION

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGIN, END = "# >>> awsudo completion >>>\n", "# <<< awsudo completion <<<\n"
#: What stands between the marks.
_LINES = {
    "bash": COMPLETION["bash"],
    "zsh": "(( ${+functions[compdef]} )) || { autoload -Uz compinit && compinit; }\n" + COMPLETION["zsh"],
    "fish": "command -q awsudo; and awsudo completion fish | source\n",
}


class Change(NamedTuple):
    """A file as it is, and as it shall be; None stands for no file."""

    path: str
    before: str | None
    after: str | None

    @property
    def diff(self) -> str:
        """What would change, as diff -u shows it; empty if nothing would."""
        if self.before == self.after:
            return ""
        old, new = ("/dev/null" if text is None else self.path for text in (self.before, self.after))
        lines = difflib.unified_diff(_lines(self.before), _lines(self.after), old, new)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def make(self) -> None:
        """Rule 2: make the change. Raises AwsudoError."""
        path = os.path.realpath(self.path)
        try:
            if self.after is None:
                os.unlink(path)
                return
            os.makedirs(os.path.dirname(path), exist_ok=True)
            mode = os.stat(path).st_mode & 0o7777 if os.path.exists(path) else 0o644
            temporary = f"{path}.awsudo.{os.getpid()}"
            try:
                with open(temporary, "x", encoding="utf-8", errors="surrogateescape", newline="") as file:
                    os.chmod(temporary, mode)
                    file.write(self.after)
                os.replace(temporary, path)
            except BaseException:
                if os.path.exists(temporary):
                    os.unlink(temporary)
                raise
        except OSError as error:
            raise AwsudoError(f"cannot change {self.path}: {error.strerror}", hint=f"see: ls -ld {self.path}") from None


def change(shell: str, environ: Mapping[str, str], *, remove: bool = False) -> Change:
    """The change that lets this shell complete awsudo, or takes that away again. Raises AwsudoError."""
    path = _path(shell, environ)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            before: str | None = file.read()
    except FileNotFoundError:
        before = None
    except OSError as error:
        raise AwsudoError(f"cannot read {path}: {error.strerror}", hint=f"see: ls -ld {path}") from None
    without = _without(before or "", path)
    if remove:
        # a file that held nothing but our lines was made by us
        return Change(path, before, None if before and not without else before and without)
    start = without if not without or without.endswith("\n") else f"{without}\n"
    return Change(path, before, f"{start}{BEGIN}{_LINES[shell]}{END}")


def _path(shell: str, environ: Mapping[str, str]) -> str:
    """The file that a shell reads whenever it talks to somebody."""
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
        raise AwsudoError(f"{path} has the mark {BEGIN.strip()!r} and no end to it", hint="remove those lines by hand")
    return before + after


def _lines(text: str | None) -> list[str]:
    return (text or "").splitlines(keepends=True)
