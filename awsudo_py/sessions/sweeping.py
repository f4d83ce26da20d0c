"""Removes what is of no use any more from a directory of records.

The number is that of the cache's rules, which the tests carry too.

8. A file's modification time is the moment at which it expires, so that sweeping opens nothing.
"""

from __future__ import annotations

import os

from awsudo_py.sessions.file_store import discard, is_record
from awsudo_py.sessions.locks import is_lock, remove_if_free

#: A temporary file older than this (seconds) was left by a run that died.
_ORPHANED = 600
#: Seconds for which a lock file stays after it was made, also where all is cleared; and how many a run removes.
_LOCK_KEPT, _LOCK_NEW, _LOCKS_AT_ONCE = 3600, 60, 2000


def sweep(directory: str, now: float) -> None:
    """Rule 8: remove expired records, and half-written ones of runs that died."""
    locks = 0
    try:
        with os.scandir(directory) as found:
            for file in found:
                lock = is_lock(file.name) and locks < _LOCKS_AT_ONCE
                if not lock and not is_record(file.name):
                    continue
                age = now - file.stat(follow_symlinks=False).st_mtime
                if lock:
                    locks += age > _LOCK_KEPT and remove_if_free(file.path)
                    continue
                if age > (_ORPHANED if file.name.endswith(".tmp") else 0):
                    discard(file.path)
    except OSError:
        return  # another run sweeps too, or the directory is gone: nothing to keep clean


def remove_locks(directory: str, now: float) -> None:
    """Remove the lock files that nobody holds, except new ones: a run is about to hold those."""
    try:
        with os.scandir(directory) as found:
            for file in found:
                if is_lock(file.name) and now - file.stat(follow_symlinks=False).st_mtime > _LOCK_NEW:
                    remove_if_free(file.path)
    except OSError:
        return
