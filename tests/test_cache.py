"""The cache's rules (design: where, key, freshness, hops, sweeping) and the replay of an earlier run's verdict."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from awsudo_py.aws_credentials import Credentials
from awsudo_py.fingerprint import Files
from awsudo_py.sessions.cached_session import fresh_session, session_fields
from awsudo_py.sessions.file_store import cache_directory
from awsudo_py.sessions.sealed import digest, pack, unpack
from tests.conftest import made_world, needs
from tests.servers.strict_sts import StrictSts
from tests.world import IMPORTS_LISTED, KEY_ID, PRINT_ENV, Done, World

ROLE = "arn:aws:iam::111111111111:role/"
POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
NARROW = POLICY.replace('"Action": "*"', '"Action": "s3:*"')
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
Environ = dict[str, str | None]


def config_text(profiles: dict[str, dict[str, str]]) -> str:
    """~/.aws/config with these profiles."""
    sections = (
        "\n".join([f"[profile {name}]", *(f"{key} = {value}" for key, value in settings.items())])
        for name, settings in profiles.items()
    )
    return "\n".join([*sections, ""])


def under_umask(mask: str) -> tuple[str, ...]:
    """A prefix: the run has this umask."""
    return ("sh", "-c", f'umask {mask}; exec "$@"', "sh")


def mode(path: Path) -> int:
    """The permission bits."""
    return path.lstat().st_mode & 0o7777


# Rule 1: where, and for whose eyes


class Place(NamedTuple):
    """An environment, and where the cache is then; {root} is the world's own folder."""

    env: Environ
    expected: str
    before: Callable[[World], object] = lambda world: None


