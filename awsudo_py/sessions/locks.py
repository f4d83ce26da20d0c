"""Locks between processes: flock on files in a private directory.

The number is that of the cache's rules, which the tests carry too.

5. Only the holder of a lock removes its file, and whoever gets the lock of a removed file takes the new one's.
"""

from __future__ import annotations

import os
import sys

_FLAGS = (
    os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)


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
        descriptor = os.open(self._path, _FLAGS, 0o600)
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


def is_lock(name: str) -> bool:
    """Whether a file is a lock by its name."""
    return name[40:] == ".lock" and not name[:40].strip("0123456789abcdef")


def remove_if_free(path: str) -> bool:
    """Remove a lock file while holding it; returns whether it is gone. A held one stays."""
    if os.name == "nt":  # an open file stays there
        return False
    try:
        lock = Lock(path)
    except OSError:
        return False
    try:
        if not lock.try_acquire():
            return False
        os.unlink(path)
        return True
    except OSError:
        return False
    finally:
        lock.release()
