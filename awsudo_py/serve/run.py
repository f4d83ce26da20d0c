"""Runs a command beside an endpoint that is its only identity, or the endpoint alone."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.child_environment import applied, unset_changes
from awsudo_py.child_supervision import supervise
from awsudo_py.errors import AwsudoError
from awsudo_py.serve.child_config import ChildConfig, variables
from awsudo_py.serve.endpoint import Endpoint
from awsudo_py.serve.keeper import Keeper, Order, Renewal
from awsudo_py.sessions.file_store import FileStore, cache_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from awsudo_py.child_environment import Changes
    from awsudo_py.serve.keeper import Get, Got


class Serving(NamedTuple):
    """A running endpoint: the changes that make an environment use it, and its first session."""

    changes: Changes
    first: Got
    endpoint: Endpoint


@contextmanager
def serving(
    get: Get,
    environ: Mapping[str, str],
    config_path: str,
    notify: Callable[[str], None],
    *,
    port: int = 0,
    asks: bool = False,
) -> Iterator[Serving]:
    """An endpoint that serves a session and keeps it renewed for as long as the with block lasts.

    get: called in other processes, first with the terminal. config_path: the config file that the child would read.
    asks: whether later calls may prompt on the terminal too, as no command has it. Raises AwsudoError.
    """
    keeper = Keeper(get)  # first, so that it forks from a small process
    try:
        first = keeper.session(Order(), asks=True)
        if first.served is None:
            raise first.error()
        with _endpoint(first, environ, config_path, port) as (endpoint, changes):
            renewal = Renewal(
                lambda order: keeper.session(order, asks=asks),
                first.served,
                replace=endpoint.replace,
                explain=endpoint.explain,
                notify=notify,
            )
            endpoint.renew = renewal.now
            threads = [threading.Thread(target=work, daemon=True) for work in (endpoint.serve, renewal.run)]
            for thread in threads:
                thread.start()
            try:
                yield Serving(changes, first, endpoint)
            finally:
                renewal.stop()
                endpoint.close()
                threads[0].join()
    finally:
        keeper.close()


@contextmanager
def _endpoint(
    first: Got, environ: Mapping[str, str], config_path: str, port: int
) -> Iterator[tuple[Endpoint, Changes]]:
    assert first.served is not None
    try:
        endpoint = Endpoint(first.served, port=port)
    except OSError as error:
        raise AwsudoError(
            f"cannot listen on 127.0.0.1:{port}: {error.strerror}", hint="choose another port: --port PORT"
        ) from None
    try:
        config = ChildConfig(_place(environ), _text(config_path))
    except OSError as error:
        raise AwsudoError(
            f"cannot make the command's AWS files: {error.strerror}",
            hint="name a directory that can be written: AWSUDO_CACHE_DIR=DIR",
        ) from None
    try:
        changes: Changes = {**unset_changes(environ), **first.changes}
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            changes[name] = None
        # it is renewed, so it has no expiration
        changes["AWS_CREDENTIAL_EXPIRATION"] = changes["AWSUDO_EXPIRATION"] = None
        changes.update(variables(config, endpoint.url, endpoint.token))
        yield endpoint, changes
    finally:
        config.close()


def run_beside(
    serving: Serving, path: str, command: Sequence[str], environ: Mapping[str, str], *, linger: bool = False
) -> int:
    """Run the command with the endpoint; returns its exit code, or minus the signal it died of.

    linger: serve until the last process that the command left behind has ended too. Raises CommandNotFound,
    CommandCannotRun.
    """
    if not linger:
        return supervise(path, command, applied(environ, serving.changes))
    reads, writes = os.pipe()
    # every process below the command holds this end, unless it closes what it does not know
    os.set_inheritable(writes, True)
    try:
        code = supervise(path, command, applied(environ, serving.changes))
    finally:
        os.close(writes)
    try:
        os.read(reads, 1)
    finally:
        os.close(reads)
    return code


def _place(environ: Mapping[str, str]) -> str:
    """The private directory in which children's files are made. Raises OSError."""
    directory = cache_directory(environ)
    if directory is None:
        raise FileNotFoundError(2, "there is no home directory")
    FileStore(directory).prepare()
    return directory


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
        return ""
