"""awsudo keys rotate: replaces a stored key with a new one."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.cli.call import Call, begin, forget_sessions_of, inputs_of
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import CallOptions
from awsudo_py.errors import Rejected
from awsudo_py.keys.owner import iam_at, keys_chain
from awsudo_py.keys.plaintext import plain_copy
from awsudo_py.keys.rotation import Rotation
from awsudo_py.model import Request
from awsudo_py.prompt import confirmed
from awsudo_py.session_for import obtain

if TYPE_CHECKING:
    from awsudo_py.aws.iam import Iam
    from awsudo_py.aws_credentials import Credentials


class RotateOptions(CallOptions):
    """What `awsudo keys rotate` takes."""

    name: str
    mfa_serial: str | None
    mfa_code: str | None
    mfa_process: str | None
    yes: bool


@subcommand("keys rotate", RotateOptions)
def command(call: Call, options: RotateOptions) -> None:
    """Replace a key with a new one, at AWS and in the keyring, and delete the old one.

    Creates a new key, stores it, checks that it works, uses it from then on, deactivates and deletes the old one, and
    deletes the sessions that came from it. If it is interrupted, a working key stays in use, and the same command
    resumes. Other machines that use the old key lose access.

    If IAM requires MFA, the device of the profile (mfa_serial), or --mfa-serial, is used.

    \b
      awsudo keys rotate base
      awsudo keys rotate base --mfa-serial arn:aws:iam::111111111111:mfa/ann
    """
    context, name = begin(call), options.name
    request = Request(profile=name, **inputs_of(context, options))
    sessions: list[Credentials] = []

    def iam(key: Credentials, *, itself: bool) -> Iam:
        chain = keys_chain(context, name, key, request, with_device=not itself)
        if not chain.hops:
            return iam_at(context, chain, key)
        if not sessions:  # one code serves the whole rotation, whichever key it began with
            sessions.append(obtain(context, chain, request).credentials().credentials)
        return iam_at(context, chain, sessions[0])

    def agreed(question: str, otherwise: str) -> bool:
        return confirmed(question, yes=options.yes, otherwise=otherwise)

    rotation = Rotation(context.keys, name, iam=iam, run=context.run, agreed=agreed)
    try:
        old = rotation.rotate()
    except Rejected as error:
        if error.code == "AccessDenied" and not sessions and "MultiFactorAuthentication" not in error.detail:
            error.hints = (
                *error.hints,
                "a policy may require MFA: find the device with awsudo keys mfa, then awsudo keys rotate "
                f"{shlex.quote(name)} --mfa-serial SERIAL",
            )
        raise
    forget_sessions_of(context, [old])
    copy = plain_copy(context.config, name)
    if copy is not None and copy.credentials.access_key_id == old:
        context.terminal.notice(f"{copy.file} still has the old key, which no longer works; remove it there")
