"""Explains a chain: each step to the session, with every value that shapes it and the place that sets it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.durations import brief
from awsudo_py.grammar.options import INPUTS
from awsudo_py.model import RoleHop, ScopedHop, SessionTokenHop
from awsudo_py.resolve import limits
from awsudo_py.resolve.outline import account_and_role
from awsudo_py.resolve.setting_lines import setting_lines
from awsudo_py.resolve.source_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from awsudo_py.model import Hop, Request, RoleChain
    from awsudo_py.resolve.aws_config import AwsConfig

#: Fields of a hop that are explained → the key of a profile that sets each.
_KEYS = {
    "duration": "duration_seconds",
    "session_name": "role_session_name",
    "external_id": "external_id",
    "mfa_serial": "mfa_serial",
    "policy": "",
    "policy_arns": "",
    "tags": "session_tags",
    "transitive_tags": "transitive_session_tags",
    "source_identity": "source_identity",
    "description": "",
}
#: Fields that inputs of another name shape too (resolve/narrowing): the input, and the profile's key for it.
_SHAPED_BY = {
    "policy": (("only", "awsudo_only"), ("read_only", "awsudo_read_only")),
    "policy_arns": (("read_only", "awsudo_read_only"),),
    "duration": (("shorten", "awsudo_max_duration"),),
    "description": (("reason", ""),),
    "tags": (("reason", "awsudo_reason_tag"),),
    "source_identity": (("reason", "awsudo_reason"),),
}
#: The key of a profile that makes it a source of that kind.
_SOURCE_KEYS = {
    "keys": "aws_access_key_id",
    "sso": "sso_account_id",
    "process": "credential_process",
    "web-identity": "web_identity_token_file",
    "login": "login_session",
    "account-access": "role_arn",
}
#: Settings of a source that are explained → the key of a profile that sets each.
_SOURCE_VALUES = {
    "tenant_id": "",
    "role_arn": "role_arn",
    "duration": "duration_seconds",
    "session_name": "role_session_name",
}
_OPTIONS = {option.field: option for option in INPUTS}


class Place(NamedTuple):
    """Where a value is set: a file and its line, an option, a variable; or the text says that it is the default."""

    text: str
    file: str = ""
    line: int | None = None


#: The place of a value that nobody set.
DEFAULT = Place("default")


class Value(NamedTuple):
    """One value of a step, the place that sets it, and the values of other places that it overrides."""

    name: str
    text: str
    place: Place
    overrides: tuple[tuple[str, Place], ...] = ()
    note: str = ""


class Step(NamedTuple):
    """One step of a chain. kind is a source's kind, or "role", "session" or "narrowed" for a call to STS."""

    kind: str
    title: str
    place: Place
    profile: str | None = None
    role_arn: str = ""
    account: str = ""
    access_key_id: str = ""
    values: tuple[Value, ...] = ()