PLACES = {
    "the runtime directory": Place({}, "{root}/run/awsudo"),
    "a chosen directory wins": Place({"AWSUDO_CACHE_DIR": "{root}/deep/chosen"}, "{root}/deep/chosen"),
    "an empty choice is none": Place({"AWSUDO_CACHE_DIR": ""}, "{root}/run/awsudo"),
    "no runtime directory": Place({"XDG_RUNTIME_DIR": None}, "{root}/home/.cache/awsudo"),
    "XDG_CACHE_HOME": Place({"XDG_RUNTIME_DIR": None, "XDG_CACHE_HOME": "{root}/kept/here"}, "{root}/kept/here/awsudo"),
    "the runtime directory before XDG_CACHE_HOME": Place({"XDG_CACHE_HOME": "{root}/kept"}, "{root}/run/awsudo"),
    "a relative XDG_CACHE_HOME": Place(
        {"XDG_RUNTIME_DIR": None, "XDG_CACHE_HOME": "kept"}, "{root}/home/.cache/awsudo"
    ),
    "a relative runtime directory": Place({"XDG_RUNTIME_DIR": "../run"}, "{root}/home/.cache/awsudo"),
    "a runtime directory that is missing": Place({"XDG_RUNTIME_DIR": "{root}/gone"}, "{root}/home/.cache/awsudo"),
    "a runtime directory open to others": Place(
        {}, "{root}/home/.cache/awsudo", lambda world: world.runtime.chmod(0o755)
    ),
    "a runtime directory that is a link": Place(
        {"XDG_RUNTIME_DIR": "{root}/link"},
        "{root}/home/.cache/awsudo",
        lambda world: (world.root / "link").symlink_to(world.runtime),
    ),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_rule_1_the_cache_is_where_the_environment_puts_it(tmp_path: Path, place: Place) -> None:
    """The cache is memory-backed where it can be, else in the user's cache directory, and a choice wins."""
    world = World(tmp_path)
    place.before(world)
    env = world.environ({name: value and value.format(root=tmp_path) for name, value in place.env.items()})

    assert cache_directory(env) == place.expected.format(root=tmp_path)


@AS_ROOT
def test_rule_1_a_runtime_directory_of_somebody_else_is_not_used(world: World) -> None:
    """XDG_RUNTIME_DIR that survived a sudo belongs to the other user: nothing is put there."""
    os.chown(world.runtime, 65534, 65534)

    done = world.run("dev", *KEY_ID)

    assert done.key_id
    assert not world.cache.exists()
    assert list((world.home / ".cache" / "awsudo").glob("*.session"))


@pytest.mark.parametrize("mask", ["000", "022", "177"])
def test_rule_1_the_directory_is_0700_and_its_files_0600_whatever_the_umask(world: World, mask: str) -> None:
    """No umask makes the cache readable to others, or unusable to us."""
    world.settle()

    world.run("dev", *KEY_ID, prefix=under_umask(mask))

    assert mode(world.cache) == 0o700
    modes = {path.suffix: mode(path) for path in world.cache.iterdir()}
    assert modes == {".session": 0o600, ".replay": 0o600, ".lock": 0o600, ".salt": 0o600}


def test_rule_1_a_umask_of_000_leaves_no_door_beside_the_cache(world: World) -> None:
    """Directories made on the way to the cache are not writable by others: who can rename ours can replace it."""
    done = world.run("dev", *KEY_ID, env={"XDG_RUNTIME_DIR": None}, prefix=under_umask("000"))

    assert done.key_id
    assert mode(world.home / ".cache") & 0o022 == 0


@needs("strace")
def test_rule_1_files_are_private_from_birth(world: World) -> None:
    """There is no moment at which a file of the cache exists with more than 0600."""
    log = world.root / "log"

    tracing = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", str(log), "-e", "trace=openat,mkdir,mkdirat")
    done = world.run("dev", *KEY_ID, prefix=(*under_umask("000"), *tracing))

    assert done.key_id
    made = [line for line in log.read_text().splitlines() if str(world.cache) in line]
    births = [line for line in made if "O_CREAT" in line]
    assert len(births) >= 4  # the lock, the salt, the session and the replay
    assert all("O_NOFOLLOW" in line and line.partition(" = ")[0].endswith(", 0600)") for line in births)
    assert sum("O_EXCL" in line for line in births) == 3
    folders = [line.partition(" = ")[0] for line in made if "mkdir" in line]
    assert folders and all(line.endswith(", 0700)") for line in folders)


def test_rule_1_the_cache_may_be_a_directory_that_holds_other_things(world: World) -> None:
    """Neither sweeping nor clearing touches what awsudo did not put there, though AWSUDO_CACHE_DIR say ~."""
    precious = {"notes.txt", "id_ed25519", "archives.session", "old.tmp", ".bashrc", f"{'0' * 40}.sql"}
    world.home.chmod(0o700)
    for name in precious:
        (world.home / name).write_text("precious")
        os.utime(world.home / name, (0, 0))
    env: Environ = {"AWSUDO_CACHE_DIR": str(world.home)}

    done = world.run("dev", *KEY_ID, env=env)
    left_by_sweeping = {path.name for path in world.home.iterdir()}
    cleared = world.run("clear", env=env)

    assert done.key_id
    assert left_by_sweeping >= precious
    assert cleared.code == 0
    assert {path.name for path in world.home.iterdir()} >= precious
    assert not list(world.home.glob("*[0-9a-f].session"))


# Rule 2: the key


class Invocation(NamedTuple):
    """A way to call awsudo. In env, words in capitals stand for the server's port and for alice's two keys."""

    words: tuple[str, ...] = ("dev",)
    env: Mapping[str, str | None] = {}
    settings: Mapping[str, str] = {}  # of profile dev, beside role and source
    hub: Mapping[str, str] = {}  # of profile hub, likewise
    policy: str = POLICY  # what ~/policy.json holds
    key: int = 0  # which of her keys the credentials file holds


class Invoke(Protocol):
    """Runs awsudo so."""

    def __call__(self, requested: Invocation, prefix: tuple[str, ...] = ()) -> Done: ...


OWN_KEY: Environ = {"AWS_ACCESS_KEY_ID": "ID_0", "AWS_SECRET_ACCESS_KEY": "SECRET_0"}
OTHER_KEY: Environ = {"AWS_ACCESS_KEY_ID": "ID_1", "AWS_SECRET_ACCESS_KEY": "SECRET_1"}
BARE, POLICY_FILE = "111111111111:dev", ("--policy", "~/policy.json", "dev")

#: What shapes a session → two invocations that differ in nothing else.
SHAPING = {
    "role": (Invocation(), Invocation(settings={"role_arn": f"{ROLE}ops"})),
    "role on the line": (Invocation((BARE,), OWN_KEY), Invocation(("111111111111:ops",), OWN_KEY)),
    "source profile": (Invocation(), Invocation(settings={"source_profile": "other"})),
    "source profile on the line": (Invocation(("-p", "base", BARE)), Invocation(("-p", "other", BARE))),
    "source key": (Invocation(), Invocation(key=1)),
    "source key in the environment": (Invocation((BARE,), OWN_KEY), Invocation((BARE,), OTHER_KEY)),
    "external id": (Invocation(settings={"external_id": "one"}), Invocation(settings={"external_id": "two"})),
    "external id on the line": (Invocation(), Invocation(("-e", "two", "dev"))),
    "external id in a variable": (Invocation(), Invocation(env={"AWSUDO_EXTERNAL_ID": "two"})),
    "duration": (Invocation(settings={"duration_seconds": "3600"}), Invocation(settings={"duration_seconds": "1800"})),
    "duration on the line": (Invocation(), Invocation(("-d", "15m", "dev"))),
    "duration in a variable": (Invocation(), Invocation(env={"AWSUDO_DURATION": "15m"})),
    "session name": (Invocation(), Invocation(settings={"role_session_name": "bob"})),
    "user, who names the session": (Invocation(), Invocation(env={"USER": "bob", "LOGNAME": "bob"})),
    "session name on the line": (Invocation(("-n", "ann", "dev")), Invocation(("-n", "bob", "dev"))),
    "policy": (Invocation(("--policy", POLICY, "dev")), Invocation(("--policy", NARROW, "dev"))),
    "policy file, edited": (Invocation(POLICY_FILE), Invocation(POLICY_FILE, policy=NARROW)),
    "policy in a variable": (Invocation(), Invocation(env={"AWSUDO_POLICY": NARROW})),
    "policy ARN": (Invocation(), Invocation(("--policy-arn", "arn:aws:iam::aws:policy/ReadOnlyAccess", "dev"))),
    "tags": (Invocation(settings={"session_tags": "team=a"}), Invocation(settings={"session_tags": "team=b"})),
    "tags on the line": (Invocation(("--tag", "team=a", "dev")), Invocation(("--tag", "team=b", "dev"))),
    "transitive tags": (
        Invocation(("--tag", "team=a", "dev")),
        Invocation(("--tag", "team=a", "--transitive-tag", "team", "dev")),
    ),
    "source identity": (Invocation(), Invocation(settings={"source_identity": "bob"})),
    "endpoint": (Invocation(), Invocation(env={"AWS_ENDPOINT_URL_STS": "http://localhost:PORT"})),
    "the hop before": (
        Invocation(settings={"source_profile": "hub"}),
        Invocation(settings={"source_profile": "hub"}, hub={"external_id": "two"}),
    ),
}
#: What does not shape it → two ways to ask for one session.
SAME = {
    "user, where the name is given": (
        Invocation(("-n", "ci", "dev")),
        Invocation(("-n", "ci", "dev"), env={"USER": "bob", "LOGNAME": "bob"}),
    ),
    "region": (Invocation(), Invocation(env={"AWS_REGION": "eu-west-3"})),
    "least time": (Invocation(), Invocation(("--min-ttl", "10m", "dev"))),
    "another profile of the role": (Invocation(), Invocation(("twin",))),
    "the role by its ARN": (Invocation(), Invocation(("-p", "base", f"{ROLE}dev"))),
    "the same key in the environment": (Invocation(), Invocation((BARE,), OWN_KEY)),
    "who says the duration": (Invocation(("-d", "30m", "dev")), Invocation(settings={"duration_seconds": "1800"})),
    "who says the policy": (Invocation(POLICY_FILE), Invocation(("--policy", POLICY, "dev"))),
    "the order of tags": (
        Invocation(("--tag", "a=1", "--tag", "b=2", "dev")),
        Invocation(("--tag", "b=2", "--tag", "a=1", "dev")),
    ),
    "the way to run": (Invocation(), Invocation(("-q", "exec", "dev"))),
}


@pytest.fixture(scope="module")
def shared_sts() -> Iterator[StrictSts]:
    """One STS for the tests that leave a session behind only where it cannot mislead another."""
    with StrictSts() as server:
        yield server


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory, shared_sts: StrictSts) -> Invoke:
    """Asks in a world whose files say what Asked says; they are written only where they change."""
    sts = shared_sts
    world = made_world(tmp_path_factory.mktemp("asked"), sts)
    keys = [sts.add_user("alice") for _ in range(2)]
    for role in ("ops", "hub"):
        sts.add_role(ROLE + role)
    other = sts.add_user("bob")
    meant = {"PORT": sts.url.rpartition(":")[2]}
    for number, key in enumerate(keys):
        meant |= {f"ID_{number}": key.access_key_id, f"SECRET_{number}": key.secret_access_key}

    def filled(value: str | None) -> str | None:
        return re.sub("|".join(meant), lambda match: meant[match[0]], value) if value else value

    def keep(path: Path, text: str) -> None:
        if not path.exists() or path.read_text() != text:
            path.write_text(text)

    def asking(requested: Invocation, prefix: tuple[str, ...] = ()) -> Done:
        usual = {"role_arn": f"{ROLE}dev", "source_profile": "base"}
        profiles = {
            "dev": {**usual, **requested.settings},
            "twin": usual,
            "hub": {**usual, "role_arn": f"{ROLE}hub", **requested.hub},
        }
        holders = {"base": keys[requested.key], "other": other}
        credentials = (
            f"[{name}]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
            for name, key in holders.items()
        )
        keep(world.home / ".aws" / "config", config_text(profiles))
        keep(world.home / ".aws" / "credentials", "".join(credentials))
        keep(world.home / "policy.json", requested.policy)
        world.settle()
        env = {name: filled(value) for name, value in requested.env.items()}
        return world.run(*requested.words, *KEY_ID, env=env, prefix=prefix)

    return asking


