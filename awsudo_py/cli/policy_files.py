"""Reads policy documents from files, as Terraform, the console and the AWS CLI write them.

1. A file holds a document, a list of documents, or an answer of the AWS CLI with a document in it.
2. Each --scp file is one level of the organization. A file that only denies adds to a level, as a Deny counts in any
   file; if no file allows anything, FullAWSAccess is assumed to be attached too, as AWS attaches it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from awsudo_py.errors import PolicyError
from awsudo_py.policy.documents import MAX_CHARACTERS, Policy, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The fields of AWS CLI answers that have it: iam get-role, get-policy-version, get-role-policy; organizations
#: describe-policy.
_WRAPPED = (
    ("Role", "AssumeRolePolicyDocument"),
    ("AssumeRolePolicyDocument",),
    ("PolicyVersion", "Document"),
    ("PolicyDocument",),
    ("Policy", "Content"),
)
FULL_ACCESS = Policy(
    parse({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}).statements, name="FullAWSAccess"
)


def documents(path: str) -> tuple[Policy, ...]:
    """The policies in a file. Raises PolicyError."""
    text = _read(path)
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return (parse(text, path),)  # its error has the position
    if isinstance(held, list):
        return tuple(parse(_unwrapped(each), f"{path}[{number}]") for number, each in enumerate(held, 1))
    unwrapped = _unwrapped(held)
    # the text itself, so that a duplicate key is found
    return (parse(text if unwrapped is held else unwrapped, path),)


def levels(paths: Iterable[str]) -> tuple[tuple[tuple[Policy, ...], ...], bool]:
    """The levels of service control policies in these files, and whether FullAWSAccess was assumed."""
    found: list[tuple[Policy, ...]] = []
    denying: list[Policy] = []
    for path in paths:
        read = documents(path)
        if any(statement.effect != "Deny" for policy in read for statement in policy.statements):
            found.append(read)
        else:
            denying.extend(read)
    if not found and not denying:
        return (), False
    if not found:
        return ((FULL_ACCESS, *denying),), True
    return ((*found[0], *denying), *found[1:]), False


def _read(path: str) -> str:
    where = os.path.expanduser(path)
    try:
        with open(where, encoding="utf-8") as file:
            return file.read(MAX_CHARACTERS + 1)
    except OSError as error:
        raise PolicyError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise PolicyError(f"cannot read {path}: it is not UTF-8 text") from None


def _unwrapped(held: Any) -> Any:
    for keys in _WRAPPED:
        inner = held
        for key in keys:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if inner is not None:
            return inner
    return held
