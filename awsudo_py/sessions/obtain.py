"""The main flow: from a chain to the credentials at its end, with each step cached on its own.

The numbers are those of the cache's rules, which the tests carry too.

2. The key of a session is a digest of all that shapes it, the session it was made from included.
5. There is one more lock per MFA device, so that two roles do not spend one code. A run that waits for one that may be
   prompting for a code waits as long as a person may take.
7. Every hop is cached on its own, so that sibling roles share the hops before them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from awsudo_py.durations import brief
from awsudo_py.model import RoleHop, ScopedHop, SessionTokenHop, Source
from awsudo_py.resolve.source_kinds import BY_TOKEN, kind_of, refuse_expired
from awsudo_py.sessions.cached_session import RENEW_AHEAD, fresh_session
from awsudo_py.sessions.sealed import digest
from awsudo_py.sessions.single_flight import SharedSession, Wait, in_turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.model import Hop, RoleChain
    from awsudo_py.sessions.file_store import FileStore
    from awsudo_py.sessions.logins import Logins
    from awsudo_py.sessions.single_flight import Run


class Sts(Protocol):
    """The calls to AWS that the flow needs; aws/calls implements it with botocore."""

    def source(self, source: Source) -> Credentials:
        """The credentials at the start of a chain."""

    def sign_in(self, source: Source) -> None:
        """Make sure that the user is signed in to a source that takes a sign-in."""

    def session(self, hop: Hop, credentials: Credentials, code: str = "") -> Credentials:
        """The session of a hop for these credentials, with an MFA code if its device is named."""


#: What calls a hop's call with a code of the hop's device, perhaps more than once: a person can mistype.
WithCode = Callable[["Hop", "Callable[[str], Credentials]"], "Credentials"]


class Obtained(NamedTuple):
    """Credentials, and the key under which they are cached; empty if they are not."""

    credentials: Credentials
    key: str = ""


class Cached(NamedTuple):
    """The cached result of a step of a chain. session: what a run would use; without one, why has the reason."""

    key: str  # the entry's name; empty if a call would be needed to know it
    session: Credentials | None
    why: str = ""


class Share(Protocol):
    """How several ways that run at the same time share what they have in common: the source, and all hops but the last.

    key tells one such thing from another.
    """

    def __call__(self, key: str, get: Callable[[], Obtained], /) -> Obtained:
        """The result of get(), or its result for another way. Raises AwsudoError."""


def alone(_key: str, get: Callable[[], Obtained]) -> Obtained:
    """Share nothing, whatever the key: there is one way."""
    return get()


class Obtain:
    """One run's way through a chain. store is None if the cache is neither read nor written.

    min_ttl, ahead and refresh concern the last session only, the one that the command gets; sts is called at the first
    miss; share is how several ways share a source and hops. logins tells one login of the source from the next; user
    names sessions that have no name of their own.
    """

    def __init__(
        self,
        chain: RoleChain,
        *,
        store: FileStore | None,
        sts: Callable[[], Sts],
        with_code: WithCode,
        run: Run,
        min_ttl: float | None = None,
        ahead: float = RENEW_AHEAD,
        refresh: bool = False,
        share: Share = alone,
        logins: Logins | None = None,
        user: str = "",
    ) -> None:
        self._logins = logins
        self._user = user
        self._chain = chain
        self._share = share
        self._store = store
        self._sts = sts
        self._with_code = with_code
        self._run = run
        self._min_ttl = min_ttl
        self._ahead = ahead
        self._renewed_since = run.started if refresh else 0.0
        self._first: Credentials | None = None
        self.called_aws = False

    def credentials(self) -> Obtained:
        """The credentials at the end of the chain: a session, in any case. Raises AwsudoError."""
        self._sign_in_first()
        self._choose_hops()
        return self._after(len(self._chain.hops))

    def _sign_in_first(self) -> None:
        """Sign in, or renew the sign-in, if its token is needed: the sessions are cached under that token's mark."""
        chain = self._chain
        if kind_of(chain.source).by_token and not any(self.cached(hops).session for hops in range(len(chain.hops) + 1)):
            self._sts().sign_in(chain.source)

    def _choose_hops(self) -> None:
        """Take the hops after a session, if the source turns out to give one."""
        chain = self._chain
        if chain.if_session is not None and self._source().session_token is not None:
            self._chain = chain._replace(hops=chain.if_session, if_session=None)

    def cached(self, hops: int | None = None) -> Cached:
        """The cache's result for the end of the chain, or after that many hops. Makes no calls."""
        chain, now = self._chain, self._run.clock()
        hops = len(chain.hops) if hops is None else hops
        if self._store is None:
            return Cached("", None, "the cache is not used")
        if kind_of(chain.source).known_by_call:
            return Cached("", None, f"{kind_of(chain.source).noun} credentials are fetched on every run")
        if hops == 0 and not kind_of(chain.source).cached:
            return Cached("", None, "it is not cached: getting it needs no call")
        if self._is_confirmed(hops):
            return Cached("", None, "each run needs an MFA code of its own")
        is_last = hops == len(chain.hops)
        device = isinstance(chain.hops[hops - 1], SessionTokenHop) and chain.hops[hops - 1].mfa_serial if hops else None
        also = [self.inputs(hops, scope) for scope in self._scopes(is_last)] if device else ()
        min_ttl, ahead = (self._min_ttl, self._ahead) if is_last else (None, RENEW_AHEAD)
        why = "no session is cached"
        for key in map(digest, (self.inputs(hops), *also)):
            fields = self._store.read(f"{key}.session")
            found = fresh_session(fields, key, now, min_ttl, ahead=ahead)
            if found is not None and found.issued >= (self._renewed_since if is_last else 0.0):
                return Cached(key, found)
            any_left = fresh_session(fields, key, now, 0.0)
            if found is not None:
                why = "--refresh renews the cached session"
            elif any_left is not None and any_left.expiration is not None:
                why = f"the cached session is renewed: it has {brief(any_left.expiration - now)} left"
            elif fields is not None:
                why = "the cached session has expired"
        return Cached(digest(self.inputs(hops)), None, why)

    def inputs(self, hops: int, scope: str | None = None) -> str:
        """Rule 2: all that shapes the session after that many hops, a line for each; 0 hops is the source itself.

        scope: that of another endpoint than the chain's.
        """
        chain = self._chain
        if hops == 0:
            source = chain.source
            identity: Sequence[tuple[str, object]] = source.identity
            if kind_of(source).known_by_call:
                identity = [("access_key_id", self._source().access_key_id)]
            # the same keys are the same source, wherever they were found
            by_key = [name for name, _ in identity] == ["access_key_id"]
            mark = self._logins.mark(source) if self._logins else ""
            login = [("login", mark)] if mark else []
            return _lines([("source", "keys" if by_key else source.kind), *identity, *self._named(source), *login])
        hop = chain.hops[hops - 1]
        shaping = [(name, value) for name, value in hop._asdict().items() if name != "profile" and value]
        place: list[tuple[str, object]] = [("partition", chain.endpoint.partition)]
        place.append(("endpoint", scope or chain.endpoint.scope))
        from_before = ("from", digest(self.inputs(hops - 1)))
        return _lines([("hop", type(hop).__name__), *place, *shaping, *self._named(hop), from_before])

    def _named(self, what: Source | Hop) -> list[tuple[str, object]]:
        """The user in a session name that awsudo generates: two people may share an account of the machine."""
        if isinstance(what, Source):
            unnamed = "session_name" in kind_of(what).accepts and not what.setting("session_name")
        else:
            unnamed = isinstance(what, RoleHop) and not what.session_name
        return [("user", self._user)] if unnamed and self._user else []

    def _keys_mark(self) -> str:
        """The mark of the keys that begin the chain (logins.mark_of); empty if the secret is not at hand."""
        first = self._first or self._chain.source.credentials
        return self._logins.mark_of(first) if self._logins and first else ""

    def _after(self, hops: int) -> Obtained:
        if hops == 0:
            source = self._chain.source
            title = f"profile {source.profile}" if source.profile else source.where
            return self._cached(0, title, self._source) if kind_of(source).cached else Obtained(self._source())
        hop = self._chain.hops[hops - 1]
        from_where = f"profile {hop.profile}" if hop.profile else self._chain.source.where
        title = hop.role_arn if isinstance(hop, RoleHop) else from_where
        if isinstance(hop, ScopedHop):
            title = f"{from_where}, narrowed"

        def call() -> Credentials:
            before = self._share(self.inputs(hops - 1), lambda: self._after(hops - 1)).credentials
            call_of = self._within(hop, before) if isinstance(hop, ScopedHop) else hop
            if hops == len(self._chain.hops):
                for notice in self._chain.call_notices:
                    self._run.terminal.notice(notice)
            if hop.mfa_serial is None or self._store is None or isinstance(hop, SessionTokenHop):
                return self._session(call_of, before, title)
            # one code serves one call: two runs must not prompt for, and spend, the same
            return in_turn(
                self._store,
                self._run,
                _device_lock(hop.mfa_serial),
                _prompting(hop.mfa_serial),
                lambda: self._session(hop, before, title),
            )

        return self._cached(hops, title, call)

    def _within(self, hop: ScopedHop, before: Credentials) -> ScopedHop:
        """The hop with a duration that the session before it still has: STS refuses a longer one."""
        left = None if before.expiration is None else int(before.expiration - self._run.clock()) - 1
        if hop.duration is None or left is None or hop.duration <= left:
            return hop
        self._run.terminal.notice(
            f"the narrowed session lasts {brief(left)} instead of {brief(hop.duration)}: its source session ends then"
        )
        return hop._replace(duration=max(left, 1))

    def _is_confirmed(self, hops: int) -> bool:
        """Whether this session is of this run alone: the code that confirms it goes with the first call."""
        return self._chain.confirmed_by_code and hops > 0

    def _cached(self, hops: int, title: str, call: Callable[[], Credentials]) -> Obtained:
        if self._store is None or self._is_confirmed(hops):
            return Obtained(call())
        chain = self._chain
        is_last = hops == len(chain.hops)
        hop = chain.hops[hops - 1] if hops else None
        device = hop.mfa_serial if isinstance(hop, SessionTokenHop) else None
        wait = Wait(f"getting the session of {title}")
        if device:
            wait = _prompting(device)
        elif any(before.mfa_serial for before in chain.hops[:hops]):
            wait = Wait(f"{wait.doing}, or prompting for the MFA code that it needs", prompts=True)
        elif kind_of(chain.source).signs_in:
            wait = Wait(f"{wait.doing}, or signing in for it", prompts=True, signs_in=True)
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
            current=lambda: self.inputs(hops),
            login=self._keys_mark,
        )
        return Obtained(shared.get(call), shared.key)

    def _scopes(self, is_last: bool) -> Sequence[str]:
        """The scopes whose MFA sessions would do as well: to ask this chain's STS, or for a command's own use."""
        endpoint = self._chain.endpoint
        return endpoint.wider if is_last else endpoint.accepted

    def _aws(self) -> Sts:
        self.called_aws = True
        return self._sts()

    def _source(self) -> Credentials:
        if self._first is None:
            source = self._chain.source
            self._first = (
                source.credentials
                or self._share(
                    f"{source.kind} {source.profile} {source.identity} {source.settings}",
                    lambda: Obtained(self._fetched(source)),
                ).credentials
            )
        return self._first

    def _fetched(self, source: Source) -> Credentials:
        giver = kind_of(source).giver
        if not giver:  # the keyring, which has messages of its own
            return self._aws().source(source)
        title = f"profile {source.profile}" if source.profile else source.where

        def fetch() -> Credentials:
            return self._timed(title, giver, lambda: self._aws().source(source))

        if self._store is None or not kind_of(source).in_turn:
            return fetch()
        # a second browser window beside the first would help nobody, and a token that renews another works once
        lock = digest(f"{source.kind} {source.profile} {source.identity}")
        return in_turn(self._store, self._run, lock, Wait(f"running {giver} of {title}", prompts=True), fetch)

    def _session(self, hop: Hop, before: Credentials, title: str) -> Credentials:
        refuse_expired(self._chain.source, self._run.clock())
        if hop.mfa_serial is None:
            return self._timed(title, "AWS", lambda: self._aws().session(hop, before))
        session = self._with_code(hop, lambda code: self._aws().session(hop, before, code))
        # no time: it is that of a person typing
        self._run.terminal.detail(f"session of {title}: from AWS, with an MFA code")
        return session

    def _timed(self, title: str, giver: str, call: Callable[[], Credentials]) -> Credentials:
        begun = time.monotonic()
        credentials = call()
        self._run.terminal.detail(f"session of {title}: from {giver}, {time.monotonic() - begun:.2f} s")
        return credentials


