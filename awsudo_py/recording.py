"""Records the result of a run: its verdict, for the hit path to replay, and its line in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awsudo_py.child_environment import marked
from awsudo_py.replay import record_name, surroundings
from awsudo_py.resolve.rails import EVERY, patterns_of
from awsudo_py.resolve.source_kinds import kind_of
from awsudo_py.sessions.file_store import FileStore, cache_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.context import Context
    from awsudo_py.model import Request, RoleChain
    from awsudo_py.session_for import Answer


def record(context: Context, words: Sequence[str], request: Request, answer: Answer, *, yes: bool) -> None:
    """Let a later run with these words before its command take the hit path. Failures to write are ignored.

    yes: whether --yes is one of the words.
    """
    directory = cache_directory(context.environ)
    until = answer.credentials.expiration
    if directory is None or until is None or not _replayable(context, request, answer):
        return
    stops, confirmed = patterns_of(context.rails.of_chain(answer.chain), yes=yes)
    if EVERY in stops:  # it would never be replayed
        return
    store = FileStore(directory)
    name = record_name(words, surroundings(context.environ, store))
    fields = {
        "name": name,
        "key": answer.obtained.key,
        "target": answer.chain.target,
        "role_arn": answer.chain.role_arn,
        "region": answer.chain.region or "",
        "min_ttl": "" if request.min_ttl is None else str(request.min_ttl),
        "caller": _caller(answer.chain),
        "reason": request.reason or "",
    }
    fields |= {f"set {name}": value for name, value in marked(dict(answer.chain.settings)).items()}
    fields |= {f"rail {number}": pattern for number, pattern in enumerate(stops)}
    fields |= {f"yes {number}": pattern for number, pattern in enumerate(confirmed)}
    for number, (path, seen) in enumerate(context.files.seen.items()):
        fields[f"file {number}"] = f"{seen}|{path}"
    try:
        store.write(name, fields, until=until)
    except (OSError, ValueError):
        return  # the session's own entry has reported it, or the next run takes the full path again


def write_journal(context: Context, answer: Answer, command: Sequence[str], reason: str = "") -> None:
    """Add the use of a session to the journal, unless AWSUDO_JOURNAL switches it off. Raises nothing.

    command: the words of the command; empty for a shell, an export and the like.
    """
    from awsudo_py.sessions import journal

    chain = answer.chain
    journal.use(
        context.environ,
        context.run.clock(),
        target=chain.target,
        role=chain.role_arn,
        caller=_caller(chain),
        arn=answer.credentials.arn,
        how="call" if answer.called_aws else "cache",
        command=command,
        reason=reason,
    )


def _caller(chain: RoleChain) -> str:
    """Where a chain starts, for the journal."""
    source = chain.source
    keys = source.credentials.access_key_id if source.credentials else dict(source.identity).get("access_key_id")
    origin = f"profile {source.profile}" if source.profile else source.where
    return f"{origin} ({keys})" if keys else origin


def _replayable(context: Context, request: Request, answer: Answer) -> bool:
    return not (
        not answer.obtained.key
        or request.refresh
        or request.mfa_code
        or request.store == "keyring"  # which the hit path has no time to open
        or context.terminal.level > 0
        or context.terminal.noticed
        or not kind_of(answer.chain.source).replayable
        or not context.files.settled
    )
