"""Reads the guard rails of profiles: which commands are refused, and which need confirmation.

1. They are rails, not walls: they look at the words of a command, and a program can do more than its words show. What a
   session may do is limited by its policy, and by MFA.
2. A target that is a profile has the rails of that profile. A role that is named by its ARN, or as a role of a portal,
   has the rails of every profile with the same role.
3. A rail that cannot be read is an error, so that a mistake does not disable it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import AwsudoError, InvalidInput
from awsudo_py.resolve import limits, roles
from awsudo_py.resolve.command_patterns import first_fit, normalized
from awsudo_py.resolve.outline import ACCOUNT_NAME, description_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from awsudo_py.model import RoleChain
    from awsudo_py.resolve.aws_config import AwsConfig
    from awsudo_py.resolve.limits import Origin

CONFIRM, DENY, SCRIPTS = "awsudo_confirm", "awsudo_deny", "awsudo_confirm_scripts"
#: The pattern of awsudo_confirm = true and mfa.
EVERY = "*"
#: The value of awsudo_confirm that makes an MFA code the confirmation.
MFA = "mfa"
#: A pattern is a few words; a longer one is something else by mistake (characters).
_LONGEST = 500


class Rails(NamedTuple):
    """The rails of one profile; confirm and deny are patterns of commands."""

    profile: str
    confirm: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    by_code: bool = False  # whether the MFA code of the AssumeRole call confirms
    scripts: bool = False  # whether --yes answers for a script
    color: str = ""
    description: str = ""
    account_name: str = ""


class RailsByTarget:
    """Finds the rails of targets; the profiles are looked through once, if a target is not one of them.

    Threads may use one at the same time.
    """

    def __init__(self, config: AwsConfig) -> None:
        self._config = config
        self._profiles: dict[tuple[str, ...], list[str]] | None = None

    def code_required(self, name: str, role: str | tuple[str, str]) -> str:
        """The setting that requires an MFA code for each run of a target; name and role as in of().

        Empty if there is none; rails of other kinds are not read.
        """
        named = self._named(name, role)
        return next((f"{CONFIRM} = {MFA} of profile {each}" for each in named if _by_code(self._config, each)), "")

    def of_chain(self, chain: RoleChain) -> tuple[Rails, ...]:
        """The rails of a resolved target. Raises ConfigError."""
        source = chain.source
        role = chain.role_arn or (source.setting("sso_account_id"), source.setting("sso_role_name"))
        return self.of(chain.target, role)

    def of(self, name: str, role: str | tuple[str, str]) -> tuple[Rails, ...]:
        """The rails of a target by its name, and by its role: an ARN, or an account and a role of a portal.

        Raises ConfigError.
        """
        found = (rails_of(self._config, each) for each in self._named(name, role))
        return tuple(rails for rails in found if rails.confirm or rails.deny)

    def _named(self, name: str, role: str | tuple[str, str]) -> list[str]:
        """Rule 2: the profile of that name, else the profiles with rails that mean this role."""
        own = self._config.profile(name)
        if own is not None and name not in self._config.added:
            return [name]
        key = _role(own) if own is not None else (role,) if isinstance(role, str) else role
        if self._profiles is None:
            found: dict[tuple[str, ...], list[str]] = {}
            for each in self._config.names():
                settings = self._config.profile(each) or {}
                if CONFIRM in settings or DENY in settings:
                    found.setdefault(_role(settings), []).append(each)
            self._profiles = found  # when it is whole: another thread may look at it
        return self._profiles.get(key, []) if any(key) else []


def rails_of(config: AwsConfig, profile: str) -> Rails:
    """The rails that a profile sets. Raises ConfigError."""
    settings = config.profile(profile) or {}
    confirm: tuple[str, ...] = ()
    if CONFIRM in settings:
        confirm = _confirm(settings[CONFIRM], config.origin(profile, CONFIRM))
    deny = _patterns(settings[DENY], config.origin(profile, DENY)) if DENY in settings else ()
    scripts = settings.get(SCRIPTS, "")
    if scripts not in ("", "allow", "refuse"):
        raise config.origin(profile, SCRIPTS).refuse(
            f"{scripts!r} is neither allow nor refuse", limits.slip_in(scripts) or f"{SCRIPTS} = allow"
        )
    return Rails(
        profile,
        confirm,
        deny,
        _by_code(config, profile),
        scripts == "allow",
        settings.get("awsudo_color", ""),
        description_of(settings),
        settings.get(ACCOUNT_NAME, ""),
    )


def refuse_denied(found: Sequence[Rails], words: Sequence[str], config: AwsConfig) -> None:
    """Refuse a command that awsudo_deny has a pattern for. Raises AwsudoError."""
    for rails in found:
        pattern = first_fit(rails.deny, words)
        if pattern is not None:
            import shlex

            raise AwsudoError(
                f"profile {rails.profile} does not allow this command: {line_shown(shlex.join(words))}",
                hint=f"{DENY} has {pattern!r} ({config.at(rails.profile, DENY)}); to allow it, remove that pattern",
            )


def to_confirm(found: Sequence[Rails], words: Sequence[str]) -> Rails | None:
    """The rails that require confirmation before this command; before a session goes to something other than a
    command (no words), those that require it for every command. For an MFA code, AWS asks.

    Rails that accept no --yes come first: rails of another profile with the same role do not answer for them.
    """
    for rails in sorted(found, key=lambda each: each.scripts):
        if rails.by_code:
            continue
        if EVERY in rails.confirm or first_fit(rails.confirm, words) is not None:
            return rails
    return None


def patterns_of(found: Sequence[Rails], *, yes: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The patterns of commands that are refused or need an answer, and of those that --yes confirms, if it is given."""
    stops = [pattern for rails in found for pattern in rails.deny]
    confirmed: list[str] = []
    for rails in found:
        (confirmed if yes and rails.scripts and not rails.by_code else stops).extend(rails.confirm)
    return tuple(dict.fromkeys(stops)), tuple(dict.fromkeys(confirmed))


def line_shown(line: str) -> str:
    """A command as messages show it."""
    from awsudo_py.errors import shortened

    return shortened(line, 1000)


def _confirm(value: str, origin: Origin) -> tuple[str, ...]:
    if value.lower() == MFA:
        return (EVERY,)
    try:
        return (EVERY,) if limits.switch(value, origin) else ()
    except AwsudoError:
        return _patterns(value, origin)


def _by_code(config: AwsConfig, profile: str) -> bool:
    return (config.profile(profile) or {}).get(CONFIRM, "").lower() == MFA


def _patterns(value: str, origin: Origin) -> tuple[str, ...]:
    """The patterns in a comma-separated list."""
    slip = limits.slip_in(value.strip())
    if slip:
        raise origin.refuse(f"invalid pattern {line_shown(value.strip())!r}", slip)
    found = tuple(filter(None, (normalized(each) for each in value.split(","))))
    if not found:
        raise origin.refuse("it has no pattern", "such as: terraform destroy*, aws * delete-*")
    if any(len(each) > _LONGEST for each in found):
        raise origin.refuse(f"a pattern has more than {_LONGEST} characters", "separate patterns with commas")
    return found


def _role(settings: Mapping[str, str]) -> tuple[str, ...]:
    """The identity of a profile's role: its ARN, or the account and the role of its portal."""
    if "role_arn" in settings:
        try:
            return (roles.role_arn(settings["role_arn"]),)
        except InvalidInput:
            return ("",)
    return (settings.get("sso_account_id", ""), settings.get("sso_role_name", ""))