@pytest.mark.parametrize(("before", "after"), SHAPING.values(), ids=SHAPING)
def test_rule_2_a_change_of_what_shapes_a_session_never_yields_the_old_one(
    ask: Invoke, before: Invocation, after: Invocation
) -> None:
    """Neither the replay of a warm run, nor the full path after it, takes one session for another."""
    first = ask(before)
    warm = ask(before, IMPORTS_LISTED)

    changed = ask(after)

    assert warm.replayed and warm.key_id == first.key_id
    assert changed.key_id != first.key_id


@pytest.mark.parametrize(("before", "after"), SAME.values(), ids=SAME)
def test_rule_2_what_does_not_shape_a_session_does_not_cost_a_call(
    ask: Invoke, shared_sts: StrictSts, before: Invocation, after: Invocation
) -> None:
    """One session serves every way of asking for it."""
    first = ask(before)
    calls = len(shared_sts.calls)

    second = ask(after)

    assert second.key_id == first.key_id
    assert len(shared_sts.calls) == calls


def test_rule_2_the_entry_holds_its_inputs_and_no_secret_but_the_session(world: World, sts: StrictSts) -> None:
    """An entry says what shaped it; the key that asked, and the code, are not in the cache at all."""
    serial = "arn:aws:iam::111111111111:mfa/alice"
    code = sts.add_mfa("alice", serial).code()

    done = world.run("-m", serial, "-t", code, "-e", "partner-7", "dev", *KEY_ID)

    sessions = {}
    for entry in world.entries():
        fields = unpack(entry.read_bytes())
        assert fields is not None and digest(fields["inputs"]) == entry.stem
        sessions[entry.stem] = fields
    (role,) = [fields for fields in sessions.values() if fields["access_key_id"] == done.key_id]
    (before,) = [fields for fields in sessions.values() if fields is not role]
    assert serial in before["inputs"]
    for shaping in (f"{ROLE}dev", "partner-7", digest(before["inputs"])):
        assert shaping in role["inputs"]
    secret = (world.home / ".aws" / "credentials").read_text().split()[-1]
    everything = b"".join(path.read_bytes() + path.name.encode() for path in world.cache.iterdir())
    assert secret.encode() not in everything
    assert code.encode() not in re.sub(rb"(?:issued|expiration)=[0-9.]+|file \d+=[^\0]+", b"", everything)


# Rule 4: freshness


class Moment(NamedTuple):
    """Words, how far the clock has moved since, and whether the session may still be used then."""

    words: tuple[str, ...]
    later: int  # minutes
    fresh: bool


MOMENTS = [
    Moment(("dev",), 54, True),
    Moment(("dev",), 56, False),  # less than five minutes left
    Moment(("dev",), 61, False),
    Moment(("dev",), -60, False),
    Moment(("-d", "15m", "dev"), 9, True),
    Moment(("--min-ttl", "30m", "dev"), 31, False),
    Moment(("--min-ttl", "1s", "dev"), 59, True),
]


