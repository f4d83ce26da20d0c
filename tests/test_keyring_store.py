"""Sessions in the OS keyring: whole, private, locked and swept as in files, and never in a file instead."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from awsudo_py.keys.os_keyring import Keyring
from awsudo_py.sessions.keyring_store import KeyringStore
from tests.conftest import made_world, needs
from tests.keyring_session import KeyringSession
from tests.servers.strict_sts import StrictSts
from tests.world import KEY_ID, World

pytestmark = needs("gnome-keyring-daemon", "dbus-daemon")
NAME = "0" * 40 + ".session"
IN_KEYRING = {"AWSUDO_STORE": "keyring"}


@pytest.fixture
def session() -> Iterator[KeyringSession]:
    """A gnome-keyring, unlocked and empty."""
    with KeyringSession() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, sts: StrictSts, session: KeyringSession) -> World:
    """A machine with that keyring, on which sessions are kept in it."""
    made = made_world(tmp_path, sts)
    made.env |= {**session.env, **IN_KEYRING}
    return made


def _listed_sessions(world: World) -> list[Path]:
    """The files that tell which sessions the keyring has."""
    return sorted((world.home / ".local/share/awsudo/sessions").glob("*.session"))


def _everything_in_files(world: World) -> bytes:
    return b"".join(path.read_bytes() for path in world.root.rglob("*") if path.is_file() and ".aws" not in path.parts)


def test_a_session_is_kept_in_the_keyring_and_found_there(desk: World, sts: StrictSts, session: KeyringSession) -> None:
    """The second run asks nothing of STS; no file holds a secret, and the cache none at all."""
    desk.settle()
    first = desk.run("dev", *KEY_ID).key_id
    second = desk.run("dev", *KEY_ID).key_id

    issued = sts.issued[-1]
    assert first == second and sts.count("AssumeRole") == 1
    assert len(session.entries()) == len(_listed_sessions(desk)) == 1
    assert desk.entries() == [] and desk.entries("replay") == []
    held = _everything_in_files(desk)
    assert issued.secret_access_key.encode() not in held and issued.session_token.encode() not in held
    assert {path.stat().st_mode & 0o777 for path in _listed_sessions(desk)} == {0o600}


def test_the_option_does_the_same_and_wins_over_the_variable(
    desk: World, sts: StrictSts, session: KeyringSession
) -> None:
    """--store file in a home where sessions are kept in the keyring; and a word that is neither is refused."""
    desk.run("--store", "file", "dev", "true")
    assert (len(desk.entries()), session.entries()) == (1, {})

    refused = [desk.run("--store", "memory", "dev", "true"), desk.run("dev", "true", env={"AWSUDO_STORE": "memory"})]

    assert [done.code for done in refused] == [2, 125]
    assert all("keyring" in done.err and done.err.startswith("awsudo: ") for done in refused)
    assert sts.count("AssumeRole") == 1


def test_many_at_once_ask_once(desk: World, sts: StrictSts, session: KeyringSession) -> None:
    """The lock is a file's, the session the keyring's: one call for ten cold starts."""
    done = desk.together(*[("dev", "true")] * 10)

    assert [run.code for run in done] == [0] * 10
    assert sts.count("AssumeRole") == 1 and len(session.entries()) == 1


def test_clear_forgets_what_the_keyring_has(desk: World, sts: StrictSts, session: KeyringSession) -> None:
    """One target's, or all; wherever they are kept, whatever the variable says then."""
    sts.add_role("arn:aws:iam::111111111111:role/ops")
    desk.run("dev", "true")
    desk.run("-p", "base", "111111111111:ops", "true")
    desk.run("--store", "file", "dev", "true")

    one = desk.run("clear", "dev", env={"AWSUDO_STORE": None})
    left = len(session.entries())
    all_others = desk.run("clear")

    assert "deleted 2 sessions of dev" in one.err and left == 1
    assert "deleted 1 session" in all_others.err
    assert session.entries() == {} and _listed_sessions(desk) == [] == desk.entries()


@needs("faketime")
def test_what_has_expired_is_swept_from_the_keyring_too(desk: World, sts: StrictSts, session: KeyringSession) -> None:
    """Nothing heaps up there: the next session that is kept takes the old ones away."""
    sts.add_role("arn:aws:iam::111111111111:role/ops")
    desk.run("-d", "15m", "dev", "true")
    (old,) = session.entries()

    # the server's clock goes with the client's
    sts.clock = lambda: time.time() + 7200
    done = desk.run("-p", "base", "111111111111:ops", "true", prefix=("faketime", "-f", "+2h"))

    assert done.code == 0, done.err
    assert len(session.entries()) == 1 and old not in session.entries()


def test_an_entry_that_somebody_changed_is_a_miss(desk: World, sts: StrictSts, session: KeyringSession) -> None:
    """What is in the keyring is sealed as it is in a file."""
    desk.run("dev", "true")
    (name, line), *_ = session.entries().items()

    for spoilt in ("rubbish", line[:-8], ""):
        session.put(name, spoilt)
        assert desk.run("dev", "true").code == 0

    assert sts.count("AssumeRole") == 4


def test_a_large_token_is_kept_whole(desk: World, sts: StrictSts) -> None:
    """A session of many kilobytes, as some identity providers have."""
    sts.texts["SessionToken"] = "x" * 20_000

    tokens = {desk.run("dev", "sh", "-c", "printf %s $AWS_SESSION_TOKEN").out for _ in range(2)}

    assert sts.count("AssumeRole") == 1 and tokens == {"x" * 20_000}


@pytest.mark.parametrize("trouble", ["locked", "dead", "absent"])
def test_a_keyring_that_cannot_be_used_stops_no_command(
    desk: World, sts: StrictSts, session: KeyringSession, trouble: str
) -> None:
    """One line says why nothing is kept; the command runs, and no file takes the keyring's place."""
    desk.run("dev", "true")
    if trouble == "locked":
        session.lock()
    else:
        session.kill()
    env = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"} if trouble == "absent" else {}

    done = desk.run("dev", "echo", "ran", env=dict(env))

    assert (done.code, done.out, sts.count("AssumeRole")) == (0, "ran\n", 2)
    (line,) = done.err.splitlines()
    assert line.startswith("awsudo: the session cannot be cached in the OS keyring: ")
    assert desk.entries() == []


class _Dies:
    """A keyring in which every write is the last thing that its program does."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.files_at_write: list[str] = []

    def set(self, name: str, value: str) -> None:
        """The entry is written, and the program is killed."""
        self.files_at_write = [path.name for path in self._directory.iterdir()]
        raise KeyboardInterrupt

    def delete(self, name: str) -> None:
        """The entry is deleted, and the program is killed."""
        self.files_at_write = [path.name for path in self._directory.iterdir()]
        raise KeyboardInterrupt


def test_rule_2_nothing_is_in_the_keyring_without_a_file_that_names_it(tmp_path: Path) -> None:
    """A run that is killed between the two writes leaves a file without a session, which is a miss, and is swept."""
    keyring = _Dies(tmp_path)
    store = KeyringStore(str(tmp_path), lambda: cast("Keyring", keyring))
    tmp_path.chmod(0o700)

    with pytest.raises(KeyboardInterrupt):
        store.write(NAME, {"inputs": "x", "secret": "y"}, until=1.0)

    assert keyring.files_at_write == [NAME]

    keyring.files_at_write = []
    with pytest.raises(KeyboardInterrupt):
        store.remove(NAME)

    assert keyring.files_at_write == [NAME], "the entry goes first, and then the file that names it"
