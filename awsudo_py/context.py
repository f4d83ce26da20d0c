"""The context of one run of awsudo: its environment, its user, its clock, the files it read, its stores and keys."""

from __future__ import annotations

import os
import time
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING

from awsudo_py.child_environment import hide_from_sdk
from awsudo_py.errors import AwsudoError
from awsudo_py.files import access_hint
from awsudo_py.fingerprint import Files, deciding
from awsudo_py.keys.vault import Keys
from awsudo_py.resolve import aws_config
from awsudo_py.resolve.chain import Resolver
from awsudo_py.resolve.ci_identities import environment_of_ci
from awsudo_py.resolve.rails import RailsByTarget
from awsudo_py.resolve.sso_sessions import TENANT
from awsudo_py.sessions.file_store import FileStore, cache_directory, data_directory, state_directory
from awsudo_py.sessions.keyring_store import KeyringStore
from awsudo_py.sessions.logins import Logins
from awsudo_py.sessions.sealed import digest
from awsudo_py.sessions.single_flight import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsudo_py.aws.clients import Clients
    from awsudo_py.display import Line
    from awsudo_py.model import Request
    from awsudo_py.resolve.aws_config import AwsConfig, Settings
    from awsudo_py.signin.wiring import SignIns
    from awsudo_py.terminal import Terminal


class Context:
    """The context of one run. Many threads may use it at the same time: files are read once, connections are shared.

    Without a user (a library, a server, a fan-out), terminal is a NoTerminal: it cannot prompt, and passes notices on.
    """

    def __init__(self, environ: Mapping[str, str], terminal: Terminal, clock: Callable[[], float] = time.time) -> None:
        self.environ = environ
        self.terminal = terminal
        self.deciding = deciding(environ)
        self.run = Run(terminal, clock, time.sleep, clock())
        self.files = Files(clock())
        #: Lines above the prompt for an MFA code that confirms the run.
        self.about_code: Sequence[Line] = ()
        self._lock = RLock()  # from Python 3.12 on, cached_property has no lock

    @classmethod
    def of_process(cls, terminal: Terminal) -> Context:
        """The context of this process, whose os.environ is only for the SDK from here on."""
        return cls(hide_from_sdk(os.environ), terminal)

    @cached_property
    def keys(self) -> Keys:
        """The keys in the OS keyring."""
        return Keys(self.environ, self.run)

    @property
    def config(self) -> AwsConfig:
        """The AWS configuration, and the names of the stored keys. Raises AwsudoError."""
        with self._lock:
            return self._config

    @cached_property
    def _config(self) -> AwsConfig:
        if self.keys.list.path:
            self.files.look(self.keys.list.path)
        return aws_config.load(self.deciding, self.files)._replace(stored=self.keys.list.read())

    def add_profiles(self, profiles: Mapping[str, Settings]) -> None:
        """Add these profiles to the configuration, beside those of its files. Raises AwsudoError."""
        with self._lock:
            config = self._config
            new = {name: settings for name, settings in profiles.items() if config.profile(name) is None}
            self._config = config._replace(in_config={**config.in_config, **new}, added=config.added | new.keys())
            for name in ("_rails", "_sign_ins"):  # they were made from the old configuration
                self.__dict__.pop(name, None)

    @property
    def rails(self) -> RailsByTarget:
        """The guard rails of all targets; the profiles are looked through once. Raises AwsudoError."""
        with self._lock:
            return self._rails

    @cached_property
    def _rails(self) -> RailsByTarget:
        return RailsByTarget(self._config)

    def resolver(self, web_identity: str | None = None) -> Resolver:
        """The resolver of requests, from the configuration and the deciding variables. Raises AwsudoError.

        web_identity: the CI system whose variables are read too.
        """
        environ = {**self.deciding, **environment_of_ci(self.environ, web_identity)} if web_identity else self.deciding
        return Resolver(self.config, environ, self.fingerprint, self.portal_accounts, self.rails)

    @cached_property
    def stores(self) -> dict[str, FileStore]:
        """All stores that have a place on this machine, by kind."""
        directory, data = cache_directory(self.environ), data_directory(self.environ)
        stores: dict[str, FileStore] = {}
        if directory is not None:
            stores["file"] = FileStore(directory)
        if data is not None:
            stores["keyring"] = KeyringStore(os.path.join(data, "sessions"), self.keys.keyring)
        return stores

    def store(self, request: Request) -> FileStore | None:
        """The store that the request names, or None (with a notice) if it has no place on this machine."""
        store = self.stores.get(request.store or "file")
        if store is None:
            self.terminal.notice(
                "sessions cannot be cached: there is no home directory; set AWSUDO_CACHE_DIR to a directory"
            )
        return store

    @property
    def clients(self) -> Clients:
        """The clients for AWS, which all sessions of this context share, connections included."""
        with self._lock:
            return self._clients

    @cached_property
    def _clients(self) -> Clients:
        from awsudo_py.aws.clients import Clients  # here, so that a run that finds its session does not import botocore

        return Clients()

    @property
    def sign_ins(self) -> SignIns:
        """Sign-ins to SSO sessions. Raises AwsudoError."""
        with self._lock:
            return self._sign_ins

    @cached_property
    def _sign_ins(self) -> SignIns:
        from awsudo_py.signin.wiring import SignIns  # here, as it imports botocore

        return SignIns(
            self.config,
            self.environ,
            self.deciding,
            store=self.stores.get("file"),
            run=self.run,
            clients=self.clients,
        )

    @cached_property
    def logins(self) -> Logins:
        """The marks that distinguish logins."""
        return Logins(self.environ, self.files, self._salt)

    def _salt(self) -> bytes:
        store = self.stores.get("file")
        try:
            stored = store.salt(make=True) if store is not None else b""
        except OSError:
            stored = b""
        return stored or self._own_salt

    @cached_property
    def _own_salt(self) -> bytes:
        """The key of this run's digests where no key can be stored: then no session can be stored either."""
        return os.urandom(32)

    def portal_accounts(self, session: str, name: str) -> list[str]:
        """The IDs of the accounts that a session's portal last listed under a name."""
        from awsudo_py.sessions import portal_lists

        directory = state_directory(self.environ)
        if directory is None:
            return []
        record = portal_lists.record_name(session)
        self.files.look(os.path.join(directory, record))
        fields = FileStore(directory).read(record) or {}
        if fields.get("tenant", "") != self.config.sso_sessions.get(session, {}).get(TENANT, ""):
            return []  # the list of another tenant
        return [account_id for account_id, known, *_ in portal_lists.accounts(fields) if known == name]

    def fingerprint(self, path: str) -> str | None:
        """A digest of a file's content; None if there is no such file. Raises AwsudoError."""
        try:
            content = self.files.read(path)
        except OSError as error:
            raise AwsudoError(f"cannot read {path}: {error.strerror}", hint=access_hint(path)) from None
        return None if content is None else digest(content.decode("utf-8", "replace"))
