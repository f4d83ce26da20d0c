"""Lets a run without a terminal wait for its answer from another terminal of the same user.

1. A question is a private file beside the cache. It has the question, the run that asks, and its port; it never has
   an answer. The answer goes to that run over a connection on 127.0.0.1, to be used once.
2. Whoever answers has to have the token in the file, which only this user can read. So has the run: it proves that
   before anything is sent to it, as another program can get the port of a run that was killed.
3. A question goes with its run: the run removes it however it ends, and whoever finds nobody listening removes what a
   run that was killed has left.
4. A run waits for so long and no longer; a signal ends it at once.

A Unix socket would do without the token, but Windows has none that Python can use, and one way is enough.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.durations import brief
from awsudo_py.errors import AwsudoError, Refused
from awsudo_py.sessions.file_store import FileStore, cache_directory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What an answer begins with, and what a run says that has taken one.
_ANSWER, _REFUSAL, _TAKEN = "answer", "refuse", b"taken\n"
#: Before that, whoever answers sends a random number, and the run proves with it that it has the token.
_NONCE = 32
#: No message is longer (bytes), and nobody who connects is listened to for longer (seconds).
_LONGEST, _PATIENCE = 1024, 2.0
_SUFFIX = ".question"


class Asker(NamedTuple):
    """The run that asks, as it is displayed."""

    line: str  # its command line
    directory: str = ""
    starter: str = ""  # the program that started it
    target: str = ""
    role: str = ""
    policy: str = ""  # what narrows its session
    reason: str = ""


class Waiting(NamedTuple):
    """A question that waits for its answer."""

    name: str
    port: int
    token: str
    kind: str  # what is asked for, in short
    text: str  # the question itself
    about: tuple[str, ...]  # lines above it
    asker: Asker
    pid: int
    since: float  # seconds since the epoch
    until: float


def store_of(environ: Mapping[str, str]) -> FileStore | None:
    """Where questions are; None if there is no place for private files."""
    directory = cache_directory(environ)
    return None if directory is None else FileStore(os.path.join(directory, "questions"))


def wait_for_answer(
    store: FileStore, text: str, *, kind: str, about: Sequence[str], asker: Asker, lasts: float, now: float
) -> str:
    """The answer that somebody gives within so many seconds; now: the time of day. Raises AwsudoError."""
    name, token = f"{secrets.token_hex(20)}{_SUFFIX}", secrets.token_hex(16)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fields = {
            "port": str(listener.getsockname()[1]),
            "token": token,
            "kind": kind,
            "text": text,
            "about": "\n".join(about),
            "pid": str(os.getpid()),
            "since": str(now),
            "until": str(now + lasts),
            **{f"asker {name}": value for name, value in asker._asdict().items()},
        }
        try:
            store.write(name, fields, until=now + lasts)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise AwsudoError(
                f"cannot leave the question for awsudo answer in {store.directory}: {why}",
                hint="name a directory that can be written: AWSUDO_CACHE_DIR=DIR",
            ) from None
        try:
            return _received(listener, token, lasts)
        finally:
            with suppress(OSError):
                store.remove(name)


def waiting(store: FileStore) -> list[Waiting]:
    """The questions that wait, the oldest first; what a run that was killed has left is removed."""
    found = []
    for name in store.names():
        question = _read(store, name) if name.endswith(_SUFFIX) else None
        if question is None:
            continue
        if _listens(question.port):
            found.append(question)
        else:
            with suppress(OSError):
                store.remove(name)
    return sorted(found, key=lambda each: (each.since, each.pid))


def all_waiting(environ: Mapping[str, str]) -> list[Waiting]:
    """The questions of all runs of this user: cron starts them without XDG_RUNTIME_DIR, which moves the cache."""
    without = {name: value for name, value in environ.items() if name != "XDG_RUNTIME_DIR"}
    stores = {store.directory: store for store in (store_of(environ), store_of(without)) if store is not None}
    found = [question for store in stores.values() for question in waiting(store)]
    return sorted(found, key=lambda each: (each.since, each.pid))


def number_waiting(environ: Mapping[str, str]) -> int:
    """How many questions wait."""
    return len(all_waiting(environ))


def give(question: Waiting, answer: str | None) -> bool:
    """Send the run its answer, or None to refuse; whether it was taken."""
    message = f"{question.token} {_REFUSAL if answer is None else f'{_ANSWER} {answer}'}\n".encode()
    nonce = secrets.token_hex(_NONCE // 2)
    try:
        with socket.create_connection(("127.0.0.1", question.port), timeout=_PATIENCE) as connection:
            connection.sendall(f"{nonce}\n".encode())
            if not hmac.compare_digest(_line(connection).encode(), _proof(question.token, nonce).encode()):
                return False
            connection.sendall(message)
            return connection.recv(len(_TAKEN)) == _TAKEN
    except OSError:
        return False


def _received(listener: socket.socket, token: str, lasts: float) -> str:
    end = time.monotonic() + lasts
    while (left := end - time.monotonic()) > 0:
        listener.settimeout(left)
        try:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(_PATIENCE)
                nonce = _line(connection)
                if len(nonce) != _NONCE or not nonce.isalnum():
                    continue
                connection.sendall(f"{_proof(token, nonce)}\n".encode())
                given, _, message = _line(connection).partition(" ")
                if not hmac.compare_digest(given.encode(), token.encode()):
                    continue
                word, _, answer = message.partition(" ")
                connection.sendall(_TAKEN)
        except OSError:  # nobody came, or one who went away
            continue
        if word == _ANSWER:
            return answer
        raise Refused("refused by awsudo answer")
    raise AwsudoError(
        f"no answer within {brief(lasts)}", hint="run it again, and answer on another terminal: awsudo answer"
    )


def _proof(token: str, nonce: str) -> str:
    """What only a process that has the token can send in return for this number."""
    return hmac.new(token.encode(), nonce.encode(), "sha256").hexdigest()


def _line(connection: socket.socket) -> str:
    """A line; no byte after it is read, as long as each end waits for the other's."""
    data, end = b"", time.monotonic() + _PATIENCE
    while b"\n" not in data and len(data) < _LONGEST and time.monotonic() < end:
        more = connection.recv(_LONGEST - len(data))
        if not more:
            break
        data += more
    return data.partition(b"\n")[0].decode("utf-8", "replace")


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE):
            return True
    except OSError:
        return False


def _read(store: FileStore, name: str) -> Waiting | None:
    fields = store.read(name) or {}
    try:
        return Waiting(
            name,
            int(fields["port"]),
            fields["token"],
            fields["kind"],
            fields["text"],
            tuple(fields["about"].split("\n")) if fields["about"] else (),
            Asker(**{name: fields[f"asker {name}"] for name in Asker._fields}),
            int(fields["pid"]),
            float(fields["since"]),
            float(fields["until"]),
        )
    except (KeyError, ValueError):
        return None