@needs("faketime")
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{' '.join(moment.words)} {moment.later:+} min")
def test_rule_4_a_session_is_used_as_long_as_it_is_fresh(world: World, sts: StrictSts, moment: Moment) -> None:
    """Neither an expired session, nor one about to expire, nor one issued in the future is used; others are."""
    world.settle()
    first = world.run(*moment.words, *KEY_ID)
    sts.clock = lambda: time.time() + moment.later * 60

    shifted = ("faketime", "-f", f"{moment.later * 60:+}s")
    done = world.run(*moment.words, *KEY_ID, prefix=(*shifted, *IMPORTS_LISTED))

    assert done.replayed == moment.fresh
    assert (done.key_id == first.key_id) == moment.fresh
    assert sts.count("AssumeRole") == (1 if moment.fresh else 2)


HOUR, NOW = 3600.0, 1_800_000_000.0
LIVES = [
    # issued, expiration, min_ttl, fresh; all relative to now
    (0, HOUR, None, True),
    (-3299, 301, None, True),
    (-3300, 300, None, False),  # five minutes: not more than that
    (-599, 301, None, True),  # 900 s: a third is enough
    (-601, 299, None, False),
    (-HOUR, 0, 0.0, False),
    (-HOUR + 1, 1, 0.0, True),
    (-HOUR, -1, 0.0, False),
    (0, HOUR, HOUR, False),
    (1, HOUR, None, False),  # issued in the future
    (0, 129_600, None, True),  # GetSessionToken's 36 hours
    (0, 129_600 + 900, None, True),  # with the most that two clocks may differ
    (0, 129_600 + 901, None, False),
    (float("nan"), HOUR, None, False),
    (0, float("nan"), None, False),
    (0, float("inf"), None, False),
]


@pytest.mark.parametrize(("issued", "expiration", "min_ttl", "fresh"), LIVES)
def test_rule_4_the_bounds_of_freshness(issued: float, expiration: float, min_ttl: float | None, fresh: bool) -> None:
    """now + min_ttl < expiration, not issued in the future, and no longer than any session can last."""
    sessions = Credentials("ASIA", "secret", "token", NOW + expiration, issued=NOW + issued)

    found = fresh_session(session_fields(sessions, "inputs"), digest("inputs"), NOW, min_ttl)

    assert (found is not None) == fresh


def test_rule_4_times_are_utc(world: World, sts: StrictSts) -> None:
    """A session kept under one time zone is the same under another, and the command gets UTC."""
    world.settle()
    first = world.run("dev", *PRINT_ENV, env={"TZ": "Pacific/Kiritimati"})

    second = world.run("dev", *PRINT_ENV, env={"TZ": "Pacific/Niue"})

    (issued,) = sts.issued
    utc = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(issued.expiration))
    assert first.env["AWS_CREDENTIAL_EXPIRATION"] == utc
    assert second.env["AWS_CREDENTIAL_EXPIRATION"] == utc


# Rule 7: every hop is kept by itself


def test_rule_7_sibling_roles_share_the_hop_before(world: World, sts: StrictSts) -> None:
    """Two roles behind one hub: the hub is assumed once."""
    usual = {"source_profile": "hub"}
    profiles = {name: usual | {"role_arn": ROLE + name} for name in ("a", "b")}
    world.config(config_text(profiles | {"hub": {"role_arn": f"{ROLE}hub", "source_profile": "base"}}))
    for role in ("a", "b", "hub"):
        sts.add_role(ROLE + role)

    ids = {world.run(name, *KEY_ID).key_id for name in ("a", "b", "hub", "a", "b")}

    assert len(ids) == 3
    requested = [call.params["RoleArn"].rpartition("/")[2] for call in sts.calls]
    assert requested == ["hub", "a", "b"]


def test_rule_7_refresh_renews_the_role_and_not_the_hop_before(world: World, sts: StrictSts) -> None:
    """--refresh asks for the session that the command gets; the hub's own is as good as before."""
    world.config(
        config_text(
            {
                "hub": {"role_arn": f"{ROLE}hub", "source_profile": "base"},
                "dev": {"role_arn": f"{ROLE}dev", "source_profile": "hub"},
            }
        )
    )
    sts.add_role(f"{ROLE}hub")
    first = world.run("dev", *KEY_ID)

    second = world.run("--refresh", "dev", *KEY_ID)

    assert second.key_id != first.key_id
    assert [call.params["RoleArn"].rpartition("/")[2] for call in sts.calls] == ["hub", "dev", "dev"]


def test_rule_7_a_session_of_keys_behind_mfa_costs_one_code(world: World, sts: StrictSts) -> None:
    """GetSessionToken is a hop like any other: its session is kept, and the second run needs no code."""
    serial = "arn:aws:iam::111111111111:mfa/alice"
    device = sts.add_mfa("alice", serial)
    path = world.home / ".aws" / "credentials"
    path.write_text(f"{path.read_text()}mfa_serial = {serial}\n")

    first = world.run("-t", device.code(), "base", *KEY_ID)
    second = world.run("base", *KEY_ID)

    assert second.key_id == first.key_id
    assert sts.count("GetSessionToken") == 1


# Rule 8: sweeping and clearing


def _plant(directory: Path, name: str, *, age: float) -> Path:
    path = directory / name
    path.write_bytes(pack({"x": "y"}))
    path.chmod(0o600)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_rule_8_what_expired_and_what_died_half_written_is_swept_on_write(world: World) -> None:
    """Entries past their end, temporary files older than ten minutes and locks older than an hour go."""
    world.cache.mkdir(mode=0o700)
    hour, name = 3600, "1234567890abcdef1234567890abcdef12345678"
    swept = [
        _plant(world.cache, f"{name}.session", age=1),
        _plant(world.cache, f"{name}.replay", age=hour),
        _plant(world.cache, f"{name}.rejected", age=60),
        _plant(world.cache, f"{name}.session.4711.0123abcd.tmp", age=700),
        _plant(world.cache, f"{name}.lock", age=10 * hour),
    ]
    stays = [
        _plant(world.cache, f"{'a' * 40}.session", age=-hour),
        _plant(world.cache, f"{'a' * 40}.replay", age=-hour),
        _plant(world.cache, f"{'a' * 40}.lock", age=600),
        _plant(world.cache, f"{name}.session.4712.0123abcd.tmp", age=500),
    ]

    done = world.run("dev", *KEY_ID)

    assert done.key_id
    assert [path for path in swept if path.exists()] == []
    assert [path for path in stays if not path.exists()] == []


