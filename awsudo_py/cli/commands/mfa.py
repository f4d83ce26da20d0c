"""awsudo mfa: finds the MFA devices of a profile's user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from awsudo_py.cli.click_glue import begin, inputs_of, printed, subcommand
from awsudo_py.errors import AwsudoError, Rejected
from awsudo_py.keys.owner import device_of, iam_at, keys_chain, keys_of, source_of
from awsudo_py.model import Request

if TYPE_CHECKING:
    from awsudo_py.model import Source

#: Where one sees and adds the devices of one's own user, by partition.
_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


@subcommand("mfa")
@click.argument("name", metavar="[PROFILE]", required=False)
@click.pass_context
def command(ctx: click.Context, /, name: str | None, **options: Any) -> None:
    """Find your MFA device, and print the line for the profile.

    Asks IAM (ListMFADevices) with the long-lived keys that the profile starts from; without a profile, with those that
    the AWS CLI would use.

    \b
      awsudo mfa base
      awsudo mfa              AWS_PROFILE, or the default profile
    """
    context, merged = begin(ctx, options)
    name = name or merged["profile"]
    source = source_of(context, name)
    key = keys_of(context, source)
    if key is None:
        shown = f"profile {source.profile} starts from" if source.profile else "there is nothing but"
        raise AwsudoError(
            f"{shown} {source.kind.replace('-', ' ')} credentials, and only an IAM user with keys has MFA devices",
            hint="an SSO user's MFA is asked for at login; name the profile that has keys: awsudo mfa PROFILE",
        )
    request = Request(region=inputs_of(context, merged).get("region"))
    chain = keys_chain(context, source.profile or "default", key, request, where=source.where)
    host = _CONSOLES.get(chain.endpoint.partition, "console.aws.amazon.com")
    console = f"https://{host}/iam/home#/security_credentials"
    try:
        serials = iam_at(context, chain, key).devices()
    except Rejected as error:
        if error.code in ("AccessDenied", "AccessDeniedException"):
            error.hints = (
                "the user may not list its own devices; the console shows them, under Multi-factor authentication:",
                f"{console}; what it calls the identifier is the mfa_serial",
            )
        raise
    usable = [serial for serial in serials if ":u2f/" not in serial]
    for serial in serials:
        if serial not in usable:
            context.terminal.notice(f"{serial} is a security key (FIDO): STS takes codes, and it has none")
    if not usable:
        raise AwsudoError(
            f"the user of {key.access_key_id} has no MFA device that STS takes",
            hint=f"add an authenticator app: {console}, Assign MFA device; then awsudo mfa again",
        )
    printed("".join(f"mfa_serial = {serial}\n" for serial in usable))
    _where_to_put_it(context.terminal.notice, source, usable, device_of(context, source.profile or "default"))


def _where_to_put_it(tell: Any, source: Source, usable: list[str], device: str | None) -> None:
    if source.profile is None:
        tell("add it to the role's profile, or give it as AWSUDO_MFA_SERIAL")
    elif device in usable:
        tell(f"profile {source.profile} has it already")
    else:
        header = "default" if source.profile == "default" else f"profile {source.profile}"
        one = "it" if len(usable) == 1 else "one of them"
        tell(f"add {one} below [{header}] in ~/.aws/config (the AWS CLI looks in each role's profile instead)")
