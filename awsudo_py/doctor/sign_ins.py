"""Checks the sign-ins of SSO sessions, and the keyring with the stored keys."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.doctor.finding import Finding, ok, problem, warning
from awsudo_py.durations import brief
from awsudo_py.errors import AwsudoError
from awsudo_py.resolve.source_kinds import kind_of
from awsudo_py.resolve.sso_sessions import session_named, session_of_source, sessions
from awsudo_py.signin.token_files import TokenFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from awsudo_py.context import Context
    from awsudo_py.model import RoleChain, SsoSession

#: Seconds: a sign-in that cannot be renewed and lasts no longer is worth a warning.
_SOON = 900.0


def check(context: Context, chains: Iterable[RoleChain], *, every: bool) -> Iterator[Finding]:
    """The sign-ins behind these chains; every: those of all SSO sessions in the configuration."""
    config = context.config
    found: dict[str, SsoSession] = {}
    for name in config.sso_sessions if every else ():
        try:
            session = session_named(name, config)
        except AwsudoError as error:
            yield problem("sign-in", error.message, *error.hints)
        else:
            found[session.word] = session
    try:
        if every:
            found.update((each.word, each) for each in sessions(config))
        else:
            of_chains = (session_of_source(each.source, config) for each in chains if kind_of(each.source).by_token)
            found.update((each.word, each) for each in of_chains)
    except AwsudoError:
        pass  # a section without its start URL: that was a finding above
    files, now = TokenFiles(context.environ), context.run.clock()
    for word, session in found.items():
        yield _state(word, session, files, now)


def _state(word: str, session: SsoSession, files: TokenFiles, now: float) -> Finding:
    token, fix = files.token(session), f"awsudo login {shlex.quote(word)}"
    if token is None:
        return warning("sign-in", f"{word}: not signed in", fix)
    left = token.expires_at - now
    if token.can_be_renewed(now):
        state = f"expires in {brief(left)}" if left > 0 else "expired"
        return ok("sign-in", f"{word}: {state}, renewed silently")
    if left <= 0:
        return warning("sign-in", f"{word}: expired, and cannot be renewed", fix)
    if left < _SOON:
        return warning("sign-in", f"{word}: expires in {brief(left)}, and cannot be renewed", fix)
    return ok("sign-in", f"{word}: expires in {brief(left)}")


def keyring(context: Context) -> Iterator[Finding]:
    """The OS keyring: which it is, whether it is open, and whether it has the keys of the list."""
    try:
        stored = context.keys.list.read()
    except AwsudoError as error:
        yield problem("keyring", error.message, *error.hints)
        return
    needed = bool(stored) or context.environ.get("AWSUDO_STORE") == "keyring"
    try:
        name = context.keys.keyring().name
        missing = [each for each, key in stored.items() if context.keys.find(key.access_key_id, key.backend) is None]
        if not stored:
            context.keys.find("AKIA")  # a locked keyring reports that
    except AwsudoError as error:
        if needed:
            yield problem("keyring", error.message, *error.hints)
        else:
            yield ok("keyring", f"not used ({error.message})")
        return
    for each in missing:
        quoted = shlex.quote(each)
        yield problem(
            "keyring", f"{name} does not have the key of profile {each}", f"awsudo keys add {quoted} --replace"
        )
    if not missing:
        yield ok("keyring", f"{name}, unlocked, {len(stored)} key{'' if len(stored) == 1 else 's'}")
