"""One invocation: from options and files to the changes that make an environment run as the target."""

from __future__ import annotations

import os
import time
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.aws.mfa_codes import Codes
from awsudo_py.credentials import rfc3339
from awsudo_py.environment import changes_for
from awsudo_py.errors import AwsudoError
from awsudo_py.fingerprint import Files, deciding
from awsudo_py.keys.index_names import data_directory
from awsudo_py.keys.vault import Keys
from awsudo_py.model import RoleHop
from awsudo_py.replay import remember
from awsudo_py.resolve import aws_config
from awsudo_py.resolve.chain import resolve
from awsudo_py.sessions.cached_session import RENEW_AHEAD
from awsudo_py.sessions.clearing import forget_all, forget_key, forget_target
from awsudo_py.sessions.file_store import FileStore, cache_directory
from awsudo_py.sessions.keyring_store import KeychainStore
from awsudo_py.sessions.obtain import ASKED_EVERY_TIME, Obtain, Obtained
from awsudo_py.sessions.sealed import digest
from awsudo_py.sessions.single_flight import Run
from awsudo_py.shell import history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from awsudo_py.credentials import Credentials
    from awsudo_py.environment import Changes
    from awsudo_py.model import Request, RoleChain
    from awsudo_py.resolve.aws_config import AwsConfig
    from awsudo_py.sessions.obtain import Sts
    from awsudo_py.terminal import Terminal

#: Sources of which a later run cannot tell from files and variables alone that they are the same.
_NOT_REPLAYED = ASKED_EVERY_TIME | {"process", "login"}


class Answer(NamedTuple):
    """What an invocation came to."""

    chain: RoleChain
    obtained: Obtained
    changes: Changes

    @property
    def credentials(self) -> Credentials:
        """The credentials that the changes carry."""
        return self.obtained.credentials


