"""awsudo keys export: prints a stored key for an SDK."""

from __future__ import annotations

import shlex

from awsudo_py.cli.call import Call, begin
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.formats import credential_process
from awsudo_py.cli.options import Common
from awsudo_py.cli.output import refuse_terminal, write
from awsudo_py.errors import UsageError


class ExportOptions(Common):
    """What `awsudo keys export` takes."""

    name: str
    process: bool
    force: bool


@subcommand("keys export", ExportOptions)
def command(call: Call, options: ExportOptions) -> None:
    """Print a stored key, for an SDK that needs the key itself.

    Programs for which a session is enough should get one: `awsudo export NAME --process`. The key itself is for
    programs that assume roles on their own, and for IAM calls that a session is not allowed to make.

    In ~/.aws/config, below [profile base]:

    \b
      credential_process = awsudo keys export base --process

    It reads the keyring and no configuration file, so it cannot call itself.
    """
    context, quoted = begin(call), shlex.quote(options.name)
    if not options.process:
        raise UsageError(
            "keys export needs --process, its only format",
            hint=(f"awsudo keys export {quoted} --process", f"for a session, in other formats: awsudo export {quoted}"),
        )
    refuse_terminal(
        "a secret",
        force=options.force,
        hint=f"let an SDK read it: credential_process = awsudo keys export {quoted} --process",
    )
    key = context.keys.named(options.name)
    write(credential_process(context.keys.secret(options.name, key.access_key_id, key.backend)))
