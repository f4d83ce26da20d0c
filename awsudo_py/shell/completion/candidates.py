"""Collects the candidates for a place, with a short description of each: from the table, the AWS files and the cache.

Nothing here uses the network or a keyring.
"""

from __future__ import annotations

import os

from awsudo_py.durations import brief
from awsudo_py.grammar.registry import RESERVED, SHORT_FORM, SUBCOMMANDS
from awsudo_py.keys.index_names import NAME, names
from awsudo_py.resolve.role_words import account_like, looks_like_role, unquoted
from awsudo_py.sessions.file_store import FileStore, cache_directory, data_directory, state_directory
from awsudo_py.shell import history
from awsudo_py.shell.completion.profiles import profiles, setting, sso_sessions, summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from awsudo_py.shell.completion.place import Place
    from awsudo_py.shell.completion.profiles import Settings

#: With more candidates than this, only their names are listed, without descriptions.
MOST_DESCRIBED = 500


class Group:
    """Candidates of one kind. about returns a short description of one, found only when needed.

    tag: the kind's name, by which zsh groups its list.
    """

    __slots__ = ("_about", "tag", "values")

    def __init__(self, tag: str, values: Iterable[str], about: Callable[[str], str] = lambda _: "") -> None:
        # names that no terminal can display are not offered
        self.values = [value for value in values if value.isprintable()]
        self.tag = tag
        self._about = about

    def about(self, value: str) -> str:
        """A short description of one of the values, or none."""
        text = self._about(value)
        return text if text.isprintable() else ""


def candidates(place: Place, environ: Mapping[str, str], now: float, typed: str) -> list[Group]:
    """The candidates for a place. typed is the current text: it decides what is searched, but filters nothing."""
    flags = {flag: each.help for each in place.options for flag in each.flags}
    found: list[Group] = []
    if isinstance(place.values, tuple):
        found = [Group("value", place.values)]
    elif place.values in _KINDS:
        found = _KINDS[place.values](environ, now, typed)
    if place.top:  # a profile of such a name is not reached by it
        for group in found:
            group.values = [value for value in group.values if value not in RESERVED and value[:1] != SHORT_FORM]
    names = {value for group in found if group.tag == "profile" for value in group.values}
    subs = {each.name: each.help for each in place.subs if not (place.top and each.name in names)}
    if place.top:
        # the form that no profile hides
        short = [each for each in place.subs if each.name in names or typed[:1] == SHORT_FORM]
        subs.update((f"{SHORT_FORM}{each.name}", each.help) for each in short)
    groups = [Group("option", flags, flags.__getitem__), Group("subcommand", subs, subs.__getitem__), *found]
    return [group for group in groups if group.values]


def is_profile(name: str, environ: Mapping[str, str]) -> bool:
    """Whether a profile of this name exists, in the AWS files or as a key in the keyring."""
    return name in _all_profiles(environ)


def is_hidden(name: str, environ: Mapping[str, str]) -> bool:
    """Whether a profile hides the subcommand of this name."""
    return name not in RESERVED and is_profile(name, environ)


def _profiles(environ: Mapping[str, str], now: float, typed: str) -> list[Group]:
    return [_named(_all_profiles(environ), _CachedSessions(environ, now))]


def _roles(environ: Mapping[str, str], now: float, typed: str) -> list[Group]:
    return [_known_roles(profiles(environ), _CachedSessions(environ, now), history.words(environ, now), typed)]


def _targets(environ: Mapping[str, str], now: float, typed: str) -> list[Group]:
    named, cached = _all_profiles(environ), _CachedSessions(environ, now)
    groups = [_named(named, cached), _known_roles(named, cached, history.words(environ, now), typed)]
    return [*groups, _portal_roles(environ, typed)] if typed else groups


def _portal_roles(environ: Mapping[str, str], typed: str) -> Group:
    """SESSION/ACCOUNT/ROLE for what portals last listed, once the session is being typed; by ID where one is typed."""
    found: dict[str, str] = {}
    session, slash, account = typed.partition("/")
    for name in sso_sessions(environ):
        if not (name == session if slash else name.startswith(session)):
            continue
        from awsudo_py.sessions.portal_lists import record_name, words  # here: few lines name a session

        directory = state_directory(environ)
        fields = (FileStore(directory).read(record_name(name)) if directory is not None else None) or {}
        for by_name, by_id, account_id, account_name, role in words(name, fields):
            word = by_id if account[:1].isdigit() or not by_name else by_name
            found[word] = f"{account_name or account_id} {role}"
    return Group("role", found, found.__getitem__)


def _keys(environ: Mapping[str, str], now: float, typed: str) -> list[Group]:
    return [Group("key", _stored(environ))]


def _sso_sessions(environ: Mapping[str, str], now: float, typed: str) -> list[Group]:
    named = profiles(environ)
    keys = ("sso_account_id", "sso_session")
    signed_in = {name: text for name, text in named.items() if any(setting(text, key) for key in keys)}
    return [Group("session", sso_sessions(environ)), _named(signed_in, _CachedSessions(environ, now))]


