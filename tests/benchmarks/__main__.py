"""Measures awsudo against the bare interpreter and against peers, pair by pair in one run, and prints ratios.

    python -m tests.benchmarks [--runs N] [--installed BIN]

Builds a wheel of this checkout and installs it into a fresh environment, since an editable install slows every start
of Python in its environment; --installed takes a folder of programs that has awsudo, python and boto3 already.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.strict_sts import StrictSts
from tests.world import World

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::111111111111:role/dev"
MISS = f"import boto3; boto3.client('sts').assume_role(RoleArn='{ROLE}', RoleSessionName='benchmark')"
#: The peer from PyPI, and what a hit of it is called.
PEER = "awsudo-py==0.1.2"


class Sample(NamedTuple):
    """One run of a command."""

    seconds: float
    cpu: float  # seconds, user and system: steadier than the clock where other work goes on
    peak_kib: int


def _once(command: list[str], environ: dict[str, str]) -> Sample:
    """Run a command to its end, timed from outside."""
    with open(os.devnull, "wb") as nothing:
        begun = time.perf_counter()
        child = os.posix_spawn(
            command[0],
            command,
            environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1)],
        )
        _, status, usage = os.wait4(child, 0)
        seconds = time.perf_counter() - begun
    if status:
        raise SystemExit(f"failed with status {status}: {command}")
    scale = 1024 if sys.platform == "darwin" else 1
    return Sample(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // scale)


def _paired(
    title: str,
    ours: list[str],
    theirs: list[str],
    *,
    environ: dict[str, str],
    runs: int,
    limit: float,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Both commands in turn; prints the median of the ratios pair by pair, and the limit it is to keep."""
    pairs = []
    for _ in range(runs + 1):
        before()
        pairs.append((_once(ours, environ), _once(theirs, environ)))
    pairs = pairs[1:]  # the first one warms the disk up
    ratio = statistics.median(our.seconds / their.seconds for our, their in pairs)
    cpu = min(our.cpu for our, _ in pairs) / min(their.cpu for _, their in pairs)
    mine, other = (statistics.median(pair[which].seconds for pair in pairs) * 1000 for which in (0, 1))
    memory = statistics.median(our.peak_kib - their.peak_kib for our, their in pairs) / 1024
    mark = "ok  " if ratio <= limit else "OVER"
    print(
        f"{mark} {title:<58} {ratio:6.2f} x  (at most {limit:.2f})  CPU {cpu:5.2f} x"
        f"  {mine:6.1f} / {other:6.1f} ms  {memory:+6.1f} MiB"
    )


@contextmanager
def _environment(installed: str | None) -> Iterator[Path]:
    """A folder of programs with awsudo from a wheel of this checkout, python, and boto3."""
    if installed:
        yield Path(installed)
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        programs = Path(folder, "bin")
        pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--upgrade", "pip"], check=True)
        subprocess.run([*pip, str(ROOT), "boto3"], check=True)
        yield programs


