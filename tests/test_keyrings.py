"""The OS key stores: what every backend promises, which ones are used, and the message when none responds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from awsudo_py.errors import KeyringError, KeyringLocked
from awsudo_py.keys import os_keyring
from awsudo_py.keys.os_keyring import BACKENDS, Keyring, open_keyring
from awsudo_py.sessions.sealed import digest
from tests import messages
from tests.conftest import needs
from tests.keyring_session import KeyringSession
from tests.servers.strict_iam import StrictAws
from tests.world import World

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#: Every letter that an entry's value may need: JSON is made of these.
LINE = '{"access_key_id": "AKIA", "é": "\\u20ac /+="}'


def _silent(_line: str) -> None:
    """What a keyring tells, where a test does not listen."""


class Promises:
    """What every backend promises. A subclass gives `keyring`, open, and empty of the names used here."""

    def test_a_line_is_kept_under_its_name(self, keyring: Keyring) -> None:
        """What is set is what is got."""
        keyring.set("a", LINE)

        assert (keyring.get("a"), keyring.get("b")) == (LINE, None)

    def test_the_last_line_counts(self, keyring: Keyring) -> None:
        """One name, one value: there is nothing left of the one before."""
        keyring.set("a", "first")
        keyring.set("a", LINE)

        assert keyring.get("a") == LINE

    def test_what_is_deleted_is_gone(self, keyring: Keyring) -> None:
        """A second time is not an error either."""
        keyring.set("a", LINE)
        keyring.set("b", "other")

        for _ in range(2):
            keyring.delete("a")

        assert (keyring.get("a"), keyring.get("b")) == (None, "other")

    @pytest.mark.parametrize("size", [1_200, 1_201, 5_000, 20_000])
    def test_a_line_of_any_length_is_kept_whole(self, keyring: Keyring, size: int) -> None:
        """A session with a token of 20 KB lies in as many entries as it takes."""
        value = "".join(chr(33 + number % 90) for number in range(size))
        keyring.set("a", value)

        assert keyring.get("a") == value

    def test_a_short_line_after_a_long_one_leaves_nothing_of_it(self, keyring: Keyring) -> None:
        """The parts of the old value go with it, and so they do when it is deleted."""
        keyring.set("a", "x" * 5_000)
        parts = os_keyring._parts("a", f"{os_keyring._CHUNKED} 5 {digest('x' * 5_000)}")
        keyring.set("a", "short")

        assert [keyring.get(part) for part in parts] == [None] * 5

        keyring.set("a", "x" * 5_000)
        keyring.delete("a")

        assert [keyring.get(part) for part in ["a", *parts]] == [None] * 6

    @pytest.mark.parametrize("name", ["a b", "ä/ö", "$HOME", "a" * 200, '"', "key AKIAIOSFODNN7EXAMPLE"])
    def test_a_name_is_a_name_whatever_it_is_made_of(self, keyring: Keyring, name: str) -> None:
        """No name is taken for another, or for anything but a name."""
        keyring.set(name, LINE)
        keyring.set(f"{name}.", "other")

        assert keyring.get(name) == LINE

        keyring.delete(name)
        keyring.delete(f"{name}.")

    @pytest.mark.parametrize("value", ["two\nlines", "a\0b", "awsudo chunks 2 00"])
    def test_what_is_not_a_line_is_not_kept(self, keyring: Keyring, value: str) -> None:
        """Some stores give back the first line only: nothing else is given to any."""
        with pytest.raises(ValueError, match="one line"):
            keyring.set("a", value)

        assert keyring.get("a") is None


@pytest.fixture(scope="module")
def session() -> Iterator[KeyringSession]:
    """A gnome-keyring, unlocked, for all tests of this module."""
    with KeyringSession() as running:
        yield running


@pytest.fixture
def here(session: KeyringSession, monkeypatch: pytest.MonkeyPatch) -> KeyringSession:
    """The tests' own process in that session."""
    monkeypatch.delenv("DISPLAY", raising=False)
    for name, value in session.env.items():
        monkeypatch.setenv(name, value)
    return session


def _emptied(keyring: Keyring) -> Iterator[Keyring]:
    yield keyring
    for name in ("a", "b"):
        keyring.delete(name)


