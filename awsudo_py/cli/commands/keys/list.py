"""awsudo keys list: shows the stored keys, and what AWS says of them."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING, Any

import click

from awsudo_py.cli.click_glue import begin, inputs_of, printed, subcommand
from awsudo_py.cli.output import show_table
from awsudo_py.credentials import rfc3339
from awsudo_py.errors import AwsudoError, KeyringError, Unreachable
from awsudo_py.keys.os_keyring import backend_name
from awsudo_py.keys.owner import iam_at, keys_chain
from awsudo_py.model import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.context import Context
    from awsudo_py.keys.index import StoredKey

_COLUMNS = ("PROFILE", "ACCOUNT", "ACCESS KEY", "AGE", "LAST USE", "MFA DEVICE", "KEYRING")


@subcommand("keys list")
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, offline: bool, **options: Any) -> None:
    """Show the stored keys: owner, age, last use, MFA device; never a secret.

    Age, last use and device are IAM's answers, asked with each key itself (which is a use of it, for the next time).
    What IAM does not tell is shown as ?, and -v says why.

    \b
      awsudo keys list
      awsudo keys list --offline      asks neither AWS nor the keyring
      awsudo keys list --json
    """
    context, merged = begin(ctx, options)
    request = Request(region=inputs_of(context, merged).get("region"))
    keys = context.keys.list.read()
    ask = _Asking(context, request, offline)
    found = [ask.about(name, key) for name, key in keys.items()]
    if as_json:
        printed(json.dumps(found, indent=2) + "\n")
    elif not found:
        context.terminal.notice("no key is stored; store one: awsudo keys add NAME")
    else:
        now = time.time()
        show_table(_COLUMNS, [_row(each, now) for each in found], whole=("ACCOUNT", "ACCESS KEY", "AGE"))
    for name, key in keys.items():
        if key.rotating:
            context.terminal.notice(
                f"the key of profile {name} is being rotated; go on: awsudo keys rotate {shlex.quote(name)}"
            )


class _Asking:
    """Asks about one key after the other, until it turns out that nobody answers."""

    def __init__(self, context: Context, request: Request, offline: bool) -> None:
        self._context = context
        self._request = request
        self._silent = {"keyring": offline, "AWS": offline}

    def about(self, name: str, key: StoredKey) -> dict[str, Any]:
        """What is known of a key; None stands for what is not."""
        known: dict[str, Any] = {
            "name": name,
            "access_key_id": key.access_key_id,
            "account": key.account or None,
            "arn": key.arn or None,
            "keyring": backend_name(key.backend),
            "stored": rfc3339(key.stored),
            "created": key.created or None,
            "active": None,
            "last_used": None,
            "last_used_service": None,
            "mfa_devices": None,
        }
        detail = self._context.terminal.detail
        if any(self._silent.values()):
            return known
        try:
            secret = self._context.keys.secret(name, key.access_key_id, key.backend)
        except KeyringError as error:
            # the keyring that is locked for one key is locked for all
            self._silent["keyring"] = True
            self._context.terminal.notice(f"AWS is not asked: {error.message}")
            return known
        chain = keys_chain(self._context, name, secret, self._request)
        iam = iam_at(self._context, chain, secret, tries=1)

        def keys() -> dict[str, Any]:
            own = [each for each in iam.access_keys() if each.access_key_id == key.access_key_id]
            return {"created": own[0].created, "active": own[0].active} if own else {}

        def last_use() -> dict[str, Any]:
            used = iam.last_use(key.access_key_id)
            return {"last_used": used.at, "last_used_service": used.service if used.at else ""}

        asked: tuple[Callable[[], dict[str, Any]], ...] = (last_use, keys, lambda: {"mfa_devices": iam.devices()})
        for ask in asked:
            try:
                known.update(ask())
            except Unreachable as error:
                self._silent["AWS"] = True
                self._context.terminal.notice(f"AWS is not asked any more: {error.message}")
                break
            except AwsudoError as error:
                detail(f"{name}: {error.message}")
        return known


def _row(known: dict[str, Any], now: float) -> tuple[str, ...]:
    devices = known["mfa_devices"]
    used = known["last_used"]
    last = "?" if used is None else f"{_ago(used, now)} ago, {known['last_used_service']}" if used else "never"
    return (
        known["name"],
        known["account"] or "?",
        known["access_key_id"] + (" (inactive)" if known["active"] is False else ""),
        _ago(known["created"], now) if known["created"] else "?",
        last,
        # an ARN says the account and the partition once more
        "?" if devices is None else ", ".join(device.rpartition(":")[2] for device in devices) or "none",
        known["keyring"].removeprefix("the "),
    )


def _ago(moment: str, now: float) -> str:
    import calendar

    seconds = max(now - calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
