"""awsudo keys list: lists the stored keys, with what IAM knows about them."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.cli.call import Call, begin, inputs_of
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import CallOptions
from awsudo_py.cli.output import Column, write_json, write_table
from awsudo_py.durations import brief
from awsudo_py.errors import AwsudoError, KeyringError, Unreachable
from awsudo_py.keys.os_keyring import backend_name
from awsudo_py.keys.owner import iam_at, keys_chain
from awsudo_py.model import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.context import Context
    from awsudo_py.keys.index import StoredKey

_COLUMNS = (
    Column("PROFILE"),
    Column("ACCOUNT"),
    Column("ACCESS KEY"),
    Column("AGE", right=True),
    Column("LAST USE", yields=1),
    Column("MFA DEVICE", yields=2),
    Column("KEYRING", yields=3),
)


class ListOptions(CallOptions):
    """What `awsudo keys list` takes."""

    as_json: bool
    offline: bool


@subcommand("keys list", ListOptions)
def command(call: Call, options: ListOptions) -> None:
    """List the stored keys: owner, age, last use, MFA device. Never a secret.

    Age, last use and device come from IAM, called with each key itself (which counts as its next use). What IAM does
    not return is shown as ?, and -v says why.

    \b
      awsudo keys list
      awsudo keys list --offline      calls neither AWS nor the keyring
      awsudo keys list --json
    """
    context = begin(call)
    request = Request(region=inputs_of(context, options).get("region"))
    keys = context.keys.list.read()
    iam = _Lookup(context, request, options.offline)
    found = [iam.about(name, key) for name, key in keys.items()]
    if options.as_json:
        write_json(found)
    elif not found:
        context.terminal.notice("no key is stored; to store one: awsudo keys add NAME")
    else:
        now = time.time()
        write_table(_COLUMNS, [_row(each, now) for each in found])
    for name, key in keys.items():
        if key.rotating:
            context.terminal.notice(
                f"the key of profile {name} is being rotated; to go on: awsudo keys rotate {shlex.quote(name)}"
            )


class _Lookup:
    """Looks up one key after the other, until the keyring or AWS does not answer."""

    def __init__(self, context: Context, request: Request, offline: bool) -> None:
        self._context = context
        self._request = request
        self._silent = {"keyring": offline, "AWS": offline}

    def about(self, name: str, key: StoredKey) -> dict[str, Any]:
        """The known facts about a key; None for unknown ones."""
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
            # a keyring that is locked for one key is locked for all
            self._silent["keyring"] = True
            self._context.terminal.notice(f"AWS is not called: {error.message}")
            return known
        chain = keys_chain(self._context, name, secret, self._request)
        iam = iam_at(self._context, chain, secret, tries=1)

        def keys() -> dict[str, Any]:
            own = [each for each in iam.access_keys() if each.access_key_id == key.access_key_id]
            return {"created": own[0].created, "active": own[0].active} if own else {}

        def last_use() -> dict[str, Any]:
            used = iam.last_use(key.access_key_id)
            return {"last_used": used.at, "last_used_service": used.service if used.at else ""}

        lookups: tuple[Callable[[], dict[str, Any]], ...] = (last_use, keys, lambda: {"mfa_devices": iam.devices()})
        for lookup in lookups:
            try:
                known.update(lookup())
            except Unreachable as error:
                self._silent["AWS"] = True
                self._context.terminal.notice(f"AWS is not called any more: {error.message}")
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
        # an ARN would repeat the account and the partition
        "?" if devices is None else ", ".join(device.rpartition(":")[2] for device in devices) or "none",
        known["keyring"].removeprefix("the "),
    )


def _ago(moment: str, now: float) -> str:
    import calendar

    return brief(now - calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")), parts=1)
