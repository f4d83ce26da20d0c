"""Lists the targets of a machine, and which of them have a session in the cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from awsudo_py.model import Request
from awsudo_py.resolve.outline import outlines
from awsudo_py.session_for import obtain
from awsudo_py.sessions.file_store import FileStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from awsudo_py.context import Context
    from awsudo_py.resolve.outline import Outline


def known_targets(context: Context) -> list[Outline]:
    """Every profile, resolved. Raises AwsudoError if the files cannot be read."""
    resolver = context.resolver()
    return outlines(context.config, lambda name: resolver.chain(Request(profile=name)))


def cached_until(context: Context, found: Iterable[Outline]) -> dict[str, float]:
    """Until when each of these has a session that its next run would use, by name. Calls nothing."""
    store = context.stores.get("file")
    roles = _cached_roles(store) if isinstance(store, FileStore) else set()
    until = {}
    for each in found:
        # the key of a chain takes longer to make than to see that no session of its role is there
        if each.chain is None or (each.role_arn and each.role_arn not in roles) or not roles:
            continue
        request = Request(profile=each.name)
        session = obtain(context, each.chain, request).cached().session
        if session is not None and session.expiration is not None:
            until[each.name] = session.expiration
    return until


def _cached_roles(store: FileStore) -> set[str]:
    """The roles of all cached sessions; with an empty one for those without a role."""
    try:
        names = [name for name in os.listdir(store.place) if name.endswith(".session")]
    except OSError:
        return set()
    roles = set()
    for name in names:
        inputs = (store.read(name) or {}).get("inputs", "").split("\n")
        written = [line.partition("=")[2][1:-1] for line in inputs if line.startswith("role_arn=")]
        roles.add(written[0] if written else "")
    return roles
