"""Merges the journals of a run's shards: the results of all targets, and the missing ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.errors import AwsudoError
from awsudo_py.fleet.joblog import records_of
from awsudo_py.fleet.records import Tally, end_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Gathered(NamedTuple):
    """All shards together."""

    tally: Tally
    seconds: float  # from the first start to the last end
    missing_shards: list[int]
    shards: int  # the expected number; 0 if the journals do not have it
    missing_targets: list[str]


def gather(places: Sequence[str]) -> Gathered:
    """Read all journals in these directories, or these files. Raises AwsudoError."""
    results: dict[str, dict[str, Any]] = {}
    planned: dict[str, None] = {}
    shards, count, commands = set[int](), 0, set[str]()
    for path in _files(places):
        try:
            for record in records_of(path):
                number, of = _shard(record)
                count = max(count, of)
                if number:
                    shards.add(number)
                if record["command"]:
                    commands.add(record["command"])
                if "targets" in record:
                    planned.update(dict.fromkeys(map(str, record["targets"])))
                else:
                    results[record["target"]] = record
        except OSError as error:
            raise AwsudoError(f"cannot read {path}: {error.strerror}") from None
    if not results and not planned:
        raise AwsudoError(
            f"no results in {', '.join(places)}", hint="write them with --joblog FILE, or --json > FILE, in each shard"
        )
    if len(commands) > 1:
        raise AwsudoError(
            f"the journals in {', '.join(places)} are of {len(commands)} different commands",
            hint="give each run a directory of its own",
        )
    tally = Tally()
    for name, record in results.items():
        exit, signal = (value if isinstance(value := record.get(key), int) else None for key in ("exit", "signal"))
        end = end_of(record["class"], str(record.get("reason", "")), exit, signal)
        tally.add(name, record["class"], end=end, error=str(record.get("error", "")))
    return Gathered(
        tally,
        _seconds(list(results.values())),
        [number for number in range(1, count + 1) if number not in shards],
        count,
        [name for name in planned if name not in results],
    )


def _files(places: Sequence[str]) -> Iterator[str]:
    for place in places:
        try:
            names = sorted(os.listdir(place))
        except NotADirectoryError:
            yield place
            continue
        except OSError as error:
            raise AwsudoError(f"cannot read {place}: {error.strerror}") from None
        yield from (path for name in names if os.path.isfile(path := os.path.join(place, name)))


def _shard(record: dict[str, Any]) -> tuple[int, int]:
    """Shard number and count, as written in a journal and by --json."""
    number, of = record.get("shard"), record.get("of")
    if isinstance(number, str):
        first, _, last = number.partition("/")
        return (int(first), int(last)) if first.isdecimal() and last.isdecimal() else (0, 0)
    return (number, of) if isinstance(number, int) and isinstance(of, int) else (0, 0)


def _seconds(records: Sequence[dict[str, Any]]) -> float:
    try:
        spans = [(float(each["start"]), float(each["start"]) + float(each["seconds"])) for each in records]
    except (KeyError, TypeError, ValueError):
        return 0.0
    return max(end for _, end in spans) - min(start for start, _ in spans) if spans else 0.0