class Explained:
    """The steps of a chain: the source, then one for each call to STS. No secret is in them.

    read gives a file's content, session_name the default one; environ has the variables that options may override.
    """

    def __init__(
        self,
        chain: RoleChain,
        config: AwsConfig,
        request: Request,
        *,
        read: Callable[[str], bytes | None],
        environ: Mapping[str, str],
        session_name: Callable[[], str],
    ) -> None:
        self._chain, self._config, self._request = chain, config, request
        self._read, self._environ, self._session_name = read, environ, session_name
        self._lines: dict[str, dict[tuple[str, str], int]] = {}

    def steps(self, *, defaults: bool = True) -> tuple[Step, ...]:
        """Every step, in the order of the calls. defaults: with the values of a role that nobody set."""
        return (self._source(), *(self._hop(number, defaults) for number in range(len(self._chain.hops))))

    def setting(self, profile: str, key: str) -> Place:
        """The place of a profile's setting."""
        file = self._config.where(profile, key)
        if file not in self._lines:
            content = (self._read(file) or b"").decode("utf-8", "replace")
            self._lines[file] = setting_lines(content, in_config=file == self._config.config_file)
        line = self._lines[file].get((profile, key))
        return Place(f"{_home(file)}:{line}" if line else _home(file), file, line)

    def _settings(self, profile: str | None) -> Mapping[str, str]:
        return (self._config.profile(profile) if profile else None) or {}

    def _source(self) -> Step:
        source = self._chain.source
        key = _SOURCE_KEYS.get(source.kind, "")
        title = "long-lived keys" if source.kind == "keys" else f"{kind_of(source).noun} credentials"
        set_here = source.profile and key in self._settings(source.profile)
        place = self.setting(source.profile, key) if source.profile and set_here else Place(_home(source.where))
        return Step(
            source.kind,
            title + (f" of profile {source.profile}" if source.profile else ""),
            place,
            source.profile,
            role_arn=source.setting("role_arn"),
            account=source.setting("sso_account_id") or account_and_role(source.setting("role_arn"))[0],
            access_key_id=dict(source.identity).get("access_key_id", ""),
            values=tuple(self._source_value(name, place) for name in _SOURCE_VALUES if source.setting(name)),
        )

    def _source_value(self, name: str, place: Place) -> Value:
        """A setting of the source, and the place that sets it: place, if nothing else does."""
        source, key = self._chain.source, _SOURCE_VALUES[name]
        text = source.setting(name)
        text = brief(int(text)) if name == "duration" else text
        if name in self._request.origins:
            place = Place(self._request.origins[name].name)
        elif name == "tenant_id":
            place = Place(f"[sso-session {source.setting('sso_session')}] in {_home(self._config.config_file)}")
        elif source.profile and key in self._settings(source.profile):
            place = self.setting(source.profile, key)
        return Value(name, text, place)

    def _hop(self, number: int, defaults: bool) -> Step:
        hop = self._chain.hops[number]
        found = [self._value(field, number) for field in _KEYS]
        if defaults and isinstance(hop, RoleHop):
            found += [self._default(field) for field in ("duration", "session_name") if not getattr(hop, field)]
        values = sorted(filter(None, found), key=lambda value: [*_KEYS].index(value.name))
        if isinstance(hop, ScopedHop):
            place = Place("GetScopedCredentials")
            return Step("narrowed", "the same session, narrowed", place, hop.profile, values=tuple(values))
        if not isinstance(hop, RoleHop):
            why = "one MFA code for all roles" if hop.mfa_serial else "long-lived keys never reach a command"
            return Step("session", "session of these keys", Place(why), hop.profile, values=tuple(values))
        if any(isinstance(each, RoleHop) for each in self._chain.hops[:number]):
            note = "role chaining: at most 1h"
            values = [each._replace(note=note) if each.name == "duration" else each for each in values]
        account, role = account_and_role(hop.role_arn)
        return Step(
            "role",
            f"role/{role or hop.role_arn}",
            self.setting(hop.profile, "role_arn") if hop.profile else Place("named on the command line"),
            hop.profile,
            role_arn=hop.role_arn,
            account=account,
            values=tuple(values),
        )

    def _value(self, field: str, number: int) -> Value | None:
        """One value of a hop, the place that sets it, and what that overrides; None if there is nothing to report."""
        hop, last = self._chain.hops[number], number == len(self._chain.hops) - 1
        value = getattr(hop, field, None)
        if not value:
            return None
        places = [*self._inputs(field, hop, last=last), *self._from_profile(field, hop, last=last)]
        if last and (not places or (field == "duration" and self._is_shortened(hop))):
            places = [(_text(field, value), place) for place in self._shaping(field, hop)][:1] or places
        return Value(field, _text(field, value), places[0][1] if places else DEFAULT, tuple(places[1:]))

    def _is_shortened(self, hop: Hop) -> bool:
        """Whether a hop's duration is not the one that the request or its profile sets for the role."""
        given = self._request.duration or self._settings(hop.profile).get("duration_seconds")
        return isinstance(hop, ScopedHop) or str(hop.duration) != str(given)

    def _default(self, field: str) -> Value:
        return Value(field, brief(limits.DEFAULT_ROLE) if field == "duration" else self._session_name(), DEFAULT)

    def _origin(self, field: str, *, last: bool) -> str | None:
        """The input that sets a field: those shape the last call, and the device the call with its code."""
        origin = self._request.origins.get(field) if last or field == "mfa_serial" else None
        return origin.name if origin is not None else None

    def _inputs(self, field: str, hop: Hop, *, last: bool) -> Iterator[tuple[str, Place]]:
        """The inputs of the run that set a field, the deciding one first, each with its text."""
        value = getattr(hop, field, None)
        origin = self._origin(field, last=last)
        if origin is not None:
            yield _text(field, value), Place(origin)
            variable = _OPTIONS[field].variable
            if origin.startswith("--") and self._environ.get(variable):
                yield self._environ[variable], Place(variable)
        session = self._request.origins.get("mfa_session_duration")
        if field == "duration" and isinstance(hop, SessionTokenHop) and session is not None:
            yield _text(field, value), Place(session.name)

    def _from_profile(self, field: str, hop: Hop, *, last: bool) -> Iterator[tuple[str, Place]]:
        """The setting of a profile for a field."""
        key, value, overridden = _KEYS[field], getattr(hop, field, None), self._origin(field, last=last) is not None
        profiles = [hop.profile]
        if field == "mfa_serial":
            # a device may be named by another profile of the chain than the one whose call needs the code
            profiles += [*(each.profile for each in reversed(self._chain.hops)), self._chain.source.profile]
        for profile in filter(None, profiles):
            setting = self._settings(profile).get(key) if key else None
            if setting is not None and (field != "mfa_serial" or setting == value or overridden):
                yield setting if overridden else _text(field, value), self.setting(profile, key)
                return

    def _shaping(self, field: str, hop: Hop) -> Iterator[Place]:
        """The places of inputs of another name that shape a field."""
        for name, setting in _SHAPED_BY.get(field, ()):
            if name in self._request.origins:
                yield Place(self._request.origins[name].name)
            elif hop.profile and setting in self._settings(hop.profile):
                yield self.setting(hop.profile, setting)