def made_from(access_key_id: str, entries: Mapping[str, str]) -> set[str]:
    """The keys of the cached sessions (their inputs, by key) that come from an access key, over any number of hops."""
    return _descendants({digest(_lines([("source", "keys"), ("access_key_id", access_key_id)]))}, entries)


def made_from_sso(start_url: str, entries: Mapping[str, str]) -> set[str]:
    """The keys of the cached sessions (their inputs, by key) that come from an SSO session, over any number of hops."""
    mark, sources = _lines([("sso_start_url", start_url)]), {_lines([("source", kind)]) for kind in BY_TOKEN}
    origins = {
        key for key, inputs in entries.items() if mark in (lines := inputs.splitlines()) and sources & set(lines)
    }
    return origins | _descendants(origins, entries)


def narrowed_from(keys: set[str], entries: Mapping[str, str]) -> set[str]:
    """The keys of the cached sessions (their inputs, by key) that GetScopedCredentials narrowed from one of these."""
    narrowed, marks = _lines([("hop", ScopedHop.__name__)]), {_lines([("from", key)]) for key in keys}
    return {key for key, inputs in entries.items() if narrowed in (lines := inputs.splitlines()) and marks & set(lines)}


def _descendants(origins: set[str], entries: Mapping[str, str]) -> set[str]:
    found, fresh = set[str](), origins
    while fresh:
        marks = {_lines([("from", key)]) for key in fresh}
        fresh = {key for key, inputs in entries.items() if key not in found and marks & set(inputs.splitlines())}
        found |= fresh
    return found


def names_role(inputs: str, role_arn: str) -> bool:
    """Whether these are the inputs of a session of that role."""
    return _lines([("role_arn", role_arn)]) in inputs.splitlines()


def unmarked(inputs: str) -> list[str]:
    """The inputs of a source, one per line, without the mark of its login."""
    return [line for line in inputs.splitlines() if not line.startswith("login=")]


def is_session_of(inputs: str, source: str) -> bool:
    """Whether these are the inputs of a session that GetSessionToken gave to a source (the inputs of that)."""
    lines = inputs.splitlines()
    return _lines([("hop", SessionTokenHop.__name__)]) in lines and _lines([("from", digest(source))]) in lines


def _prompting(serial: str) -> Wait:
    return Wait(f"prompting for an MFA code of {serial}", prompts=True)


def _device_lock(serial: str) -> str:
    return digest(f"mfa {serial}")


def _lines(pairs: Sequence[tuple[str, object]]) -> str:
    # ascii() leaves no newline in a value, so that no value can pass for another line
    return "\n".join(f"{name}={value!a}" for name, value in pairs)
