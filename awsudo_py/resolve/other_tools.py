"""Explains profiles for other tools that the SDKs do not understand: the key, and the standard line to use instead."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How a key begins → whose it is, and what to write instead.
_KEYS = {
    "include_profile": ("aws-vault", "copy the settings of profile {value} here, or set source_profile = {value}"),
    "parent_profile": ("aws-vault", "set source_profile = {value}"),
    "granted_sso_": (
        "Granted",
        "write them without granted_: sso_start_url, sso_region, sso_account_id, sso_role_name",
    ),
    "azure_": ("aws-azure-login", "set credential_process to a program that prints its credentials"),
    "google_config": ("aws-google-auth", "set credential_process to a program that prints its credentials"),
    "okta_": ("an Okta tool", "set credential_process to a program that prints its credentials"),
    "saml": ("a SAML tool", "set credential_process to a program that prints its credentials"),
}


def without_credentials(name: str, settings: Mapping[str, str]) -> tuple[str, ...]:
    """The hints about a profile in which the SDKs find no credentials."""
    for start, (tool, instead) in _KEYS.items():
        key = next((key for key in settings if key.startswith(start)), None)
        if key is not None:
            return (f"{key} is a key of {tool}, which the SDKs do not know", instead.format(value=settings[key]))
    if "sso_session" in settings:
        return ("it names an sso_session only: add sso_account_id and sso_role_name",)
    if "region" in settings:
        return (
            "on EC2, to use the instance's role from it: role_arn = … and credential_source = Ec2InstanceMetadata",
            f"or EcsContainer on ECS; see what it has: aws configure list --profile {shlex.quote(name)}",
        )
    return (f"see what it has: aws configure list --profile {shlex.quote(name)}",)
