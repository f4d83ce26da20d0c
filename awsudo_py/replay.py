"""The hit path: replays the verdict of an earlier full run when nothing that decided it has changed.

A full run records which words, which environment and which files led to which session. The words before the
command and the deciding variables name the record; the record holds what each file looked like, and which session
was the answer. If all of that is as it was and the session is fresh, we become the child at once. In every other
case the full path runs. This module neither parses nor resolves: it only repeats the result of a full run.
"""

from __future__ import annotations

from awsudo_py import __version__, child
from awsudo_py.child_environment import applied, changes_for
from awsudo_py.fingerprint import CODE, SECRET, deciding, witness
from awsudo_py.sessions.cached_session import fresh_session
from awsudo_py.sessions.file_store import FileStore, cache_directory
from awsudo_py.sessions.sealed import digest, keyed_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from awsudo_py.aws_credentials import Credentials

#: No command line has more words before its command (each costs a failing open).
MOST_WORDS = 40
#: The fields of a verdict that go into the command's environment.
_DISPLAYED = ("target", "role_arn", "region")


def surroundings(environ: Mapping[str, str], store: FileStore) -> str:
    """All deciding inputs besides the words, as one text: awsudo's version and the deciding variables."""
    found = deciding(environ)
    if CODE in found:
        found[CODE] = "set"
    for name in SECRET:
        if name in found:
            found[name] = keyed_digest(found[name], store.salt())
    decided_by = sorted(f"{name}={value}" for name, value in found.items())
    # the count separates the variables from the words, so that they cannot be confused
    return "\0".join([__version__, str(len(decided_by)), *decided_by])


def record_name(words: Sequence[str], around: str) -> str:
    """The name of the record of the verdict for these words in this environment."""
    return digest("\0".join([around, *words])) + ".replay"


def verdict_for(words: Sequence[str], around: str, store: FileStore) -> dict[str, str] | None:
    """The verdict of an earlier run with these words in this environment; None if none is recorded."""
    name = record_name(words, around)
    verdict = store.read(name)
    # a record in the place of another one does not count
    return verdict if verdict is not None and verdict.get("name") == name else None


def session_of(verdict: Mapping[str, str], store: FileStore, now: float) -> Credentials | None:
    """The session of a verdict, if the files that decided it are unchanged and the session is fresh."""
    for name, value in verdict.items():
        if name[:5] == "file ":
            seen, _, path = value.partition("|")
            if witness(path) != seen:
                return None
    try:
        key = verdict["key"]
        least = float(verdict["min_ttl"]) if verdict["min_ttl"] else None
        for field in _DISPLAYED:
            verdict[field]
    except (KeyError, ValueError):
        return None
    return fresh_session(store.read(key + ".session"), key, now, least)


def _values(verdict: Mapping[str, str], kind: str) -> list[str]:
    """The fields of a kind, such as `rail 0`, `rail 1`."""
    return [value for name, value in verdict.items() if name.startswith(kind)]


def replay(argv: Sequence[str], environ: Mapping[str, str], now: float) -> None:
    """Become the child, if an earlier run decided the same; return if the full path must run."""
    directory = cache_directory(environ)
    if directory is None:
        return
    store = FileStore(directory)
    around = surroundings(environ, store)
    for count in range(1, min(len(argv), MOST_WORDS)):
        command = argv[count]
        # With -p, what follows may be an option, a role or the command: only the parser knows.
        if command[:1] in ("-", "'", '"', "") or ":" in command:
            continue
        verdict = verdict_for(argv[:count], around, store)
        if verdict is not None:
            break
    else:
        return
    listed = "hits" in environ.get("AWSUDO_JOURNAL", "").lower()
    # `rail`: a command that is refused or needs an answer; `yes`: one that is confirmed by a --yes among the words
    stops, confirmed = _values(verdict, "rail "), _values(verdict, "yes ")
    if stops or confirmed:
        from awsudo_py.resolve.command_patterns import first_fit  # no other hit pays for it

        if first_fit(stops, argv[count:]) is not None:
            return
        listed = listed or first_fit(confirmed, argv[count:]) is not None  # the journal has each confirmed run
    session = session_of(verdict, store, now)
    if session is None:
        return
    displayed = {field: verdict[field] for field in _DISPLAYED}
    path = child.find(command, environ)
    if listed:
        from awsudo_py.sessions import journal  # it loads json, for which a hit otherwise has no time

        who = {"target": displayed["target"], "role": displayed["role_arn"], "arn": session.arn}
        who |= {field: verdict.get(field, "") for field in ("caller", "reason")}
        journal.use(environ, now, **who, how="cache", command=argv[count:])
    settings = {name[4:]: value for name, value in verdict.items() if name[:4] == "set "}
    changes = changes_for(session, environ, **displayed, settings=settings)
    if environ.get("AWSUDO_RENEW_AHEAD"):
        from awsudo_py import renewal

        if renewal.start(environ["AWSUDO_RENEW_AHEAD"], store, verdict["key"], session, now):
            return
    child.become(path, argv[count:], applied(environ, changes))
