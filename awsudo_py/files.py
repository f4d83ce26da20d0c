"""Replaces files: a user's own only as a change that was displayed first.

1. A file is replaced in one step: a temporary file beside it, 0600 from birth, fsync, rename. A run that is killed
   leaves the old content or the new.
2. A user's file keeps its mode and its owner, and a symbolic link keeps pointing at it.
3. A change is refused if the file no longer has the content from which the change was made.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import AwsudoError

if TYPE_CHECKING:
    from collections.abc import Callable

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Change(NamedTuple):
    """A user's file before and after a change; None stands for no file. new_mode: the mode of a file that is created.

    Its repr() does not contain the content, which may hold secrets.
    """

    path: str
    before: bytes | None
    after: bytes | None
    new_mode: int = 0o600

    def __repr__(self) -> str:
        return f"<Change {self.path!r}>"

    def diff(self, mask: Callable[[str], str] = str, *, context: int = 3) -> str:
        """The change in the format of diff -u; empty if there is none. mask hides what must not be displayed."""
        import difflib

        if self.before == self.after:
            return ""
        old, new = ("/dev/null" if content is None else self.path for content in (self.before, self.after))
        before, after = (
            mask((content or b"").decode("utf-8", "surrogateescape")).splitlines(keepends=True)
            for content in (self.before, self.after)
        )
        lines = difflib.unified_diff(before, after, old, new, n=context)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def apply(self, *, backup: str = "") -> str:
        """Rules 2 and 3: write the change. Returns the path of the backup, if one with that suffix is requested.

        Raises AwsudoError; then nothing was changed.
        """
        if self.before == self.after:
            return ""
        path = os.path.realpath(self.path)
        saved = f"{path}.{backup}" if backup and self.before is not None else ""
        if content_of(self.path) != self.before:
            raise AwsudoError(
                f"{self.path} was changed by another program in the meantime: nothing was written",
                hint="run the same command again",
            )
        try:
            if saved and self.before is not None:
                replace_file(saved, self.before)
            if self.after is None:
                os.unlink(path)
            elif self.before is None:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                replace_file(path, self.after, mode=self.new_mode)
            else:
                found = os.stat(path)
                replace_file(path, self.after, mode=stat.S_IMODE(found.st_mode), owner=(found.st_uid, found.st_gid))
        except OSError as error:
            raise AwsudoError(
                f"cannot change {self.path}: {error.strerror}", hint=_look_at(os.path.dirname(path), path)
            ) from None
        return saved


def content_of(path: str) -> bytes | None:
    """The content of a user's file; None if there is no such file. Raises AwsudoError."""
    try:
        # not blocking: the path may be that of a named pipe
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise AwsudoError(f"{path} is not a regular file", hint=_look_at(path))
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AwsudoError(f"cannot read {path}: {error.strerror}", hint=access_hint(path) or _look_at(path)) from None


def replace_file(
    path: str,
    content: bytes,
    *,
    mode: int = 0o600,
    owner: tuple[int, int] | None = None,
    modified: float | None = None,
) -> None:
    """Rule 1: put a file with this content in place of the one at the path, if there is one.

    owner: its user and group, modified: its modification time, if they are not those of a new file. Raises OSError;
    then the old file is still there.
    """
    temporary = f"{path}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    descriptor = os.open(temporary, _NEW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.name != "nt":
                if owner is not None and owner != (os.geteuid(), os.getegid()):
                    os.fchown(descriptor, *owner)
                os.fchmod(descriptor, mode)  # after the owner, as chown clears bits; and a umask may have taken some
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if modified is not None:
            os.utime(temporary, (modified, modified))
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def access_hint(path: str) -> str:
    """The hint about the owner of a file or directory that this process may not read; empty if it may."""
    if os.name == "nt":
        return ""
    parts = os.path.abspath(path).split(os.sep)
    for end in range(2, len(parts) + 1):
        place = os.sep.join(parts[:end])
        try:
            found = os.stat(place)
        except (OSError, ValueError):  # a null byte
            return ""
        needed = os.R_OK if end == len(parts) else os.X_OK
        if not os.access(place, needed):
            if found.st_uid == os.geteuid():
                import shlex

                bits = "u+r" if needed == os.R_OK else "u+rx"
                return f"it is yours, but its mode denies you access: chmod {bits} {shlex.quote(place)}"
            owner, us = user_name(found.st_uid), user_name(os.geteuid())
            return f"{place} belongs to {owner} (mode {stat.S_IMODE(found.st_mode):04o}), and awsudo runs as {us}"
    return ""


def user_name(uid: int) -> str:
    """The name of a user, or its number."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _look_at(*paths: str) -> str:
    import shlex

    return f"see: ls -ld {shlex.join(dict.fromkeys(paths))}"
