"""Keeps sessions whole in the OS keyring; a private file for each tells that it is there, and until when.

1. The file holds no secret. By it names, locks and sweeping are as in file.py, and a keyring cannot be asked for them.
2. The file is written first: a run that is killed leaves nothing in the keyring that nothing knows of.
3. Nothing falls back: where the keyring fails, a session is not kept, and not in a file either.
"""

from __future__ import annotations

import os
from binascii import a2b_base64, b2a_base64  # not base64: every run that resolves would import it
from typing import TYPE_CHECKING

from awsudo_py.errors import KeyringError
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.sessions.sealed import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.keys.os_keyring import Keyring


class KeyringStore(FileStore):
    """Sessions in the OS keyring, what else there is in files. Reading never raises; writing raises OSError.

    keyring opens the OS keyring, at the first session that is to be read or written; it raises KeyringError.
    """

    def __init__(self, directory: str, keyring: Callable[[], Keyring]) -> None:
        super().__init__(directory)
        self._open = keyring
        self._failed: KeyringError | None = None

    @property
    def place(self) -> str:
        """The place of sessions, for messages."""
        return "the OS keyring"

    def read(self, name: str) -> dict[str, str] | None:
        """The fields stored under this name, or None without a record that can be trusted."""
        entry = super().read(name)
        if entry is None or not _is_session(name):
            return entry
        try:
            line = self._from_keyring(lambda keyring: keyring.get(name))
            return unpack(a2b_base64(line)) if line is not None else None
        except (OSError, ValueError):
            return None  # whoever then writes is entry why

    def write(self, name: str, fields: dict[str, str], *, until: float) -> None:
        """Store the fields under this name, valid until that moment (seconds since the epoch)."""
        if not _is_session(name):
            super().write(name, fields, until=until)
            return
        line = b2a_base64(pack(fields), newline=False).decode()
        super().write(name, {"inputs": fields.get("inputs", "")}, until=until)
        self._from_keyring(lambda keyring: keyring.set(name, line))

    def remove(self, name: str) -> None:
        """Delete the entry of this name, if there is one."""
        if _is_session(name):
            self._from_keyring(lambda keyring: keyring.delete(name))
        super().remove(name)

    def sweep(self, now: float) -> None:
        """Remove what is of no use any more, from the keyring too."""
        for name in list(self.names()):
            try:
                if _is_session(name) and os.stat(f"{self.directory}/{name}").st_mtime < now:
                    self.remove(name)
            except OSError:
                return  # the next run sweeps what is left
        super().sweep(now)

    def _from_keyring(self, do: Callable[[Keyring], str | None]) -> str | None:
        """What the keyring gives. A keyring that failed once in this run is not waited for again. Raises OSError."""
        if self._failed is None:
            try:
                return do(self._open())
            except KeyringError as error:
                self._failed = error
        raise OSError("; ".join((self._failed.message, *self._failed.hints[:1])))


def _is_session(name: str) -> bool:
    return name.endswith(".session")
