"""What can be wrong with the cache: damaged entries, full disks, no home, runs that are killed half way."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from awsudo_py.sessions.file_store import LARGEST, FileStore
from awsudo_py.sessions.sealed import digest, pack, unpack
from tests.conftest import made_world, needs
from tests.servers.strict_sts import StrictSts
from tests.world import IMPORTS_LISTED, KEY_ID, World

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
NOBODY = 65534


# Rule 3: damaged entries are misses


class Warm(NamedTuple):
    """A world that keeps sessions of dev and ops; dev's files, and those of ops to confuse them with."""

    world: World
    sts: StrictSts
    dev: dict[str, Path]  # kind → file
    ops: dict[str, Path]
    key_id: str  # of dev's session


@pytest.fixture(scope="module")
def two_sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Sessions of dev and ops, and the replays that lead to them."""
    with StrictSts() as sts:
        world = made_world(tmp_path_factory.mktemp("warm"), sts)
        sts.add_role("arn:aws:iam::111111111111:role/ops")
        dev = (world.home / ".aws" / "config").read_text()
        world.config(dev + dev.replace("profile dev", "profile ops").replace("role/dev", "role/ops"))
        world.settle()
        key_id = world.run("dev", *KEY_ID).key_id
        of_dev = {kind: world.entries(kind)[0] for kind in ("session", "replay")}
        world.run("ops", *KEY_ID)
        of_ops = {
            kind: next(path for path in world.entries(kind) if path != of_dev[kind]) for kind in ("session", "replay")
        }
        shutil.copytree(world.cache, world.root / "saved")
        yield Warm(world, sts, of_dev, of_ops, key_id)


@pytest.fixture
def warm(two_sessions: Warm) -> Warm:
    """two_sessions(), with an undamaged cache."""
    shutil.rmtree(two_sessions.world.cache)
    shutil.copytree(two_sessions.world.root / "saved", two_sessions.world.cache)
    two_sessions.sts.forget()
    return two_sessions


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _link(path: Path, aside: str) -> None:
    path.symlink_to(path.rename(path.with_name(aside)))


def _link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


def _socket_like(path: Path) -> None:
    path.unlink()
    os.mknod(path, 0o600 | 0o140000)  # S_IFSOCK: opening it fails with ENXIO


def _huge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(64 << 30)  # sparse: to read it whole would take the memory of the machine


def _resealed(path: Path, **changes: str) -> None:
    fields = unpack(path.read_bytes())
    assert fields is not None
    path.write_bytes(pack(fields | changes))


def _other_format(path: Path) -> None:
    from _blake2 import blake2b

    body = path.read_bytes()[:-17].replace(b"awsudo 1\0", b"awsudo 2\0")
    path.write_bytes(body + b"\0" + blake2b(body, digest_size=16).digest())


#: What happens to an entry. The last argument is the other role's entry of the same kind.
DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "gone": lambda path, other: path.unlink(),
    "empty": lambda path, other: _write(path, b""),
    "garbage": lambda path, other: _write(path, bytes(range(256)) * 4),
    "truncated": lambda path, other: _write(path, path.read_bytes()[:-1]),
    "half": lambda path, other: _write(path, path.read_bytes()[: path.stat().st_size // 2]),
    "one byte more": lambda path, other: _write(path, path.read_bytes() + b"\n"),
    "a bit flipped": lambda path, other: _flip(path, path.stat().st_size // 2),
    "zeroes, as after a power cut": lambda path, other: _write(path, bytes(path.stat().st_size)),
    "readable to the world": lambda path, other: path.chmod(0o604),
    "readable to the group": lambda path, other: path.chmod(0o640),
    "writable to the group": lambda path, other: path.chmod(0o620),
    "a link to the good file": lambda path, other: _link(path, "aside"),
    "a link to nothing": lambda path, other: _link_to_nothing(path),
    "a FIFO": lambda path, other: _fifo(path),
    "a directory": lambda path, other: _folder(path),
    "a socket": lambda path, other: _socket_like(path),
    "too large": lambda path, other: _write(path, path.read_bytes() + bytes(LARGEST)),
    "64 GiB": lambda path, other: _huge(path),
    "another's in its place": lambda path, other: shutil.copy(other, path),
    "another kind's in its place": lambda path, other: shutil.copy(
        next(file for file in path.parent.glob(f"*.{'replay' if path.suffix == '.session' else 'session'}")), path
    ),
    "no fields": lambda path, other: _write(path, pack({})),
    "of another format": lambda path, other: _other_format(path),
}
SESSION_DAMAGES: dict[str, Callable[[Path, Path], object]] = DAMAGES | {
    "other inputs": lambda path, other: _resealed(path, inputs="hop='RoleHop'"),
    "a time that is none": lambda path, other: _resealed(path, expiration="soon"),
    "never expires": lambda path, other: _resealed(path, expiration="inf"),
    "expires in ten years": lambda path, other: _resealed(path, expiration=str(time.time() + 315_360_000)),
    "no number": lambda path, other: _resealed(path, issued="nan"),
}
REPLAY_DAMAGES: dict[str, Callable[[Path, Path], object]] = DAMAGES | {
    "a key that does not exist": lambda path, other: _resealed(path, key="0" * 40),
    "a key that is a path": lambda path, other: _resealed(path, key="../../saved/x"),
    "a time that is none": lambda path, other: _resealed(path, min_ttl="soon"),
}
#: What cannot be replaced by a file: the run goes on without an entry.
NOT_MENDED = {"a directory"}


@pytest.mark.parametrize("name", SESSION_DAMAGES)
def test_rule_3_a_session_entry_with_anything_wrong_is_a_miss(warm: Warm, name: str) -> None:
    """A damaged, swapped or exposed entry is neither used nor an error: one call, and a good entry in its place."""
    SESSION_DAMAGES[name](warm.dev["session"], warm.ops["session"])

    done = warm.world.run("dev", *KEY_ID, timeout=20)
    again = warm.world.run("dev", *KEY_ID, timeout=20)

    assert done.key_id != warm.key_id
    assert warm.sts.calls[0].params["RoleArn"].endswith("role/dev")
    if name in NOT_MENDED:
        assert done.err.count("awsudo: the session cannot be cached") == 1
    else:
        assert done.err == again.err == ""
        assert again.key_id == done.key_id
        assert warm.sts.count("AssumeRole") == 1
        assert warm.dev["session"].lstat().st_mode == 0o100600


@pytest.mark.parametrize("name", REPLAY_DAMAGES)
def test_rule_3_a_replay_with_anything_wrong_is_a_miss(warm: Warm, name: str) -> None:
    """A damaged, swapped or exposed verdict is not believed: the full path finds the right session, without a call."""
    REPLAY_DAMAGES[name](warm.dev["replay"], warm.ops["replay"])

    done = warm.world.run("dev", *KEY_ID, timeout=20, prefix=IMPORTS_LISTED)
    again = warm.world.run("dev", *KEY_ID, timeout=20, prefix=IMPORTS_LISTED)

    assert not done.replayed
    assert done.key_id == again.key_id == warm.key_id
    assert "awsudo: " not in done.err
    assert warm.sts.calls == []
    assert again.replayed == (name not in NOT_MENDED)


@AS_ROOT
@pytest.mark.parametrize("kind", ["session", "replay"])
def test_rule_3_an_entry_of_somebody_else_is_a_miss(warm: Warm, kind: str) -> None:
    """Who can write into the directory still cannot hand us a session: entries are our own."""
    os.chown(warm.dev[kind], NOBODY, NOBODY)

    done = warm.world.run("dev", *KEY_ID, prefix=IMPORTS_LISTED)

    assert not done.replayed
    assert (done.key_id == warm.key_id) == (kind == "replay")


@pytest.mark.parametrize("kind", ["session", "replay"])
def test_rule_3_a_pipe_is_a_miss_even_if_it_holds_an_entry(warm: Warm, kind: str) -> None:
    """What is read is a regular file: the bytes of a good entry out of a FIFO are not believed."""
    path = warm.dev[kind]
    content = path.read_bytes()
    _fifo(path)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    os.write(pipe, content)

    done = warm.world.run("dev", *KEY_ID, prefix=IMPORTS_LISTED, timeout=20)

    os.close(pipe)
    assert not done.replayed
    assert (done.key_id == warm.key_id) == (kind == "replay")


# Rule 6: what cannot be kept is a warning

#: A runtime directory of its own, gone with the run.
MOUNTED = ("unshare", "-rm", "sh", "-ec")
IN_RUNTIME = 'mount -t tmpfs -o mode=700,{options} tmpfs "$XDG_RUNTIME_DIR"; {then}; exec "$@"'


def mounted(options: str, then: str = ":") -> tuple[str, ...]:
    """A prefix: the runtime directory is a small file system of its own."""
    return (*MOUNTED, IN_RUNTIME.format(options=options, then=then), "sh")


def spoilt(call: str, error: str) -> tuple[str, ...]:
    """A prefix: this system call fails."""
    return (*TRACED, "--seccomp-bpf", "-e", f"trace=/^{call}", "-e", f"inject=/^{call}:error={error}")


def killed_at(call: str) -> tuple[str, ...]:
    """A prefix: kill -9 at this system call (with --seccomp-bpf, strace loses the signal)."""
    return (*TRACED, "-e", f"trace=/^{call}", "-e", f"inject=/^{call}:signal=KILL")


TRACED = ("strace", "-f", "-qq", "-o", "/dev/null")
FILL = 'head -c 64k /dev/zero > "$XDG_RUNTIME_DIR/fill" 2>/dev/null || true'
MOUNTS = {
    "a full disk": (mounted("size=16k", FILL), errno.ENOSPC),
    "a disk without inodes": (mounted("nr_inodes=1"), errno.ENOSPC),
    "a disk with one inode left": (mounted("nr_inodes=2"), errno.ENOSPC),
    "a read-only disk": (mounted("ro"), errno.EROFS),
}


@needs("unshare", "mount")
@pytest.mark.parametrize(("prefix", "error"), MOUNTS.values(), ids=MOUNTS)
def test_rule_6_a_full_disk_is_one_warning(world: World, sts: StrictSts, prefix: tuple[str, ...], error: int) -> None:
    """The command gets the credentials in hand; one line says why they are not kept; nothing half written stays."""
    child = ("sh", "-c", 'printenv AWS_ACCESS_KEY_ID; find "$XDG_RUNTIME_DIR" -name "*.*" ! -name "*.lock"')

    done = world.run("dev", *child, prefix=prefix)

    assert done.key_id == sts.issued[0].access_key_id  # and so nothing else was printed
    assert done.err == f"awsudo: the session cannot be cached in {world.cache}: {os.strerror(error)}\n"


UNLOCKED = "no lock can be taken in {}: {}; runs that start together each call AWS\n"
CALLS = [("flock", "ENOLCK"), ("fchmod", "EPERM"), ("fsync", "ENOSPC"), ("fsync", "EIO"), ("rename", "EDQUOT")]


@needs("strace")
@pytest.mark.parametrize(("call", "error"), CALLS)
def test_rule_6_a_call_that_fails_is_one_warning_and_leaves_the_old_entry(
    world: World, sts: StrictSts, call: str, error: str
) -> None:
    """Any step of keeping a session may fail: the new one is used, the one kept before stays whole."""
    old = world.run("dev", *KEY_ID).key_id

    done = world.run("--refresh", "dev", *KEY_ID, prefix=spoilt(call, error))
    later = world.run("dev", *KEY_ID)

    assert done.key_id == sts.issued[1].access_key_id
    why = os.strerror(getattr(errno, error))
    output = UNLOCKED if call == "flock" else "the session cannot be cached in {}: {}\n"
    assert done.err == "awsudo: " + output.format(world.cache, why)
    assert later.key_id == (done.key_id if call == "flock" else old)
    assert world.entries("tmp") == []


@needs("strace")
def test_rule_6_where_nothing_can_be_locked_a_code_is_still_spent(world: World, sts: StrictSts) -> None:
    """A file system without locks (some NFS) costs the single flight, not the run, MFA or not."""
    serial = "arn:aws:iam::111111111111:mfa/alice"
    code = sts.add_mfa("alice", serial).code()

    done = world.run("-m", serial, "-t", code, "dev", *KEY_ID, prefix=spoilt("flock", "ENOLCK"))

    assert done.key_id
    assert done.err == "awsudo: " + UNLOCKED.format(world.cache, os.strerror(errno.ENOLCK))
    assert len(world.entries()) == 2  # of the MFA code and of the role: they are cached all the same


LOCKS: dict[str, Callable[[Path], object]] = {
    "a directory": lambda path: path.mkdir(),
    "a link": lambda path: path.symlink_to("aside"),
    "a FIFO": lambda path: os.mkfifo(path, 0o600),
    "full of text": lambda path: path.write_text("text"),
    "without any right": lambda path: path.touch(0o000),
}


@pytest.mark.parametrize("name", LOCKS)
def test_rule_5_an_unusable_lock_file_does_not_stop_a_run(warm: Warm, name: str) -> None:
    """Whatever stands where the lock should be, the run gets its session, and a link is not followed."""
    lock = warm.dev["session"].with_suffix(".lock")
    lock.unlink()
    LOCKS[name](lock)
    (warm.world.cache / "aside").write_text("aside")

    done = warm.world.run("--refresh", "dev", *KEY_ID, timeout=20)

    assert done.key_id != warm.key_id
    assert done.err.count("\n") <= 1
    assert (warm.world.cache / "aside").read_text() == "aside"


@needs("unshare", "mount")
def test_rule_6_a_read_only_cache_is_still_read(warm: Warm) -> None:
    """A warm cache that became read-only serves as before, in silence."""
    read_only = 'mount --bind "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR"; mount -o remount,ro,bind "$XDG_RUNTIME_DIR"'

    replayed = warm.world.run("dev", *KEY_ID, prefix=(*MOUNTED, f'{read_only}; exec "$@"', "sh"))
    in_full = warm.world.run("-q", "dev", *KEY_ID, prefix=(*MOUNTED, f'{read_only}; exec "$@"', "sh"))

    assert replayed.key_id == in_full.key_id == warm.key_id
    assert replayed.err == in_full.err == ""


def _open_to_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)


def _elsewhere(path: Path) -> None:
    path.with_name("elsewhere").mkdir(mode=0o700)
    path.symlink_to("elsewhere")


def _somebody_elses(path: Path) -> None:
    path.mkdir(mode=0o700)
    os.chown(path, NOBODY, NOBODY)


#: What stands where the cache should be.
OBSTACLES = [
    pytest.param(lambda path: path.write_text("precious"), id="a file"),
    pytest.param(_open_to_all, id="a directory open to others"),
    pytest.param(_elsewhere, id="a link to a directory"),
    pytest.param(lambda path: path.symlink_to("nothing"), id="a link to nothing"),
    pytest.param(os.mkfifo, id="a FIFO"),
    pytest.param(_somebody_elses, id="a directory of somebody else", marks=AS_ROOT),
]


@pytest.mark.parametrize("place", OBSTACLES)
def test_rule_6_a_place_that_is_not_ours_alone_gets_nothing(world: World, place: Callable[[Path], object]) -> None:
    """Nothing is written where others could read or swap it; the command runs, and one warning names the place."""
    place(world.cache)
    before = {path: path.lstat().st_mode for path in world.runtime.rglob("*")}

    done = world.run("dev", *KEY_ID)

    assert done.key_id
    assert done.err.count("awsudo: the session cannot be cached in") == 1
    assert str(world.cache) in done.err
    assert {path: path.lstat().st_mode for path in world.runtime.rglob("*")} == before


# Rule 6: no home


@pytest.fixture
def homeless(sts: StrictSts) -> Iterator[World]:
    """A world that the user nobody may enter, with keys in the environment and no home."""
    root = Path(tempfile.mkdtemp())
    world = made_world(root, sts)
    key = sts.add_user("service")
    keys = {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}
    world.env = {name: value for name, value in world.env.items() if name not in ("HOME", "XDG_RUNTIME_DIR")} | keys
    root.chmod(0o755)
    yield world
    shutil.rmtree(root)


#: A user id that no account has, so that no home can be looked up.
UNKNOWN = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")


@AS_ROOT
@needs("setpriv")
@pytest.mark.parametrize("home", [None, "", "home"], ids=["unset", "empty", "relative"])
def test_rule_6_without_a_home_the_command_runs_and_a_notice_names_the_variable(
    homeless: World, sts: StrictSts, home: str | None
) -> None:
    """A service without HOME gets its session; one notice says that it is not stored, with the fix."""
    done = homeless.run("111111111111:dev", *KEY_ID, prefix=UNKNOWN, env={"HOME": home})

    assert done.key_id == sts.issued[0].access_key_id
    output = "awsudo: sessions cannot be cached: there is no home directory; set AWSUDO_CACHE_DIR to a directory\n"
    assert done.err == output


@AS_ROOT
@needs("setpriv")
def test_without_a_home_a_missing_profile_is_explained(homeless: World, sts: StrictSts) -> None:
    """Neither HOME nor an entry in the password database: no AWS file can be found, and the message says that."""
    done = homeless.run("dev", "true", prefix=UNKNOWN)

    assert (done.code, done.out, sts.calls) == (125, "", [])
    assert done.err.startswith("awsudo: no profile 'dev' in ")
    assert "HOME is not set, and this user has no entry in the password database" in done.err


@AS_ROOT
@needs("setpriv")
def test_rule_6_without_a_home_a_chosen_directory_keeps_sessions(homeless: World) -> None:
    """What the notice says helps: with AWSUDO_CACHE_DIR the second run is a hit."""
    chosen = homeless.root / "chosen"
    chosen.mkdir(mode=0o700)
    os.chown(chosen, 54321, 54321)

    runs = [
        homeless.run("111111111111:dev", *KEY_ID, prefix=UNKNOWN, env={"AWSUDO_CACHE_DIR": str(chosen)})
        for _ in range(2)
    ]

    assert runs[0].key_id == runs[1].key_id
    assert runs[0].err == runs[1].err == ""


@pytest.mark.parametrize("home", ["/dev/null", "/dev/null/home", "/proc/nobody"])
def test_rule_6_a_home_that_cannot_be_one_is_one_warning(homeless: World, sts: StrictSts, home: str) -> None:
    """HOME=/dev/null, as many services have it: no AWS files there, nothing to keep, and the command runs."""
    done = homeless.run("111111111111:dev", *KEY_ID, env={"HOME": home})

    assert done.key_id == sts.issued[0].access_key_id
    assert done.err.count(f"awsudo: the session cannot be cached in {home}/.cache/awsudo") == 1
    assert done.err.count("\n") == 1


@AS_ROOT
@needs("setpriv")
def test_rule_1_a_umask_of_777_leaves_a_cache_that_can_be_used(homeless: World) -> None:
    """A umask can take all bits away; the next run can still read, lock and write."""
    homeless.runtime.chmod(0o700)
    os.chown(homeless.runtime, 54321, 54321)
    prefix = ("sh", "-c", 'umask 777; exec "$@"', "sh", *UNKNOWN)
    env: dict[str, str | None] = {"XDG_RUNTIME_DIR": str(homeless.runtime)}

    first = homeless.run("111111111111:dev", *KEY_ID, prefix=prefix, env=env)
    second = homeless.run("111111111111:dev", *KEY_ID, prefix=prefix, env=env)
    renewed = homeless.run("--refresh", "111111111111:dev", *KEY_ID, prefix=prefix, env=env)

    assert first.key_id == second.key_id != renewed.key_id
    assert first.err == second.err == renewed.err == ""


# Rule 5: kill -9


def _check_debris(cache: Path) -> None:
    """Whatever a killed run left: every entry parses, everything is private, and no lock is held."""
    for path in cache.iterdir() if cache.exists() else ():
        assert path.lstat().st_mode == 0o100600, path
        if path.suffix == ".lock":
            with path.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif path.suffix != ".tmp":
            assert unpack(path.read_bytes()) is not None, path


STEPS = ("mkdir", "flock", "connect", "fchmod", "fsync", "utimensat", "rename")


@needs("strace")
@pytest.mark.parametrize("step", STEPS)
def test_rule_5_a_run_killed_at_any_step_of_keeping_hurts_nobody(world: World, sts: StrictSts, step: str) -> None:
    """kill -9 between any two steps: no entry is half there, no lock stays, the next run succeeds in silence."""
    killed = world.run("dev", *KEY_ID, prefix=killed_at(step))
    _check_debris(world.cache)

    done = world.run("dev", *KEY_ID)

    assert killed.code in (-9, 137)
    assert killed.out == ""
    assert done.key_id
    assert done.err == ""


@pytest.mark.parametrize("seed", range(2))
def test_rule_5_a_run_killed_at_a_random_moment_hurts_nobody(world: World, sts: StrictSts, seed: int) -> None:
    """Ten cold runs are killed, most while the session is being kept: what they leave is whole, and no lock."""
    chance = random.Random(seed)
    world.settle()

    for number in range(5):
        for path in (*world.entries(), *world.entries("replay")):
            path.unlink()
        calls = len(sts.calls)
        with subprocess.Popen(
            world.command("dev", "true"), env=world.environ(), cwd=world.home, stdout=-3, stderr=-3
        ) as process:
            if number:
                while len(sts.calls) == calls and process.poll() is None:
                    time.sleep(0.001)
                time.sleep(chance.uniform(0, 0.03))
            else:
                time.sleep(chance.uniform(0, 0.25))
            process.kill()
        _check_debris(world.cache)
    done = world.run("dev", *KEY_ID)

    assert done.key_id, seed
    assert done.err == ""


# Reading, below the console script


def test_rule_3_reading_never_raises(tmp_path: Path) -> None:
    """Names that cannot be files are misses too."""
    store = FileStore(str(tmp_path))

    names = ("", ".", "..", "a\0b", "x" * 300, "\udcff", digest("absent"))

    assert [store.read(name) for name in names] == [None] * len(names)


@AS_ROOT
def test_rule_1_root_leaves_nothing_in_the_home_of_a_user(world: World, sts: StrictSts) -> None:
    """`sudo -E awsudo`: nothing of root's stays in a home whose owner could not remove it; a failing run's neither."""
    for path in (world.home, *world.home.rglob("*")):
        os.chown(path, 12345, 12345)
    before = set(world.home.rglob("*"))
    env: dict[str, str | None] = {"XDG_RUNTIME_DIR": None}

    done = world.run("dev", *KEY_ID, env=env)
    failed = world.run("nobody", "true", env=env)
    world.run("clear", env=env)

    assert done.key_id == sts.issued[0].access_key_id
    assert f"the session cannot be cached in {world.home}/.cache/awsudo: {world.home} belongs to user 12345" in done.err
    assert failed.code == 125
    assert set(world.home.rglob("*")) == before


@AS_ROOT
def test_rule_1_a_directory_of_root_is_named_as_such(world: World, sts: StrictSts) -> None:
    """A user whose cache belongs to root gets a notice with the owner; the command runs."""
    place = world.root / "cache"
    place.mkdir(mode=0o700)
    os.chown(place, 12345, 12345)

    done = world.run("dev", *KEY_ID, env={"AWSUDO_CACHE_DIR": str(place)})

    assert done.key_id and f"{place} is not yours, it belongs to user 12345" in done.err