#: A prefix: kill -9 between writing the session's temporary file (the second, after the salt's) and renaming it.
KILLED_HALF_WAY = (
    *("strace", "-f", "-qq", "-o", "/dev/null"),
    *("-e", "trace=/^rename", "-e", "inject=/^rename:signal=KILL:when=2"),
)


@needs("faketime", "strace")
def test_rule_8_the_leftovers_of_a_killed_run_are_gone_in_the_end(world: World, sts: StrictSts) -> None:
    """A run killed between writing and renaming leaves a temporary file, which later runs sweep."""
    world.run("dev", *KEY_ID, prefix=KILLED_HALF_WAY)
    left = world.entries("tmp")
    sts.clock = lambda: time.time() + 2 * 3600

    done = world.run("dev", *KEY_ID, prefix=("faketime", "-f", "+2h"))

    assert done.key_id
    assert len(left) == 1
    assert world.entries("tmp") == []


@needs("strace")
def test_rule_8_clear_forgets_the_leftovers_of_a_killed_run_too(world: World) -> None:
    """A temporary file holds a session as usable as any: who forgets all forgets it."""
    world.run("dev", *KEY_ID, prefix=KILLED_HALF_WAY)
    left = world.entries("tmp")

    done = world.run("clear")

    assert done.code == 0
    assert len(left) == 1
    assert world.entries("tmp") == []


class Kept(NamedTuple):
    """A world that keeps four sessions, and which entry is whose."""

    world: World
    sts: StrictSts
    entries: dict[str, str]  # file name → target

    def left(self) -> str:
        """Whose entries are still there."""
        return " ".join(sorted(self.entries[path.name] for path in self.world.entries()))


@pytest.fixture(scope="module")
def four_sessions(tmp_path_factory: pytest.TempPathFactory, shared_sts: StrictSts) -> Kept:
    """A session of dev, a short one of dev, one of ops, and one of the key itself."""
    world = made_world(tmp_path_factory.mktemp("kept"), shared_sts)
    shared_sts.add_role(f"{ROLE}ops")
    world.config(config_text({name: {"role_arn": ROLE + name, "source_profile": "base"} for name in ("dev", "ops")}))
    entries: dict[str, str] = {}
    for words in (("dev",), ("-d", "15m", "dev"), ("ops",), ("base",)):
        assert world.run(*words, *KEY_ID).key_id
        (new,) = {path.name for path in world.entries()} - entries.keys()
        entries[new] = words[-1]
    shutil.copytree(world.cache, world.root / "saved")
    return Kept(world, shared_sts, entries)


@pytest.fixture
def sessions(four_sessions: Kept) -> Kept:
    """four_sessions(), all there."""
    shutil.rmtree(four_sessions.world.cache, ignore_errors=True)
    shutil.copytree(four_sessions.world.root / "saved", four_sessions.world.cache)
    four_sessions.sts.forget()
    return four_sessions


CLEARED = [
    # the words after `clear`, how many sessions they forget, and whose are left
    ((), 4, ""),
    (("dev",), 2, "base ops"),
    (("ops",), 1, "base dev dev"),
    (("base",), 1, "dev dev ops"),
    (("-p", "dev"), 2, "base ops"),
    ((f"{ROLE}dev",), 2, "base ops"),
    (("111111111111:ops",), 1, "base dev dev"),
    (("111111111111:other",), 0, "base dev dev ops"),
]


@pytest.mark.parametrize(("words", "count", "left"), CLEARED)
def test_rule_8_clear_forgets_all_or_what_belongs_to_one_target(
    sessions: Kept, words: tuple[str, ...], count: int, left: str
) -> None:
    """`awsudo clear [TARGET]` forgets all sessions of that target, however they were shaped, and no other."""
    done = sessions.world.run("clear", *words)

    assert done.code == 0
    assert re.search(rf"^awsudo: deleted {count} sessions?\b", done.err)
    assert done.out == ""
    assert sessions.left() == left
    assert sessions.sts.calls == []


def test_rule_8_after_clear_a_warm_run_asks_anew(sessions: Kept) -> None:
    """A session that was forgotten is not replayed; one that was not, is."""
    ops = sessions.world.run("ops", *KEY_ID).key_id
    dev = sessions.world.run("dev", *KEY_ID).key_id

    sessions.world.run("clear", "dev")

    assert sessions.world.run("dev", *KEY_ID).key_id != dev
    assert sessions.world.run("ops", *KEY_ID).key_id == ops


def test_rule_8_clear_of_a_typo_forgets_nothing(sessions: Kept) -> None:
    """A target that does not exist is an error, and no reason to forget others."""
    done = sessions.world.run("clear", "dve")

    assert done.code == 125
    assert "did you mean dev?" in done.err
    assert sessions.left() == "base dev dev ops"


