"""awsudo keys mfa: finds the MFA devices of a profile's user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awsudo_py.cli.call import Call, begin, inputs_of
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import CallOptions
from awsudo_py.cli.output import write
from awsudo_py.errors import AwsudoError, Rejected
from awsudo_py.keys.owner import device_of, iam_at, keys_chain, keys_of, source_of
from awsudo_py.model import Request
from awsudo_py.resolve.source_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.model import Source

#: The host of the console, where users add MFA devices, by partition.
_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


class MfaOptions(CallOptions):
    """What `awsudo keys mfa` takes."""

    profile: str | None
    name: str | None


@subcommand("keys mfa", MfaOptions)
def command(call: Call, options: MfaOptions) -> None:
    """Find your MFA devices and print the mfa_serial line for the profile.

    Calls IAM (ListMFADevices) with the long-lived keys that the profile starts from; without a profile, with those that
    the AWS CLI would use.

    \b
      awsudo keys mfa base
      awsudo keys mfa              AWS_PROFILE, or the default profile
    """
    context = begin(call)
    name = options.name or options.profile
    source = source_of(context, name)
    key = keys_of(context, source)
    if key is None:
        subject = f"profile {source.profile} starts" if source.profile else "the default credentials start"
        raise AwsudoError(
            f"{subject} from {kind_of(source).noun} credentials; only IAM users with keys have MFA devices",
            hint="name a profile that has keys: awsudo keys mfa PROFILE (SSO asks for MFA at sign-in)",
        )
    request = Request(region=inputs_of(context, options).get("region"))
    chain = keys_chain(context, source.profile or "default", key, request, where=source.where)
    host = _CONSOLES.get(chain.endpoint.partition, "console.aws.amazon.com")
    console = f"https://{host}/iam/home#/security_credentials"
    try:
        serials = iam_at(context, chain, key).devices()
    except Rejected as error:
        if error.code in ("AccessDenied", "AccessDeniedException"):
            error.hints = (
                "this user is not allowed to list its own devices. The console shows them, under Multi-factor",
                f"authentication: {console} (the identifier there is the mfa_serial)",
            )
        raise
    usable = [serial for serial in serials if ":u2f/" not in serial]
    for serial in serials:
        if serial not in usable:
            context.terminal.notice(f"{serial} is a security key (FIDO), which has no codes: STS cannot use it")
    if not usable:
        raise AwsudoError(
            f"the user of {key.access_key_id} has no MFA device that STS can use",
            hint=f"add an authenticator app ({console}, Assign MFA device), then run awsudo keys mfa again",
        )
    write("".join(f"mfa_serial = {serial}\n" for serial in usable))
    _where_to_put_it(context.terminal.notice, source, usable, device_of(context, source.profile or "default"))


def _where_to_put_it(notice: Callable[[str], None], source: Source, usable: list[str], device: str | None) -> None:
    if source.profile is None:
        notice("add it to the role's profile, or set AWSUDO_MFA_SERIAL")
    elif device in usable:
        notice(f"profile {source.profile} already has it")
    else:
        header = "default" if source.profile == "default" else f"profile {source.profile}"
        one = "it" if len(usable) == 1 else "one of them"
        notice(f"add {one} below [{header}] in ~/.aws/config (the AWS CLI reads it from each role's profile instead)")
