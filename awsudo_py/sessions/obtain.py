"""The main flow: from a chain to the credentials at its end, each step kept by itself.

The numbers are those of the cache's rules, which the tests carry too.

2. The key of a session is a digest of all that shapes it, the session it was made from included.
5. One more lock per MFA serial, so that two roles do not spend one code. Who waits for a run that may be asking for a
   code has patience.
7. Every hop is kept by itself, so that sibling roles share the hops before them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from awsudo_py.model import RoleHop, SessionTokenHop
from awsudo_py.resolve.limits import DEFAULT_ROLE
from awsudo_py.sessions.cached_session import RENEW_AHEAD
from awsudo_py.sessions.sealed import digest
from awsudo_py.sessions.single_flight import SharedSession, Wait, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.credentials import Credentials
    from awsudo_py.model import Hop, RoleChain, Source
    from awsudo_py.sessions.file_store import FileStore
    from awsudo_py.sessions.single_flight import Run

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
    """Credentials, and the key under which they are cached; empty where they are not.

    of_source: whether they are the source's own, and no hop's.
    """

    credentials: Credentials
    key: str = ""
    of_source: bool = False


class Share(Protocol):
    """How several ways that run at the same time share what they have in common: the source, and all hops but the last.

    key tells one such thing from another.
    """

    def __call__(self, key: str, get: Callable[[], Obtained], /) -> Obtained:
        """What get() gives, or what it gave to another way. Raises AwsudoError."""


def alone(_key: str, get: Callable[[], Obtained]) -> Obtained:
    """Share nothing, whatever the key: there is one way."""
    return get()


class _GaveSession(Exception):
    """The source turned out to give a session, from which GetSessionToken cannot be called."""

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self.credentials = credentials


class Obtain:
    """One run's way through a chain. store is None where nothing is to be read or written.

    min_ttl, ahead and refresh concern the last session only, the one that the child gets; duration is that of a session
    of long-lived keys, where only asking shows that the source gives such; sts is called at the first miss; share
    is how several ways share a source and hops.
    """

    def __init__(
        self,
        chain: RoleChain,
        *,
        store: FileStore | None,
        sts: Callable[[], Sts],
        run: Run,
        min_ttl: float | None = None,
        ahead: float = RENEW_AHEAD,
        refresh: bool = False,
        duration: int | None = None,
        share: Share = alone,
    ) -> None:
        self._chain = chain
        self._share = share
        self._store = store
        self._sts = sts
        self._run = run
        self._min_ttl = min_ttl
        self._ahead = ahead
        self._renewed_since = run.started if refresh else 0.0
        self._duration = duration
        self._first: Credentials | None = None
        self.called_aws = False

    def credentials(self) -> Obtained:
        """The credentials at the end of the chain: a session, in any case. Raises AwsudoError."""
        obtained = self._after(len(self._chain.hops))
        if obtained.credentials.session_token is not None:
            return obtained
        # Long-lived keys after all: only running a credential_process shows that it gives such.
        keys, source = obtained.credentials, self._chain.source
        self._chain = self._chain._replace(
            source=source._replace(identity=(("access_key_id", keys.access_key_id),), credentials=keys),
            hops=(SessionTokenHop(source.profile, self._duration or DEFAULT_ROLE),),
        )
        return self._after(1)

    def inputs(self, hops: int, scope: str | None = None) -> str:
        """Rule 2: all that shapes the session after that many hops, a line for each; no hop is the source itself.

        scope: that of another endpoint than the chain's.
        """
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
        asked: list[tuple[str, object]] = [("partition", chain.endpoint.partition)]
        asked.append(("endpoint", scope or chain.endpoint.scope))
        return _lines([("hop", type(hop).__name__), *asked, *shaping, ("from", digest(self.inputs(hops - 1)))])

    def _after(self, hops: int) -> Obtained:
        if hops == 0:
            source = self._chain.source
            title = f"profile {source.profile}" if source.profile else source.where
            return (
                self._kept(0, title, self._source) if source.kind in KEPT else Obtained(self._source(), of_source=True)
            )
        hop = self._chain.hops[hops - 1]
        from_where = f"profile {hop.profile}" if hop.profile else self._chain.source.where
        title = hop.role_arn if isinstance(hop, RoleHop) else from_where

        def ask() -> Credentials:
            obtained = self._share(self.inputs(hops - 1), lambda: self._after(hops - 1))
            before = obtained.credentials
            asked = hop
            if isinstance(hop, SessionTokenHop) and before.session_token is not None:
                raise _GaveSession(before)
            if hops > 1 and not obtained.of_source and isinstance(self._chain.hops[hops - 2], SessionTokenHop):
                asked = hop._replace(mfa_serial=None)  # the session before it has shown the code
            if hops == len(self._chain.hops):
                for notice in self._chain.chaining_notices:
                    self._run.terminal.notice(notice)
            if asked.mfa_serial is None or self._store is None or isinstance(asked, SessionTokenHop):
                return self._session(asked, before, title)
            # one code serves one call: two runs must not ask for, and spend, the same
            return in_turn(
                self._store,
                self._run,
                _device_lock(asked.mfa_serial),
                _asking(asked.mfa_serial),
                lambda: self._session(asked, before, title),
            )

        try:
            return self._kept(hops, title, ask)
        except _GaveSession as gave:
            return Obtained(gave.credentials, of_source=True)

    def _kept(self, hops: int, title: str, ask: Callable[[], Credentials]) -> Obtained:
        if self._store is None:
            return Obtained(ask())
        chain = self._chain
        is_last = hops == len(chain.hops)
        hop = chain.hops[hops - 1] if hops else None
        device = hop.mfa_serial if isinstance(hop, SessionTokenHop) else None
        wait = Wait(f"getting the session of {title}")
        if device:
            wait = _asking(device)
        elif any(before.mfa_serial for before in chain.hops[:hops]):
            wait = Wait(f"{wait.doing}, or asking for the MFA code it takes", asks=True)
        elif chain.source.kind == "sso":
            wait = Wait(f"{wait.doing}, or signing in for it", asks=True, signs_in=True)
        shared = SharedSession(
            self._store,
            self._run,
            self.inputs(hops),
            title,
            min_ttl=self._min_ttl if is_last else None,
            ahead=self._ahead if is_last else RENEW_AHEAD,
            renewed_since=self._renewed_since if is_last else 0.0,
            also=[self.inputs(hops, scope) for scope in self._scopes(is_last)] if device else (),
            # a device's sessions come one after the other, whatever else they differ in: a code works once
            lock=_device_lock(device) if device else "",
            wait=wait,
        )
        return Obtained(shared.get(ask), shared.key)

    def _scopes(self, is_last: bool) -> Sequence[str]:
        """The scopes whose MFA sessions would do as well: to ask this chain's STS, or for a command's own use."""
        endpoint = self._chain.endpoint
        return endpoint.wider if is_last else endpoint.heard

    def _aws(self) -> Sts:
        self.called_aws = True
        return self._sts()

    def _source(self) -> Credentials:
        if self._first is None:
            source = self._chain.source
            # the keyring tells of itself, and is not AWS
            timed = self._timed if source.kind != "keyring" else lambda _, call: call()
            self._first = (
                source.credentials
                or self._share(
                    f"{source.kind} {source.profile} {source.identity} {source.settings}",
                    lambda: Obtained(timed(source.where, lambda: self._aws().source(source)), of_source=True),
                ).credentials
            )
        return self._first

    def _session(self, hop: Hop, before: Credentials, title: str) -> Credentials:
        if hop.mfa_serial is None:
            return self._timed(title, lambda: self._aws().session(hop, before))
        session = self._aws().session(hop, before)
        # how long it took is how long somebody typed
        self._run.terminal.detail(f"session of {title}: asked AWS, with an MFA code")
        return session

    def _timed(self, title: str, call: Callable[[], Credentials]) -> Credentials:
        begun = time.monotonic()
        credentials = call()
        self._run.terminal.detail(f"session of {title}: asked AWS, {time.monotonic() - begun:.2f} s")
        return credentials


def made_from(access_key_id: str, kept: Mapping[str, str]) -> set[str]:
    """Of the kept sessions (their inputs, by key), those that come from an access key, by any number of hops."""
    return _descendants({digest(_lines([("source", "keys"), ("access_key_id", access_key_id)]))}, kept)


def made_from_sso(start_url: str, kept: Mapping[str, str]) -> set[str]:
    """Of the kept sessions (their inputs, by key), those that come from an SSO session, by any number of hops."""
    marks = {_lines([("source", "sso")]), _lines([("sso_start_url", start_url)])}
    origins = {key for key, inputs in kept.items() if marks <= set(inputs.splitlines())}
    return origins | _descendants(origins, kept)


def _descendants(origins: set[str], kept: Mapping[str, str]) -> set[str]:
    found, fresh = set[str](), origins
    while fresh:
        marks = {_lines([("from", key)]) for key in fresh}
        fresh = {key for key, inputs in kept.items() if key not in found and marks & set(inputs.splitlines())}
        found |= fresh
    return found


def names_role(inputs: str, role_arn: str) -> bool:
    """Whether these are the inputs of a session of that role."""
    return _lines([("role_arn", role_arn)]) in inputs.splitlines()


def is_session_of(inputs: str, source: str) -> bool:
    """Whether these are the inputs of a session that GetSessionToken gave to a source (the inputs of that)."""
    lines = inputs.splitlines()
    return _lines([("hop", SessionTokenHop.__name__)]) in lines and _lines([("from", digest(source))]) in lines


def _asking(serial: str) -> Wait:
    return Wait(f"asking for an MFA code of {serial}", asks=True)


def _device_lock(serial: str) -> str:
    return digest(f"mfa {serial}")


def _lines(pairs: Sequence[tuple[str, object]]) -> str:
    # ascii() leaves no newline in a value, so that no value can pass for another line
    return "\n".join(f"{name}={value!a}" for name, value in pairs)