@needs("gnome-keyring-daemon", "dbus-daemon")
class TestSecretService(Promises):
    """gnome-keyring, the real one."""

    @pytest.fixture
    def keyring(self, here: KeyringSession) -> Iterator[Keyring]:
        yield from _emptied(open_keyring({}, _silent))


@pytest.mark.skipif(sys.platform not in ("darwin", "win32"), reason="the system's own store")
class TestTheSystemsOwn(Promises):
    """The macOS Keychain or the Windows Credential Manager, where the tests run there."""

    @pytest.fixture
    def keyring(self) -> Iterator[Keyring]:
        yield from _emptied(open_keyring({}, _silent))


class Memory(KeyringBackend):
    """A store in memory, as narrow as Windows' own; it can be made to fail at a write."""

    priority = 1

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.writes_left = 10_000

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password.encode("utf-16-le")) > 2_560:
            raise OSError(1783, "The stub received bad data")
        self.writes_left -= 1
        if self.writes_left < 0:
            raise OSError("killed")
        self.entries[username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.writes_left -= 1
        if self.writes_left < 0:
            raise OSError("killed")
        if self.entries.pop(username, None) is None:
            raise PasswordDeleteError


WINDOWS = next(each for each in BACKENDS if each.platform == "win32")


class TestWindowsLimits(Promises):
    """What fits into a Windows credential, held against a store that is as narrow."""

    @pytest.fixture
    def keyring(self) -> Keyring:
        return Keyring(WINDOWS, Memory(), {}, _silent)

    @pytest.mark.parametrize("writes", range(12))
    def test_a_run_that_ends_while_it_writes_leaves_the_old_line_or_the_new_one(self, writes: int) -> None:
        """At no write in between is neither of them there."""
        store = Memory()
        keyring = Keyring(WINDOWS, store, {}, _silent)
        old, new = "o" * 4_000, "n" * 3_000
        keyring.set("a", old)
        store.writes_left = writes

        with suppress(KeyringError):
            keyring.set("a", new)

        assert keyring.get("a") in (old, new)

    def test_an_incomplete_or_changed_line_is_skipped(self) -> None:
        """Half a secret is not a secret."""
        store = Memory()
        keyring = Keyring(WINDOWS, store, {}, _silent)
        keyring.set("a", "x" * 4_000)
        part = max(store.entries)
        store.entries[part] = store.entries[part][:-1] + "y"

        assert keyring.get("a") is None

        del store.entries[part]

        assert keyring.get("a") is None


# Which store is taken


@pytest.fixture
def aws() -> Iterator[StrictAws]:
    """STS and IAM."""
    with StrictAws() as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path, aws: StrictAws) -> World:
    """A machine without a keyring, and a key in its environment."""
    world = World(tmp_path, sts_url=aws.url)
    key = aws.add_user("alice")
    world.env |= {
        "AWS_ENDPOINT_URL_IAM": aws.url,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
    }
    return world


ADD = ("keys", "add", "base", "--from-env")


def _refused(desk: World, aws: StrictAws, within: float = 5.0, **env: str | None) -> str:
    """Store a key: it must fail with a line and a hint, soon, and leave nothing anywhere."""
    begun = time.monotonic()

    done = desk.run(*ADD, env=env)

    assert (done.code, done.out) == (125, ""), done.err
    assert time.monotonic() - begun < within
    assert desk.env["AWS_SECRET_ACCESS_KEY"] not in done.err and "Traceback" not in done.err
    first, *hints = done.err.splitlines()
    assert first.startswith("awsudo: ") and hints and all(hint.startswith("  ") for hint in hints)
    assert not (desk.home / ".local/share/awsudo/keys").exists()
    return done.err


OTHERS = [
    "keyring.backends.null.Keyring",
    "keyring.backends.fail.Keyring",
    "keyring.backends.chainer.ChainerBackend",
    "keyrings.alt.file.PlaintextKeyring",
    "keyring_pass.PasswordStoreBackend",
    "evil.Keyring",
    "keyring.backends.SecretService",
    "os.system",
]


