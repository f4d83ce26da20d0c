"""Keeps sealed records in private files.

The numbers are those of the cache's rules, which the tests carry too.

1. The directory is $AWSUDO_CACHE_DIR, else $XDG_RUNTIME_DIR/awsudo where that is ours alone (memory-backed, gone
   at logout), else $XDG_CACHE_HOME/awsudo, else the platform's. It is 0700, files are 0600 from birth.
3. A file is opened without following links and without blocking, then judged by its descriptor: regular, our
   own, closed to others, of bounded size. Any fault is a miss, never an error.
5. Writing: a temporary file beside it, fsync, replace. Locks are flock on a file that only its holder removes, and
   whoever gets the lock of a removed file takes the new one's.
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

#: Linux refuses an environment string of 128 KiB, so no session that could be used is larger than this.
LARGEST = 512 * 1024
#: A temporary file older than this (seconds) was left by a run that died.
ORPHANED = 600
#: The file with the key of keyed digests: named as all records are, since the directory may hold other things.
_SALT = "73616c74" * 5 + ".salt"
_FOREVER = 2.0**32
#: Seconds for which a lock file stays after it was made, also where all is cleared; and how many a run removes.
_LOCK_KEPT, _LOCK_NEW, _LOCKS_AT_ONCE = 3600, 60, 2000
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
            return unpack(os.read(descriptor, LARGEST))
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
            _discard(temporary)
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
        if not os.path.lexists(self.directory):
            make_private(self.directory)
        if not _is_private(self.directory):
            raise PermissionError(f"{self.directory} is {_not_private(self.directory)}")

    def lock(self, name: str) -> Lock:
        """The lock of that name, not yet held. Raises OSError if it cannot be made."""
        self.prepare()
        return Lock(f"{self.directory}/{name}.lock")

    def names(self) -> Iterator[str]:
        """The names of all records, half-written ones of runs that died included."""
        try:
            yield from (name for name in os.listdir(self.directory) if _is_record(name))
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
        locks = 0
        try:
            with os.scandir(self.directory) as found:
                for file in found:
                    is_lock = _is_lock(file.name) and locks < _LOCKS_AT_ONCE
                    if not is_lock and not _is_record(file.name):
                        continue
                    age = now - file.stat(follow_symlinks=False).st_mtime
                    if is_lock:
                        locks += age > _LOCK_KEPT and self._remove_lock(file.name)
                        continue
                    if age > (ORPHANED if file.name.endswith(".tmp") else 0):
                        _discard(file.path)
        except OSError:
            return  # another run sweeps too, or the directory is gone: nothing to keep clean

    def remove_locks(self, now: float) -> None:
        """Remove the lock files that nobody holds, except new ones: a run is about to hold those."""
        try:
            with os.scandir(self.directory) as found:
                for file in found:
                    if _is_lock(file.name) and now - file.stat(follow_symlinks=False).st_mtime > _LOCK_NEW:
                        self._remove_lock(file.name)
        except OSError:
            return

    def _remove_lock(self, name: str) -> bool:
        """Rule 5: remove a lock file while holding it; a held one stays."""
        if os.name == "nt":  # an open file stays there
            return False
        try:
            lock = Lock(f"{self.directory}/{name}")
        except OSError:
            return False
        try:
            if not lock.try_acquire():
                return False
            _discard(f"{self.directory}/{name}")
            return True
        except OSError:
            return False
        finally:
            lock.release()


class Lock:
    """An exclusive lock between processes and threads; the kernel gives it back when its holder dies.

    The file may be removed by whoever holds the lock. Whoever gets the lock of a removed file has nothing, and takes
    that of the file that is there now.
    """

    def __init__(self, path: str) -> None:
        """Raises OSError where the file cannot be made."""
        self._path = path
        self._descriptor = self._opened()

    def try_acquire(self) -> bool:
        """Take the lock if nobody holds it; never waits. Raises OSError."""
        while self._locked():
            if self._is_current():
                return True
            os.close(self._descriptor)
            self._descriptor = self._opened()
        return False

    def _opened(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _NOFOLLOW, 0o600)
        if os.name != "nt" and os.fstat(descriptor).st_mode & 0o600 != 0o600:
            os.fchmod(descriptor, 0o600)  # a umask took the bits that the next run needs
        return descriptor

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def _locked(self) -> bool:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(self._descriptor, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            import errno

            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                return False
            raise
        return True

    def sign(self, holder: str) -> None:
        """Record the holder of the lock, for the runs that wait."""
        if os.name == "nt":  # a locked file cannot be read there
            return
        try:
            os.pwrite(self._descriptor, f"{holder}\n".encode(), 0)
        except OSError:
            return  # a full disk: the lock works without it

    def signed_by(self) -> str:
        """The last recorded holder of the lock; empty without one."""
        try:
            return "" if os.name == "nt" else os.pread(self._descriptor, 64, 0).partition(b"\n")[0].decode()
        except (OSError, ValueError):
            return ""

    @property
    def descriptor(self) -> int:
        """The open file, which holds the lock until it is closed in every process that has it."""
        return self._descriptor

    def release(self) -> None:
        """Give the lock back, held or not."""
        os.close(self._descriptor)


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


def _not_private(directory: str) -> str:
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


def _is_record(name: str) -> bool:
    """Whether a file is one of ours by its name, temporary ones included: the directory may hold other things."""
    key, kind = name[:40], name[40:].split(".")
    return not key.strip("0123456789abcdef") and kind[:1] == [""] and kind[1:2] in _KINDS


def _is_lock(name: str) -> bool:
    return name[40:] == ".lock" and not name[:40].strip("0123456789abcdef")


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
