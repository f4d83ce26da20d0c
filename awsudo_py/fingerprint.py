"""What can decide a resolution: the environment variables, and the files as they looked when they were read."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: Besides all names that begin with AWS_ or AWSUDO_: variables that move the home, and those that name sessions.
DECIDING = (
    *("HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA"),
    *("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME"),
    *("LOGNAME", "USER", "LNAME", "USERNAME"),
    "REQUESTS_CA_BUNDLE",
    "SUDO_USER",
)
#: Lists the variables that an outer awsudo set for its command, each with a checksum of its value: NAME:CHECKSUM …
MARKER = "AWSUDO_SETTINGS"
#: These are secrets: a keyed digest takes their place.
SECRET = (
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"),
)
#: Only whether this is set counts: a code is for one call, and a run with one is never replayed.
CODE = "AWSUDO_MFA_CODE"
#: A change within this many nanoseconds before we looked could share its time stamp with one after it
#: (kernels stamp files by the tick, 10 ms at the slowest), so such a file proves nothing to a later run.
_RACY = 20_000_000


def deciding(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that can change a resolution. The resolver gets these and no others.

    An empty one counts as not set, and one that an outer awsudo set is not the user's.
    """
    found = {
        name: value
        for name, value in environ.items()
        if value and (name.startswith(("AWS_", "AWSUDO_")) or name in DECIDING)
    }
    for name in set_by_outer(environ):
        del found[name]
    return found


def set_by_outer(environ: Mapping[str, str]) -> list[str]:
    """The variables that an outer awsudo set for its command, and that still have the value it gave them."""
    if not environ.get(MARKER):
        return []
    marked = [entry.partition(":") for entry in environ[MARKER].split()]
    return [
        name
        for name, _, mark in marked
        # a name that may be written unquoted for a shell
        if name.startswith("AWS_")
        and name.isidentifier()
        and name.isascii()
        and environ.get(name)
        and checksum(environ[name]) == mark
    ]


def checksum(value: str) -> str:
    """A short mark of a value, for MARKER."""
    from binascii import crc32  # here, so that a hit outside of any awsudo does not import it

    return f"{crc32(value.encode('utf-8', 'surrogateescape')):08x}"


def witness(path: str) -> str:
    """The outside of a file. Two equal witnesses mean that its content is the same."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return "absent"
    # the change time too: unlike the modification time, nobody can set it back
    return f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


class Files:
    """Reads files and records how each looked just before, absent ones too."""

    def __init__(self, now: float) -> None:
        self._now = now
        self.seen: dict[str, str] = {}
        self.settled = True  # whether an equal witness proves equal content

    def look(self, path: str) -> None:
        """Record how a file looks that another module reads next."""
        seen = witness(path)
        self.seen.setdefault(path, seen)
        if seen != self.seen[path]:
            self.settled = False
        elif seen != "absent":
            changed = int(seen.split()[-1])
            # a pipe, such as <(…), is a different one next time
            if changed > self._now * 1e9 - _RACY or not os.path.isfile(path):
                self.settled = False

    def read(self, path: str) -> bytes | None:
        """The file's content, or None if there is none. Raises OSError if it cannot be read."""
        self.look(path)
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:  # raised by open() for a path with a null byte, which a configuration file can contain
            raise OSError(22, "a path has no null byte", path) from None
