"""The main flow: from a chain to the credentials at its end, each step kept by itself.

The numbers are those of the cache's rules, which the tests carry too.

2. The key of a session is a digest of all that shapes it, the session it was made from included.
5. One more lock per MFA serial, so that two roles do not spend one code.
7. Every hop is kept by itself, so that sibling roles share the hops before them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from awsudo_py.limits import DEFAULT_ROLE
from awsudo_py.model import RoleHop, SessionTokenHop
from awsudo_py.stores.records import digest
from awsudo_py.stores.shared import SharedSession, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.credentials import Credentials
    from awsudo_py.model import Hop, RoleChain, Source
    from awsudo_py.stores.file import FileStore
    from awsudo_py.stores.shared import Run

#: Sources whose identity is known only once their credentials are there: they are asked on every run.
ASKED_EVERY_TIME = frozenset({"instance", "container"})
#: Sources that give a session which costs a call: it is kept like that of a hop.
KEPT = frozenset({"sso", "web-identity"})


class Sts(Protocol):
    """What the flow needs of AWS; sts.py has the one that knows botocore."""

    def source(self, source: Source) -> Credentials:
        """The credentials that begin a chain."""

    def session(self, hop: Hop, credentials: Credentials) -> Credentials:
        """The session that a hop gives to these credentials."""


class Obtained(NamedTuple):
    """Credentials, and the key under which they are kept; empty where they are not."""

    credentials: Credentials
    key: str = ""


class Obtain:
    """One run's way through a chain. store is None where nothing is to be read or written.

    min_ttl and refresh concern the last session only, the one that the child gets; duration is that of a session of
    long-lived keys, where only asking shows that the source gives such; sts is called at the first miss.
    """

    def __init__(
        self,
        chain: RoleChain,
        *,
        store: FileStore | None,
        sts: Callable[[], Sts],
        run: Run,
        min_ttl: float | None = None,
        refresh: bool = False,
        duration: int | None = None,
    ) -> None:
        self._chain = chain
        self._store = store
        self._sts = sts
        self._run = run
        self._min_ttl = min_ttl
        self._renewed_since = run.started if refresh else 0.0
        self._duration = duration
        self._first: Credentials | None = None

    def credentials(self) -> Obtained:
        """The credentials at the end of the chain: a session, in any case. Raises AwsudoError."""
        obtained = self._after(len(self._chain.hops))
        if obtained.credentials.session_token is not None:
            return obtained
        # Long-lived keys after all: only running a credential_process shows that it gives such.
        keys, source = obtained.credentials, self._chain.source
        self._chain = self._chain._replace(
            source=source._replace(identity=(("access_key_id", keys.access_key_id),), credentials=keys),
            hops=(
                SessionTokenHop(source.profile, self._duration or DEFAULT_ROLE, source.setting("mfa_serial") or None),
            ),
        )
        return self._after(1)

    def inputs(self, hops: int) -> str:
        """Rule 2: all that shapes the session after that many hops, a line for each; no hop is the source itself."""
        chain = self._chain
        if hops == 0:
            source = chain.source
            identity: Sequence[tuple[str, object]] = source.identity
            if source.kind in ASKED_EVERY_TIME:
                identity = [("access_key_id", self._source().access_key_id)]
            # the same keys are the same source, wherever they were found
            by_key = [name for name, _ in identity] == ["access_key_id"]
            return _lines([("source", "keys" if by_key else source.kind), *identity])
        hop = chain.hops[hops - 1]
        shaping = [(name, value) for name, value in hop._asdict().items() if name != "profile" and value]
        where: list[tuple[str, object]] = [("partition", chain.endpoint.partition), ("endpoint", chain.endpoint.scope)]
        return _lines([("hop", type(hop).__name__), *where, *shaping, ("from", digest(self.inputs(hops - 1)))])

    def _after(self, hops: int) -> Obtained:
        if hops == 0:
            source = self._chain.source
            title = f"profile {source.profile}" if source.profile else source.where
            return self._kept(0, title, self._source) if source.kind in KEPT else Obtained(self._source())
        hop = self._chain.hops[hops - 1]
        title = hop.role_arn if isinstance(hop, RoleHop) else f"profile {hop.profile}"

        def ask() -> Credentials:
            before = self._after(hops - 1).credentials
            if hops == len(self._chain.hops):
                for notice in self._chain.chaining_notices:
                    self._run.terminal.notice(notice)
            if hop.mfa_serial is None or self._store is None:
                return self._timed(title, lambda: self._sts().session(hop, before))
            # one code serves one call: two runs must not ask for, and spend, the same
            return in_turn(
                self._store,
                self._run,
                digest(f"mfa {hop.mfa_serial}"),
                f"asking for a code of {hop.mfa_serial}",
                lambda: self._timed(title, lambda: self._sts().session(hop, before)),
            )

        return self._kept(hops, title, ask)

    def _kept(self, hops: int, title: str, ask: Callable[[], Credentials]) -> Obtained:
        if self._store is None:
            return Obtained(ask())
        is_last = hops == len(self._chain.hops)
        shared = SharedSession(
            self._store,
            self._run,
            self.inputs(hops),
            title,
            min_ttl=self._min_ttl if is_last else None,
            renewed_since=self._renewed_since if is_last else 0.0,
        )
        return Obtained(shared.get(ask), shared.key)

    def _source(self) -> Credentials:
        if self._first is None:
            source = self._chain.source
            # the keyring tells of itself, and is not AWS
            timed = self._timed if source.kind != "keyring" else lambda _, call: call()
            self._first = source.credentials or timed(source.where, lambda: self._sts().source(source))
        return self._first

    def _timed(self, title: str, call: Callable[[], Credentials]) -> Credentials:
        begun = time.monotonic()
        credentials = call()
        self._run.terminal.detail(f"session of {title}: asked AWS, {time.monotonic() - begun:.2f} s")
        return credentials


def made_from(access_key_id: str, kept: Mapping[str, str]) -> set[str]:
    """Of the kept sessions (their inputs, by key), those that come from an access key, by any number of hops."""
    origin = digest(_lines([("source", "keys"), ("access_key_id", access_key_id)]))
    found, fresh = set[str](), {origin}
    while fresh:
        marks = {_lines([("from", key)]) for key in fresh}
        fresh = {key for key, inputs in kept.items() if key not in found and marks & set(inputs.splitlines())}
        found |= fresh
    return found


def names_role(inputs: str, role_arn: str) -> bool:
    """Whether these are the inputs of a session of that role."""
    return _lines([("role_arn", role_arn)]) in inputs.splitlines()


def _lines(pairs: Sequence[tuple[str, object]]) -> str:
    # ascii() leaves no newline in a value, so that no value can pass for another line
    return "\n".join(f"{name}={value!a}" for name, value in pairs)