def test_rule_8_clear_leaves_new_locks_and_no_secret(sessions: Kept) -> None:
    """After `awsudo clear` nothing of any session is left on disk; a lock older than a minute goes too, if not held."""
    old = [_plant(sessions.world.cache, f"{mark * 40}.lock", age=100) for mark in "abc"]
    locks = [path for path in sessions.world.entries("lock") if path not in old[:2]]

    with open(old[2], "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sessions.world.run("clear")

    assert sorted(sessions.world.cache.iterdir()) == locks != []


def test_rule_8_locks_are_bounded(world: World) -> None:
    """Of any number of old locks, each run that writes removes some thousands; none that is held is removed."""
    world.cache.mkdir(mode=0o700)
    for number in range(2500):
        _plant(world.cache, f"{number:040x}.lock", age=4000)
    with open(world.cache / f"{0:040x}.lock", "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for words in (("dev",), ("--refresh", "dev")):
            assert world.run(*words, *KEY_ID).key_id

    assert (world.cache / f"{0:040x}.lock").exists() and len(world.entries("lock")) == 2


def test_rule_8_clearing_an_empty_cache_succeeds(tmp_path: Path) -> None:
    """Nothing kept, nothing to forget."""
    done = World(tmp_path).run("clear")

    assert done.code == 0
    assert "awsudo: deleted 0 sessions" in done.err


@needs("unshare", "mount")
def test_rule_8_clear_does_not_claim_what_it_could_not_do(sessions: Kept) -> None:
    """Where a session cannot be removed, `awsudo clear` fails and says so: it is still there for whoever reads it."""
    read_only = 'mount --bind "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR"; mount -o remount,ro,bind "$XDG_RUNTIME_DIR"'
    prefix = ("unshare", "-rm", "sh", "-ec", f'{read_only}; exec "$@"', "sh")

    done = sessions.world.run("clear", prefix=prefix)

    assert sessions.left() == "base dev dev ops"
    assert "Read-only file system" in done.err
    assert "deleted 4 sessions" not in done.err
    assert done.code == 125


def test_rule_8_clear_goes_on_past_what_it_cannot_remove(sessions: Kept) -> None:
    """One entry that cannot be deleted is reported, and the others are deleted."""
    for name in ("0" * 40, "f" * 40):
        (sessions.world.cache / f"{name}.session").mkdir()

    done = sessions.world.run("clear")

    assert done.code == 125
    assert "cannot" in done.err
    assert [path for path in sessions.world.entries() if path.is_file()] == []


# --refresh, --no-cache


@pytest.mark.parametrize("how", [(("--refresh",), {}), ((), {"AWSUDO_REFRESH": "1"})], ids=["option", "variable"])
def test_refresh_renews_a_fresh_session_for_all_who_come_later(
    world: World, sts: StrictSts, how: tuple[tuple[str, ...], Environ]
) -> None:
    """--refresh asks anew every time, and what it got replaces what was kept."""
    words, env = how
    old = world.run("dev", *KEY_ID).key_id

    renewed = [world.run(*words, "dev", *KEY_ID, env=env).key_id for _ in range(2)]
    later = world.run("dev", *KEY_ID).key_id

    assert len({old, *renewed}) == 3
    assert later == renewed[-1]
    assert sts.count("AssumeRole") == 3


@pytest.mark.parametrize("how", [(("--no-cache",), {}), ((), {"AWSUDO_NO_CACHE": "1"})], ids=["option", "variable"])
def test_no_cache_neither_reads_nor_writes(world: World, sts: StrictSts, how: tuple[tuple[str, ...], Environ]) -> None:
    """--no-cache leaves a cold cache cold, and a warm one as it was."""
    words, env = how
    cold = world.run(*words, "dev", *KEY_ID, env=env).key_id
    was_cold = not world.cache.exists()
    sessions = world.run("dev", *KEY_ID).key_id
    before = {path: path.read_bytes() for path in world.cache.iterdir()}

    warm = world.run(*words, "dev", *KEY_ID, env=env).key_id

    assert was_cold
    assert len({cold, sessions, warm}) == 3
    assert {path: path.read_bytes() for path in world.cache.iterdir()} == before
    assert sts.count("AssumeRole") == 3


# Replay: the second run


def test_the_second_run_makes_no_call_and_loads_neither_parser_nor_sdk(world: World, sts: StrictSts) -> None:
    """A warm run is a replay: the same session, no call, no click, no botocore."""
    world.settle()
    first = world.run("dev", *PRINT_ENV)

    second = world.run("dev", *PRINT_ENV, prefix=IMPORTS_LISTED)

    assert second.replayed
    assert second.env == first.env
    assert sts.count("AssumeRole") == 1


class Change(NamedTuple):
    """Something that decides, changed: returns the words, the environment and the directory of the next run."""

    change: Callable[[World], object] = lambda world: None
    words: tuple[str, ...] = ("dev",)
    env: Mapping[str, str | None] = {}
    cwd: str = "home"


def _edit(path: Path, old: str, new: str) -> None:
    """Edit in place: the same inode, the same size, and the modification time put back."""
    assert len(old) == len(new)
    before, text = path.stat(), path.read_text()
    assert old in text
    with path.open("r+") as file:
        file.write(text.replace(old, new))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)


def _rewrite(path: Path) -> None:
    """As editors do: the same text in a new file under the old name, its time put back."""
    before, fresh = path.stat(), path.with_name("fresh")
    shutil.copyfile(path, fresh)
    os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
    fresh.rename(path)


DECIDING = {
    "config edited in place, time put back": Change(lambda world: _edit(_aws(world, "config"), "role/dev", "role/ops")),
    "config replaced": Change(lambda world: _rewrite(_aws(world, "config"))),
    "credentials edited in place, time put back": Change(
        lambda world: _edit(_aws(world, "credentials"), "[others]", "[anyone]")
    ),
    "credentials replaced": Change(lambda world: _rewrite(_aws(world, "credentials"))),
    "AWS_ variable": Change(env={"AWS_REGION": "eu-west-3"}),
    "AWS_ variable that awsudo does not know": Change(env={"AWS_NEW_THING": "1"}),
    "AWS_ variable gone": Change(env={"AWS_EC2_METADATA_DISABLED": None}),
    "AWSUDO_ variable": Change(env={"AWSUDO_MIN_TTL": "1m"}),
    "USER": Change(env={"USER": "bob"}),
    "another word": Change(words=("-q", "dev")),
    "one more word": Change(words=("dev", "--")),
    "another target": Change(words=("ops",)),
    "HOME": Change(lambda world: shutil.copytree(world.home, world.root / "moved"), env={"HOME": "{root}/moved"}),
}


def _aws(world: World, name: str) -> Path:
    return world.home / ".aws" / name


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory, shared_sts: StrictSts) -> World:
    """A world in which sessions of dev and ops are kept already: what is of interest is how they are found."""
    world = made_world(tmp_path_factory.mktemp("lived-in"), shared_sts)
    shared_sts.add_role(f"{ROLE}ops")
    _furnish(world)
    for target in ("dev", "ops"):
        assert world.run(target, *KEY_ID).key_id
    return world