def lines(chain: RoleChain, steps: Sequence[Step]) -> Iterator[str]:
    """The steps as --verbose prints them, which leaves out the defaults."""
    source, *calls = steps
    yield f"{chain.target}: starts from {source.title}{_in_brackets(source)}, {source.place.text}"
    for step in calls:
        titles = {"role": f"assumes {step.role_arn}", "narrowed": "narrows that session"}
        title = titles.get(step.kind, "gets a session of these keys")
        yield f"{title}{_in_brackets(step)}, {step.place.text}"
    yield f"STS: {chain.endpoint.url or chain.endpoint.region or 'global endpoint'}"
    yield from chain.details
    yield f"region of the command: {chain.region or 'not set'}"


def _in_brackets(step: Step) -> str:
    """The values of a step that somebody set."""
    values = ", ".join(f"{each.name.replace('_', ' ')} {each.text}" for each in step.values if each.place != DEFAULT)
    return f" ({values})" if values else ""


def _text(field: str, value: object) -> str:
    if field == "duration":
        return brief(value if isinstance(value, (int, float)) and value else limits.DEFAULT_ROLE)
    if field == "policy":
        return f"{len(str(value))} characters of JSON"
    if field == "tags" and isinstance(value, tuple):
        return ", ".join(f"{key}={text}" for key, text in value)
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _home(text: str) -> str:
    home = os.path.expanduser("~")
    return text.replace(home + os.sep, f"~{os.sep}") if len(home) > 1 else text
