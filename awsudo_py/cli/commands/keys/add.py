"""awsudo keys add: stores an access key in the OS keyring."""

from __future__ import annotations

import re
import shlex
import time
from typing import TYPE_CHECKING, Any

import click

from awsudo_py.cli.click_glue import begin, inputs_of, subcommand
from awsudo_py.credentials import Credentials
from awsudo_py.errors import AwsudoError, Interrupted, UsageError
from awsudo_py.keys.index import StoredKey
from awsudo_py.keys.owner import iam_at, keys_chain
from awsudo_py.keys.plaintext import PlainCopy, masked_diff, plain_copy, removal
from awsudo_py.model import Request
from awsudo_py.terminal import ask, confirmed

if TYPE_CHECKING:
    from awsudo_py.context import Context

_NO_TERMINAL = "without one: awsudo keys add NAME --from-env, or --import"
#: IAM user guide, "IAM identifiers", unique ID prefixes.
_NOT_KEYS = {
    "ASIA": "it is a session's, and ends: only long-lived keys are stored (a session of one: awsudo NAME COMMAND)",
    "AIDA": "that is a user's id, not a key's",
    "AROA": "that is a role's id, not a key's",
}


@subcommand("keys add")
@click.argument("name")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    name: str,
    from_env: bool,
    imported: bool,
    replace: bool,
    backup: bool,
    yes: bool,
    **options: Any,
) -> None:
    """Store an access key in the OS keyring, under the name of its profile.

    The key is asked for on the terminal, shown to AWS (GetCallerIdentity), stored, and read back. From then on it is
    where profile NAME starts from, before any file; the profile need not be in ~/.aws.

    \b
      awsudo keys add base                     asks for the key
      awsudo keys add base --from-env          takes it from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
      awsudo keys add base --import            takes it from ~/.aws/credentials, and offers to remove it there
      awsudo keys add base --import --yes      removes it there without asking
    """
    context, merged = begin(ctx, options)
    if from_env and imported:
        raise UsageError("--from-env and --import exclude each other", hint="where does the key come from?")
    if (backup or yes) and not imported:
        raise UsageError("--backup and --yes go with --import", hint="awsudo keys add NAME --import --backup")
    copy = _copy(context, name) if imported else None
    _refuse_name(context, name)
    before = context.keys.list.read().get(name)
    if copy is None or before is None or before.access_key_id != copy.credentials.access_key_id:
        _refuse_overwriting(name, before, replace)
    context.keys.keyring()  # a keyring that is not there is said so before anything is typed
    key = copy.credentials if copy else _from_environment(context) if from_env else _typed(context, name)
    _refuse_key(context, name, key)
    context.keys.find(key.access_key_id)  # and one that is locked before AWS is asked
    _store(context, name, key, before, Request(region=inputs_of(context, merged).get("region")), copy)
    if from_env:
        context.terminal.notice("the environment still has it: unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY")
    if copy is not None:
        _offer_removal(context, copy, yes=yes, backup=backup)


def _copy(context: Context, name: str) -> PlainCopy:
    config = context.config
    config.require(name)
    copy = plain_copy(config, name)
    if copy is None:
        raise AwsudoError(
            f"profile {name} has no key in {config.credentials_file} or {config.config_file}",
            hint=f"type it: awsudo keys add {shlex.quote(name)}",
        )
    return copy


def _refuse_name(context: Context, name: str) -> None:
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise UsageError(f"{name!r} is no name for a profile", hint="awsudo keys add NAME")
    settings = context.config.profile(name) or {}
    if "role_arn" in settings and settings.get("source_profile") != name:
        source = settings.get("source_profile")
        raise AwsudoError(
            f"profile {name} is a role, and a role has no key ({context.config.where(name, 'role_arn')})",
            hint=f"the key is that of the profile it starts from: awsudo keys add {shlex.quote(source)}"
            if source
            else "store the key under a name of its own, and let the role name that: source_profile = NAME",
        )


def _refuse_overwriting(name: str, before: StoredKey | None, replace: bool) -> None:
    if before is None:
        return
    if before.rotating:
        raise AwsudoError(
            f"the key of profile {name} is being rotated", hint=f"finish that: awsudo keys rotate {shlex.quote(name)}"
        )
    if not replace and not confirmed(
        f"{name} has a stored key, {before.access_key_id}. Replace it?", otherwise="say that you mean it: --replace"
    ):
        raise Interrupted(f"the key {before.access_key_id} of profile {name} stays as it is")


