"""awsudo audit: shows the long-lived keys that lie on this machine."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from awsudo_py.cli.click_glue import printed, subcommand
from awsudo_py.keys.audit import Found, audit
from awsudo_py.keys.index import KeyList
from awsudo_py.keys.index_names import data_directory
from awsudo_py.resolve.aws_config import places
from awsudo_py.terminal import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY = 86_400


@subcommand("audit")
@click.pass_context
def command(ctx: click.Context, as_json: bool, check: bool) -> None:
    """Find the long-lived keys on this machine, and the command that makes each go away.

    Looks into the AWS files, the environment, the keyring, and where other tools keep keys: s3cmd, boto, rclone, s3fs,
    the MinIO client, aws-vault, start-up files and histories of shells. No secret is shown, nothing is changed, and
    nothing is asked of AWS.

    \b
      awsudo audit              what lies where, and what to do
      awsudo audit --check      the same; exit code 1 if there is any in a file or the environment
      awsudo audit --json       for other programs
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
    printed(_as_json(found) if as_json else _as_text(found, time.time()))
    if check and not all(each.kept_well for each in found):
        ctx.exit(1)


def _as_text(found: Sequence[Found], now: float) -> str:
    if not found:
        return "No long-lived keys found on this machine.\n"
    lines = [f"{len(found)} long-lived key{'' if len(found) == 1 else 's'} on this machine:"]
    for each in found:
        lines += ["", f"{each.access_key_id or '(encrypted)'}  {each.place}"]
        if each.file or each.since is not None:
            lines.append(f"    lies in  {_home_as_tilde(each.file) or each.place}{_state(each, now)}")
        first, *others = each.remedy
        lines += [f"    to do    {first}", *(f"             {line}" for line in others)]
    lines += [
        "",
        "Programs that read these files run as `awsudo TARGET PROGRAM` then. A key that is taken away here still works",
        "at AWS until it is deleted there: aws iam delete-access-key --user-name USER --access-key-id ID",
    ]
    return "".join(f"{escape(line)}\n" for line in lines)


def _state(found: Found, now: float) -> str:
    said = []
    if found.since is not None:
        days = max(int((now - found.since) / _DAY), 0)
        spell = f"for {days} day{'' if days == 1 else 's'}"
        if found.kept_well:
            said.append("since today" if days == 0 else spell)
        else:
            said.append("changed today" if days == 0 else f"unchanged {spell}")
    if found.mode is not None:
        said.append(f"mode {found.mode:04o}{', OPEN TO OTHERS' if found.open_to_others else ''}")
    if found.foreign:
        said.append("not a file of yours")
    return f" ({', '.join(said)})" if said else ""


def _home_as_tilde(file: str) -> str:
    home = os.path.expanduser("~")
    return f"~{file[len(home) :]}" if file.startswith(home + os.sep) else file


def _as_json(found: Sequence[Found]) -> str:
    import json

    rows: list[dict[str, Any]] = [
        {
            "access_key_id": each.access_key_id or None,
            "place": each.place,
            "file": each.file or None,
            "mode": None if each.mode is None else f"{each.mode:04o}",
            "open_to_others": each.open_to_others,
            "kept_well": each.kept_well,
            "unchanged_since": None if each.since is None else int(each.since),
            "remedy": list(each.remedy),
        }
        for each in found
    ]
    return json.dumps(rows, indent=2) + "\n"
