"""awsudo each in batch engines: a real Slurm cluster of one node, and GNU parallel."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import needs
from tests.servers.strict_sts import StrictSts
from tests.world import World

#: Both daemons listen on 127.0.0.1 only: without CommunicationParameters, auth/none would be an open root shell.
CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/node.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
KillWait=2
ReturnToService=2
SlurmdParameters=config_overrides
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName={host} NodeAddr=127.0.0.1 CPUs=16
PartitionName=all Nodes={host} Default=YES
"""


class Slurm:
    """A cluster of one node, on this machine alone."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ

    def out(self, *command: str) -> str:
        """What a command of Slurm's prints."""
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout.strip()

    def until(self, expected: str, *command: str) -> None:
        """Wait until a command prints that."""
        deadline = time.monotonic() + 60
        while (found := self.out(*command)) != expected:
            assert time.monotonic() < deadline, found
            time.sleep(0.1)


def _free_ports() -> list[int]:
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in (first, second)]


@contextmanager
def _slurm(world: World, folder: Path) -> Iterator[Slurm]:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    controller, node = _free_ports()
    host = socket.gethostname().split(".")[0]
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=host, controller=controller, node=node, folder=folder, user="root"))
    slurm = Slurm({**world.environ(), "SLURM_CONF": str(conf)})
    with open(folder / "log", "wb") as log:
        daemons = [
            subprocess.Popen([name, "-D"], env=slurm.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            for name in ("slurmctld", "slurmd")
        ]
    try:
        slurm.until("idle", "sinfo", "-h", "-o", "%T")
        yield slurm
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            daemon.wait(20)


@pytest.fixture
def fleet(world: World, sts: StrictSts) -> World:
    """48 targets, t00 to t47."""
    text = ""
    for number in range(48):
        arn = sts.add_role(f"arn:aws:iam::{222222222000 + number}:role/fleet")
        text += f"[profile t{number:02}]\nrole_arn = {arn}\nsource_profile = base\nregion = eu-west-1\n"
    world.config(text)
    return world.at_hand()


@needs("slurmctld", "slurmd", "sbatch", "scancel")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="Slurm's daemons run as root")
def test_an_array_job_of_slurm_runs_every_target_once_and_a_killed_task_is_found(
    fleet: World, sts: StrictSts, tmp_path: Path
) -> None:
    """16 shards run all targets but those of a task that was killed; --merge names its shard, and it can run again."""
    logs, folder = tmp_path / "logs", tmp_path / "slurm"
    logs.mkdir()
    folder.mkdir()
    killed = 5
    # the task that is killed has not begun when it is
    wait = f"until test $SLURM_ARRAY_TASK_ID != {killed}; do sleep 0.1; done"
    line = f"{wait}; exec awsudo each --all --shard auto --joblog {logs}/$SLURM_ARRAY_TASK_ID.jsonl -- true"

    with _slurm(fleet, folder) as slurm:
        options = ("--parsable", "--array=0-15", "-o", "/dev/null", "-e", f"{folder}/%a.err")
        job = slurm.out("sbatch", *options, "--wrap", line)
        slurm.until(f"{job}_{killed}", "squeue", "-h", "-j", job, "-o", "%i")
        slurm.out("scancel", "-s", "KILL", f"{job}_{killed}")
        slurm.until("", "squeue", "-h", "-j", job, "-o", "%i")

    errors = "".join(path.read_text() for path in folder.glob("*.err"))
    merged = fleet.run("each", "--merge", str(logs))
    ran = sts.count("AssumeRole")
    assert merged.code == 1 and "missing shards: 6 (of 16)" in merged.out, errors
    assert f"{ran} targets in " in merged.out and f": {ran} ok, 0 failed" in merged.out

    fleet.run("each", "--all", "--shard", "6/16", "--joblog", str(logs / "6.jsonl"), "--", "true")

    whole = fleet.run("each", "--merge", str(logs))
    assert (whole.code, sts.count("AssumeRole")) == (0, 48)
    assert "48 targets in " in whole.out and "missing" not in whole.out


@needs("parallel")
def test_gnu_parallel_runs_one_target_a_task(fleet: World, sts: StrictSts, tmp_path: Path) -> None:
    """`awsudo each TARGET --json` is one task: one line, and the exit code; the lines together are a journal."""
    results = tmp_path / "results.jsonl"
    line = f"awsudo each 't0[0-5]' --dry-run | parallel -j4 awsudo each {{}} --json -- echo hi > {results}"

    done = subprocess.run(["bash", "-euc", line], env=fleet.environ(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    records = [json.loads(text) for text in results.read_text().splitlines()]
    assert sorted((each["target"], each["stdout"]) for each in records) == [(f"t0{n}", "hi\n") for n in range(6)]
    assert "6 targets in " in fleet.run("each", "--merge", str(results)).out
