"""The index of the keys in the OS keyring: names, ids and the progress of a rotation; no secret.

Names must be known even if no keyring can be opened, and a keyring cannot list them. The index is one record in a
private file, with the rules of file.py, with one exception: an index that cannot be trusted is an error, not a miss.
If it counted as empty, other credentials would be used instead, and it would be overwritten.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import AwsudoError
from awsudo_py.keys.index_names import NAME, names
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.sessions.sealed import digest
from awsudo_py.sessions.single_flight import Wait, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from awsudo_py.sessions.locks import Lock
    from awsudo_py.sessions.single_flight import Run


class StoredKey(NamedTuple):
    """One key of the list.

    backend is the class of the keyring that has it. The fields from rotating on are the journal of a rotation: when it
    began (seconds since the epoch; 0: there is none), the new key from when it is in the keyring until it is used, and
    the old key from when the new one is used until it is deleted.
    """

    access_key_id: str
    backend: str
    stored: float  # seconds since the epoch
    arn: str = ""  # of its user, as STS returned it
    created: str = ""  # at AWS (RFC 3339), if known
    rotating: float = 0.0
    pending: str = ""
    retiring: str = ""
    pending_created: str = ""  # as created, of the pending key

    @property
    def account(self) -> str:
        """The account of its user; empty if it is not known."""
        return self.arn.split(":")[4] if self.arn.count(":") > 4 else ""


class KeyList:
    """The index in one directory; None: no place, and so no keys."""

    def __init__(self, directory: str | None) -> None:
        self.path = f"{directory}/{NAME}" if directory else ""
        self._store = FileStore(directory or "")

    def read(self) -> dict[str, StoredKey]:
        """The stored keys by profile name. Raises AwsudoError if the index exists and cannot be trusted."""
        if not self.path or not os.path.lexists(self.path):
            return {}
        keys = _keys(self._store.read(NAME))
        if keys is None:
            raise AwsudoError(
                f"the list of stored keys cannot be trusted: {self.path} is damaged, not yours, or open to others",
                hint=(
                    f"see: ls -l {shlex.quote(self.path)}; if it is yours: chmod 600 {shlex.quote(self.path)}",
                    "if it is damaged: move it away, then awsudo keys add NAME for each; the keyring has the secrets",
                ),
            )
        return keys

    def edit(self, run: Run, change: Callable[[dict[str, StoredKey]], None]) -> None:
        """Read, change and write under the lock. Raises AwsudoError."""
        if not self.path:
            raise AwsudoError(
                "cannot store the list of keys: there is no home directory", hint="set AWSUDO_DATA_DIR to a directory"
            )

        def edit() -> None:
            keys = self.read()
            change(keys)
            self._store.write(NAME, _fields(keys), until=run.clock())

        try:
            in_turn(self._store, run, NAME, Wait("changing the list of stored keys"), edit)
        except OSError as error:
            raise AwsudoError(
                f"cannot write {self.path}: {error.strerror or error}",
                hint="to use another directory: set AWSUDO_DATA_DIR",
            ) from None

    def lock(self, name: str) -> Lock:
        """The lock for work on the key of that name, not yet held. Raises OSError."""
        return self._store.lock(f"{NAME}.{digest(name)}")


def _fields(keys: Mapping[str, StoredKey]) -> dict[str, str]:
    fields = {}
    for number, (name, key) in enumerate(sorted(keys.items())):
        fields[f"{number} name"] = name
        fields.update((f"{number} {field}", str(value)) for field, value in key._asdict().items())
    return fields


def _keys(fields: Mapping[str, str] | None) -> dict[str, StoredKey] | None:
    if fields is None:
        return None
    keys = {}
    for number, name in enumerate(names(fields)):
        texts = {field: fields.get(f"{number} {field}", "") for field in StoredKey._fields}
        try:
            moments = {field: float(texts.pop(field) or 0) for field in ("stored", "rotating")}
        except ValueError:
            return None
        keys[name] = StoredKey(**texts, **moments)  # type: ignore[arg-type]  # each by its name
    return keys
