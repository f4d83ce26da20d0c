"""Reads the roles out of a SAML assertion. AWS checks it; here its roles are only displayed and chosen from.

1. A document with a DOCTYPE is refused: entities can make a small one enormous.
2. Only ARNs of roles are displayed from an assertion.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from awsudo_py.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The attribute that has the roles (IAM user guide, "Configure SAML assertions for the authentication response").
_ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes/Role"
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+", re.ASCII)
_PROVIDER = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:saml-provider/\S+", re.ASCII)


class SamlRole(NamedTuple):
    """A role that an assertion allows, and the provider that vouches for it."""

    role_arn: str
    provider_arn: str


def assertion_of(text: str, name: str) -> str:
    """The assertion in base64, as STS takes it, out of a text that is base64 or XML. Raises InvalidInput."""
    bare = "".join(text.split())
    if text.lstrip().startswith("<"):
        bare = base64.b64encode(text.strip().encode()).decode()
    try:
        document = base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        document = b""
    if not document.lstrip().startswith(b"<"):
        raise InvalidInput(
            f"{name} has no SAML assertion",
            hint="it must be the SAMLResponse of the sign-in page, in base64 as the browser posts it, or as XML",
        )
    return bare


def roles_of(assertion: str) -> tuple[SamlRole, ...]:
    """The roles of an assertion, in its order. Raises InvalidInput."""
    refused = InvalidInput("the SAML assertion cannot be read", hint="sign in again, and copy the whole SAMLResponse")
    try:
        document = base64.b64decode(assertion).decode("utf-8")  # no other encoding can hide what rule 1 looks for
        if "<!DOCTYPE" in document or "<!ENTITY" in document:
            raise refused
        root = ElementTree.fromstring(document)  # noqa: S314 (rule 1)
    except (ElementTree.ParseError, ValueError):
        raise refused from None
    found: list[SamlRole] = []
    for attribute in root.iter():
        if attribute.tag.rpartition("}")[2] != "Attribute" or attribute.get("Name") != _ATTRIBUTE:
            continue
        for value in attribute:
            parts = [part.strip() for part in (value.text or "").split(",")]
            role = next((part for part in parts if _ROLE.fullmatch(part)), None)
            provider = next((part for part in parts if _PROVIDER.fullmatch(part)), None)
            if role and provider:
                found.append(SamlRole(role, provider))
    if not found:
        raise InvalidInput(
            "the SAML assertion has no role",
            hint=f"the identity provider must send the attribute {_ATTRIBUTE} with ROLE_ARN,PROVIDER_ARN",
        )
    return tuple(dict.fromkeys(found))


def chosen(roles: Sequence[SamlRole], role_arn: str) -> SamlRole:
    """The role with that ARN among these. Raises InvalidInput, with the existing ones."""
    found = next((each for each in roles if each.role_arn == role_arn), None)
    if found is None:
        listed = tuple(each.role_arn for each in roles)
        raise InvalidInput(f"the SAML assertion has no role {role_arn}", hint=("it has:", *listed))
    return found
