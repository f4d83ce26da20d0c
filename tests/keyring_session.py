"""A desktop's keyring without the desktop: a D-Bus session with a gnome-keyring of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.world import until

#: A bus on which nothing can be started: no keyring comes up by itself.
_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir={directory}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/> <allow eavesdrop="true"/> <allow own="*"/>
  </policy>
</busconfig>
"""


class KeyringSession:
    """The session, for the length of a with block; env is what a process in it has more than others.

    keyring: whether there is one at all; unlocked: whether it is, else it is one without any collection.
    """

    def __init__(self, *, keyring: bool = True, unlocked: bool = True) -> None:
        self._keyring = keyring
        self._unlocked = unlocked
        self._directory = tempfile.TemporaryDirectory(prefix="awsudo-keyring-")
        self._processes: list[subprocess.Popen[bytes]] = []
        self.env: dict[str, str] = {}

    def __enter__(self) -> KeyringSession:
        directory = Path(self._directory.name)
        config = directory / "bus.conf"
        config.write_text(_BUS.format(directory=directory))
        bus = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(bus)
        assert bus.stdout is not None
        self.env = {"DBUS_SESSION_BUS_ADDRESS": bus.stdout.readline().decode().strip()}
        if self._keyring:
            self._start(directory)
        return self

    def _start(self, directory: Path) -> None:
        for name in ("data", "run"):
            (directory / name).mkdir(mode=0o700)
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DISPLAY"))},
            **self.env,
            "HOME": str(directory),
            "XDG_DATA_HOME": str(directory / "data"),
            "XDG_RUNTIME_DIR": str(directory / "run"),
        }
        how = ["--unlock"] if self._unlocked else []
        daemon = subprocess.Popen(
            ["gnome-keyring-daemon", "--foreground", "--components=secrets", *how],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(daemon)
        assert daemon.stdin is not None and daemon.stdout is not None
        if self._unlocked:
            daemon.stdin.write(b"a password of tests")
        daemon.stdin.close()
        daemon.stdout.readline()  # its control directory: from now on it is on the bus
        if self._unlocked:
            until(self._is_unlocked, "the keyring is unlocked")

    def _is_unlocked(self) -> bool:
        import secretstorage
        from secretstorage.exceptions import SecretStorageException

        with self._bus() as bus:
            try:
                return not secretstorage.Collection(bus, "/org/freedesktop/secrets/aliases/default").is_locked()
            except SecretStorageException:  # the daemon has not made it yet
                return False

    @property
    def daemon(self) -> int:
        """The keyring's process."""
        return self._processes[-1].pid

    def lock(self) -> None:
        """Lock every collection, as a desktop does when its user goes away."""
        import secretstorage  # here: it is missing where there is no D-Bus

        with self._bus() as bus:
            for collection in secretstorage.get_all_collections(bus):
                collection.lock()

    def entries(self) -> dict[str, str]:
        """All that lies under the service `awsudo` and is kept for good, by name."""
        import secretstorage
        from secretstorage.util import open_session

        with self._bus() as bus:
            found = list(secretstorage.get_default_collection(bus).search_items({"service": "awsudo"}))
            exchanged = open_session(bus) if found else None  # once for all, it is slow
            for item in found:
                item.session = exchanged
            return {item.get_attributes()["username"]: item.get_secret().decode() for item in found}

    def put(self, name: str, value: str) -> None:
        """Let an entry of the service `awsudo` be this, empty: be gone."""
        from keyring.backends import SecretService

        keyring = SecretService.Keyring()  # type: ignore[no-untyped-call]
        with self.here():
            if value:
                keyring.set_password("awsudo", name, value)  # type: ignore[no-untyped-call]
            else:
                keyring.delete_password("awsudo", name)  # type: ignore[no-untyped-call]

    def add_collection(self, name: str, items: Mapping[str, bytes]) -> None:
        """Let there be another collection, with a password of its own; items are secrets by their labels.

        The public call asks for the password in a window: this one of gnome-keyring has it as an argument.
        """
        import secretstorage
        from secretstorage.util import DBusAddressWrapper, format_secret, open_session

        interface = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"
        with self._bus() as bus:
            exchanged = open_session(bus)
            (path,) = DBusAddressWrapper("/org/freedesktop/secrets", interface, bus).call(
                "CreateWithMasterPassword",
                "a{sv}(oayays)",
                {"org.freedesktop.Secret.Collection.Label": ("s", name)},
                format_secret(exchanged, b"another password", "text/plain"),
            )
            collection = secretstorage.Collection(bus, path, session=exchanged)
            for label, secret in items.items():
                collection.create_item(label, {"profile": label}, secret, content_type="application/json")

    def collection(self, name: str) -> dict[str, bytes]:
        """The secrets in the collection of that label, by their labels."""
        import secretstorage
        from secretstorage.util import open_session

        with self._bus() as bus:
            collections = secretstorage.get_all_collections(bus)
            found = next(each for each in collections if each.get_label() == name)
            found.session = open_session(bus)
            return {item.get_label(): item.get_secret() for item in found.get_all_items()}

    @contextmanager
    def here(self) -> Iterator[None]:
        """The tests' own process in this session."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.env.items():
                patch.setenv(name, value)
            yield

    @contextmanager
    def _bus(self) -> Iterator[Any]:
        import secretstorage

        with self.here():
            connection = secretstorage.dbus_init()
        with closing(connection):
            yield connection

    def kill(self) -> None:
        """End the keyring without a word."""
        os.kill(self.daemon, signal.SIGKILL)
        self._processes[-1].wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._processes):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._directory.cleanup()