def _from_environment(context: Context) -> Credentials:
    environ = context.environ
    key, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not key or not secret:
        missing = "AWS_ACCESS_KEY_ID" if not key else "AWS_SECRET_ACCESS_KEY"
        raise AwsudoError(f"{missing} is not set in the environment", hint="export both, or let them be asked for")
    return Credentials(key, secret, environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN") or None)


def _typed(context: Context, name: str) -> Credentials:
    access_key_id = ask(f"Access key id of profile {name}: ", otherwise=_NO_TERMINAL)
    _refuse_id(access_key_id)
    # a secret that is there already need not be typed: the list was lost, or the run that stored it was
    found = context.keys.find(access_key_id)
    if found is not None:
        context.terminal.notice("the keyring has its secret already")
        return found
    return Credentials(access_key_id, ask("Secret access key (not shown): ", otherwise=_NO_TERMINAL, hidden=True), None)


def _refuse_id(access_key_id: str) -> None:
    if access_key_id[:4] in _NOT_KEYS:
        raise AwsudoError(f"{access_key_id} cannot be stored: {_NOT_KEYS[access_key_id[:4]]}")
    if not re.fullmatch(r"AKIA[A-Z0-9]{12,124}", access_key_id, re.ASCII):
        # not shown: it may be the secret, typed in its place
        raise AwsudoError(
            "that is no access key id: one begins with AKIA, and has capitals and digits",
            hint="make one: IAM console, your user, Security credentials, Create access key",
        )


def _refuse_key(context: Context, name: str, key: Credentials) -> None:
    if key.session_token is not None:
        raise AwsudoError(f"{key.access_key_id} cannot be stored: {_NOT_KEYS['ASIA']}")
    _refuse_id(key.access_key_id)
    if not re.fullmatch(r"[A-Za-z0-9/+=]{40}", key.secret_access_key, re.ASCII):
        raise AwsudoError(
            f"the secret of {key.access_key_id} is none: it has {len(key.secret_access_key)} characters, and one has "
            "40 of A-Z a-z 0-9 / + =",
            hint="enter it again; AWS shows it once, when the key is made",
        )
    for other, stored in context.keys.list.read().items():
        if other != name and key.access_key_id in (stored.access_key_id, stored.pending, stored.retiring):
            raise AwsudoError(
                f"{key.access_key_id} is stored already, as {other}",
                hint=f"one key, one name: let profiles name it (source_profile = {other})",
            )


def _store(
    context: Context,
    name: str,
    key: Credentials,
    before: StoredKey | None,
    request: Request,
    copy: PlainCopy | None,
) -> None:
    where = copy.file if copy else "what was entered"
    arn = iam_at(context, keys_chain(context, name, key, request, where=where), key).arn()
    if arn.endswith(":root"):
        raise AwsudoError(
            f"{key.access_key_id} is a key of the root user of account {arn.split(':')[4]}, which is not stored",
            hint=(
                "it opens everything, no policy limits it, and no role can be assumed with it: delete it",
                "https://console.aws.amazon.com/iam/home#/security_credentials; then use SSO, or an IAM user's key",
            ),
        )
    tell = context.terminal.notice
    tell(f"{key.access_key_id} is {arn}, account {arn.split(':')[4]}")
    keys = context.keys
    backend = keys.keep(name, key)
    stored = StoredKey(key.access_key_id, backend, time.time(), arn)
    if before is not None and before.access_key_id == key.access_key_id:
        stored = before._replace(backend=backend, arn=arn)
    keys.write(name, stored)
    tell(f"stored in {keys.keyring().name}: profile {name} starts from it")
    if before is not None and (before.access_key_id, before.backend) != (key.access_key_id, backend):
        keys.drop(before.access_key_id, before.backend)
        tell(f"{before.access_key_id} is taken out of the keyring; at AWS it stays as it is")


def _offer_removal(context: Context, copy: PlainCopy, *, yes: bool, backup: bool) -> None:
    change = removal(copy)
    terminal, name = context.terminal, shlex.quote(copy.profile)
    terminal.show(masked_diff(change))
    if not yes:
        try:
            yes = confirmed(f"Take the key out of {copy.file}?", otherwise="")
        except AwsudoError as error:
            if isinstance(error, Interrupted):
                raise
            terminal.notice(f"there is no terminal to ask on: take it out with awsudo keys add {name} --import --yes")
            return
    if not yes:
        terminal.notice(f"{copy.file} stays as it is")
        return
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(context.run.clock()))
    saved = change.apply(backup=f"{stamp}.backup" if backup else "")
    terminal.notice(f"removed from {copy.file}{f'; backup: {saved} (mode 0600)' if saved else ''}")
    terminal.notice(f"it lay there in the clear until now: replace it by a new one with awsudo keys rotate {name}")
    terminal.notice(
        f"for programs that read profile {copy.profile} themselves, write below [profile {copy.profile}] in "
        f"~/.aws/config: credential_process = awsudo keys export {name} --process"
    )
