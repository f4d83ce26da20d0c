"""Tells by a word's form whether it means a role; nothing is imported, as completion must be fast."""

from __future__ import annotations


def unquoted(word: str) -> str:
    """The word without one pair of quotes around it: Terraform prints its outputs so."""
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word


def account_like(word: str) -> str:
    """The account digits of a short form, [PARTITION:]ACCOUNT:ROLE; empty if it is not one."""
    head, _, rest = word.partition(":")
    if head[:3] == "aws" and not head.strip("abcdefghijklmnopqrstuvwxyz-"):
        head, _, rest = rest.partition(":")
    return head if head.isascii() and head.isdigit() and rest and "\n" not in rest else ""


def looks_like_role(word: str) -> bool:
    """Whether this is meant as a role (ARN or short form), well written or not."""
    word = unquoted(word)
    return word.startswith("arn:") or account_like(word) != ""
