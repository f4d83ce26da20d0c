"""awsudo keys add: stores an access key in the OS keyring."""

from __future__ import annotations

import re
import shlex
import time
from typing import TYPE_CHECKING

from awsudo_py.aws_credentials import Credentials
from awsudo_py.cli.call import Call, begin, inputs_of
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import CallOptions
from awsudo_py.errors import AwsudoError, Interrupted, UsageError
from awsudo_py.keys.index import StoredKey
from awsudo_py.keys.owner import iam_at, keys_chain
from awsudo_py.keys.plaintext import PlainCopy, masked_diff, plain_copy, removal
from awsudo_py.model import Request
from awsudo_py.prompt import Question, ask, confirmed

if TYPE_CHECKING:
    from awsudo_py.context import Context

_NO_TERMINAL = "without a terminal: awsudo keys add NAME --from-env, or --import"
#: IAM user guide, "IAM identifiers", unique ID prefixes.
_NOT_KEYS = {
    "ASIA": "it belongs to a session, which expires; only long-lived keys are stored",
    "AIDA": "it is the ID of a user, not of a key",
    "AROA": "it is the ID of a role, not of a key",
}


class AddOptions(CallOptions):
    """What `awsudo keys add` takes."""

    name: str
    from_env: bool
    imported: bool
    replace: bool
    backup: bool
    yes: bool


@subcommand("keys add", AddOptions)
def command(call: Call, options: AddOptions) -> None:
    """Store an access key in the OS keyring, under the name of its profile.

    Prompts for the key, checks it with AWS (GetCallerIdentity), stores it, and reads it back. From then on profile NAME
    starts from it, whatever the files say; the profile need not exist in ~/.aws.

    \b
      awsudo keys add base                   prompts for the key
      awsudo keys add base --from-env        takes it from the environment
      awsudo keys add base --import          takes it from the file,
                                             and offers to remove it there
      awsudo keys add base --import --yes    removes it there without asking
    """
    context, name = begin(call), options.name
    if options.from_env and options.imported:
        raise UsageError("--from-env and --import exclude each other", hint="use one of them")
    if options.backup and not options.imported:
        raise UsageError("--backup goes with --import", hint="awsudo keys add NAME --import --backup")
    copy = _copy(context, name) if options.imported else None
    refuse_name(context, name)
    before = context.keys.list.read().get(name)
    if copy is None or before is None or before.access_key_id != copy.credentials.access_key_id:
        refuse_overwriting(name, before, yes=options.replace or options.yes)
    context.keys.keyring()  # a missing keyring is reported before anything is typed
    key = copy.credentials if copy else _from_environment(context) if options.from_env else _typed(context, name)
    request = Request(region=inputs_of(context, options).get("region"))
    add_key(context, name, key, before, request, where=copy.file if copy else "the key entered")
    if options.from_env:
        context.terminal.notice("the environment still has it: unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY")
    if copy is not None:
        _offer_removal(context, copy, yes=options.yes, backup=options.backup)


def _copy(context: Context, name: str) -> PlainCopy:
    config = context.config
    config.require(name)
    copy = plain_copy(config, name)
    if copy is None:
        raise AwsudoError(
            f"profile {name} has no key in {config.credentials_file} or {config.config_file}",
            hint=f"to type it: awsudo keys add {shlex.quote(name)}",
        )
    return copy


def refuse_name(context: Context, name: str) -> None:
    """Refuse an invalid name, and the name of a role. Raises AwsudoError."""
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise UsageError(f"invalid profile name {name!r}", hint="awsudo keys add NAME")
    settings = context.config.profile(name) or {}
    if "role_arn" in settings and settings.get("source_profile") != name:
        source = settings.get("source_profile")
        raise AwsudoError(
            f"profile {name} is a role, and roles have no keys ({context.config.where(name, 'role_arn')})",
            hint=f"store the key of its source profile: awsudo keys add {shlex.quote(source)}"
            if source
            else "store the key under another name, and set source_profile = NAME in the role's profile",
        )


def refuse_overwriting(name: str, before: StoredKey | None, *, yes: bool) -> None:
    """Refuse to replace a stored key that is being rotated, or without a yes. Raises AwsudoError."""
    if before is None:
        return
    if before.rotating:
        raise AwsudoError(
            f"the key of profile {name} is being rotated",
            hint=f"finish the rotation: awsudo keys rotate {shlex.quote(name)}",
        )
    question = f"{name} has a stored key, {before.access_key_id}. Replace it?"
    if not confirmed(question, yes=yes, otherwise="to confirm, pass --replace"):
        raise Interrupted(f"the key {before.access_key_id} of profile {name} was not replaced")


