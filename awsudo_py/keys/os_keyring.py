"""Keeps single lines in the OS key store: the only module that knows `keyring`.

1. A store is one of a list: the platforms' own. Others (null, plaintext, a chain, whatever an environment variable, a
   configuration file or an entry point brings in) are refused by name, and never used as a fallback.
2. keyring.get_keyring() is not called: it would run entry points and use what is installed, plaintext included.
   KEYRING_PROPERTY_* variables, which can set any attribute of a store, are ignored.
3. Nothing hangs: a store has four seconds, or a minute if it may be prompting its user to unlock it.
4. Errors of a store get a text of our own. Its own text is never displayed: it could contain its input.
5. Every value is read back after writing. "null" is not the only store that succeeds in storing nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from awsudo_py.errors import KeyringError, KeyringLocked
from awsudo_py.sessions.sealed import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyring.backend import KeyringBackend

#: The service name of all entries in the OS key store.
SERVICE = "awsudo"
#: Seconds; see rule 3. No message comes later than five seconds, if nobody can be prompted for a password.
SAY_AFTER, PATIENCE, PATIENCE_FOR_USER = 2.0, 4.0, 60.0
#: A Windows credential has 2,560 bytes (CRED_MAX_CREDENTIAL_BLOB_SIZE, wincred.h), and UTF-16 takes two for a letter.
_WINDOWS_LIMIT = 1_200
_CHUNKED = "awsudo chunks"
_Result = TypeVar("_Result")


class Backend(NamedTuple):
    """One store of the list: its display name, its class, its platform, and what to do if it is missing."""

    name: str
    path: str  # module and class, as PYTHON_KEYRING_BACKEND has them
    platform: str  # as sys.platform has it
    install: str
    unlock: str
    limit: int = 0  # characters that one entry holds; 0: more than enough


_SECRET_SERVICE = (
    "install one and log in again: sudo apt install gnome-keyring; without a desktop: dbus-run-session -- bash, then "
    "gnome-keyring-daemon --unlock, which reads the new password from stdin"
)
_UNLOCK = (
    "unlock it in the desktop's password manager; without a desktop: gnome-keyring-daemon --replace --unlock, which "
    "reads its password from stdin"
)
_KWALLET = "install KWallet, and python3-dbus for Python"
BACKENDS = (
    Backend(
        "the macOS Keychain",
        "keyring.backends.macOS.Keyring",
        "darwin",
        "see: security list-keychains",
        "unlock it: security unlock-keychain",
    ),
    Backend(
        "the Windows Credential Manager",
        "keyring.backends.Windows.WinVaultKeyring",
        "win32",
        "reinstall awsudo: pywin32-ctypes is missing",
        "log in again",
        _WINDOWS_LIMIT,
    ),
    Backend(
        "the Secret Service", "keyring.backends.SecretService.Keyring", "linux", _SECRET_SERVICE, _UNLOCK
    ),
    Backend("KWallet", "keyring.backends.kwallet.DBusKeyring", "linux", _KWALLET, "open it: kwalletmanager5"),
    Backend(
        "the Secret Service (libsecret)", "keyring.backends.libsecret.Keyring", "linux", _SECRET_SERVICE, _UNLOCK
    ),
    Backend("KWallet 4", "keyring.backends.kwallet.DBusKeyringKWallet4", "linux", _KWALLET, "open it: kwalletmanager"),
)  # fmt: skip


class Keyring:
    """One OS key store, with single lines of text in it, by name. Each method raises only KeyringError.

    A value of any length is stored whole: if the store limits an entry, in several, of which the one that lists
    the others is written last. So a run that is killed leaves the old value or the new one.
    """

    def __init__(
        self, backend: Backend, keyring: KeyringBackend, environ: Mapping[str, str], tell: Callable[[str], None]
    ) -> None:
        self.backend = backend
        self._keyring = keyring
        self._environ = environ
        self._tell = tell

    @property
    def name(self) -> str:
        """Its display name."""
        return self.backend.name

    def get(self, name: str) -> str | None:
        """The line stored under this name, or None. An entry with a missing part counts as none."""
        head = self._ask(partial(self._keyring.get_password, SERVICE, name))
        if head is None or not head.startswith(_CHUNKED):
            return head
        parts = [self._ask(partial(self._keyring.get_password, SERVICE, part)) for part in _parts(name, head)]
        value = "".join(part or "" for part in parts)
        return value if head == _head(value, len(parts)) else None

    def set(self, name: str, value: str) -> None:
        """Store a line under this name, in place of an existing one. It is read back before this returns."""
        if not value.isprintable() or value.startswith(_CHUNKED):
            raise ValueError("one line of visible text")
        before = self._ask(partial(self._keyring.get_password, SERVICE, name)) or ""
        size = self.backend.limit or len(value)
        pieces = [value[start : start + size] for start in range(0, len(value), size)]
        head = value
        if len(pieces) > 1:
            head = _head(value, len(pieces))
            for part, piece in zip(_parts(name, head), pieces, strict=True):
                self._write(part, piece)
        self._write(name, head)
        if before != head:
            self._discard(_parts(name, before))
        if self.get(name) != value:
            raise KeyringError(
                f"{self.name} did not store what was written to it",
                hint=f"look at it with the desktop's password manager (service {SERVICE})",
            )

    def delete(self, name: str) -> None:
        """Delete the entry of this name, if there is one."""
        head = self._ask(partial(self._keyring.get_password, SERVICE, name))
        if head is not None:
            self._ask(partial(self._keyring.delete_password, SERVICE, name))
            self._discard(_parts(name, head))

    def _write(self, name: str, value: str) -> None:
        self._ask(partial(self._keyring.set_password, SERVICE, name, value))

    def _discard(self, names: list[str]) -> None:
        for name in names:
            if self._ask(partial(self._keyring.get_password, SERVICE, name)) is not None:
                self._ask(partial(self._keyring.delete_password, SERVICE, name))

    def _ask(self, call: Callable[[], _Result]) -> _Result:
        return _asked(self.backend, call, self._environ, self._tell)

    def __repr__(self) -> str:
        return f"<Keyring {self.name}>"


def open_keyring(environ: Mapping[str, str], tell: Callable[[str], None], *, path: str = "") -> Keyring:
    """The OS key store of this platform; with a path, the one of that class, which is known to have an entry.

    tell displays a line (that the store waits to be unlocked). Raises KeyringError, which names what to install
    or to unlock.
    """
    setting, chosen = ("the list of stored keys", path) if path else _configured(environ)
    candidates = [each for each in BACKENDS if each.path == chosen] if chosen else _of_platform(environ)
    if not candidates:
        raise KeyringError(
            f"{setting} names {chosen} as keyring, which awsudo does not accept",
            hint=(
                f"accepted: {', '.join(each.path for each in _of_platform(environ))}",
                f"to use the system's own for awsudo only: env PYTHON_KEYRING_BACKEND={_preferred(environ)} awsudo …",
            ),
        )
    for backend in candidates:
        found = _asked(backend, partial(_instance, backend), environ, tell)
        if found is not None:
            return Keyring(backend, found, environ, tell)
    raise _not_available(candidates[0])


def in_secret_service(call: Callable[[], _Result], environ: Mapping[str, str], tell: Callable[[str], None]) -> _Result:
    """The result of a call to the Secret Service about entries of another program. Raises KeyringError."""
    backend = next(each for each in BACKENDS if each.path == "keyring.backends.SecretService.Keyring")
    return _asked(backend, call, environ, tell)


def backend_name(path: str) -> str:
    """The display name of the store of that class."""
    return next((each.name for each in BACKENDS if each.path == path), path)


def _of_platform(environ: Mapping[str, str]) -> list[Backend]:
    platform = "linux" if os.name == "posix" and sys.platform != "darwin" else sys.platform
    found = [each for each in BACKENDS if each.platform == platform]
    if "KDE" in environ.get("XDG_CURRENT_DESKTOP", "").split(":"):
        found.sort(key=lambda each: "kwallet" not in each.path)
    return found


def _preferred(environ: Mapping[str, str]) -> str:
    found = _of_platform(environ)
    return found[0].path if found else BACKENDS[0].path


def _configured(environ: Mapping[str, str]) -> tuple[str, str]:
    """The setting that selects a keyring, and the class; both empty without one."""
    if environ.get("PYTHON_KEYRING_BACKEND"):
        return "PYTHON_KEYRING_BACKEND", environ["PYTHON_KEYRING_BACKEND"]
    import configparser

    from keyring.util.platform_ import config_root

    path = os.path.join(config_root(), "keyringrc.cfg")
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        return path, parser.get("backend", "default-keyring").strip()
    except (configparser.Error, UnicodeDecodeError, OSError):
        return "", ""


def _instance(backend: Backend) -> KeyringBackend | None:
    """The store, or None if it is not available."""
    module, _, name = backend.path.rpartition(".")
    try:
        found: Any = getattr(import_module(module), name)
        found.priority  # noqa: B018 (raises where the store cannot be reached)
    except Exception:  # noqa: BLE001 (a backend may raise anything; it cannot be used then)
        return None
    # rule 2: its own properties are those of its class
    pinned = type(name, (found,), {"set_properties_from_env": lambda _self: None})
    return pinned()  # type: ignore[no-any-return]


def _asked(
    backend: Backend, call: Callable[[], _Result], environ: Mapping[str, str], tell: Callable[[str], None]
) -> _Result:
    """The result of the call. In a thread: a store that hangs may hang in C, where no signal reaches Python."""
    outcome: list[_Result] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001 (raised again by the thread that waits)
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    patience = PATIENCE_FOR_USER if _can_ask(environ) else PATIENCE
    thread.join(SAY_AFTER)
    if thread.is_alive() and patience > PATIENCE:
        tell(f"waiting for {backend.name}: is it prompting to be unlocked?")
    thread.join(patience - SAY_AFTER)
    if outcome:
        return outcome[0]
    if not failure:
        raise KeyringError(f"{backend.name} did not respond within {patience:.0f} s", hint=backend.unlock)
    kind = type(failure[0]).__name__
    if kind == "SecretServiceNotAvailableException":
        raise _not_available(backend)
    if kind in _LOCKED:
        raise KeyringLocked(f"{backend.name} is locked", hint=backend.unlock)
    if kind in _ABSENT:
        raise KeyringError(f"{backend.name} has no unlocked keyring ({kind})", hint=backend.install)
    raise KeyringError(f"{backend.name} failed ({kind})", hint=backend.unlock)


#: Exceptions of keyring, SecretStorage, jeepney, by name: importing their classes would need them installed.
_LOCKED = {"KeyringLocked", "LockedException", "PromptDismissedException", "KeychainDenied", "SecAuthFailure"}
_ABSENT = {"InitError", "NoKeyringError", "ItemNotFoundException"}


def _not_available(backend: Backend) -> KeyringError:
    return KeyringError(f"{backend.name} is not available: not installed, or not running", hint=backend.install)


def _can_ask(environ: Mapping[str, str]) -> bool:
    """Whether the store may be prompting its user for a password, in a window."""
    return sys.platform == "darwin" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def _head(value: str, count: int) -> str:
    """The head of a value that is stored in several entries."""
    return f"{_CHUNKED} {count} {digest(value)}"


def _parts(name: str, head: str) -> list[str]:
    """The entries that a head lists; none if it is a value itself."""
    words = head.removeprefix(_CHUNKED).split()
    if not head.startswith(_CHUNKED) or len(words) != 2 or not words[0].isdigit():
        return []
    return [f"{name} {words[1][:8]} {number}" for number in range(min(int(words[0]), 1_000))]
