"""Keeps sealed records in private files.

The numbers are those of the cache's rules, which the tests carry too.

1. The directory is $AWSUDO_CACHE_DIR, else $XDG_RUNTIME_DIR/awsudo where that is ours alone (memory-backed, gone
   at logout), else $XDG_CACHE_HOME/awsudo, else the platform's. It is 0700, files are 0600 from birth.
3. A file is opened without following links and without blocking, then judged by its descriptor: regular, our
   own, closed to others, of bounded size. Any fault is a miss, never an error.
5. Writing: a temporary file beside it, fsync, replace.
8. A file's modification time is the moment at which it expires, so that sweeping opens nothing.
"""

from __future__ import annotations

import os
import stat
import sys

from awsudo_py.sessions.sealed import pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from awsudo_py.sessions.locks import Lock

#: Linux refuses an environment string of 128 KiB, so no session that could be used is larger than this.
LARGEST = 512 * 1024
#: The file with the key of keyed digests: named as all records are, since the directory may hold other things.
_SALT = "73616c74" * 5 + ".salt"
_FOREVER = 2.0**32
_KINDS = (["session"], ["replay"], ["question"], ["rejected"], ["salt"])
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)


def cache_directory(environ: Mapping[str, str]) -> str | None:
    """Rule 1: the cache directory; None if there is no such place (no home)."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if not environ.get("AWSUDO_CACHE_DIR") and runtime[:1] == "/" and _is_private(runtime):
        return runtime + "/awsudo"
    return own_directory(environ, "AWSUDO_CACHE_DIR", "XDG_CACHE_HOME", "/.cache", "/Library/Caches", "Cache")


def data_directory(environ: Mapping[str, str]) -> str | None:
    """The directory of permanent data: $AWSUDO_DATA_DIR, or the place of the platform; None without a home."""
    support = "/Library/Application Support"
    return own_directory(environ, "AWSUDO_DATA_DIR", "XDG_DATA_HOME", "/.local/share", support, "Data")


def own_directory(
    environ: Mapping[str, str], ours: str, shared: str, unix: str, macos: str, windows: str
) -> str | None:
    """The directory of files of one kind: $ours, else $shared/awsudo, else the platform's; None without a home.

    unix and macos are below the home, windows below %LOCALAPPDATA%\\awsudo.
    """
    chosen, base = environ.get(ours), environ.get(shared, "")
    if chosen:
        try:
            return os.path.abspath(chosen)
        except FileNotFoundError:  # a relative one, in a directory that is gone
            return None
    if os.path.isabs(base):
        return os.path.join(base, "awsudo")
    if os.name == "nt":
        local = environ.get("LOCALAPPDATA")
        return os.path.join(local, "awsudo", windows) if local else None
    home = environ["HOME"] if "HOME" in environ else os.path.expanduser("~")
    if not os.path.isabs(home):
        return None
    return home.rstrip("/") + (macos if sys.platform == "darwin" else unix) + "/awsudo"


def state_directory(environ: Mapping[str, str]) -> str | None:
    """The directory of files that outlive a session; None if there is no such place (no home)."""
    support = "/Library/Application Support"
    return own_directory(environ, "AWSUDO_STATE_DIR", "XDG_STATE_HOME", "/.local/state", support, "State")


def _is_private(directory: str) -> bool:
    """Whether this is our own directory, closed to all others. A link to one is not."""
    try:
        found = os.lstat(directory)
    except OSError:
        return False
    if os.name == "nt":  # the profile's access list keeps others out; mode bits say nothing there
        return stat.S_ISDIR(found.st_mode)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


class FileStore:
    """Records in the files of one directory. Reading never raises; writing raises OSError."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.swept = 0.0  # when, in this process

    @property
    def place(self) -> str:
        """The place of sessions, for messages."""
        return self.directory

    def read(self, name: str) -> dict[str, str] | None:
        """Rule 3: the fields stored under this name, or None without a record that can be trusted."""
        try:
            descriptor = os.open(f"{self.directory}/{name}", os.O_RDONLY | _NOFOLLOW | _NONBLOCK)
        except (OSError, ValueError):
            return None
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
                return None
            if os.name != "nt" and (found.st_uid != os.geteuid() or found.st_mode & 0o077):
                return None
            return unpack(os.read(descriptor, found.st_size))  # files are replaced, and never grow
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def salt(self, *, make: bool = False) -> bytes:
        """A random key that is this directory's own, for keyed digests; empty if there is none.

        make: make it if there is none. Raises OSError if it then cannot be stored.
        """
        key = (FileStore.read(self, _SALT) or {}).get("key", "")
        if not key and make:
            from awsudo_py.files import replace_file  # here: a hit writes nothing

            self.prepare()
            temporary = f"{self.directory}/{_SALT}.{os.getpid()}.tmp"
            replace_file(temporary, pack({"key": os.urandom(32).hex()}), modified=_FOREVER)
            try:
                os.link(temporary, f"{self.directory}/{_SALT}")  # the first of many wins
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                os.replace(temporary, f"{self.directory}/{_SALT}")
            discard(temporary)
            key = (FileStore.read(self, _SALT) or {}).get("key", "")
        try:
            return bytes.fromhex(key)
        except ValueError:
            return b""

    def inputs(self, name: str) -> str:
        """The inputs of the session of this name, wherever its secrets are stored; empty without one."""
        return (FileStore.read(self, name) or {}).get("inputs", "")

    def write(self, name: str, fields: dict[str, str], *, until: float) -> None:
        """Rule 5: store the fields under this name, valid until that moment (seconds since the epoch).

        Raises OSError if they could not be stored; the old record then remains.
        """
        from awsudo_py.files import replace_file  # here: a hit writes nothing

        data = pack(fields)
        self.prepare()
        replace_file(f"{self.directory}/{name}", data, modified=until)

    def prepare(self) -> None:
        """Rule 1: make the directory. PermissionError if it cannot be ours alone."""
        from awsudo_py.sessions.private_directory import make_private, not_private  # here: a hit writes nothing

        if not os.path.lexists(self.directory):
            make_private(self.directory)
        if not _is_private(self.directory):
            raise PermissionError(f"{self.directory} is {not_private(self.directory)}")

    def lock(self, name: str) -> Lock:
        """The lock of that name, not yet held. Raises OSError if it cannot be made."""
        from awsudo_py.sessions.locks import Lock

        self.prepare()
        return Lock(f"{self.directory}/{name}.lock")

    def names(self) -> Iterator[str]:
        """The names of all records, half-written ones of runs that died included."""
        try:
            yield from (name for name in os.listdir(self.directory) if is_record(name))
        except OSError:
            return

    def remove(self, name: str) -> None:
        """Delete the entry of this name, if there is one. Raises OSError if it remains."""
        try:
            os.unlink(f"{self.directory}/{name}")
        except FileNotFoundError:
            return

    def sweep(self, now: float) -> None:
        """Rule 8: remove expired records, and half-written ones of runs that died."""
        from awsudo_py.sessions.sweeping import sweep

        sweep(self.directory, now)

    def remove_locks(self, now: float) -> None:
        """Remove the lock files that nobody holds, except new ones: a run is about to hold those."""
        from awsudo_py.sessions.sweeping import remove_locks

        remove_locks(self.directory, now)


def is_record(name: str) -> bool:
    """Whether a file is one of ours by its name, temporary ones included: the directory may hold other things."""
    key, kind = name[:40], name[40:].split(".")
    return not key.strip("0123456789abcdef") and kind[:1] == [""] and kind[1:2] in _KINDS


def discard(path: str) -> None:
    """Delete a file, if that is possible."""
    try:
        os.unlink(path)
    except OSError:
        return
