"""Decides how many commands run at once: pure, from the machine's limits to a width and a message."""

from __future__ import annotations

from typing import NamedTuple

#: Descriptors that a running command needs here (two pipes, two files, two in transit), and those of awsudo itself.
PER_COMMAND, OWN = 6, 64
#: What a command is assumed to need, in bytes: the AWS CLI's resident size.
COMMAND_MEMORY = 64 << 20


class Width(NamedTuple):
    """How many commands run at once, the open-files limit for it, and why it is less than requested."""

    commands: int
    files: int
    notice: str = ""


def width(jobs: int | None, *, cores: int, files: tuple[int, int], memory: int | None, targets: int) -> Width:
    """The width: as requested, or min(64, 8 x cores), reduced to the limits.

    files: soft and hard limit of open files, negative for none; memory: bytes available, if known.
    """
    most_jobs = jobs or min(64, 8 * cores)
    commands, why = min(most_jobs, targets) or 1, ""
    soft, hard = files
    if hard >= 0 and commands > (most := max((hard - OWN) // PER_COMMAND, 1)):
        commands, why = most, f"the limit of open files is {hard} (ulimit -n)"
    # an explicit width is the user's own judgement of memory
    if jobs is None and memory is not None and commands > (most := max(memory // COMMAND_MEMORY, 1)):
        commands, why = most, f"{memory >> 20} MiB of memory are available"
    notice = f"running {commands} at once, not {min(most_jobs, targets)}: {why}" if why else ""
    needed = OWN + PER_COMMAND * commands
    return Width(commands, needed if 0 <= soft < needed else soft, notice)


def available_memory() -> int | None:
    """The bytes of memory that are available, here and in our control group; None if unknown."""
    found = [_meminfo(), *(_cgroup(*names) for names in _CGROUPS)]
    known = [each for each in found if each is not None]
    return min(known) if known else None


_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def _meminfo() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        return None
    return None


def _cgroup(limit: str, used: str) -> int | None:
    try:
        with open(limit, encoding="ascii") as most, open(used, encoding="ascii") as now:
            return max(int(most.read()) - int(now.read()), 0)
    except (OSError, ValueError):  # no such file, or "max"
        return None
