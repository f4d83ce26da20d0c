"""Makes directories that are the user's alone.

The number is that of the cache's rules, which the tests carry too.

1. A directory is 0700 from birth, and is made below one that is the user's or the system's.
"""

from __future__ import annotations

import os
import stat


def make_private(directory: str) -> None:
    """Make a directory and those above it that are missing, each 0700.

    Nothing is created in a user's directory by another user: root with that user's HOME (sudo -E) would leave files
    that the user can neither read nor remove. A directory of the system is fine for all who can enter it.
    """
    parent = os.path.dirname(directory)
    if not os.path.isdir(parent) and parent != directory:
        make_private(parent)
    if os.name != "nt":
        owner = os.stat(parent).st_uid
        if owner not in (os.geteuid(), 0):
            raise PermissionError(f"{parent} belongs to {_user(owner)}")
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        return
    if os.name != "nt" and os.lstat(directory).st_mode & 0o777 != 0o700:
        os.chmod(directory, 0o700)  # a umask took bits that we need; it is not ours to set: threads share it


def not_private(directory: str) -> str:
    """The reason why a directory is not ours alone, for messages."""
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode):
        return "not a directory"
    if os.name != "nt" and found.st_uid != os.geteuid():
        return f"not yours, it belongs to {_user(found.st_uid)}"
    import shlex

    return f"open to others; to close it: chmod 700 {shlex.quote(directory)}"


def _user(number: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError):
        return f"user {number}"
