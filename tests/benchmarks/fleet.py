"""Measures awsudo each against what it stands on and against peers, in turn in one run, and prints ratios.

    python -m tests.benchmarks.fleet [--runs N] [--targets N] [--installed BIN] [--peers PYTHON]

The strict STS runs in a process of its own and answers after 20 ms. --peers takes a Python that has awsrun 3.2.1 (which
needs beautifulsoup4) and botocove 1.7.4 from PyPI.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.__main__ import _environment as environment
from tests.servers.sts_process import FIRST_ACCOUNT
from tests.world import World

LATENCY = 0.02
WIDTH = 16
#: One process with a thread pool that makes the calls and then starts as many programs: what a fleet cannot go below.
POOL = f"""
import subprocess, sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
import botocore.session
from botocore.config import Config
count, null = int(sys.argv[1]), subprocess.DEVNULL
client = botocore.session.Session(profile="base").create_client(
    "sts", region_name="eu-west-1", config=Config(max_pool_connections={WIDTH}))
def call(number):
    client.assume_role(RoleArn=f"arn:aws:iam::{{{FIRST_ACCOUNT} + number}}:role/fleet", RoleSessionName="benchmark")
with ThreadPoolExecutor({WIDTH}) as pool:
    list(pool.map(call, range(count)))
running = deque()
for number in range(count):
    running.append(subprocess.Popen(["true"], stdin=null, stdout=null, stderr=null))
    if len(running) >= {WIDTH}:
        running.popleft().wait()
for process in running:
    process.wait()
"""
AWSRUN = f"""
import subprocess, sys
from awsrun.runner import AccountRunner, Command
from awsrun.session.aws import CredsViaCrossAccount, CredsViaProfile
class True_(Command):
    def execute(self, session, acct):
        keys = session.get_credentials().get_frozen_credentials()
        subprocess.run(["true"], env={{"AWS_ACCESS_KEY_ID": keys.access_key, "PATH": "/usr/bin:/bin"}}, check=True)
    def collect_results(self, acct, get_result):
        get_result()
class Base(CredsViaProfile):
    def session(self, acct_id):
        return super().session("base")
provider = CredsViaCrossAccount(Base(), "base", "fleet")
AccountRunner(provider, {WIDTH}).run(True_(), [str({FIRST_ACCOUNT} + number) for number in range(int(sys.argv[1]))])
"""
BOTOCOVE = f"""
import subprocess, sys
import boto3
from botocove import cove
@cove(target_ids=[str({FIRST_ACCOUNT} + number) for number in range(int(sys.argv[1]))], rolename="fleet",
      assuming_session=boto3.Session(profile_name="base"), thread_workers={WIDTH}, raise_exception=True)
def run(session):
    keys = session.get_credentials().get_frozen_credentials()
    subprocess.run(["true"], env={{"AWS_ACCESS_KEY_ID": keys.access_key, "PATH": "/usr/bin:/bin"}}, check=True)
