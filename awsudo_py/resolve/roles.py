"""How roles are written: ARNs and short forms, and the partitions they live in."""

from __future__ import annotations

import re

from awsudo_py.errors import InvalidInput, shortened
from awsudo_py.resolve.role_words import account_like, unquoted

#: Region prefixes of the partitions, and a region of each whose STS can be called when none is set. The global
#: endpoint speaks for `aws` alone. (botocore data/partitions.json; a test compares.)
PARTITIONS = {
    "aws-cn": ("cn-", "cn-northwest-1"),
    "aws-us-gov": ("us-gov-", "us-gov-west-1"),
    "aws-iso": ("us-iso-", "us-iso-east-1"),
    "aws-iso-b": ("us-isob-", "us-isob-east-1"),
    "aws-iso-e": ("eu-isoe-", "eu-isoe-west-1"),
    "aws-iso-f": ("us-isof-", "us-isof-south-1"),
    "aws-eusc": ("eusc-", "eusc-de-east-1"),
    "aws": ("", None),
}
# IAM names are 1-64 of these, paths up to 512 of printable ASCII (IAM quotas page).
_NAME = r"[\w+=,.@-]{1,64}"
# radosgw prints roles without an account
_ARN = re.compile(rf"arn:(aws(?:-[a-z]+)*):iam::(\d{{12}}|):role/((?:[!-~]{{1,511}}/)?{_NAME})", re.ASCII)
_SHORT = re.compile(rf"(?:(aws(?:-[a-z]+)*):)?(\d{{12}}):(?:role/)?((?:[!-~]{{1,511}}/)?{_NAME})", re.ASCII)
_SESSION = re.compile(rf"arn:(aws[a-z-]*):sts::(\d{{12}}):assumed-role/({_NAME})/.*", re.ASCII)


def role_arn(word: str) -> str:
    """The ARN that this word means: an ARN, or [PARTITION:]ACCOUNT:ROLE. Raises InvalidInput with the reason."""
    word = unquoted(word)
    if _ARN.fullmatch(word):
        return word
    short = _SHORT.fullmatch(word)
    if short:
        return f"arn:{short[1] or 'aws'}:iam::{short[2]}:role/{short[3]}"
    session = _SESSION.fullmatch(word)
    if session:
        raise InvalidInput(
            f"this is the ARN of a session, not of a role: {shortened(word, 200)}",
            hint=f"its role is probably arn:{session[1]}:iam::{session[2]}:role/{session[3]}",
        )
    account, shown = account_like(word), shortened(word, 200)
    if account and len(account) != 12:
        raise InvalidInput(
            f"an account ID has 12 digits; this one has {len(account)}: {shown}",
            hint="write a role as arn:aws:iam::123456789012:role/NAME, or 123456789012:NAME",
        )
    raise InvalidInput(
        f"not the ARN of an IAM role: {shown}",
        hint="write a role as arn:aws:iam::123456789012:role/NAME, or 123456789012:NAME",
    )


def is_role_arn(text: str) -> bool:
    """Whether this is the ARN of a role."""
    return _ARN.fullmatch(text) is not None


def has_account(arn: str) -> bool:
    """Whether an ARN names an account; those of S3-compatible servers may not."""
    return arn.split(":")[4] != ""


def partition_of_arn(arn: str) -> str:
    """The partition in which an ARN lives, such as aws or aws-cn."""
    return arn.split(":", 2)[1]


def partition_of_region(region: str) -> str:
    """The partition to which a region belongs; aws for all that no other partition claims."""
    return next(name for name, (prefix, _) in PARTITIONS.items() if region.startswith(prefix))