def _furnish(world: World) -> None:
    world.config(config_text({name: {"role_arn": ROLE + name, "source_profile": "base"} for name in ("dev", "ops")}))
    credentials = _aws(world, "credentials").read_text().partition("[others]")[0].partition("[anyone]")[0]
    world.credentials(f"{credentials}[others]\n")


@pytest.mark.parametrize("row", DECIDING.values(), ids=DECIDING)
def test_a_changed_deciding_value_runs_the_full_path(lived_in: World, row: Change) -> None:
    """A replay needs the words, the variables and the files to be as they were; the new verdict is then replayed."""
    world = lived_in
    _furnish(world)
    for record in world.entries("replay"):
        record.unlink()
    world.settle()
    world.run("dev", *KEY_ID)
    warm = world.run("dev", *KEY_ID, prefix=IMPORTS_LISTED)
    row.change(world)
    env: Environ = {name: value and value.format(root=world.root) for name, value in row.env.items()}
    world.settle()

    changed = world.run(*row.words, *KEY_ID, env=env, prefix=IMPORTS_LISTED)
    again = world.run(*row.words, *KEY_ID, env=env, prefix=IMPORTS_LISTED)

    assert warm.replayed
    assert not changed.replayed
    assert again.replayed
    assert again.key_id == changed.key_id


def test_the_role_edited_in_place_is_the_one_assumed_next(world: World, sts: StrictSts) -> None:
    """dev → ops in the same file, of the same size, with its old time stamp: the next run is ops."""
    sts.add_role(f"{ROLE}ops")
    world.settle()
    dev = world.run("dev", *KEY_ID).key_id

    _edit(_aws(world, "config"), "role/dev", "role/ops")
    done = world.run("dev", *PRINT_ENV)

    assert done.env["AWS_ACCESS_KEY_ID"] != dev
    assert done.env["AWSUDO_ROLE_ARN"] == f"{ROLE}ops"


def test_an_edit_right_after_a_run_is_seen_by_the_next(world: World, sts: StrictSts) -> None:
    """However soon after the run that recorded it a file changes: the next run sees it."""
    sts.add_role(f"{ROLE}ops")
    roles = ("dev", "ops") * 2

    for old, new in zip(roles[1:], roles, strict=False):
        config = _aws(world, "config")
        if f"role/{new}" not in config.read_text():
            _edit(config, f"role/{old}", f"role/{new}")
        assert world.run("dev", *PRINT_ENV).env["AWSUDO_ROLE_ARN"] == ROLE + new