class Invocation:
    """What one run of awsudo has: its environment, its terminal, the files it read."""

    def __init__(self, environ: Mapping[str, str], terminal: Terminal, clock: Callable[[], float] = time.time) -> None:
        self.environ = environ
        self.terminal = terminal
        self.deciding = deciding(environ)
        self.run = Run(terminal, clock, time.sleep, clock())
        self.files = Files(clock())
        self._counts = False  # whether this use of a target is one to remember

    @cached_property
    def keys(self) -> Keys:
        """The keys in the OS keyring."""
        return Keys(self.environ, self.run)

    @cached_property
    def config(self) -> AwsConfig:
        """The AWS configuration, and the names of the stored keys. Raises AwsudoError."""
        if self.keys.list.path:
            self.files.look(self.keys.list.path)
        return aws_config.load(self.deciding, self.files)._replace(stored=self.keys.list.read())

    def store(self, request: Request) -> FileStore | None:
        """The store that the request wants, or None (with a notice) where there is no place for one."""
        store = self._stores.get(request.store or "file")
        if store is None:
            self.terminal.notice("sessions cannot be kept, there is no home: set AWSUDO_CACHE_DIR to a directory")
        return store

    @cached_property
    def _stores(self) -> dict[str, FileStore]:
        """All stores that there is a place for, by kind."""
        directory, data = cache_directory(self.environ), data_directory(self.environ)
        stores: dict[str, FileStore] = {}
        if directory is not None:
            stores["file"] = FileStore(directory)
        if data is not None:
            stores["keyring"] = KeychainStore(os.path.join(data, "sessions"), self.keys.keyring)
        return stores

    def resolve(self, request: Request) -> RoleChain:
        """The chain that the request means. Raises AwsudoError."""
        chain = resolve(request, self.config, self.deciding, self.fingerprint)
        for notice in chain.notices:
            self.terminal.notice(notice)
        for line in _told(chain, self.config):
            self.terminal.detail(line)
        return chain

    def pick(self) -> str:
        """The target that the user picks from a list. Raises Interrupted if none, UsageError without a terminal."""
        from awsudo_py.shell.picker import choices, pick

        self._counts = True
        return pick(choices(self.config, history.targets(self.environ, self.run.clock())), self.environ)

    def answer(self, request: Request, *, ahead: float = RENEW_AHEAD) -> Answer:
        """Credentials for the request, and the changes that carry them; ahead as in fresh_session().

        Raises AwsudoError.
        """
        chain = self.resolve(request)
        obtained = self.obtain(chain, request, ahead=ahead).credentials()
        credentials = obtained.credentials
        target = request.target or request.role or request.profile
        if self._counts and target and not request.no_cache:
            history.used(target, self.environ, self.run.clock(), after_profile=request.role is not None)
        if credentials.expiration is not None:
            self.terminal.detail(f"valid until {rfc3339(credentials.expiration)}")
        changes = changes_for(credentials, target=chain.target, role_arn=chain.role_arn, region=chain.region or "")
        return Answer(chain, obtained, changes)

    def obtain(self, chain: RoleChain, request: Request, *, ahead: float = RENEW_AHEAD) -> Obtain:
        """The way to the chain's credentials."""
        codes = Codes(chain.source, self.environ, given=request.mfa_code, process=chain.mfa_process)
        return Obtain(
            chain,
            store=None if request.no_cache else self.store(request),
            sts=cache(lambda: self._sts(chain, codes)),
            run=self.run,
            min_ttl=request.min_ttl,
            ahead=ahead,
            refresh=request.refresh,
            duration=request.duration,
        )

    def clear(self, request: Request | None) -> tuple[int, str]:
        """Forget the sessions of the request's target, or all; returns as forget_target() does. Raises AwsudoError."""
        if request is None:
            return forget_all([*self._stores.values()]), ""
        chain = self.resolve(request)
        return forget_target(chain, self.obtain(chain, request), [*self._stores.values()])

    def clear_of_keys(self, access_key_ids: Iterable[str]) -> None:
        """Forget the sessions that come from these access keys, and say how many there were. Raises AwsudoError."""
        count = sum(forget_key(each, [*self._stores.values()]) for each in access_key_ids)
        if count:
            self.terminal.notice(f"{count} session{'' if count == 1 else 's'} that came from it forgotten")

    def remember(self, words: Sequence[str], request: Request, answer: Answer) -> None:
        """Let a later run with these words before its command go the short way, where it would come to the same."""
        chain = answer.chain
        if (
            not answer.obtained.key
            or request.refresh
            or request.mfa_code
            or request.store == "keyring"  # which the hit path has no time to open
            or self.terminal.level > 0
            or self.terminal.noticed
            or chain.source.kind in _NOT_REPLAYED
            or not self.files.settled
        ):
            return
        directory = cache_directory(self.environ)
        if directory is None or answer.credentials.expiration is None:
            return
        try:
            remember(
                FileStore(directory),
                words,
                self.environ,
                key=answer.obtained.key,
                until=answer.credentials.expiration,
                files=self.files.seen,
                target=chain.target,
                role_arn=chain.role_arn,
                region=chain.region or "",
                min_ttl=request.min_ttl,
            )
        except (OSError, ValueError):
            return  # the session's own entry has told of it, or the next run takes the long way again

    def _sts(self, chain: RoleChain, codes: Codes) -> Sts:
        from awsudo_py.aws.calls import BotocoreSts, default_session_name

        self._counts = True
        name = default_session_name(_user(), _host())
        return BotocoreSts(chain, self.config, session_name=name, with_code=codes.shown, stored_key=self.keys.of_source)

    def fingerprint(self, path: str) -> str | None:
        """A digest of a file's content; None if there is none. Raises AwsudoError."""
        try:
            content = self.files.read(path)
        except OSError as error:
            raise AwsudoError(f"cannot read {path}: {error.strerror}") from None
        return None if content is None else digest(content.decode("utf-8", "replace"))


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        return "awsudo"


def _host() -> str:
    if hasattr(os, "uname"):
        return os.uname().nodename.split(".")[0]
    return os.environ.get("COMPUTERNAME", "localhost")


def _told(chain: RoleChain, config: AwsConfig) -> list[str]:
    """A chain for --verbose: what was resolved, and what says so."""
    source = chain.source
    lines = [f"{chain.target}: starts from {source.kind.replace('-', ' ')}, {source.where}"]
    for hop in chain.hops:
        shaping = ", ".join(
            f"{name.replace('_', ' ')} {value}"
            for name, value in hop._asdict().items()
            if value and name not in ("role_arn", "profile", "policy")
        )
        title = f"assumes {hop.role_arn}" if isinstance(hop, RoleHop) else "takes a session of these keys"
        said_by = f", profile {hop.profile} ({config.where(hop.profile, 'role_arn')})" if hop.profile else ""
        lines.append(f"{title}{f' ({shaping})' if shaping else ''}{said_by if isinstance(hop, RoleHop) else ''}")
    endpoint = chain.endpoint
    lines.append(f"STS: {endpoint.url or endpoint.region or 'global endpoint'}")
    lines.extend(chain.details)
    lines.append(f"region of the command: {chain.region or 'none'}")
    return lines