def _stored(environ: Mapping[str, str]) -> list[str]:
    """The names of the keys in the keyring, out of their list."""
    directory = data_directory(environ)
    return names(FileStore(directory).read(NAME) or {}) if directory is not None else []


def _all_profiles(environ: Mapping[str, str]) -> dict[str, str]:
    """The profiles of the AWS files, and those that are nothing but a key in the keyring."""
    found = profiles(environ)
    for name in _stored(environ):
        found.setdefault(name, "")
    return found


def _named(named: Mapping[str, str], cached: _CachedSessions) -> Group:
    return Group("profile", named, lambda name: cached.describe(name, summary(named[name])))


def _known_roles(named: Mapping[str, str], cached: _CachedSessions, used: Iterable[str], typed: str) -> Group:
    """Roles as they were typed before; those of the profiles too, once it is a role that is being typed."""
    roles = {word: _arn(word) for word in used if word not in named and looks_like_role(word)}
    is_arn = typed[:3] == "arn"
    if is_arn or typed[:1].isdigit():
        for text in named.values():
            arn = setting(text, "role_arn")
            written = arn if is_arn else arn.partition(":iam::")[2].replace(":role/", ":", 1)
            if written.startswith(typed):
                roles.setdefault(written, arn)
    return Group("role", roles, cached.left)


def _arn(word: str) -> str:
    """The ARN that a word meant when it was typed as a target."""
    word = unquoted(word)
    account = account_like(word)
    if not account:
        return word
    partition, _, role = word.partition(account + ":")
    return f"arn:{partition[:-1] or 'aws'}:iam::{account}:role/{role.removeprefix('role/')}"


def _topics(environ: Mapping[str, str], now: float, typed: str) -> list[Group]:
    topics = {"options": "All options of a run", "examples": "Command lines to start from"}
    topics.update((name, line.help) for name, line in SUBCOMMANDS.items())
    return [Group("topic", topics, topics.__getitem__)]


def _regions(environ: Mapping[str, str], now: float, typed: str) -> list[Group]:
    from awsudo_py.shell.completion.regions import REGIONS

    return [Group("region", REGIONS, REGIONS.__getitem__)]


def _mfa_serials(environ: Mapping[str, str], now: float, typed: str) -> list[Group]:
    users: dict[str, str] = {}
    for name, text in profiles(environ).items():
        serial = setting(text, "mfa_serial")
        if serial:
            users.setdefault(serial, f"profile {name}")
    return [Group("device", users, users.__getitem__)]


def commands(environ: Mapping[str, str], typed: str) -> Group:
    """The commands of PATH that begin so."""
    found: dict[str, None] = {}
    for place in environ.get("PATH", os.defpath).split(os.pathsep):
        try:
            with os.scandir(place or ".") as files:
                for file in files:
                    if file.name.startswith(typed) and file.is_file() and os.access(file.path, os.X_OK):
                        found[file.name] = None
        except OSError:
            continue
    return Group("command", found)


#: The kinds of Option.values and Subcommand.words, besides words.
_KINDS: dict[str, Callable[[Mapping[str, str], float, str], list[Group]]] = {
    "target": _targets,
    "role": _roles,
    "profile": _profiles,
    "key": _keys,
    "sso-session": _sso_sessions,
    "topic": _topics,
    "session": lambda environ, *_: [Group("session", sso_sessions(environ))],
    "region": _regions,
    "mfa-serial": _mfa_serials,
}


class _CachedSessions:
    """Which targets would find their session in the cache, and for how long. Nothing is read before it is needed."""

    def __init__(self, environ: Mapping[str, str], now: float) -> None:
        self._environ = environ
        self._now = now
        self._store: FileStore | None = None
        self._around = ""

    def describe(self, target: str, settings: Settings) -> str:
        """`account role, cached 42m` for a profile with these settings."""
        arn = settings.get("role_arn", "")
        account, _, role = arn.partition(":iam::")[2].partition(":role/")
        if not arn:
            account, role = settings.get("sso_account_id", ""), settings.get("sso_role_name", "")
        what = f"{account} {role}" if role else ""
        return ", ".join(filter(None, (what, self.left(target))))

    def left(self, target: str) -> str:
        """`cached 42m`, if `awsudo TARGET` without options would be a hit now; else empty."""
        from awsudo_py.replay import session_of, surroundings, verdict_for

        if self._store is None:
            self._store = FileStore(cache_directory(self._environ) or "")
            self._around = surroundings(self._environ, self._store) if self._store.directory else ""
        verdict = verdict_for([target], self._around, self._store) if self._around else None
        session = session_of(verdict, self._store, self._now) if verdict is not None else None
        if session is None or session.expiration is None:
            return ""
        return f"cached {brief(max(session.expiration - self._now, 60), parts=1)}"
