"""Fixtures: a world with a temporary home, and a strict STS beside it."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.strict_sts import StrictSts
from tests.warm import parse_once
from tests.world import Ready, World

parse_once()

# A run under nohup, or in the background of a script, would hand its deafness on to every program under test.
for _name in ("SIGHUP", "SIGINT", "SIGQUIT"):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _name == "SIGINT" else signal.SIG_DFL)

# Nor has a test the terminal that it is started from: awsudo would ask its questions there.
if sys.platform != "win32":
    import fcntl
    import termios

    with contextlib.suppress(OSError), open("/dev/tty", "rb") as _terminal:
        _before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it comes, if the terminal was opened for us alone
        fcntl.ioctl(_terminal, termios.TIOCNOTTY)
        signal.signal(signal.SIGHUP, _before)


def _in_memory() -> str | None:
    """A file system in memory with room for the tests, from which programs can be started; None if there is none."""
    try:
        found = os.statvfs("/dev/shm")
    except (OSError, AttributeError):
        return None
    roomy = found.f_bavail * found.f_frsize >= 1 << 30
    return "/dev/shm" if roomy and not found.f_flag & os.ST_NOEXEC else None


# Thousands of homes are made and filled, and awsudo waits for the disk when it writes.
if "PYTEST_DEBUG_TEMPROOT" not in os.environ and (_memory := _in_memory()):
    os.environ["PYTEST_DEBUG_TEMPROOT"] = _memory


def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means: a test waits for its children now and then, so one and a half a core keeps all busy."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_collection_finish() -> None:
    """Leave what will stay, thousands of tests and their modules, out of each later collection of garbage."""
    gc.collect()
    gc.freeze()


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip where one of these programs is missing; not under CI=true, where the test then fails for want of it."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing) and os.environ.get("CI") != "true", reason=f"missing: {missing}")


@pytest.fixture(autouse=True)
def _no_surprises(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests themselves see no AWS variable and no home at all."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "AWSUDO_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/dev/null/home")


@pytest.fixture
def sts() -> Iterator[StrictSts]:
    """A strict STS on this machine."""
    with StrictSts() as server:
        yield server


def made_world(root: Path, sts: StrictSts) -> World:
    """A world with user alice (profile `base`) and the role `dev` (profile `dev`), served by the strict STS."""
    made = World(root, sts_url=sts.url)
    key = sts.add_user("alice")
    sts.add_role("arn:aws:iam::111111111111:role/dev")
    made.config(
        "[profile dev]\nrole_arn = arn:aws:iam::111111111111:role/dev\nsource_profile = base\nregion = eu-west-1\n"
    )
    made.credentials(
        f"[base]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    )
    return made


@pytest.fixture
def world(tmp_path: Path, sts: StrictSts) -> World:
    """made_world(), for one test alone."""
    return made_world(tmp_path, sts)


class _Ready:
    def __init__(self, world: World, state: str) -> None:
        self._world = world
        self.state = state

    def __call__(self, *words: str, env: dict[str, str | None] | None = None) -> tuple[str, ...]:
        before = words or ("dev",)
        if self.state == "warm":
            self._world.settle()
            done = self._world.run(*before, "true", env=env)
            assert (done.code, done.err) == (0, "")
            assert self._world.entries("replay"), "nothing for a later run to replay"
        return before


@pytest.fixture(params=["cold", "warm"])
def ready(request: pytest.FixtureRequest, world: World) -> Ready:
    """Both ways to a child: cold, the full run that asks STS; warm, the hit that replays an earlier verdict."""
    return _Ready(world, request.param)
