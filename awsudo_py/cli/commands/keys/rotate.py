"""awsudo keys rotate: replaces a stored key by a new one."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from awsudo_py.cli.click_glue import begin, forget_sessions_of, inputs_of, subcommand
from awsudo_py.errors import Rejected
from awsudo_py.keys.owner import iam_at, keys_chain
from awsudo_py.keys.plaintext import plain_copy
from awsudo_py.keys.rotation import Rotation
from awsudo_py.model import Request
from awsudo_py.session import obtain
from awsudo_py.terminal import confirmed

if TYPE_CHECKING:
    from awsudo_py.aws.iam import Iam
    from awsudo_py.credentials import Credentials


@subcommand("keys rotate")
@click.argument("name")
@click.pass_context
def command(ctx: click.Context, /, name: str, yes: bool, **options: Any) -> None:
    """Replace a key by a new one, at AWS and here, and delete the old one.

    Makes a new key, stores it, sees that it works, uses it from then on, deactivates and deletes the old one, and
    forgets the sessions that came from it. Interrupted anywhere, a key that works is in use, and the same line goes on
    where it was. Other machines that have the old key lose it.

    Where IAM asks for MFA, the device of the profile (mfa_serial), or --mfa-serial, is used.

    \b
      awsudo keys rotate base
      awsudo keys rotate base --mfa-serial arn:aws:iam::123456789012:mfa/alice
    """
    context, merged = begin(ctx, options)
    request = Request(profile=name, **inputs_of(context, merged))
    sessions: list[Credentials] = []

    def iam(key: Credentials, *, itself: bool) -> Iam:
        chain = keys_chain(context, name, key, request, with_device=not itself)
        if not chain.hops:
            return iam_at(context, chain, key)
        if not sessions:  # a code serves the whole rotation, whichever key it began with
            sessions.append(obtain(context, chain, request).credentials().credentials)
        return iam_at(context, chain, sessions[0])

    def agreed(question: str, otherwise: str) -> bool:
        return yes or confirmed(question, otherwise=otherwise)

    rotation = Rotation(context.keys, name, iam=iam, run=context.run, agreed=agreed)
    try:
        old = rotation.rotate()
    except Rejected as error:
        if error.code == "AccessDenied" and not sessions and "MultiFactorAuthentication" not in error.detail:
            error.hints = (
                *error.hints,
                "a policy may ask for MFA here: awsudo mfa, then awsudo keys rotate "
                f"{shlex.quote(name)} --mfa-serial SERIAL",
            )
        raise
    forget_sessions_of(context, [old])
    copy = plain_copy(context.config, name)
    if copy is not None and copy.credentials.access_key_id == old:
        context.terminal.notice(f"{copy.file} still has the old key, which is of no use any more: take it out there")
