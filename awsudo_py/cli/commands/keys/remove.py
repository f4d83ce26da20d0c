"""awsudo keys remove: removes a key from the OS keyring."""

from __future__ import annotations

import shlex

from awsudo_py.cli.call import Call, begin, forget_sessions_of
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Common
from awsudo_py.errors import Interrupted, KeyringError
from awsudo_py.prompt import confirmed


class RemoveOptions(Common):
    """What `awsudo keys remove` takes."""

    name: str
    yes: bool


@subcommand("keys remove", RemoveOptions)
def command(call: Call, options: RemoveOptions) -> None:
    """Remove a key from the keyring. At AWS it stays valid.

    \b
      awsudo keys remove base
      awsudo keys remove base --yes      without asking
    """
    context, name = begin(call), options.name
    keys, notice = context.keys, context.terminal.notice
    key = keys.named(name)
    question = f"Remove {key.access_key_id} ({name}) from the keyring? Its secret cannot be recovered."
    if not confirmed(question, yes=options.yes):
        raise Interrupted(f"{key.access_key_id} ({name}) was not removed")
    held = [each for each in (key.access_key_id, key.pending, key.retiring) if each]
    try:
        # looked up before the index drops it: a secret that nothing names would stay for good
        keys.find(key.access_key_id, key.backend)
    except KeyringError as error:
        if not confirmed(f"{error.message}. Remove {name} from the index anyway?", yes=options.yes):
            raise
        keys.write(name, None)
        notice(f"removed {name} from the index; its secret may still be in the keyring ({error.message})")
    else:
        keys.write(name, None)
        for each in held:
            keys.drop(each, key.backend)
        notice(f"removed {name} from {keys.keyring(key.backend).name}")
    forget_sessions_of(context, held)
    user = f" --user-name {shlex.quote(key.arn.rsplit('/', 1)[-1])}" if ":user/" in key.arn else ""
    for each in held:
        notice(f"at AWS {each} is still valid; to delete it: aws iam delete-access-key --access-key-id {each}{user}")
