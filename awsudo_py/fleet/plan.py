"""Selects the targets of a fleet run: pure, from words and records to a list.

1. Every word that selects must match something: a typo never shrinks the selection, and only --all means "all".
2. Exclusions win, wherever they are. One that matches no target is an error too.
3. The order is that of the configuration, or of the files and words that name the targets; no target is listed twice.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import AwsudoError, UsageError, did_you_mean, shortened
from awsudo_py.fleet.records import Target
from awsudo_py.resolve.role_words import looks_like_role
from awsudo_py.resolve.roles import role_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from awsudo_py.resolve.aws_config import AwsConfig

_REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]+){1,3}-\d{1,2}", re.ASCII)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(?:\S*/)?([^/\s]+)", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)


class Selection(NamedTuple):
    """The selection of the command line."""

    words: tuple[str, ...] = ()
    everything: bool = False
    names: tuple[str, ...] = ()  # of profiles, each of which must exist
    where: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    role: str = ""  # with accounts: assume this role in each
    accounts: tuple[tuple[str, str], ...] = ()  # number and name
    source: str | None = None  # the profile whose credentials assume roles


def known_targets(config: AwsConfig) -> list[Target]:
    """Every profile of the AWS configuration as a target."""
    return [_of_profile(name, config.profile(name) or {}) for name in config.names()]


def select(selection: Selection, known: Sequence[Target], read: Callable[[str], str]) -> list[Target]:
    """The selected targets. read returns the text of a file, or of stdin for `-`. Raises AwsudoError."""
    by_name = {target.name: target for target in known}
    words = [word for written in selection.words for word in _written_out(written, read)]
    excluded = [word[1:] for word in words if word[:1] in ("!", "^")]
    included = [word for word in words if word[:1] not in ("!", "^")]
    found: dict[str, Target] = {}
    if selection.everything:
        found.update((target.name, target) for target in known if target.role)
    found.update((name, by_name[name]) for name in selection.names)
    for target in _of_accounts(selection):
        found[target.name] = by_name.setdefault(target.name, target)
    for word in included:
        for target in _named(word, known, by_name, selection.source):
            found[target.name] = target
    if not (included or selection.everything or selection.names or selection.accounts):
        raise UsageError(
            "no targets: which ones?",
            hint="awsudo each 'prod-*' -- COMMAND…; --all takes every profile that has a role",
        )
    everyone = {**by_name, **found}
    for word in excluded:
        if not _is_glob(word) and not any(_excludes(word, target) for target in everyone.values()):
            raise AwsudoError(
                f"no target is called {shortened(word, 80)!r}, so it cannot be excluded",
                hint=did_you_mean(word, everyone) or "list the targets: awsudo each --all --dry-run",
            )
    chosen = [
        target
        for target in found.values()
        if not any(_excludes(word, target) for word in excluded)
        and all(_meets(each, target) for each in selection.where)
    ]
    if not chosen:
        raise AwsudoError(
            f"no targets are left of {len(found)}: all are excluded or do not match --where",
            hint="see which there are: the same line with --dry-run and without --where",
        )
    if not selection.regions:
        return chosen
    return list(
        {
            each.name: each
            for target in chosen
            for region in selection.regions
            for each in (target if target.region else _in_region(target, region),)
        }.values()
    )


def _of_profile(name: str, settings: Mapping[str, str]) -> Target:
    arn = _ROLE.fullmatch(settings.get("role_arn", ""))
    account, role = (arn[1], arn[2]) if arn else ("", settings.get("role_arn", ""))
    return Target(
        name,
        name,
        account=account or settings.get("sso_account_id", ""),
        account_name=settings.get("awsudo_account_name", ""),
        role=role or settings.get("sso_role_name", ""),
        home_region=settings.get("region", ""),
        tags=_tags(settings.get("awsudo_tags", "")),
    )


def _tags(written: str) -> tuple[tuple[str, str], ...]:
    """`team=data, prod` as pairs; a word alone is a tag without a value."""
    pairs = [word.strip().partition("=") for word in written.split(",") if word.strip()]
    return tuple((key.strip(), value.strip()) for key, _, value in pairs)


def _written_out(word: str, read: Callable[[str], str]) -> Iterable[str]:
    """The word itself, or the lines of the file that it names; # begins a comment line."""
    if word != "-" and not word.startswith("@"):
        return [word]
    lines = [line.strip() for line in read(word.removeprefix("@")).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _named(word: str, known: Sequence[Target], by_name: Mapping[str, Target], source: str | None) -> list[Target]:
    """The targets that one word means. Raises AwsudoError if there are none."""
    if word in by_name:
        return [by_name[word]]
    before, _, region = word.rpartition("@")
    if before and _REGION.fullmatch(region):
        return [_in_region(target, region) for target in _named(before, known, by_name, source)]
    if looks_like_role(word):
        return [_of_role(word, source)]
    matching = [target for target in known if fnmatchcase(target.name, word)] if _is_glob(word) else []
    if not matching:
        hint = did_you_mean(word.strip("*?[]"), by_name) or "list the targets: awsudo each --all --dry-run"
        raise AwsudoError(f"no target matches {shortened(word, 80)!r}", hint=hint)
    return matching


def _of_role(word: str, source: str | None) -> Target:
    """The target of a role ARN or a short form, assumed from the source profile if there is one."""
    arn = role_arn(word)
    parts = _ROLE.fullmatch(arn)
    return Target(word, word, account=parts[1] if parts else "", role=parts[2] if parts else "", source=source)


def _of_accounts(selection: Selection) -> list[Target]:
    """The role in each of the accounts, under the account's name if it is known."""
    targets = []
    for account, name in selection.accounts:
        if not _ACCOUNT.fullmatch(account):
            raise UsageError(
                f"--accounts: {shortened(account, 40)!r} is not an account ID",
                hint="an account ID has 12 digits; @FILE reads one per line",
            )
        word = f"{account}:{selection.role}"
        role_arn(word)
        target = Target(word, word, account=account, account_name=name, role=selection.role, source=selection.source)
        targets.append(target)
    return targets


def _in_region(target: Target, region: str) -> Target:
    return target._replace(name=f"{target.name}@{region}", region=region)


def _excludes(word: str, target: Target) -> bool:
    name = target.name.rpartition("@")[0] if target.region else target.name
    return any(text == word or fnmatchcase(text, word) for text in (target.name, name, target.account) if text)


def _meets(condition: str, target: Target) -> bool:
    """Whether the target meets `--where`: every word of it is found, every KEY=VALUE matches."""
    for word in condition.split():
        key, equals, value = word.partition("=")
        if not equals:
            if word.lower() not in target.text:
                return False
            continue
        field = target.field(key)
        if field is None or not fnmatchcase(field.lower(), value.lower()):
            return False
    return True


def _is_glob(word: str) -> bool:
    return any(mark in word for mark in "*?[")
