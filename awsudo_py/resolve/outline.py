"""Outlines targets: for each profile in a line what it resolves to, or why it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import AwsudoError
from awsudo_py.model import RoleHop
from awsudo_py.resolve.source_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from awsudo_py.model import RoleChain
    from awsudo_py.resolve.aws_config import AwsConfig

#: The key of a profile that names its account, for people.
ACCOUNT_NAME = "awsudo_account_name"


class Outline(NamedTuple):
    """A profile as a target. A target that does not resolve has a fault, and the values of its settings alone."""

    name: str
    role_arn: str = ""
    role: str = ""
    account: str = ""
    account_name: str = ""
    source: str = ""  # the start of the chain: `keys of profile base`
    path: tuple[str, ...] = ()  # the profiles that lead to it, the source's first
    parent: str = ""  # the profile that it is assumed from, as its settings say
    region: str = ""
    mfa: bool = False
    description: str = ""
    fault: str = ""
    chain: RoleChain | None = None

    @property
    def origin(self) -> str:
        """Where it comes from, in short: the profiles before it, or the kind of its own credentials."""
        return " > ".join(self.path) or self.source

    @property
    def text(self) -> str:
        """The text that words are matched with, in lower case."""
        parts = (self.name, self.account, self.account_name, self.role, self.origin, self.region, self.description)
        return " ".join(parts).lower()


def outlines(config: AwsConfig, resolved: Callable[[str], RoleChain]) -> list[Outline]:
    """Every profile, in the order of the files. resolved gives a profile's chain; it may raise AwsudoError."""
    settings = {name: config.profile(name) or {} for name in config.names()}
    names = account_names(settings.values())
    found = []
    for name, own in settings.items():
        try:
            found.append(_outline(name, own, names, resolved(name)))
        except AwsudoError as error:
            arn = own.get("role_arn", "")
            account, role = account_and_role(arn)
            found.append(
                Outline(
                    name,
                    arn,
                    role or own.get("sso_role_name", ""),
                    account or own.get("sso_account_id", ""),
                    names.get(account or own.get("sso_account_id", ""), ""),
                    parent=_parent(name, own),
                    region=own.get("region", ""),
                    description=description_of(own),
                    fault=error.message,
                )
            )
    return found


def outline_of(chain: RoleChain, config: AwsConfig) -> Outline:
    """One target, by the chain that it resolved to."""
    names = account_names(config.profile(name) or {} for name in config.names())
    return _outline(chain.target, config.profile(chain.target) or {}, names, chain)


def matching(found: Sequence[Outline], words: Iterable[str]) -> list[Outline]:
    """Those in which every word is found; case makes no difference."""
    lowered = [word.lower() for word in words]
    return [outline for outline in found if all(word in outline.text for word in lowered)]


def account_names(profiles: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The names that profiles give their accounts, by number."""
    names: dict[str, str] = {}
    for own in profiles:
        if ACCOUNT_NAME in own:
            account = account_and_role(own.get("role_arn", ""))[0] or own.get("sso_account_id", "")
            names.setdefault(account, own[ACCOUNT_NAME])
    return names


def description_of(own: Mapping[str, str]) -> str:
    """The description of a profile, for people."""
    return own.get("awsudo_description") or own.get("description", "")


def account_and_role(arn: str) -> tuple[str, str]:
    """The account and the role's name (with its path) of an ARN; empty if it is none."""
    head, _, role = arn.partition(":role/")
    return (head.rpartition(":")[2], role) if role else ("", "")


def _outline(name: str, own: Mapping[str, str], names: Mapping[str, str], chain: RoleChain) -> Outline:
    source = chain.source
    arn = chain.role_arn
    account, role = account_and_role(arn)
    account = account or source.setting("sso_account_id") or own.get("sso_account_id", "")
    before = [hop.profile for hop in chain.hops[:-1] if isinstance(hop, RoleHop) and hop.profile]
    path = [each for each in (source.profile, *before) if each and each != name]
    return Outline(
        name,
        arn,
        role or own.get("sso_role_name", ""),
        account,
        names.get(account, ""),
        kind_of(source).noun,
        tuple(dict.fromkeys(path)),
        _parent(name, own),
        chain.region or "",
        any(hop.mfa_serial for hop in chain.hops),
        description_of(own),
        chain=chain,
    )


def _parent(name: str, own: Mapping[str, str]) -> str:
    source = own.get("source_profile", "")
    return source if "role_arn" in own and source != name else ""
