"""awsudo keys export: prints a stored key for an SDK."""

from __future__ import annotations

import json
import shlex
import sys
from typing import Any

import click

from awsudo_py.cli.click_glue import begin, printed, subcommand
from awsudo_py.errors import AwsudoError, UsageError


@subcommand("keys export")
@click.argument("name")
@click.pass_context
def command(ctx: click.Context, /, name: str, process: bool, force: bool, **options: Any) -> None:
    """Print a stored key for an SDK that has to have the key itself.

    What needs no more than a session gets one: `awsudo export NAME --format process`. The key itself is for programs
    that assume roles on their own, and for calls of IAM that a session is refused.

    \b
      credential_process = awsudo keys export base --process     in ~/.aws/config, below [profile base]

    It reads the keyring and no configuration, so it cannot come back to itself.
    """
    context, _ = begin(ctx, options)
    quoted = shlex.quote(name)
    if not process:
        raise UsageError(
            "a key is printed in one form only: --process",
            hint=(f"awsudo keys export {quoted} --process", f"a session, in many forms: awsudo export {quoted}"),
        )
    if sys.stdout is not None and sys.stdout.isatty() and not force:
        raise AwsudoError(
            "this would print a secret on the terminal",
            hint=f"let an SDK read it: credential_process = awsudo keys export {quoted} --process; or add --force",
        )
    key = context.keys.named(name)
    found = context.keys.secret(name, key.access_key_id, key.backend)
    said = {"Version": 1, "AccessKeyId": found.access_key_id, "SecretAccessKey": found.secret_access_key}
    printed(json.dumps(said) + "\n")