def _from_environment(context: Context) -> Credentials:
    environ = context.environ
    key, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not key or not secret:
        missing = "AWS_ACCESS_KEY_ID" if not key else "AWS_SECRET_ACCESS_KEY"
        raise AwsudoError(
            f"{missing} is not set in the environment", hint="export both, or leave --from-env out to be prompted"
        )
    return Credentials(key, secret, environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN") or None)


def _typed(context: Context, name: str) -> Credentials:
    access_key_id = ask(Question(f"Access key ID of profile {name}: ", _NO_TERMINAL))
    _refuse_id(access_key_id)
    # a secret that is already there need not be typed: the index was lost, or the run that stored it was interrupted
    found = context.keys.find(access_key_id)
    if found is not None:
        context.terminal.notice("its secret is already in the keyring")
        return found
    return Credentials(access_key_id, ask(Question("Secret access key (not shown): ", _NO_TERMINAL, hidden=True)), None)


def _refuse_id(access_key_id: str) -> None:
    if access_key_id[:4] in _NOT_KEYS:
        raise AwsudoError(f"{access_key_id} cannot be stored: {_NOT_KEYS[access_key_id[:4]]}")
    if not re.fullmatch(r"AKIA[A-Z0-9]{12,124}", access_key_id, re.ASCII):
        # not shown: it may be the secret, typed in its place
        raise AwsudoError(
            "invalid access key ID: it must begin with AKIA and hold only capitals and digits",
            hint="to create a key: IAM console, your user, Security credentials, Create access key",
        )


def _refuse_key(context: Context, name: str, key: Credentials) -> None:
    _refuse_id(key.access_key_id)  # first: it may be the secret, and is displayed below
    if key.session_token is not None:
        raise AwsudoError(f"{key.access_key_id} cannot be stored: {_NOT_KEYS['ASIA']}")
    if not re.fullmatch(r"[A-Za-z0-9/+=]{40}", key.secret_access_key, re.ASCII):
        raise AwsudoError(
            f"invalid secret access key for {key.access_key_id}: {len(key.secret_access_key)} characters; it must be "
            "40 of A-Z a-z 0-9 / + =",
            hint="enter it again; AWS shows it once, when the key is created",
        )
    for other, stored in context.keys.list.read().items():
        if other != name and key.access_key_id in (stored.access_key_id, stored.pending, stored.retiring):
            raise AwsudoError(
                f"{key.access_key_id} is already stored as {other}",
                hint=f"to use it in other profiles: source_profile = {other}",
            )


def add_key(
    context: Context, name: str, key: Credentials, before: StoredKey | None, request: Request, *, where: str
) -> None:
    """Check a key with AWS, and store it in place of the one before; where: its place until now, for messages.

    Raises AwsudoError.
    """
    _refuse_key(context, name, key)
    context.keys.find(key.access_key_id)  # a locked keyring is reported before AWS is called
    arn = iam_at(context, keys_chain(context, name, key, request, where=where), key).arn()
    if arn.endswith(":root"):
        raise AwsudoError(
            f"{key.access_key_id} belongs to the root user of account {arn.split(':')[4]}; root keys are not stored",
            hint=(
                "No policy limits a root key, and it cannot assume roles. Delete it; use SSO or an IAM user's key:",
                "https://console.aws.amazon.com/iam/home#/security_credentials",
            ),
        )
    notice = context.terminal.notice
    notice(f"{key.access_key_id} is {arn}, account {arn.split(':')[4]}")
    keys = context.keys
    backend = keys.keep(name, key)
    stored = StoredKey(key.access_key_id, backend, time.time(), arn)
    if before is not None and before.access_key_id == key.access_key_id:
        stored = before._replace(backend=backend, arn=arn)
    keys.write(name, stored)
    notice(f"stored in {keys.keyring().name}: profile {name} starts from it")
    if before is not None and (before.access_key_id, before.backend) != (key.access_key_id, backend):
        keys.drop(before.access_key_id, before.backend)
        notice(f"removed {before.access_key_id} from the keyring; at AWS it stays valid")


def _offer_removal(context: Context, copy: PlainCopy, *, yes: bool, backup: bool) -> None:
    change = removal(copy)
    terminal, name = context.terminal, shlex.quote(copy.profile)
    terminal.show(masked_diff(change))
    try:
        agreed = confirmed(f"Remove the key from {copy.file}?", yes=yes)
    except Interrupted:
        raise
    except AwsudoError:
        terminal.notice(f"no terminal to confirm on; to remove it: awsudo keys add {name} --import --yes")
        return
    if not agreed:
        terminal.notice(f"{copy.file} was not changed")
        return
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(context.run.clock()))
    copy_made = change.apply(backup=f"{stamp}.backup" if backup else "")
    terminal.notice(f"removed from {copy.file}{f'; backup (0600): {copy_made}' if copy_made else ''}")
    terminal.notice(f"it was stored in plain text until now; to replace it with a new key: awsudo keys rotate {name}")
    terminal.notice(
        f"for programs that read profile {copy.profile} themselves, add below [profile {copy.profile}] in "
        f"~/.aws/config: credential_process = awsudo keys export {name} --process"
    )
