"""Asks AWS about a profile's own keys: the way from a key to IAM."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from awsudo_py.model import Request, Source
from awsudo_py.resolve import chain as resolving
from awsudo_py.resolve import mfa_placement
from awsudo_py.resolve.endpoints import Endpoints
from awsudo_py.resolve.sources import Sources

if TYPE_CHECKING:
    from awsudo_py.aws.iam import Iam
    from awsudo_py.context import Context
    from awsudo_py.credentials import Credentials
    from awsudo_py.model import RoleChain


def keys_chain(
    context: Context,
    name: str,
    key: Credentials,
    request: Request,
    *,
    where: str = "the keyring",
    with_device: bool = False,
) -> RoleChain:
    """The chain that is this key alone, or a session of it where the profile has an MFA device. Raises AwsudoError."""
    device = device_of(context, name)
    source = Source(
        "keys",
        name,
        where,
        identity=(("access_key_id", key.access_key_id),),
        settings=(("mfa_serial", device or ""),),
        credentials=key,
        long_lived=True,
    )
    asked = mfa_placement.asked_by(request, context.config, [name])
    # the session that roles share: a code that was asked for once does here too
    hops = mfa_placement.placed(source, (), asked).hops if with_device and (asked.serial or device) else ()
    chain = resolving.chain_of_keys(name, source, request, context.config, context.deciding, hops)
    return chain._replace(mfa_process=asked.process)


def source_of(context: Context, name: str | None) -> Source:
    """Where a profile starts from; with no name, the ambient credentials. Raises AwsudoError."""
    return resolving.source_of(name, context.config, context.deciding, context.fingerprint)


def keys_of(context: Context, source: Source) -> Credentials | None:
    """A user's long-lived keys, if the source gives such. Raises AwsudoError."""
    if source.kind == "keyring":
        return context.keys.of_source(source)
    if source.kind != "process":
        return source.credentials if source.long_lived else None
    from awsudo_py.aws.client import Aws
    from awsudo_py.aws.fetchers import WAYS

    chain = resolving.chain_of_keys(
        source.profile or "", source, Request(), context.config, context.deciding
    )  # fmt: skip
    found = WAYS["process"](Aws(chain, context.config, time.time), source, "")
    return found if found.session_token is None else None


def device_of(context: Context, name: str) -> str | None:
    """The MFA device that a profile names, if it names one. Raises AwsudoError."""
    return Sources(context.config, context.deciding, context.fingerprint).device(name)


def iam_at(context: Context, chain: RoleChain, credentials: Credentials, *, tries: int = 3) -> Iam:
    """IAM where that chain has it, asked with these credentials; tries is that of Iam. Raises AwsudoError."""
    from awsudo_py.aws.client import Aws  # here, so that what needs no answer does without botocore
    from awsudo_py.aws.iam import Iam

    url = Endpoints(context.config, context.deciding).url("iam", chain.config_profile)
    return Iam(Aws(chain, context.config, time.time), credentials, url, tries=tries)
