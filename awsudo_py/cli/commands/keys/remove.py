"""awsudo keys remove: takes a key out of the OS keyring."""

from __future__ import annotations

import shlex
from typing import Any

import click

from awsudo_py.cli.click_glue import begin, forget_sessions_of, subcommand
from awsudo_py.errors import Interrupted, KeyringError
from awsudo_py.terminal import confirmed


@subcommand("keys remove")
@click.argument("name")
@click.pass_context
def command(ctx: click.Context, /, name: str, yes: bool, **options: Any) -> None:
    """Take a key out of the keyring; at AWS it stays as it is.

    \b
      awsudo keys remove base
      awsudo keys remove base --yes      without asking
    """
    context, _ = begin(ctx, options)
    keys, tell = context.keys, context.terminal.notice
    key = keys.named(name)
    question = f"Take {key.access_key_id} ({name}) out of the keyring? Its secret cannot be got back"
    if not yes and not confirmed(question, otherwise="say that you mean it: --yes"):
        raise Interrupted(f"{key.access_key_id} ({name}) stays where it is")
    held = [each for each in (key.access_key_id, key.pending, key.retiring) if each]
    try:
        # asked before the list lets go of it: a secret that nothing names would stay for good
        keys.find(key.access_key_id, key.backend)
    except KeyringError as error:
        if not yes and not confirmed(f"{error.message}. Forget the name all the same?", otherwise="--yes"):
            raise
        keys.write(name, None)
        tell(f"{name} is forgotten; a secret may still be in the keyring ({error.message})")
    else:
        keys.write(name, None)
        for each in held:
            keys.drop(each, key.backend)
        tell(f"{name} is taken out of {keys.keyring(key.backend).name}")
    forget_sessions_of(context, held)
    user = f" --user-name {shlex.quote(key.arn.rsplit('/', 1)[-1])}" if ":user/" in key.arn else ""
    for each in held:
        tell(f"at AWS {each} works as before; delete it there: aws iam delete-access-key --access-key-id {each}{user}")