def test_a_credentials_file_that_appears_is_read(world: World, sts: StrictSts) -> None:
    """A file that was looked for and absent decides too: its keys win over those of the config file."""
    key = sts.add_user("alice")
    text = _aws(world, "config").read_text()
    keys = _aws(world, "credentials").read_text().replace("[base]", "[profile base]")
    world.config(text + keys)
    _aws(world, "credentials").unlink()
    world.settle()
    first = world.run("dev", *KEY_ID)
    warm = world.run("dev", *KEY_ID, prefix=IMPORTS_LISTED)

    world.credentials(
        f"[base]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    )
    second = world.run("dev", *KEY_ID)

    assert warm.replayed
    assert second.key_id != first.key_id
    assert sts.calls[-1].access_key_id == key.access_key_id


@pytest.mark.parametrize("name", ["config", "credentials"])
def test_a_file_that_is_gone_is_an_error_and_not_the_old_session(world: World, name: str) -> None:
    """Without the profile or its keys there is nothing to replay: the full path says what is missing."""
    world.settle()
    world.run("dev", *KEY_ID)
    _aws(world, name).unlink()

    done = world.run("dev", *KEY_ID)

    assert done.code == 125
    assert done.out == ""
    assert "no profile" in done.err


def test_a_relative_config_file_is_the_one_of_the_directory_we_are_in(world: World, sts: StrictSts) -> None:
    """AWS_CONFIG_FILE=aws.ini means another file in another directory."""
    for role in ("one", "two"):
        sts.add_role(ROLE + role)
        folder = world.root / role
        folder.mkdir()
        (folder / "aws.ini").write_text(config_text({"x": {"role_arn": ROLE + role, "source_profile": "base"}}))
    world.settle()
    env: Environ = {"AWS_CONFIG_FILE": "aws.ini"}

    seen = [
        world.run("x", *PRINT_ENV, env=env, cwd=world.root / role).env["AWSUDO_ROLE_ARN"]
        for role in ("one", "one", "two", "two", "one")
    ]

    assert [arn.rpartition("/")[2] for arn in seen] == ["one", "one", "two", "two", "one"]
    assert sts.count("AssumeRole") == 2


def test_a_policy_file_edited_in_place_narrows_the_next_run(world: World, sts: StrictSts) -> None:
    """The policy is what the file says now, though its size and time are those of before."""
    policy = world.home / "policy.json"
    policy.write_text(NARROW)
    world.settle()
    words = ("--policy", str(policy), "dev", *KEY_ID)
    first = world.run(*words).key_id
    warm = world.run(*words, prefix=IMPORTS_LISTED)

    _edit(policy, "s3:*", "s3:G")
    second = world.run(*words).key_id

    assert warm.replayed
    assert second != first
    assert "s3:G" in sts.calls[-1].params["Policy"]


def test_a_new_web_identity_token_is_exchanged_anew(world: World, sts: StrictSts) -> None:
    """A token file is a file that decides: the platform rewrites it, and the session of the old one is not used."""
    token = world.home / "token"
    for text in ("token-one", "token-two"):
        sts.add_web_identity(text)
    token.write_text("token-one")
    world.settle()
    env: Environ = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": f"{ROLE}dev"}
    sts.add_role(f"{ROLE}ops")
    words = ("111111111111:ops", *KEY_ID)
    first = world.run(*words, env=env).key_id
    warm = world.run(*words, env=env, prefix=IMPORTS_LISTED)

    _edit(token, "one", "two")
    second = world.run(*words, env=env).key_id

    assert warm.replayed
    assert second != first
    assert sts.count("AssumeRoleWithWebIdentity") == 2


INDIFFERENT = {
    "another command": Change(),
    "PATH": Change(env={"PATH": f"/nowhere:{os.environ.get('PATH', os.defpath)}"}),
    "any variable": Change(env={"EDITOR": "vi", "TERM": "dumb"}),
    "the directory": Change(cwd="run"),
}


@pytest.mark.parametrize("row", INDIFFERENT.values(), ids=INDIFFERENT)
def test_a_change_of_what_does_not_decide_is_replayed(lived_in: World, row: Change) -> None:
    """What cannot change the verdict does not cost the full path."""
    lived_in.settle()
    first = lived_in.run("dev", *PRINT_ENV)

    second = lived_in.run("dev", *KEY_ID, env=dict(row.env), cwd=lived_in.root / row.cwd, prefix=IMPORTS_LISTED)

    assert second.replayed
    assert second.key_id == first.env["AWS_ACCESS_KEY_ID"]


NEVER_REPLAYED = {
    "--refresh": Change(words=("--refresh", "dev")),
    "--no-cache": Change(words=("--no-cache", "dev")),
    "--verbose": Change(words=("-v", "dev")),
    "a path with a variable": Change(env={"AWS_CONFIG_FILE": "$HOME/.aws/config"}),
    "a notice": Change(words=("111111111111:dev",), env={"AWS_PROFILE": "base", "AWS_DEFAULT_PROFILE": "dev"}),
    "a credential process": Change(
        lambda world: world.credentials(
            f"[base]\ncredential_process = awk -f {world.home}/to.awk {_saved(world, 'keys')}\n"
        )
    ),
    "no answer to stat": Change(words=("--policy", "/dev/stdin", "dev")),
}


def _saved(world: World, name: str) -> Path:
    """The keys of the credentials file, aside, with a program that prints them as a credential_process does."""
    shutil.copy(_aws(world, "credentials"), world.home / name)
    (world.home / "to.awk").write_text(
        '/_key_id/ {i = $3} /secret/ {s = $3}\nEND {printf "{\\"Version\\": 1, \\"AccessKeyId\\": \\"%s\\", '
        '\\"SecretAccessKey\\": \\"%s\\"}", i, s}\n'
    )
    return world.home / name


@pytest.mark.parametrize("row", NEVER_REPLAYED.values(), ids=NEVER_REPLAYED)
def test_what_cannot_be_compared_cheaply_is_never_replayed(world: World, row: Change) -> None:
    """Where files and variables do not tell the whole verdict, or there is something to say, each run is a full one."""
    row.change(world)
    world.settle()

    runs = [world.run(*row.words, *KEY_ID, env=dict(row.env), stdin=POLICY, prefix=IMPORTS_LISTED) for _ in range(2)]

    assert all(run.key_id for run in runs)
    assert [run.replayed for run in runs] == [False, False]


def test_a_code_on_the_line_is_never_replayed(world: World, sts: StrictSts) -> None:
    """The next run may need it for another session: each is a full one."""
    serial = "arn:aws:iam::111111111111:mfa/alice"
    words = ("-m", serial, "-t", sts.add_mfa("alice", serial).code(), "dev")
    world.settle()

    runs = [world.run(*words, *KEY_ID, prefix=IMPORTS_LISTED) for _ in range(2)]

    assert runs[0].key_id == runs[1].key_id
    assert [run.replayed for run in runs] == [False, False]


def test_a_notice_is_given_on_every_run(world: World) -> None:
    """What a run has to say, the next one says again."""
    env: Environ = {"AWS_PROFILE": "base", "AWS_DEFAULT_PROFILE": "dev"}

    runs = [world.run("111111111111:dev", *KEY_ID, env=env) for _ in range(2)]

    assert runs[0].err == runs[1].err != ""
    assert runs[0].key_id == runs[1].key_id


def test_a_file_that_changed_this_moment_proves_nothing(tmp_path: Path) -> None:
    """Kernels stamp files by the tick: one that changed within 20 ms before us could change again unseen."""
    path = tmp_path / "config"
    path.write_text("x")
    changed = path.stat().st_ctime
    settled = {}

    for age in (-1.0, 0.0, 0.019, 0.021, 1.0):
        files = Files(changed + age)
        files.read(str(path))
        settled[age] = files.settled

    assert settled == {-1.0: False, 0.0: False, 0.019: False, 0.021: True, 1.0: True}


def test_a_file_that_changes_between_two_looks_proves_nothing(tmp_path: Path) -> None:
    """A run that read two states of one file records neither."""
    path = tmp_path / "config"
    path.write_text("x")
    files = Files(path.stat().st_ctime + 1)
    files.read(str(path))

    path.write_text("longer")
    files.read(str(path))

    assert not files.settled
