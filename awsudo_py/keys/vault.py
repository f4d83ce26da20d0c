"""Long-lived keys at rest: the secret in the OS keyring, and the index that lists it.

1. A secret is written and read back before the list names it, and leaves the keyring only after it is removed from
   the list: a run that is killed leaves a working key, and at worst a secret that nothing names.
2. An entry of the keyring is named by the access key id: a rotation's new key never replaces the old one's entry.
3. If list and keyring do not agree, nothing else is used instead.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awsudo_py.aws_credentials import Credentials
from awsudo_py.errors import AwsudoError, KeyringError, did_you_mean
from awsudo_py.keys.index import KeyList, StoredKey
from awsudo_py.sessions.file_store import data_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awsudo_py.keys.os_keyring import Keyring
    from awsudo_py.model import Source
    from awsudo_py.sessions.single_flight import Run


class Keys:
    """The stored keys of one user. Each method raises AwsudoError."""

    def __init__(self, environ: Mapping[str, str], run: Run) -> None:
        self.list = KeyList(data_directory(environ))
        self._environ = environ
        self._run = run
        self._opened: dict[str, Keyring] = {}

    def named(self, name: str) -> StoredKey:
        """The key of that name in the list."""
        keys = self.list.read()
        if name not in keys:
            hint = did_you_mean(name, keys) or (
                f"there are: {', '.join(keys)}" if keys else f"store one: awsudo keys add {shlex.quote(name)}"
            )
            raise AwsudoError(f"no key is stored as {name!r}", hint=hint)
        return keys[name]

    def keyring(self, path: str = "") -> Keyring:
        """The OS keyring; with a path, the one of that class."""
        from awsudo_py.keys.os_keyring import (
            open_keyring,
        )  # here: nothing else needs `keyring`, whose import takes 65 ms

        if path not in self._opened:
            self._opened[path] = open_keyring(self._environ, self._run.terminal.notice, path=path)
        return self._opened[path]

    def of_source(self, source: Source) -> Credentials:
        """The key of a source whose kind is `keyring`."""
        access_key_id = dict(source.identity)["access_key_id"]
        return self.secret(source.profile or "", access_key_id, source.setting("backend"))

    def secret(self, name: str, access_key_id: str, backend: str) -> Credentials:
        """The key with that id, which the list says is in the keyring."""
        keyring = self.keyring(backend)
        found = self.find(access_key_id, backend)
        if found is None:
            quoted = shlex.quote(name)
            raise KeyringError(
                f"{keyring.name} does not have the key {access_key_id} of profile {name}, though it was stored there",
                hint=(
                    f"store it again: awsudo keys add {quoted} --replace",
                    f"or remove it: awsudo keys remove {quoted}",
                ),
            )
        self._run.terminal.detail(f"key {access_key_id} of profile {name}: from {keyring.name}")
        return found

    def find(self, access_key_id: str, backend: str = "") -> Credentials | None:
        """The key with that id, if the keyring has it whole."""
        import json

        try:
            entry = json.loads(self.keyring(backend).get(_entry(access_key_id)) or "")
            if entry["access_key_id"] != access_key_id or not isinstance(entry["secret_access_key"], str):
                return None
        except (ValueError, KeyError, TypeError):
            return None
        return Credentials(access_key_id, entry["secret_access_key"], None)

    def keep(self, name: str, credentials: Credentials, backend: str = "") -> str:
        """Put a key into the keyring, read it back, and return the keyring's class."""
        import json

        keyring = self.keyring(backend)
        fields = {
            "access_key_id": credentials.access_key_id,
            "secret_access_key": credentials.secret_access_key,
            "profile": name,  # for people who look into the keyring
        }
        keyring.set(_entry(credentials.access_key_id), json.dumps(fields))
        return keyring.backend.path

    def drop(self, access_key_id: str, backend: str) -> None:
        """Take a key out of the keyring, if it is there."""
        self.keyring(backend).delete(_entry(access_key_id))

    def write(self, name: str, key: StoredKey | None) -> None:
        """Put a key into the list under that name, or take the name out."""

        def change(keys: dict[str, StoredKey]) -> None:
            if key is None:
                keys.pop(name, None)
            else:
                keys[name] = key

        self.list.edit(self._run, change)


def _entry(access_key_id: str) -> str:
    return f"key {access_key_id}"
