"""Makes IAM calls with a profile's own keys: the way from a key to IAM."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from awsudo_py.model import Request, Source
from awsudo_py.resolve.source_kinds import gives_session

if TYPE_CHECKING:
    from awsudo_py.aws.iam import Iam
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.context import Context
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
    source = Source(
        "keys",
        name,
        where,
        identity=(("access_key_id", key.access_key_id),),
        settings=(("mfa_serial", device_of(context, name) or ""),),
        credentials=key,
    )
    return context.resolver().chain_of_keys(name, source, request, with_device=with_device)


def source_of(context: Context, name: str | None) -> Source:
    """Where a profile starts from; with no name, the ambient credentials. Raises AwsudoError."""
    return context.resolver().source(name)


def keys_of(context: Context, source: Source) -> Credentials | None:
    """A user's long-lived keys, if the source returns any. Raises AwsudoError."""
    if gives_session(source):
        return None
    if source.credentials is not None:
        return source.credentials
    from awsudo_py.aws.client import Aws
    from awsudo_py.aws.fetchers import fetch

    chain = context.resolver().chain_of_keys(source.profile or "", source, Request())
    found = fetch(Aws(chain, context.config, time.time, stored_key=context.keys.of_source), source, "")
    return found if found.session_token is None else None


def device_of(context: Context, name: str) -> str | None:
    """The MFA device that a profile names, if it names one. Raises AwsudoError."""
    return context.resolver().device(name)


def iam_at(context: Context, chain: RoleChain, credentials: Credentials, *, tries: int = 3) -> Iam:
    """IAM at the chain's endpoint, called with these credentials; tries is that of Iam. Raises AwsudoError."""
    from awsudo_py.aws.client import Aws  # here, so that what needs no answer does not import botocore
    from awsudo_py.aws.iam import Iam

    url = context.resolver().service_url("iam", chain.config_profile)
    return Iam(Aws(chain, context.config, time.time), credentials, url, tries=tries)
