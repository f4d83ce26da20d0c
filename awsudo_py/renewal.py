"""Renews a session in the background, after a hit with a session that ends soon.

1. It is off, unless AWSUDO_RENEW_AHEAD sets how long before its end a session is renewed.
2. It runs in a process of its own: no child of the command, without a terminal, with none of its descriptors, and for
   a minute at most.
3. There is one at a time for each session, and none within a minute of the last.
4. There are no prompts: a renewal that needs an answer fails silently.
"""

from __future__ import annotations

import os

from awsudo_py.sessions.sealed import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.sessions.file_store import FileStore

#: Set in the environment of such a process, and nowhere else: the least time (seconds) that the session must last.
MARK = "_AWSUDO_RENEWAL"
#: Seconds between two for the same session, and the longest that one takes.
_EVERY = _LONGEST = 60
_UNITS = {"h": 3600, "m": 60, "s": 1}


def start(value: str, store: FileStore, key: str, session: Credentials, now: float) -> bool:
    """Start it if the session ends within the time that AWSUDO_RENEW_AHEAD gives: 10m, 600. Raises nothing.

    Returns twice then: False in this process, and True in the one that is to take the full path.
    """
    until = session.expiration
    if until is None or not hasattr(os, "fork"):
        return False
    # half of a short session, or each hit would renew it
    ahead = min(_seconds(value), (until - session.issued) / 2)
    if until - now >= ahead:
        return False
    try:
        child = os.fork()
    except OSError:
        return False
    if child:
        os.waitpid(child, 0)  # it ends at once; the one that goes on belongs to init
        return False
    try:
        os.setsid()
        if os.fork() == 0 and _alone(store, key, now):
            os.environ[MARK] = str(ahead)
            return True
    except (OSError, ValueError):
        pass
    os._exit(0)


def _alone(store: FileStore, key: str, now: float) -> bool:
    """Rules 2 and 3: whether this process is the one that renews; it then has nothing of the command's."""
    import signal

    lock = store.lock(digest(f"renewal {key}"))
    if not lock.try_acquire() or now - float(lock.signed_by() or 0) < _EVERY:
        return False
    lock.sign(str(now))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.closerange(3, lock.descriptor)
    os.closerange(lock.descriptor + 1, 1024)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LONGEST)
    return True


def _seconds(value: str) -> float:
    """The duration; 0 if it is invalid, which the full path refuses."""
    total, number = 0, ""
    for character in value:
        if character.isdigit():
            number += character
        elif number and character in _UNITS:
            total += int(number) * _UNITS[character]
            number = ""
        else:
            return 0
    return float(total + int(number or 0))
