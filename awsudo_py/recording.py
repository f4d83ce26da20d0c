"""Records the verdict of a full run, where a later run with the same words would come to the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awsudo_py.replay import record_name, surroundings
from awsudo_py.sessions.file_store import FileStore, cache_directory
from awsudo_py.sessions.obtain import ASKED_EVERY_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.context import Context
    from awsudo_py.model import Request
    from awsudo_py.session import Answer

#: Sources of which files and variables alone cannot show that they are the same.
NOT_REPLAYED = ASKED_EVERY_TIME | {"process", "login"}


def record(context: Context, words: Sequence[str], request: Request, answer: Answer) -> None:
    """Let a later run with these words before its command take the hit path. What cannot be written is left out."""
    directory = cache_directory(context.environ)
    until = answer.credentials.expiration
    if directory is None or until is None or not _replayable(context, request, answer):
        return
    name = record_name(words, surroundings(context.environ))
    fields = {
        "name": name,
        "key": answer.obtained.key,
        "target": answer.chain.target,
        "role_arn": answer.chain.role_arn,
        "region": answer.chain.region or "",
        "min_ttl": "" if request.min_ttl is None else str(request.min_ttl),
    }
    for number, (path, seen) in enumerate(context.files.seen.items()):
        fields[f"file {number}"] = f"{seen}|{path}"
    try:
        FileStore(directory).write(name, fields, until=until)
    except (OSError, ValueError):
        return  # the session's own entry has said so, or the next run takes the full path again


def _replayable(context: Context, request: Request, answer: Answer) -> bool:
    return not (
        not answer.obtained.key
        or request.refresh
        or request.mfa_code
        or request.store == "keyring"  # which the hit path has no time to open
        or context.terminal.level > 0
        or context.terminal.noticed
        or answer.chain.source.kind in NOT_REPLAYED
        or not context.files.settled
    )
