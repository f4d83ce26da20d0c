"""awsudo history: lists the journal of sessions that were used from this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.cli.call import Call, begin
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Options
from awsudo_py.cli.output import Cell, Column, write_json, write_table
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.files import replace_file
from awsudo_py.moments import for_people, seconds_ago
from awsudo_py.prompt import confirmed
from awsudo_py.sessions import journal
from awsudo_py.sessions.file_store import data_directory
from awsudo_py.shell.history_page import history_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.sessions.journal import Entry

_COLUMNS = (
    Column("WHEN"),
    Column("TARGET", 2),
    Column("ROLE", 3),
    Column("ACCOUNT", 4),
    Column("FROM", 6),
    Column("SESSION", 7),
    Column("COMMAND", 1),
    Column("REASON", 5),
)


class HistoryOptions(Options):
    """What `awsudo history` takes."""

    quiet: bool
    since: str | None
    as_json: bool
    html: str | None
    delete: bool
    yes: bool
    words: tuple[str, ...]


@subcommand("history", HistoryOptions)
def command(call: Call, options: HistoryOptions) -> None:
    """List which roles were used from this machine: when, by what, and why.

    Each run that asks AWS for a session, or takes one from the cache by the full path, adds a line: time, target,
    role, caller, session name, reason, and the first word of the command. AWSUDO_JOURNAL changes that: `off` writes
    nothing, `hits` lists quick runs from the cache too, `words` keeps all words of the command; `hits,words` both.
    The file is journal.jsonl in ~/.local/share/awsudo (AWSUDO_DATA_DIR), readable by you only; it holds no secret.

    \b
      awsudo history                      newest last
      awsudo history prod terraform       every word must match
      awsudo history --since 7d --json
      awsudo history --html history.html
      awsudo history --delete
    """
    context = begin(call)
    directory = data_directory(context.environ)
    if directory is None:
        raise AwsudoError("no history: there is no home directory", hint="set AWSUDO_DATA_DIR to a directory")
    if options.delete:
        _delete(call, directory, yes=options.yes)
        return
    since = ""
    if options.since is not None:
        since = rfc3339(context.run.clock() - seconds_ago(options.since, "--since"))
    found = [entry for entry in journal.entries(directory) if entry.time >= since and _matches(entry, options.words)]
    if options.html is not None:
        _write_page(call, options.html, found)
    elif options.as_json:
        write_json([{**entry._asdict(), "account": entry.account} for entry in found])
    elif found:
        now = context.run.clock()
        write_table(_COLUMNS, [_row(entry, now) for entry in found])
    else:
        off = "off" in journal.switches(os.environ)
        call.terminal.notice(
            "the history is switched off: AWSUDO_JOURNAL=off"
            if off
            else "no session in the history matches"
            if options.words or since
            else "the history is empty"
        )


def _matches(entry: Entry, words: Sequence[str]) -> bool:
    text = " ".join(entry).lower()
    return all(word.lower() in text for word in words)


def _row(entry: Entry, now: float) -> list[str | Cell]:
    role = entry.role.partition(":role/")[2] or entry.role
    return [
        Cell(for_people(entry.time, now), "dim"),
        entry.target if not entry.target.startswith("arn:") else role,
        role,
        entry.account,
        entry.caller,
        entry.session_name,
        entry.command,
        entry.reason,
    ]


def _write_page(call: Call, path: str, found: Sequence[Entry]) -> None:
    try:
        replace_file(os.path.abspath(path), history_page(found).encode("utf-8", "replace"))
    except OSError as error:
        raise AwsudoError(f"cannot write {path}: {error.strerror}", hint="name a file in another directory") from None
    call.terminal.notice(f"wrote {len(found)} session{'' if len(found) == 1 else 's'} to {path}")


def _delete(call: Call, directory: str, *, yes: bool) -> None:
    if not confirmed(f"Delete the history in {directory}?", yes=yes):
        raise UsageError("nothing was deleted")
    try:
        existed = journal.delete(directory)
    except OSError as error:
        raise AwsudoError(f"cannot delete the history in {directory}: {error.strerror}") from None
    call.terminal.notice("deleted the history" if existed else "the history is empty")
