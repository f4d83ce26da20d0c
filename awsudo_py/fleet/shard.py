"""Splits targets over the tasks of a batch engine: which shard this is, and which targets belong to it.

A target's shard comes from a digest of its name: a new account moves no other target.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from awsudo_py.fleet.records import Target


class Shard(NamedTuple):
    """Shard `number` (from 1) of `total`."""

    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"


class _Engine(NamedTuple):
    """How an engine numbers the tasks of one job: variables of the index and the count, and the first index."""

    name: str
    number: str
    total: str
    base: Callable[[Mapping[str, str]], int] = lambda _environ: 0
    step: str = ""


#: The first engine whose index variable is set counts. Batch and Kubernetes can run inside nothing else.
ENGINES = (
    _Engine("AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"),
    _Engine(
        "Slurm",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_ARRAY_TASK_COUNT",
        lambda environ: int(environ.get("SLURM_ARRAY_TASK_MIN", "0")),
        "SLURM_ARRAY_TASK_STEP",
    ),
    _Engine("Kubernetes", "JOB_COMPLETION_INDEX", ""),
    _Engine("GitLab", "CI_NODE_INDEX", "CI_NODE_TOTAL", lambda _environ: 1),
    _Engine("CircleCI", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL"),
    _Engine("Buildkite", "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT"),
)


def shard_of(text: str, environ: Mapping[str, str]) -> Shard:
    """The shard that --shard names: `I/N`, `auto`, or `auto/N` where the engine has no count. Raises UsageError."""
    first, slash, last = text.partition("/")
    if first != "auto":
        if not (slash and first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
            raise UsageError(f"--shard: invalid shard {text!r}", hint="write I/N, for example 3/16, or auto")
        return _checked(int(first), int(last), text)
    for engine in ENGINES:
        if environ.get(engine.number):
            return _from_engine(engine, last if slash else "", environ)
    raise UsageError(
        "--shard auto: no batch engine's variables are set",
        hint=f"supported: {', '.join(engine.name for engine in ENGINES)}; or write I/N, for example 3/16",
    )


def _from_engine(engine: _Engine, count: str, environ: Mapping[str, str]) -> Shard:
    written = count or (environ.get(engine.total, "") if engine.total else "")
    if not written:
        raise UsageError(
            f"--shard auto: {engine.name} does not say how many tasks the job has",
            hint="give the number: --shard auto/N",
        )
    try:
        step = int(environ.get(engine.step, "1")) if engine.step else 1
        offset = int(environ[engine.number]) - engine.base(environ)
        number, total = offset // step + 1, int(written)
    except (ValueError, ZeroDivisionError):
        raise UsageError(
            f"--shard auto: {engine.number}={environ[engine.number]!r} is not a task number", hint="write I/N instead"
        ) from None
    return _checked(number, total, f"{number}/{total} ({engine.name})")


def _checked(number: int, count: int, text: str) -> Shard:
    if not 1 <= number <= count:
        raise UsageError(f"--shard: there is no shard {text}", hint="shards are numbered from 1 to N: 1/N … N/N")
    return Shard(number, count)


def in_shard(name: str, shard: Shard) -> bool:
    """Whether the target of this name belongs to the shard."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % shard.total == shard.number - 1


def of_shard(targets: Iterable[Target], shard: Shard | None) -> list[Target]:
    """The targets of the shard; all of them without one."""
    return [target for target in targets if shard is None or in_shard(target.name, shard)]
