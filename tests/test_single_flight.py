"""Rule 5 of the cache: many runs that want one session make one call, and learn of its rejection together."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from awsudo_py.aws_credentials import Credentials
from awsudo_py.errors import AwsudoError, Rejected, Unreachable
from awsudo_py.sessions.cached_session import session_fields
from awsudo_py.sessions.file_store import FileStore
from awsudo_py.sessions.locks import Lock
from awsudo_py.sessions.sealed import digest
from awsudo_py.sessions.single_flight import GIVE_UP_AFTER, Run, SharedSession
from awsudo_py.terminal import Terminal
from tests import messages
from tests.screens import PseudoTerminal
from tests.servers.strict_sts import StrictSts
from tests.world import KEY_ID, Done, Running, World, open_files, until

ROLE = "arn:aws:iam::111111111111:role/"
DEVICE = "arn:aws:iam::111111111111:mfa/alice"


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """The lock is somebody else's for the length of the block."""
    lock.parent.mkdir(mode=0o700, exist_ok=True)
    with open(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def lock(world: World, sts: StrictSts) -> Path:
    """The lock file of dev's session, in a world that is cold but for this file."""
    assert world.run("dev", *KEY_ID).key_id
    (path,) = world.entries("lock")
    for entry in (*world.entries(), *world.entries("replay")):
        entry.unlink()
    sts.forget()
    return path


def waiting(world: World, lock: Path, *words: str, count: int = 1) -> list[Running]:
    """Runs that wait for a lock which somebody holds."""
    runs = [world.start(*words, *KEY_ID) for _ in range(count)]
    for run in runs:
        until(lambda run=run: str(lock) in open_files(run.pid), "the run waits for the lock")  # type: ignore[misc]
    return runs


# One call for all


def test_rule_5_thirty_cold_starts_of_one_role_make_one_call(world: World, sts: StrictSts) -> None:
    """However many start at once with nothing kept: one AssumeRole, and all get its session."""
    done = world.together(*[("dev", *KEY_ID)] * 30)

    assert {one.key_id for one in done} == {sts.issued[0].access_key_id}
    assert sts.count("AssumeRole") == 1
    assert {one.err for one in done} <= {
        "",
        f"awsudo: waiting for another awsudo that is getting the session of {ROLE}dev\n",
    }


def test_rule_5_six_roles_of_five_processes_each_make_six_calls(world: World, sts: StrictSts) -> None:
    """Locks are by session: roles do not wait for each other's, and each is assumed once."""
    names = [f"role-{number}" for number in range(6)]
    world.config("".join(f"[profile {name}]\nrole_arn = {ROLE}{name}\nsource_profile = base\n" for name in names))
    for name in names:
        sts.add_role(ROLE + name)

    done = world.together(*((name, *KEY_ID) for name in names * 5))
    ids = {(name, run.key_id) for name, run in zip(names * 5, done, strict=True)}

    assert len(ids) == len({key_id for _, key_id in ids}) == 6
    assert Counter(call.params["RoleArn"] for call in sts.calls) == {ROLE + name: 1 for name in names}


def test_rule_5_cold_siblings_assume_their_hub_once(world: World, sts: StrictSts) -> None:
    """Three roles behind one hub, all at once: four calls."""
    names = ("a", "b", "c")
    sections = [f"[profile {name}]\nrole_arn = {ROLE}{name}\nsource_profile = hub\n" for name in names]
    world.config("".join([*sections, f"[profile hub]\nrole_arn = {ROLE}hub\nsource_profile = base\n"]))
    for name in (*names, "hub"):
        sts.add_role(ROLE + name)

    done = world.together(*((name, *KEY_ID) for name in names * 2))

    assert len({run.key_id for run in done}) == 3
    assert Counter(call.params["RoleArn"] for call in sts.calls) == {ROLE + name: 1 for name in (*names, "hub")}


def test_rule_5_who_refreshes_together_shares_one_new_session(world: World, sts: StrictSts, lock: Path) -> None:
    """A session issued after a run began is new enough for its --refresh."""
    old = world.run("dev", *KEY_ID).key_id
    sts.forget()

    with held(lock):
        runs = waiting(world, lock, "--refresh", "dev", count=4)
    ids = {Done.of(run).key_id for run in runs}

    assert len(ids) == 1
    assert old not in ids
    assert sts.count("AssumeRole") == 1


def test_rule_5_one_code_serves_all_who_start_at_once(world: World, sts: StrictSts) -> None:
    """A code works once: with one call for all, it is not spent twice."""
    code = sts.add_mfa("alice", DEVICE).code()
    sts.add_role(f"{ROLE}dev", mfa_required=True)
    env: dict[str, str | None] = {"AWSUDO_MFA_SERIAL": DEVICE, "AWSUDO_MFA_CODE": code}

    runs = [world.start("dev", *KEY_ID, env=env) for _ in range(6)]

    assert len({Done.of(run).key_id for run in runs}) == 1
    assert sts.count("AssumeRole") == 1


def test_rule_5_one_prompt_serves_all_who_start_at_once(world: World, sts: StrictSts) -> None:
    """Three runs in one terminal ask for one code."""
    device = sts.add_mfa("alice", DEVICE)
    sts.add_role(f"{ROLE}dev", mfa_required=True)
    run = world.command("dev", "sh", "-c", "echo got $AWS_ACCESS_KEY_ID")

    with _terminal(world, run, run, run) as terminal:
        terminal.expect("MFA code of [^\n]*: ")
        until(lambda: len(_awsudos_waiting(terminal, world)) == 3, "all three are there")
        terminal.sendline(device.code())
        terminal.expect(pexpect.EOF)
        output = terminal.before

    assert output.count("got ASIA") == 3
    assert "MFA code" not in output
    assert sts.count("AssumeRole") == 1


def test_rule_5_two_roles_of_one_device_ask_one_after_the_other(world: World, sts: StrictSts) -> None:
    """A lock per MFA serial: while one run asks for a code of its own role's, another role's run does not."""
    device = sts.add_mfa("alice", DEVICE)
    for role in ("dev", "ops"):
        sts.add_role(ROLE + role, mfa_required=True)
    runs = [world.command(f"111111111111:{role}", "sh", "-c", "echo got $AWSUDO_ROLE_ARN") for role in ("dev", "ops")]
    env: dict[str, str | None] = {"AWS_PROFILE": "base", "AWSUDO_MFA_PER_ROLE": "1"}

    with _terminal(world, *runs, env=env) as terminal:
        terminal.expect("MFA code of [^\n]*: ")
        until(lambda: len(_awsudos_waiting(terminal, world)) == 2, "both are there")
        asked_twice = terminal.expect(["MFA code of [^\n]*: ", pexpect.TIMEOUT], timeout=0.5) == 0
        terminal.sendline(device.code())
        for _ in range(1 if asked_twice else 2):  # the first has its session, the second asks; in either order
            terminal.expect(["got ", "MFA code of [^\n]*: "])
        terminal.sendline(device.code(time.time() + 30))
        terminal.expect("got ")

    assert not asked_twice
    assert sts.count("AssumeRole", ok=True) == 2


def _terminal(world: World, *runs: list[str], env: dict[str, str | None] | None = None) -> PseudoTerminal:
    """All of these runs on one terminal; AWSUDO_MFA_SERIAL is set."""
    return PseudoTerminal(*runs, env=world.environ({"AWSUDO_MFA_SERIAL": DEVICE, **(env or {})}), cwd=world.home)


def _awsudos_waiting(terminal: PseudoTerminal, world: World) -> set[str]:
    """The processes of this terminal that have a lock of the cache open."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(pid)) != terminal.pid:
                continue
        except OSError:
            continue
        files = open_files(int(pid))
        if any(file.startswith(str(world.cache)) and file.endswith(".lock") for file in files):
            found.add(pid)
    return found


# The lock


def test_rule_5_who_waited_looks_again_before_it_asks(world: World, sts: StrictSts, lock: Path) -> None:
    """A session that turns up while a run waits is used, though the lock is still held."""
    world.settle()
    assert world.run("dev", *KEY_ID).key_id
    (entry,) = world.entries()
    aside = entry.rename(entry.with_name("aside"))
    world.entries("replay")[0].unlink()
    sts.forget()

    with held(lock):
        (run,) = waiting(world, lock, "dev")
        aside.rename(entry)
        done = Done.of(run)

    assert done.key_id == sts.issued[1].access_key_id
    assert sts.calls == []


def test_rule_5_a_killed_holder_gives_the_lock_back(world: World, sts: StrictSts) -> None:
    """kill -9 on the run that is asking: the next in line asks instead, at once."""
    sts.fail_next("hang")
    first = world.start("dev", *KEY_ID)
    until(lambda: sts.count("AssumeRole") == 1, "the first run asks")
    (lock,) = world.entries("lock")
    (second,) = waiting(world, lock, "dev")

    first.kill()
    done = Done.of(second)

    Done.of(first)
    assert done.key_id == sts.issued[1].access_key_id
    assert sts.count("AssumeRole") == 2


def test_rule_5_the_lock_is_never_unlinked(world: World, lock: Path) -> None:
    """A lock file that is removed and made again is two locks."""
    before = lock.stat()

    for words in (("dev",), ("--refresh", "dev"), ("dev",)):
        assert world.run(*words, *KEY_ID).key_id
    world.run("clear")

    assert lock.stat().st_ino == before.st_ino


def test_rule_5_a_long_command_holds_no_lock(world: World, sts: StrictSts) -> None:
    """The lock is for getting the session, not for using it: nothing of ours is open in the command."""
    listing = "ls -l /proc/self/fd/ | sed 's/.*-> //'; read forever"
    reading, writing = os.pipe()
    with subprocess.Popen(
        world.command("dev", "sh", "-c", listing),
        env=world.environ(),
        cwd=world.home,
        stdin=reading,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        first_line = child.stdout.readline()

        done = world.run("--refresh", "dev", *KEY_ID, timeout=20)

        os.close(writing)
        os.close(reading)
        open_there = first_line + child.stdout.read()
    assert done.key_id
    assert done.err == ""
    assert str(world.root) not in open_there


def test_rule_5_after_two_seconds_of_waiting_a_notice_is_printed(world: World, sts: StrictSts, lock: Path) -> None:
    """A run that waits says for what, after two seconds and not before; --quiet waits in silence."""
    with held(lock):
        (quiet,) = waiting(world, lock, "-q", "dev")
        (run,) = waiting(world, lock, "dev")
        begun = time.monotonic()
        assert run.stderr is not None
        output = run.stderr.readline()
        after = time.monotonic() - begun
    done, in_silence = Done.of(run), Done.of(quiet)

    assert output == f"awsudo: waiting for another awsudo that is getting the session of {ROLE}dev\n"
    assert 1.5 < after < 6
    assert done.key_id == in_silence.key_id
    assert done.err == in_silence.err == ""
    assert sts.count("AssumeRole") == 1


def test_rule_5_a_short_wait_is_silent(world: World, lock: Path) -> None:
    """Waiting for as long as a call lasts is nothing to talk about."""
    with held(lock):
        (run,) = waiting(world, lock, "dev")

    assert Done.of(run).err == ""


# Rejections


def test_rule_5_a_rejection_is_shared_with_those_already_waiting(world: World, sts: StrictSts, lock: Path) -> None:
    """STS refused one: all runs that wait for the same call get its message, word for word, without a call."""
    sts.add_role(f"{ROLE}dev", deny="with an explicit deny in the role trust policy")

    with held(lock):
        runs = waiting(world, lock, "dev", count=4)
    done = [Done.of(run) for run in runs]

    assert {one.code for one in done} == {125}
    assert {one.out for one in done} == {""}
    # a run that waits longer than two seconds has printed a notice
    assert len({one.err[one.err.index("awsudo: cannot get") :] for one in done}) == 1
    assert messages.TRUST_DENIES in done[0].err
    assert "AWS: " in done[0].err
    assert sts.count("AssumeRole") == 1


def test_rule_5_a_rejection_is_not_shared_with_who_starts_later(world: World, sts: StrictSts, lock: Path) -> None:
    """What was mended since is not held against the next run, though the rejection is still on record."""
    sts.add_role(f"{ROLE}dev", deny="with an explicit deny in the role trust policy")
    refused = world.run("dev", *KEY_ID)
    sts.add_role(f"{ROLE}dev")
    on_record = world.entries("rejected")

    done = world.run("dev", *KEY_ID)

    assert refused.code == 125
    assert len(on_record) == 1
    assert done.key_id
    assert sts.count("AssumeRole") == 2


def test_rule_5_a_missing_response_is_not_a_rejection(world: World, sts: StrictSts, lock: Path) -> None:
    """Where STS did not answer, who waits asks for itself, and succeeds."""
    sts.fail_next("garbage")

    with held(lock):
        runs = waiting(world, lock, "dev", count=3)
    done = [Done.of(run) for run in runs]

    assert sorted(one.code for one in done) == [0, 0, 125]
    assert len({one.key_id for one in done if one.code == 0}) == 1
    assert sts.count("AssumeRole") == 2


def test_rule_5_a_rejection_on_record_holds_no_secret(world: World, sts: StrictSts) -> None:
    """The message is shared, in a file as private as a session's."""
    sts.add_role(f"{ROLE}dev", deny="with an explicit deny in the role trust policy")
    secret = (world.home / ".aws" / "credentials").read_text().split()[-1]

    world.run("dev", *KEY_ID)

    (record,) = world.entries("rejected")
    assert record.stat().st_mode == 0o100600
    assert secret.encode() not in record.read_bytes()


# Below the console script: clocks and sleep are injected


class Waiter:
    """A SharedSession whose time passes only while it sleeps."""

    def __init__(self, directory: Path, terminal: Terminal, *, started: float = 1000.0) -> None:
        self.now = started
        self.slept = 0.0
        self.store = FileStore(str(directory))
        self.wakes: list[Callable[[], None]] = []
        run = Run(terminal, lambda: self.now, self._sleep, started)
        self.session = SharedSession(self.store, run, "inputs", "role dev")

    def _sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        self.slept += seconds
        for wake in self.wakes:
            wake()


def _never() -> Credentials:
    raise AssertionError("AWS was asked")


def test_rule_5_waiting_has_a_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that waits for one that hangs says so after 2 s, gives up before a minute is over, and tells a way out."""
    waiter = Waiter(tmp_path / "cache", Terminal())
    output: dict[str, float] = {}

    def listen() -> None:
        output.setdefault(capsys.readouterr().err, waiter.slept)

    waiter.wakes.append(listen)

    with held(tmp_path / "cache" / f"{digest('inputs')}.lock"), pytest.raises(AwsudoError) as failure:
        waiter.session.get(_never)

    notice = "awsudo: waiting for another awsudo that is getting the session of role dev\n"
    assert output.keys() == {"", notice}
    assert 2 <= output[notice] < 2.3
    assert GIVE_UP_AFTER <= waiter.slept < 60
    assert "session of role dev" in failure.value.message
    assert "--no-cache" in failure.value.hints[0]
    assert not isinstance(failure.value, Rejected | Unreachable)


@pytest.mark.parametrize("at", [-0.001, 0.0, 5.0])
def test_rule_5_a_rejection_counts_from_the_moment_a_run_started(tmp_path: Path, at: float) -> None:
    """Older than the run: it asks for itself. Of the same moment or newer: it has its answer."""
    waiter = Waiter(tmp_path / "cache", Terminal(-1))
    lock = tmp_path / "cache" / f"{digest('inputs')}.lock"
    fresh = Credentials("ASIA", "secret", "token", 4600.0)
    fields = {"at": str(1000.0 + at), "message": "no", "detail": "because", "hint 0": "try"}
    holder = held(lock)
    holder.__enter__()

    def reject_and_let_go() -> None:
        waiter.now = 1010.0
        waiter.store.write(f"{digest('inputs')}.rejected", fields, until=2000.0)
        holder.__exit__(None, None, None)

    waiter.wakes.append(reject_and_let_go)

    if at < 0:
        waiter.wakes.append(waiter.wakes.clear)
        assert waiter.session.get(lambda: fresh) is fresh
    else:
        with pytest.raises(Rejected) as failure:
            waiter.session.get(_never)
        assert (failure.value.message, failure.value.detail, failure.value.hints) == ("no", "because", ("try",))


def test_rule_5_a_rejection_from_the_future_is_ignored(tmp_path: Path) -> None:
    """A record whose time has not come was written by a clock that was put back since."""
    waiter = Waiter(tmp_path / "cache", Terminal(-1))
    fresh = Credentials("ASIA", "secret", "token", 4600.0)
    waiter.store.write(f"{digest('inputs')}.rejected", {"at": "5000", "message": "no"}, until=6000.0)

    assert waiter.session.get(lambda: fresh) is fresh


def test_rule_5_who_gets_the_lock_looks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run may be done between our look and our lock: its session is found, and AWS is not asked."""
    waiter = Waiter(tmp_path / "cache", Terminal(-1))
    made = Credentials("ASIA", "secret", "token", 4600.0, issued=1000.0)
    lock = waiter.store.lock

    def lock_after_another_run(name: str) -> Lock:
        waiter.store.write(f"{name}.session", session_fields(made, "inputs"), until=4600.0)
        return lock(name)

    monkeypatch.setattr(waiter.store, "lock", lock_after_another_run)

    assert waiter.session.get(_never).access_key_id == "ASIA"
    assert waiter.slept == 0


def test_rule_5_an_old_session_is_not_renewed_by_waiting(tmp_path: Path) -> None:
    """With --refresh, the session that was there before does not end the wait."""
    waiter = Waiter(tmp_path / "cache", Terminal(-1))
    old = Credentials("ASIAOLD", "secret", "token", 4600.0, issued=999.0)
    fresh = Credentials("ASIANEW", "secret", "token", 4600.0)
    waiter.store.write(f"{digest('inputs')}.session", session_fields(old, "inputs"), until=4600.0)
    run = Run(Terminal(-1), lambda: 1000.0, time.sleep, 1000.0)

    renewed = SharedSession(waiter.store, run, "inputs", "role dev", renewed_since=1000.0).get(lambda: fresh)

    assert renewed is fresh
    assert waiter.session.get(_never).access_key_id == "ASIANEW"


def test_rule_5_whoever_gets_the_lock_of_a_removed_file_has_nothing(tmp_path: Path) -> None:
    """A lock's file is removed by its holder; who waited for that one takes the lock of the file that is there now."""
    store = FileStore(str(tmp_path / "cache"))
    first, waiting = store.lock("a" * 40), store.lock("a" * 40)
    assert first.try_acquire() and not waiting.try_acquire()
    os.unlink(tmp_path / "cache" / f"{'a' * 40}.lock")
    third = store.lock("a" * 40)
    assert third.try_acquire()
    first.release()

    while_third_has_it = waiting.try_acquire()
    third.release()

    assert not while_third_has_it and waiting.try_acquire()
    waiting.release()
