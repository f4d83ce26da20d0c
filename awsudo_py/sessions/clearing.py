"""Deletes cached sessions from every store: all, those of a target, or those that came from a key or a sign-in."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.errors import AwsudoError
from awsudo_py.model import SessionTokenHop
from awsudo_py.sessions.obtain import is_session_of, made_from, made_from_sso, names_role, narrowed_from, unmarked
from awsudo_py.sessions.sealed import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from awsudo_py.model import RoleChain
    from awsudo_py.sessions.file_store import FileStore
    from awsudo_py.sessions.obtain import Obtain


def forget_all(stores: Sequence[FileStore], now: float) -> int:
    """Delete every session; returns how many there were. Raises AwsudoError if one remains."""
    count = _forget(stores, lambda _key, _inputs: True)
    for store in stores:
        store.remove_locks(now)
    return count


def forget_target(chain: RoleChain, way: Obtain, stores: Sequence[FileStore]) -> tuple[int, str]:
    """Delete the sessions of a chain's target, narrowed ones too. Raises AwsudoError if one remains.

    way is the way to its credentials. Returns how many there were; and where the MFA session stays from which the
    target's role is assumed, which other roles share and the next of which costs a code, the command that forgets it
    too.
    """
    own = "" if chain.role_arn else digest(way.inputs(len(chain.hops)))
    # for any sign-in: the login may be gone
    own_lines = set() if chain.hops else set(unmarked(way.inputs(0)))
    source = way.inputs(0) if chain.hops and isinstance(chain.hops[0], SessionTokenHop) else ""
    stays = ""

    def matches(key: str, inputs: str) -> bool:
        nonlocal stays
        of_source = bool(source) and is_session_of(inputs, source)
        if not chain.role_arn:
            return key == own or of_source or (bool(own_lines) and own_lines <= set(inputs.splitlines()))
        named = names_role(inputs, chain.role_arn)
        if of_source and not named:
            stays = f"awsudo clear {shlex.quote(chain.source.profile or '')}".removesuffix(" ''")
        return named

    entries = _cached(stores)
    found = {key for key, inputs in entries.items() if matches(key, inputs)}
    # what they were narrowed from may not be cached: it has ended, or comes from a process
    origins = {own, digest(way.inputs(0))} if own or chain.source.setting("role_arn") else set()
    found |= narrowed_from(found | origins, entries)
    return _forget(stores, lambda key, _inputs: key in found), stays


def forget_key(access_key_id: str, stores: Sequence[FileStore]) -> int:
    """Delete the sessions that come from an access key; returns how many. Raises AwsudoError if one remains."""
    found = made_from(access_key_id, _cached(stores))
    return _forget(stores, lambda key, _inputs: key in found)


def forget_sso(start_url: str, stores: Sequence[FileStore]) -> int:
    """Delete the sessions that come from an SSO session; returns how many. Raises AwsudoError if one remains."""
    found = made_from_sso(start_url, _cached(stores))
    return _forget(stores, lambda key, _inputs: key in found)


def _cached(stores: Sequence[FileStore]) -> dict[str, str]:
    """The inputs of every session, by key."""
    return {
        name.removesuffix(".session"): store.inputs(name)
        for store in stores
        for name in store.names()
        if name.endswith(".session")
    }


def _forget(stores: Sequence[FileStore], matches: Callable[[str, str], bool]) -> int:
    """Delete the entries that match by key and inputs; returns how many sessions that was."""
    count, failed = 0, ""
    for store in stores:
        for name in list(store.names()):
            key = name.partition(".")[0]
            is_session = name == f"{key}.session"
            if not matches(key, store.inputs(name) if is_session else ""):
                continue
            try:
                store.remove(name)
                count += is_session
            except OSError as error:
                failed = f"{store.place}: {error.strerror or error}"  # the others are still deleted
    if failed:
        raise AwsudoError(
            f"cannot delete all sessions in {failed}",
            hint="sessions that are left there stay usable until they expire",
        )
    return count