@pytest.mark.parametrize("backend", OTHERS)
def test_a_store_that_is_not_on_the_list_is_refused_by_name(desk: World, aws: StrictAws, backend: str) -> None:
    """Named by the environment: it is not loaded, and the line says what to do instead."""
    evil = desk.home / "modules"
    evil.mkdir()
    for module in ("evil", "keyring_pass"):
        (evil / f"{module}.py").write_text(f"open({str(desk.home / 'loaded')!r}, 'w')\nclass Keyring: pass\n")

    output = _refused(desk, aws, PYTHON_KEYRING_BACKEND=backend, PYTHONPATH=str(evil))

    assert f"PYTHON_KEYRING_BACKEND names {backend}" in output
    assert "PYTHON_KEYRING_BACKEND=keyring.backends." in output
    assert not (desk.home / "loaded").exists()
    assert aws.calls == []


def test_a_store_that_keyrings_own_configuration_names_is_refused_too(desk: World, aws: StrictAws) -> None:
    """`python -m keyring --disable` writes such a file, and null would succeed in storing nothing."""
    config = desk.home / ".config/python_keyring/keyringrc.cfg"
    config.parent.mkdir(parents=True)
    config.write_text("[backend]\ndefault-keyring=keyring.backends.null.Keyring\n")

    output = _refused(desk, aws)

    assert f"{config} names keyring.backends.null.Keyring" in output


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_what_is_installed_or_set_beside_keyring_changes_nothing(
    desk: World, aws: StrictAws, session: KeyringSession
) -> None:
    """No entry point is loaded, and no KEYRING_PROPERTY_* moves a key to where it would be gone at logout."""
    site = desk.home / "site"
    (site / "plain-1.dist-info").mkdir(parents=True)
    (site / "plain-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: plain\nVersion: 1\n")
    (site / "plain-1.dist-info/entry_points.txt").write_text("[keyring.backends]\nplain = plain\n")
    (site / "plain.py").write_text(f"open({str(desk.home / 'loaded')!r}, 'w')\n")
    desk.env |= session.env

    done = desk.run(
        *ADD,
        env={
            "PYTHONPATH": str(site),
            "KEYRING_PROPERTY_PREFERRED_COLLECTION": "/org/freedesktop/secrets/collection/session",
            "KEYRING_PROPERTY_SCHEME": "KeePassXC",
        },
    )

    assert done.code == 0, done.err
    assert not (desk.home / "loaded").exists()
    assert f"key {desk.env['AWS_ACCESS_KEY_ID']}" in session.entries()


@needs("gnome-keyring-daemon", "dbus-daemon")
def test_a_store_of_the_list_may_be_named(desk: World, session: KeyringSession) -> None:
    """To name the default is allowed, and overrides a configuration that names another."""
    config = desk.home / ".config/python_keyring/keyringrc.cfg"
    config.parent.mkdir(parents=True)
    config.write_text("[backend]\ndefault-keyring=keyring.backends.null.Keyring\n")
    desk.env |= session.env

    done = desk.run(*ADD, env={"PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring"})

    assert done.code == 0, done.err


def test_the_list_is_of_the_platforms_own_stores() -> None:
    """Each is one that its platform encrypts and locks: a new one is a decision, not an accident."""
    assert {each.path.removeprefix("keyring.backends.") for each in BACKENDS} == {
        "macOS.Keyring",
        "Windows.WinVaultKeyring",
        "SecretService.Keyring",
        "libsecret.Keyring",
        "kwallet.DBusKeyring",
        "kwallet.DBusKeyringKWallet4",
    }


def test_every_store_of_the_list_is_there_in_keyring() -> None:
    """The names are keyring's own: a release that renames one would leave us without."""
    for each in BACKENDS:
        module, _, name = each.path.rpartition(".")
        path = Path(import_module("keyring").__path__[0], *module.split(".")[1:])
        source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"

        assert f"class {name}(" in source.read_text(encoding="utf-8")


# The message when none responds


def _lock(session: KeyringSession) -> None:
    session.lock()


def _stop(session: KeyringSession) -> None:
    os.kill(session.daemon, signal.SIGSTOP)


def _kill(session: KeyringSession) -> None:
    session.kill()


