"""One fleet run from its targets to its summary: width, supervisors, sinks, and the exit code."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py import child
from awsudo_py.errors import AwsudoError
from awsudo_py.fleet.joblog import Joblog, read_past
from awsudo_py.fleet.json_output import JsonLines, MergedJson
from awsudo_py.fleet.output import Directory, Lines, Ordered, Spool, Stream
from awsudo_py.fleet.protocol import Setting
from awsudo_py.fleet.records import Tally
from awsudo_py.fleet.run import Fleet, Rules
from awsudo_py.fleet.summary import Counter, some, summary
from awsudo_py.fleet.supervisor import MOST, Supervisor
from awsudo_py.fleet.width import available_memory, width

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from awsudo_py.context import Context
    from awsudo_py.fleet.merge import Groups
    from awsudo_py.fleet.records import Target
    from awsudo_py.fleet.report import Report
    from awsudo_py.fleet.run import Sink
    from awsudo_py.fleet.sessions import FleetTerminal
    from awsudo_py.fleet.shard import Shard

#: How the results are printed.
LINES, ORDERED, MERGED, JSON, MERGED_JSON = "lines", "ordered", "merged", "json", "merge-json"


class Job(NamedTuple):
    """The targets, the command and the settings of a run."""

    targets: Sequence[Target]
    command: tuple[str, ...]
    jobs: int | None = None
    retry: int = 0
    timeout: float | None = None
    grace: float = 5.0
    fail_fast: bool = False
    stdin: bool = False
    template: bool = False
    mode: str = LINES
    diff: bool = False
    output_dir: str = ""
    html: str = ""
    joblog: str = ""
    resume: bool = False
    only_failed: bool = False
    shard: Shard | None = None


class Outcome(NamedTuple):
    """The outcome of a run: its exit code, and the signal that interrupted it, or 0."""

    code: int
    signal: int = 0


def run_job(
    job: Job,
    context: Context,
    terminal: FleetTerminal,
    inputs: Mapping[str, Any],
    *,
    core_limit: tuple[int, int] | None = None,
) -> Outcome:
    """Run the whole job. core_limit: the limit of core dumps for commands. Raises AwsudoError."""
    _open_standard_streams()
    # looked up before any call
    path = child.find(job.command[0], context.environ)
    # its first line has the plan: a shard that has nothing to do is not a missing one
    joblog = Joblog(job.joblog, job.command, job.shard, job.targets) if job.joblog else None
    job = _left(job, terminal)
    if not job.targets:
        return Outcome(0)
    folder = tempfile.mkdtemp(prefix="awsudo-each.")
    supervisors: list[Supervisor] = []
    try:
        commands, file_limit = _width(job, terminal)
        setting = Setting(
            path,
            list(job.command),
            dict(context.environ),
            folder,
            stdin=_stdin_copy(folder) if job.stdin else os.devnull,
            stream=job.mode == LINES,
            keep=job.mode != LINES or bool(job.html),
            timeout=job.timeout,
            grace=job.grace,
            file_limit=file_limit,
            core_limit=core_limit,
        )
        for _ in range(min(_cores(), MOST, commands)):
            supervisors.append(Supervisor(setting, supervisors))
        return _run(job, context, terminal, inputs, commands, supervisors, folder, joblog)
    finally:
        for each in supervisors:
            each.close()
        shutil.rmtree(folder, ignore_errors=True)


def _left(job: Job, terminal: FleetTerminal) -> Job:
    """The job without the targets that an earlier run completed."""
    if not (job.resume or job.only_failed):
        return job
    past = read_past(job.joblog, job.command)
    targets = past.left(job.targets, only_failed=job.only_failed)
    done = len(job.targets) - len(targets)
    what = "did not fail before" if job.only_failed else "are done"
    terminal.notice(f"{done} of {len(job.targets)} targets {what} ({job.joblog}); {len(targets)} left")
    return job._replace(targets=targets)


def _width(job: Job, terminal: FleetTerminal) -> tuple[int, tuple[int, int] | None]:
    """How many run at once, and the original limit of open files, if it had to be raised."""
    import resource

    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (-1 if each == resource.RLIM_INFINITY else each for each in files)
    found = width(
        job.jobs,
        cores=_cores(),
        files=(soft, hard),
        memory=available_memory(),
        targets=len(job.targets),
    )
    if found.notice:
        terminal.notice(found.notice)
    if not found.files > soft >= 0:
        return found.commands, None
    resource.setrlimit(resource.RLIMIT_NOFILE, (found.files, files[1]))
    return found.commands, files


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _open_standard_streams() -> None:
    """Keep our descriptors from replacing a standard stream that is closed. Raises AwsudoError for stdout."""
    if sys.stdout is None:
        raise AwsudoError("cannot write to stdout: it is closed", hint="to discard the output: >/dev/null")
    for standard in (0, 2):
        try:
            os.fstat(standard)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), standard)


def _stdin_copy(folder: str) -> str:
    """A file with all that is on stdin. Raises AwsudoError."""
    path = os.path.join(folder, "stdin")
    try:
        with open(path, "wb") as copy:
            while sys.stdin is not None and (chunk := os.read(0, 1 << 16)):
                copy.write(chunk)
    except OSError as error:
        raise AwsudoError(f"cannot copy stdin to {path}: {error.strerror}", hint="TMPDIR names another place") from None
    return path


def _run(  # noqa: C901 (the order of one run's steps)
    job: Job,
    context: Context,
    terminal: FleetTerminal,
    inputs: Mapping[str, Any],
    commands: int,
    supervisors: Sequence[Supervisor],
    folder: str,
    joblog: Joblog | None,
) -> Outcome:
    # here, so that the supervisors do not import them
    from awsudo_py.fleet.merge import Groups, print_merged, style_of
    from awsudo_py.fleet.report import Report
    from awsudo_py.fleet.sessions import Sessions

    streams = Stream(1), Stream(2)
    spool, tally, began, line = Spool(folder), Tally(), time.time(), shlex.join(job.command)
    directory = Directory(job.output_dir) if job.output_dir else None
    sinks: list[Sink] = [Counter(tally)]
    groups: Groups | None = None
    report: Report | None = None
    merged_json: MergedJson | None = None
    if joblog is not None:
        sinks.append(joblog)
    if job.html:
        report = Report(job.targets)
        sinks.append(report)
    if job.mode == MERGED or report is not None:
        groups = Groups(spool, job.targets)
        sinks.append(groups)
    if job.mode == LINES:
        sinks.append(Lines(streams))
    elif job.mode == ORDERED:
        sinks.append(Ordered(job.targets, streams, spool))
    elif job.mode == JSON:
        sinks.append(JsonLines(streams[0], str(job.shard or "")))
    elif job.mode == MERGED_JSON:
        merged_json = MergedJson(streams[0], folder)
        sinks.append(merged_json)
    if directory is not None:
        sinks.append(directory)
    view = _view(job, terminal, line) if job.mode != LINES and terminal.level >= 0 else None
    if view is not None:
        sinks.append(view)
    sessions = Sessions(
        context,
        inputs,
        command=job.command,
        template=job.template,
        folder=directory.folder if directory is not None else lambda _: "",
    )
    rules = Rules(commands, job.retry, job.fail_fast)
    fleet = Fleet(job.targets, sessions.order, supervisors, rules, sinks, throttled=lambda: sessions.paces.throttled)
    try:
        fleet.run()
    finally:
        terminal.take_back()
        if view is not None:
            view.close()
    # not of a run that failed itself: its output is incomplete
    for sink in sinks:
        sink.close()
    seconds = time.time() - began
    if job.mode == MERGED and groups is not None:
        print_merged(groups, streams[0], style_of(sys.stdout, context.environ), diff=job.diff)
    if report is not None and groups is not None:
        report.write(job.html, groups, tally, command=line, began=began, seconds=seconds)
    if merged_json is not None and merged_json.without:
        names = merged_json.without
        terminal.notice(f"no JSON on stdout of {len(names)} targets: {some(names, 3)}")
    if terminal.level >= 0:
        # not printed again if it was just printed
        listed = job.mode != MERGED and (job.mode not in (LINES, ORDERED) or len(job.targets) > 20)
        terminal.show(
            [*summary(tally, seconds=seconds, not_started=fleet.not_started, listed=listed), *_again(job, tally)]
        )
    return Outcome(tally.exit_code or (1 if fleet.not_started else 0), fleet.interrupted)


def _view(job: Job, terminal: FleetTerminal, line: str) -> Any:
    """The live view, if there is a terminal to draw it on."""
    from awsudo_py.fleet.live import Live, can_show

    if sys.stderr is None or not can_show(os.environ, sys.stderr.isatty()):
        return None
    view = Live(len(job.targets), line)
    terminal.aside = view.aside
    return view


def _again(job: Job, tally: Tally) -> list[str]:
    """The line to run next, if something failed."""
    if not job.joblog or tally.exit_code == 0:
        return []
    return [f"  to run the failed ones again, add --only-failed to the same line ({job.joblog} lists them)"]
