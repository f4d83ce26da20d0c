"""awsudo keys audit: shows the long-lived keys that lie on this machine."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from awsudo_py.cli.call import Call
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Options
from awsudo_py.cli.output import write, write_json
from awsudo_py.display import escape
from awsudo_py.keys.audit import Found, audit
from awsudo_py.keys.index import KeyList
from awsudo_py.resolve.aws_config import places
from awsudo_py.sessions.file_store import data_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY = 86_400


class AuditOptions(Options):
    """What `awsudo keys audit` takes."""

    as_json: bool
    check: bool


@subcommand("keys audit", AuditOptions)
def command(call: Call, options: AuditOptions) -> int:
    """Find the long-lived keys on this machine, and how to remove each.

    Searches the AWS files, the environment, the keyring, and the places where other tools keep keys: s3cmd, boto,
    rclone, s3fs, the MinIO client, aws-vault, shell start-up files and shell histories. It shows no secret, changes
    nothing, and does not call AWS.

    \b
      awsudo keys audit              each key, where it lies, and what to do
      awsudo keys audit --check      the same; exit code 1 if there are any
      awsudo keys audit --json       for programs
    """
    config_file, credentials_file = places(os.environ)
    found = list(
        audit(
            os.environ,
            home=os.path.expanduser("~"),
            folder=os.getcwd(),
            config_file=config_file,
            credentials_file=credentials_file,
            stored=KeyList(data_directory(os.environ)).read(),
        )
    )
    if options.as_json:
        write_json([_as_json(each) for each in found])
    else:
        write(_as_text(found, time.time()))
    return int(options.check and not all(each.kept_well for each in found))


def _as_text(found: Sequence[Found], now: float) -> str:
    if not found:
        return "No long-lived keys found on this machine.\n"
    lines = [f"{len(found)} long-lived key{'' if len(found) == 1 else 's'} on this machine:"]
    for each in found:
        lines += ["", f"{each.access_key_id or '(encrypted)'}  {each.place}"]
        if each.file or each.since is not None:
            lines.append(f"    file     {_home_as_tilde(each.file) or each.place}{_state(each, now)}")
        first, *others = each.remedy
        lines += [f"    to do    {first}", *(f"             {line}" for line in others)]
    lines += [
        "",
        "Run programs that read these files as: awsudo TARGET PROGRAM. A key removed here stays valid at AWS until",
        "it is deleted there: aws iam delete-access-key --user-name USER --access-key-id ID",
    ]
    return "".join(f"{escape(line)}\n" for line in lines)


def _state(found: Found, now: float) -> str:
    notes = []
    if found.since is not None:
        days = max(int((now - found.since) / _DAY), 0)
        spell = f"for {days} day{'' if days == 1 else 's'}"
        if found.kept_well:
            notes.append("since today" if days == 0 else spell)
        else:
            notes.append("changed today" if days == 0 else f"unchanged {spell}")
    if found.mode is not None:
        notes.append(f"mode {found.mode:04o}{', OPEN TO OTHERS' if found.open_to_others else ''}")
    if found.foreign:
        notes.append("owned by another user")
    return f" ({', '.join(notes)})" if notes else ""


def _home_as_tilde(file: str) -> str:
    home = os.path.expanduser("~")
    return f"~{file[len(home) :]}" if file.startswith(home + os.sep) else file


def _as_json(found: Found) -> dict[str, Any]:
    return {
        "access_key_id": found.access_key_id or None,
        "place": found.place,
        "file": found.file or None,
        "mode": None if found.mode is None else f"{found.mode:04o}",
        "open_to_others": found.open_to_others,
        "kept_well": found.kept_well,
        "unchanged_since": None if found.since is None else int(found.since),
        "remedy": list(found.remedy),
    }