assert len(run()["Results"]) == int(sys.argv[1])
"""


class Fleet(NamedTuple):
    """A world with targets p0000, p0001, …, and the environment in which awsudo finds them."""

    world: World
    environ: dict[str, str]

    def forget(self) -> None:
        """Delete all cached sessions."""
        for stored in self.world.cache.glob("*"):
            stored.unlink()


@contextmanager
def fleet_of(count: int, delay: float = LATENCY) -> Iterator[Fleet]:
    """That many targets, served by an STS in a process of its own."""
    command = [sys.executable, "-m", "tests.servers.sts_process", str(count), str(delay)]
    with tempfile.TemporaryDirectory() as root, subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sts:  # fmt: skip
        assert sts.stdout is not None and sts.stdin is not None
        served = json.loads(sts.stdout.readline())
        world = World(Path(root), sts_url=served["url"])
        profile = "[profile p{:04}]\nrole_arn = arn:aws:iam::{}:role/fleet\nsource_profile = base\nregion = eu-west-1\n"
        world.config("".join(profile.format(number, FIRST_ACCOUNT + number) for number in range(count)))
        keys = f"aws_access_key_id = {served['id']}\naws_secret_access_key = {served['secret']}\n"
        world.credentials(f"[base]\n{keys}")
        try:
            yield Fleet(world, world.environ())
        finally:
            sts.stdin.close()


class Run(NamedTuple):
    """How long a command took, and the most memory (MiB) that it and its supervisors had."""

    seconds: float
    memory: float


def timed(command: list[str], environ: dict[str, str], *, memory: bool = False) -> Run:
    """Run a command to its end. With memory, the proportional share of it and its children is sampled."""
    begun, peak = time.perf_counter(), 0.0
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while memory and process.poll() is None:
            peak = max(peak, sum(_share(pid) for pid in _with_children(process.pid)))
            time.sleep(0.05)
        _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"failed with {process.returncode}: {command[:4]}\n{errors.decode()[-500:]}")
    return Run(time.perf_counter() - begun, peak)


def _with_children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *map(int, found)]


def _share(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("Pss:")), 0.0)


def compared(
    title: str, limit: float, ours: Callable[[], Run], theirs: Callable[[], Run], *, runs: int
) -> None:  # fmt: skip
    """Both in turn; prints the median of the ratios, and the limit it is to keep."""
    pairs = [(ours().seconds, theirs().seconds) for _ in range(runs)]
    ratio = statistics.median(mine / other for mine, other in pairs)
    mine, other = (statistics.median(pair[which] for pair in pairs) for which in (0, 1))
    mark = "ok  " if ratio <= limit else "OVER"
    print(f"{mark} {title:<66} {ratio:6.2f} x  (at most {limit:.2f})  {mine:6.2f} / {other:6.2f} s", flush=True)


def main() -> None:
    """Measure everything once and print a line for each promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fleet")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--installed", metavar="BIN")
    parser.add_argument("--peers", metavar="PYTHON")
    options = parser.parse_args()
    runs: int = options.runs
    count: int = options.targets
    with ExitStack() as stack:
        programs = stack.enter_context(environment(options.installed))
        awsudo, python = str(programs / "awsudo"), str(programs / "python")
        each = [awsudo, "each", "-j", str(WIDTH), "p*", "--", "true"]
        fleet = stack.enter_context(fleet_of(count))

        def cold() -> Run:
            fleet.forget()
            return timed(each, fleet.environ)

        def warm() -> Run:
            return timed(each, fleet.environ)

        def shell(line: str) -> Callable[[], Run]:
            return lambda: timed(["sh", "-c", line], fleet.environ)

        pool = lambda: timed([python, "-c", POOL, str(count)], fleet.environ)  # noqa: E731 (its name is in the table)
        compared(f"{count} cold targets, to a pool of calls and {count} spawns", 1.6, cold, pool, runs=runs)
        cold()
        compared(
            f"{count} warm targets, to xargs -P of bare true", 1.5, warm, shell(f"seq {count} | xargs -P {WIDTH} -n 1 true"),
            runs=runs,
        )  # fmt: skip
        some = [f"p{number:04}" for number in range(60)]

        def few() -> Run:
            fleet.forget()
            return timed([awsudo, "each", "-j", str(WIDTH), *some, "--", "true"], fleet.environ)

        def one_by_one() -> Run:
            fleet.forget()
            names = " ".join(some)
            return shell(f"printf '%s\\n' {names} | xargs -P {WIDTH} -I@ {awsudo} -q @ true")()

        compared("60 cold targets, to xargs -P of awsudo", 0.2, few, one_by_one, runs=max(1, runs // 3))
        for title, size in (("1 KB", 1_000), ("1 GB", 1_000_000_000)):
            lines = [awsudo, "each", "p0000", "p0001", "--", "sh", "-c", f"yes | head -c {size // 2}"]
            peak = timed(lines, fleet.environ, memory=True).memory
            print(f"     {title} of output, streamed: {peak:.0f} MiB")
            stored = [awsudo, "each", "p0000", "p0001", "--ordered", *lines[4:]]
            peak = timed(stored, fleet.environ, memory=True).memory
            print(f"     {title} of output, in order: {peak:.0f} MiB", flush=True)
        if options.peers:
            # botocove asks for the organization first, and goes on without it
            environ = {**fleet.environ, "AWS_ENDPOINT_URL_ORGANIZATIONS": fleet.environ["AWS_ENDPOINT_URL_STS"]}
            for name, script in (("awsrun 3.2.1", AWSRUN), ("botocove 1.7.4", BOTOCOVE)):
                peer = lambda script=script: timed([options.peers, "-c", script, str(count)], environ)  # noqa: E731 (its name is in the table)
                compared(f"{count} cold targets, to {name}", 1.0, cold, peer, runs=max(1, runs // 2))
    with fleet_of(5000) as large:
        found = timed([awsudo, "each", "p*", "--", "true"], large.environ, memory=True)
        mark = "ok  " if found.memory < 150 else "OVER"
        print(f"{mark} 5,000 targets: {found.memory:.0f} MiB with supervisors (at most 150), {found.seconds:.1f} s")


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()
