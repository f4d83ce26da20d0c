"""Stores the keys of aws-vault in awsudo's keyring; prints a command line for those that only aws-vault can read."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.cli.commands.keys.add import add_key, refuse_name, refuse_overwriting
from awsudo_py.cli.output import write
from awsudo_py.display import escape
from awsudo_py.errors import AwsudoError, Interrupted, KeyringError, KeyringLocked
from awsudo_py.keys.aws_vault import collection_name, names_of_files, stored_keys
from awsudo_py.model import Request
from awsudo_py.prompt import confirmed

if TYPE_CHECKING:
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.context import Context
    from awsudo_py.keys.index import StoredKey

#: The backend of aws-vault that awsudo reads, by aws-vault's name for it.
_READ = "secret-service"


class _Key(NamedTuple):
    """A key of aws-vault, and the one that awsudo has under the same name."""

    name: str
    key: Credentials
    before: StoredKey | None


def import_keys(context: Context, *, yes: bool, list_only: bool, replace: bool) -> None:
    """Store the keys of aws-vault in awsudo's keyring. Raises AwsudoError.

    list_only: list them on stdout, and store none. replace: whether they replace the keys stored under their names.
    """
    terminal = context.terminal
    terminal.notice("aws-vault reads its profiles from ~/.aws/config, and so does awsudo: none needs converting")
    found = _found(context)
    stored = context.keys.list.read()
    keys = [_Key(name, key, stored.get(name)) for name, key in sorted(found.items()) if key is not None]
    to_store, lines = [], []
    for each in keys:
        is_stored = each.before is not None and each.before.access_key_id == each.key.access_key_id
        wins = each.before is not None and not is_stored and not replace
        to_store += [] if is_stored or wins else [each]
        lines.append(f"{each.name}  {each.key.access_key_id}  {_state(each, is_stored=is_stored, replace=replace)}")
    for name in (name for name, key in found.items() if key is None):
        terminal.notice(f"{name} in aws-vault's collection is not a key, and is left out")
    if list_only:
        write("".join(f"{escape(line)}\n" for line in lines))
    elif to_store:
        terminal.show(lines)
        _store(context, to_store, yes=yes)
    elif keys:
        terminal.show(lines)
        terminal.notice("every key of aws-vault that can be read is stored already, or its name is taken")
    _explain_others(context, {*found, *stored, *(each.name for each in keys)}, nothing=not keys)


def _found(context: Context) -> dict[str, Credentials | None]:
    """The keys that can be read. Raises KeyringError if they are locked."""
    backend = context.environ.get("AWS_VAULT_BACKEND", "")
    if backend not in ("", _READ):
        context.terminal.notice(f"awsudo does not read aws-vault's backend {backend} (AWS_VAULT_BACKEND)")
        return {}
    if not sys.platform.startswith("linux"):
        context.terminal.notice("awsudo reads aws-vault's keys in the Secret Service of Linux only")
        return {}
    try:
        return stored_keys(context.environ, context.terminal.notice)
    except KeyringLocked as error:
        raise KeyringLocked(
            f"{error.message}: its collection {collection_name(context.environ)} has the keys of aws-vault",
            hint=(
                "unlock that collection in the desktop's password manager, then run the same command again",
                f"or let aws-vault unlock it: {_by_aws_vault('NAME')}",
            ),
        ) from None
    except KeyringError as error:
        if backend:
            raise
        context.terminal.notice(f"cannot look for the keys of aws-vault in the Secret Service: {error.message}")
        return {}


def _state(each: _Key, *, is_stored: bool, replace: bool) -> str:
    if each.before is None:
        return "new"
    if is_stored:
        return "stored already"
    if replace:
        return f"replaces {each.before.access_key_id}"
    return f"left out: {each.before.access_key_id} is stored; to replace it: --existing overwrite"


def _store(context: Context, keys: list[_Key], *, yes: bool) -> None:
    """Ask, then store one after the other. Raises AwsudoError if one was not stored."""
    terminal = context.terminal
    keyring = context.keys.keyring()
    context.keys.find("AKIA")  # a locked keyring is reported before the question
    count = f"{len(keys)} key{'' if len(keys) == 1 else 's'}"
    question = f"Store {count} of aws-vault in {keyring.name}, for awsudo?"
    if not confirmed(question, yes=yes, otherwise="to confirm, pass --yes; to list them only, --diff"):
        raise Interrupted("nothing was stored")
    failed = []
    for each in keys:
        try:
            refuse_name(context, each.name)
            refuse_overwriting(each.name, each.before, yes=True)
            add_key(context, each.name, each.key, each.before, Request(), where="aws-vault's keyring")
        except Interrupted:
            raise
        except AwsudoError as error:
            failed.append(each.name)
            terminal.notice(f"the key of {each.name} was not stored: {error.message}")
            terminal.show([f"  {hint}" for hint in error.hints])
            continue
        terminal.notice(f"aws-vault still has it; to remove it there: aws-vault remove {shlex.quote(each.name)}")
    if failed:
        raise AwsudoError(
            f"{len(failed)} of {count} not stored: {', '.join(failed)}",
            hint="fix that, then run the same command again: it stores the rest",
        )


def _explain_others(context: Context, done: set[str], *, nothing: bool) -> None:
    """Print the line that stores each key which aws-vault alone can read."""
    config, notice = context.config, context.terminal.notice
    in_files = [name for name in names_of_files(context.environ) if name not in done]
    for name in in_files:
        notice(f"the key of {name} is in a file that aws-vault encrypts: {_by_aws_vault(name, '--backend=file ')}")
    roots = [
        name
        for name in config.names()
        if name not in done
        and name not in in_files
        and not {"role_arn", "sso_session", "sso_account_id", "credential_process", "login_session"}
        & set(config.profile(name) or {})
        and "aws_access_key_id" not in (config.profile(name) or {})
        and any((config.profile(other) or {}).get("source_profile") == name for other in config.names())
    ]
    for name in roots:
        notice(f"the keys of {name}: {_by_aws_vault(name)}")
    if nothing and not roots and not in_files:
        notice("no profile is without keys: there is nothing to take over")


def _by_aws_vault(name: str, options: str = "") -> str:
    """The command line in which aws-vault hands a key over."""
    quoted = name if name == "NAME" else shlex.quote(name)
    return f"aws-vault {options}exec --no-session {quoted} -- awsudo keys add {quoted} --from-env"