@needs("gnome-keyring-daemon", "dbus-daemon")
@pytest.mark.parametrize(
    ("having", "happens", "output", "hint"),
    [
        ({}, _lock, "the Secret Service is locked", "gnome-keyring-daemon --replace --unlock"),
        ({}, _kill, "the Secret Service is not available", "apt install gnome-keyring"),
        ({}, _stop, f"the Secret Service {messages.NO_RESPONSE} within 4 s", "unlock it"),
        ({"unlocked": False}, None, "the Secret Service has no unlocked keyring", "gnome-keyring-daemon --unlock"),
        ({"keyring": False}, None, "the Secret Service is not available", "apt install gnome-keyring"),
    ],
    ids=["locked", "killed", "hanging", "without a collection", "without a keyring"],
)
def test_a_keyring_that_cannot_be_used_is_one_line_that_names_it(
    desk: World,
    aws: StrictAws,
    having: dict[str, bool],
    happens: Callable[[KeyringSession], None] | None,
    output: str,
    hint: str,
) -> None:
    """Within five seconds, and with what to install or to unlock."""
    with KeyringSession(**having) as session:
        if happens is not None:
            happens(session)
        reported = _refused(desk, aws, 6.5 if happens is _stop else 5.0, **session.env)

    assert output in reported and hint in reported


def test_without_a_bus_there_is_no_keyring(desk: World, aws: StrictAws) -> None:
    """As on a server: what to install, and how to do without a desktop."""
    output = _refused(desk, aws, DBUS_SESSION_BUS_ADDRESS=None)

    assert "the Secret Service is not available" in output and "dbus-run-session" in output


class Breaking(KeyringBackend):
    """A store that raises what it is given, with the secret in it."""

    priority = 1

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error


class LockedException(Exception):
    """SecretStorage's, by its name."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Exception(SECRET), KeyringError),
        (RuntimeError("a", SECRET), KeyringError),
        (subprocess.CalledProcessError(1, ["pass", SECRET]), KeyringError),
        (UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET), KeyringError),
        (SystemExit(SECRET), KeyringError),
        (LockedException(SECRET), KeyringLocked),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_of_a_store_is_reported_without_its_text(error: BaseException, kind: type[KeyringError]) -> None:
    """Any exception at all becomes ours, and none brings the secret with it."""
    keyring = Keyring(BACKENDS[2], Breaking(error), {}, _silent)

    calls: list[Callable[[], object]] = [
        lambda: keyring.get("a"),
        lambda: keyring.set("a", SECRET),
        lambda: keyring.delete("a"),
    ]
    for call in calls:
        with pytest.raises(kind) as raised:
            call()

        assert SECRET not in f"{raised.value.message} {raised.value.hints} {raised.value!r}"
        assert (raised.value.__cause__, raised.value.__context__) == (None, None)


class Forgetful(Memory):
    """A store like `null`: all goes well, and nothing is kept."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Nothing."""


def test_what_is_written_is_read_back() -> None:
    """A store that only says that it stored is found out."""
    with pytest.raises(KeyringError, match="did not store"):
        Keyring(BACKENDS[2], Forgetful(), {}, _silent).set("a", LINE)


class Hanging(Memory):
    """A store that waits for its user."""

    def get_password(self, service: str, username: str) -> str | None:
        time.sleep(30)
        return None


@pytest.mark.parametrize("desktop", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_on_a_desktop_the_user_has_time_to_unlock(monkeypatch: pytest.MonkeyPatch, desktop: str) -> None:
    """A window may be open: a notice says so after a while, and there is more time for it."""
    monkeypatch.setattr(os_keyring, "SAY_AFTER", 0.01)
    monkeypatch.setattr(os_keyring, "PATIENCE", 0.02)
    monkeypatch.setattr(os_keyring, "PATIENCE_FOR_USER", 0.2)
    output: list[str] = []
    begun = time.monotonic()

    with pytest.raises(KeyringError, match=messages.NO_RESPONSE):
        Keyring(BACKENDS[2], Hanging(), {desktop: ":0"}, output.append).get("a")

    assert output == ["waiting for the Secret Service: is it prompting to be unlocked?"]
    assert 0.2 <= time.monotonic() - begun < 5


def test_without_a_desktop_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a desktop there is no window: the shorter time counts, and no notice mentions one."""
    monkeypatch.setattr(os_keyring, "SAY_AFTER", 0.01)
    monkeypatch.setattr(os_keyring, "PATIENCE", 0.02)
    output: list[str] = []

    with pytest.raises(KeyringError, match=messages.NO_RESPONSE):
        Keyring(BACKENDS[2], Hanging(), {}, output.append).get("a")

    assert output == []
