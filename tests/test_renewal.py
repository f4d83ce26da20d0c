"""AWSUDO_RENEW_AHEAD: a hit whose session ends soon starts its renewal, and has nothing more to do with it."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from awsudo_py.sessions.file_store import FileStore
from tests.servers.strict_sts import StrictSts
from tests.world import KEY_ID, World, until

AHEAD: dict[str, str | None] = {"AWSUDO_RENEW_AHEAD": "10m"}


def _aged(world: World, left: float, target: str = "dev", **env: str | None) -> str:
    """A session of the target that a hit finds, with so many seconds left; returns its access key ID."""
    world.settle()
    found = world.run(target, *KEY_ID, env={**AHEAD, **env}).key_id
    store, now = FileStore(str(world.cache)), time.time()
    for path in world.entries():
        fields = store.read(path.name)
        assert fields is not None
        fields |= {"issued": str(now + left - 3600), "expiration": str(now + left)}
        store.write(path.name, fields, until=now + left)
    return found


def _signed(world: World) -> bool:
    """Whether a renewal was tried: its lock has the time."""
    return any(b"." in path.read_bytes() for path in world.entries("lock"))


def _running(world: World) -> bool:
    """Whether an awsudo of this world is running, in whatever session."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"HOME={world.home}".encode() in environ.read_bytes().split(b"\0"):
                return True
    return False


def _hit(world: World, env: dict[str, str | None] | None = None, *words: str) -> str:
    """What a real process prints: the warm one of the tests has descriptors that no user's shell has."""
    done = subprocess.run(
        world.command("dev", *(words or KEY_ID)),
        env=world.environ(AHEAD if env is None else env),
        cwd=world.home,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_a_hit_near_the_end_renews_in_the_background(world: World, sts: StrictSts) -> None:
    """The command gets the session at hand, at once; a later hit gets the new one, without a call of its own."""
    old = _aged(world, 400)
    sts.delay = 2.0

    first = _hit(world)
    before = sts.count("AssumeRole", ok=True)
    until(lambda: sts.count("AssumeRole", ok=True) == 2, "the session is renewed")
    new = sts.issued[-1].access_key_id
    until(lambda: _hit(world, None) == new, "the new session is handed out")

    assert (first, before) == (old, 1)  # it did not wait for the renewal
    assert sts.count("AssumeRole") == 2


@pytest.mark.parametrize("left", [400, 900], ids=["not asked for", "not yet"])
def test_without_need_nothing_is_started(world: World, sts: StrictSts, left: int) -> None:
    """Off by default; and a session that lasts longer than that is left alone."""
    env = {} if left == 400 else AHEAD
    world.settle()
    world.run("dev", "true", env=env)
    old = _aged(world, left)

    assert _hit(world, env) == old

    assert not [path for path in world.entries("lock") if path.read_bytes()] and sts.count("AssumeRole") == 1


def test_many_hits_start_one_renewal_and_a_failed_one_is_not_repeated(world: World, sts: StrictSts) -> None:
    """One at a time, and none within a minute of the last."""
    _aged(world, 400)
    sts.refuse_with("AccessDenied", "no", times=5)
    hits = [
        subprocess.Popen(world.command("dev", "true"), env=world.environ(AHEAD), cwd=world.home, stderr=subprocess.PIPE)
        for _ in range(6)
    ]

    output = [hit.communicate(timeout=30)[1] for hit in hits]
    until(lambda: sts.count("AssumeRole", ok=False) >= 1, "the renewal was refused")
    for _ in range(3):
        _hit(world, None, "true")
    until(lambda: not _running(world), "all renewals have ended")

    assert output == [b""] * 6
    assert sts.count("AssumeRole", ok=False) == 1


def test_the_renewal_is_not_a_child_of_the_command_and_inherits_no_descriptor(world: World, sts: StrictSts) -> None:
    """The command's pipe ends with the command, and it has no child to wait for."""
    _aged(world, 400)
    sts.delay = 1.0
    script = "cat /proc/$$/task/$$/children"

    children = _hit(world, None, "sh", "-c", script)

    # communicate() would have waited for whoever else holds the pipe
    assert [each for each in children.split() if _is_awsudo(each)] == [] and sts.count("AssumeRole", ok=True) == 1
    until(lambda: sts.count("AssumeRole", ok=True) == 2, "the session is renewed")


def _is_awsudo(pid: str) -> bool:
    try:
        return b"awsudo" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_background_renewal_never_prompts(world: World, sts: StrictSts, tmp_path: Path) -> None:
    """Behind a program that gives MFA codes, the renewal fails silently: it might be waiting for a touch."""
    sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/alice")
    sts.add_role("arn:aws:iam::111111111111:role/dev", mfa_required=True)
    requested = tmp_path / "asked"
    with (world.home / ".aws/config").open("a") as config:
        config.write("mfa_serial = arn:aws:iam::111111111111:mfa/alice\nmfa_per_role = true\n")
        config.write(f"mfa_process = sh -c 'touch {requested}'\n")
    device = sts.add_mfa("alice", "arn:aws:iam::111111111111:mfa/alice")
    world.settle()
    assert world.run("-t", device.code(), "dev", "true", env=AHEAD).code == 0
    assert world.run("dev", "true", env=AHEAD).code == 0
    _aged(world, 400)

    _hit(world, None, "true")
    until(lambda: _signed(world) and not _running(world), "a renewal was tried, and has ended")

    assert not requested.exists() and sts.count("AssumeRole") == 1


def test_an_invalid_duration_is_refused(world: World) -> None:
    """One line, and nothing runs."""
    done = world.run("dev", "true", env={"AWSUDO_RENEW_AHEAD": "soon"})

    assert done.code == 125 and "AWSUDO_RENEW_AHEAD" in done.err and os.linesep in done.err