@contextmanager
def _peer() -> Iterator[Path | None]:
    """The awsudo that PyPI had before, in an environment of its own; None if it cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(Path(folder, "bin", "python")), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, PEER], check=False, capture_output=True)
        yield Path(folder, "bin", "awsudo") if done.returncode == 0 else None


def _crowd(title: str, commands: list[list[str]], environ: dict[str, str]) -> float:
    """All commands at once; seconds until the last has ended."""
    begun = time.perf_counter()
    running = [subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) for command in commands]
    codes = [process.wait() for process in running]
    seconds = time.perf_counter() - begun
    if any(codes):
        raise SystemExit(f"{title}: {sum(map(bool, codes))} of {len(codes)} failed")
    return seconds


def main() -> None:
    """Measure everything once and print a line for each promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--runs", type=int, default=41)
    parser.add_argument("--installed", metavar="BIN")
    options = parser.parse_args()
    runs: int = options.runs
    with (
        _environment(options.installed) as programs,
        _peer() as peer,
        StrictSts() as sts,
        tempfile.TemporaryDirectory() as root,
    ):
        awsudo, python = str(programs / "awsudo"), str(programs / "python")
        bare = [python, "-I", "-c", "pass"]
        key = sts.add_user("alice")
        for number in range(20):
            sts.add_role(f"arn:aws:iam::111111111111:role/r{number}")
        sts.add_role(ROLE)
        world = World(Path(root), sts_url=sts.url)
        profile = f"[profile {{}}]\nrole_arn = {ROLE}\nsource_profile = base\nregion = eu-west-1\n\n"
        world.config(profile.format("dev"))
        keys = f"aws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
        world.credentials(f"[base]\n{keys}")
        environ = world.environ()

        _once([awsudo, "dev", "true"], environ)
        older = "import re\n" in Path(awsudo).read_text(encoding="utf-8")
        hit = [awsudo, "dev", "true"]
        _paired("a hit, to the bare interpreter", hit, bare, environ=environ, runs=runs, limit=1.7 if older else 1.15)
        narrowed = [awsudo, "--read-only", "dev", "true"]
        _once(narrowed, environ)
        _paired(
            "a hit of a narrowed session, to the bare interpreter", narrowed, bare,
            environ=environ, runs=runs, limit=1.7 if older else 1.15,
        )  # fmt: skip
        free = [awsudo, "-p", "base", "111111111111:r0", "true"]
        rails = "awsudo_deny = terraform destroy*\nawsudo_confirm = {}\nawsudo_confirm_scripts = allow\n"
        world.config(profile.format("dev") + rails.format("terraform apply*"))
        world.settle()
        _once(hit, environ)
        _once(free, environ)
        _paired(
            "a hit past rails for other commands, to one without rails", hit, free,
            environ=environ, runs=runs, limit=1.25,
        )  # fmt: skip
        world.config(profile.format("dev") + rails.format("true"))
        world.settle()
        _once(free, environ)
        _paired(
            "a confirmed run, to a hit", [awsudo, "--yes", "dev", "true"], free,
            environ=environ, runs=runs, limit=2.5,
        )  # fmt: skip
        world.config(profile.format("dev"))
        world.settle()
        if peer is not None:
            theirs = [str(peer), "-p", "base", "true"]
            _paired(f"a hit, to {PEER}", hit, theirs, environ=environ, runs=max(5, runs // 4), limit=1 / 12)
        else:
            print(f"     {PEER} cannot be installed here: not compared")
        accounts = range(100_000_000_000, 100_000_005_000)
        many = "".join(
            profile.format(f"p{account}").replace(ROLE, f"arn:aws:iam::{account}:role/deploy") for account in accounts
        )
        world.config(many + profile.format("dev"))
        time.sleep(0.1)  # a file of this very moment is not trusted by the hit path
        _once([awsudo, "dev", "true"], environ)
        _paired(
            "a hit among 5,000 profiles, to the bare interpreter", hit, bare, environ=environ, runs=runs, limit=1.25
        )
        for title, requested in (
            ("TAB with 5,000 profiles", ["_complete", "bash", "63", "80", "", "awsudo "]),
            ("TAB with 5,000 profiles, some letters typed", ["_complete", "zsh", "awsudo", "p1000000049"]),
            ("TAB for the role of one of 5,000 profiles", ["_complete", "bash", "63", "80", "arn", "awsudo arn"]),
        ):
            _paired(
                f"{title}, to the bare interpreter", [awsudo, *requested], bare, environ=environ, runs=runs, limit=3
            )
        _paired(
            "list of 5,000 targets, to importing boto3", [awsudo, "list"], [python, "-c", "import boto3"],
            environ=environ, runs=max(5, runs // 4), limit=2.6,
        )  # fmt: skip
        for count, name in ((5000, "many"), (10, "few")):
            (world.home / name).write_text(
                "".join([*many.splitlines(keepends=True)[: 5 * count], profile.format("dev")])
            )
        many_and_few = [
            ["/usr/bin/env", f"AWS_CONFIG_FILE={world.home}/{name}", awsudo, "--no-cache", "dev", "true"]
            for name in ("many", "few")
        ]
        _paired(
            "a miss among 5,000 profiles, to one among ten", *many_and_few,
            environ=environ, runs=max(5, runs // 2), limit=1.25,
        )  # fmt: skip
        world.config(profile.format("dev"))
        light = 1.7 if older else 1.15
        inside = {**environ, "AWSUDO_TARGET": "prod", "AWSUDO_EXPIRATION": "2099-01-01T00:00:00Z"}
        prompt = [awsudo, "prompt", "--shell", "bash"]
        _paired("prompt, to the bare interpreter", prompt, bare, environ=inside, runs=runs, limit=light)
        _paired(
            "shell-init, to the bare interpreter", [awsudo, "shell-init"], bare, environ=environ, runs=runs, limit=2
        )

        def forget() -> None:
            for stored in (*world.entries("session"), *world.entries("replay")):
                stored.unlink()

        miss = {
            **environ,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }
        _paired(
            "a miss, to a minimal boto3 script", hit, [python, "-c", MISS],
            environ=miss, runs=max(5, runs // 2), limit=0.70, before=forget,
        )  # fmt: skip
        _paired("--help, to the bare interpreter", [awsudo, "--help"], bare, environ=environ, runs=runs, limit=5)

        forget()
        sts.forget()
        ours = _crowd("100 cold starts", [[awsudo, "-q", "dev", "true"]] * 100, environ)
        calls = sts.count("AssumeRole")
        theirs_crowd = _crowd("100 imports", [[python, "-c", "import botocore.session"]] * 100, environ)
        ratio = ours / theirs_crowd
        mark = "ok  " if calls == 1 and ratio <= 2.5 else "OVER"
        title = "100 cold starts at once, to 100 imports of botocore"
        print(f"{mark} {title:<58} {ratio:6.2f} x  (at most 2.50)  {calls} AssumeRole (1)")

        sts.forget()
        commands = [[awsudo, "-q", "-p", "base", f"111111111111:r{number}", "true"] for number in range(20)] * 10
        seconds = _crowd("20 roles by 10", commands, environ)
        calls = sts.count("AssumeRole")
        print(
            f"{'ok  ' if calls == 20 else 'OVER'} 20 roles x 10 processes at once: {calls} AssumeRole (20), {seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
