"""awsudo trail: lists who assumed a role, from AWS CloudTrail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from awsudo_py.cli.call import Call, answered, begin, inputs_of, targeted
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import RequestOptions
from awsudo_py.cli.output import Cell, Column, write, write_json, write_table
from awsudo_py.errors import AwsudoError, Rejected, UsageError
from awsudo_py.moments import for_people, seconds_ago
from awsudo_py.resolve import console_links, roles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from awsudo_py.aws.trail import Use
    from awsudo_py.context import Context
    from awsudo_py.model import Request, RoleChain

_DEFAULT = 86_400
_COLUMNS = (
    Column("WHEN"),
    Column("WHO", 1),
    Column("SESSION", 2),
    Column("IDENTITY", 7),
    Column("REASON", 4),
    Column("FROM", 3),
    Column("MFA", 6),
    Column("REGION", 8),
    Column("RESULT", 5),
)


class TrailOptions(RequestOptions):
    """What `awsudo trail` takes."""

    reader: str | None
    since: str | None
    as_json: bool
    target: str | None


@subcommand("trail", TrailOptions)
def command(call: Call, options: TrailOptions) -> None:
    """List who assumed a role, from AWS CloudTrail, refused attempts included.

    Reads the events AssumeRole, AssumeRoleWithSAML, AssumeRoleWithWebIdentity and GetScopedCredentials of the role's
    account, in the target's Region and in us-east-1 (where the global endpoint of STS records them), and when IAM last
    saw the role used. It calls AWS as TARGET, or as the target that --as names, in the same account; that needs
    cloudtrail:LookupEvents and iam:GetRole. CloudTrail takes two requests a second and keeps 90 days.

    \b
      awsudo trail deploy
      awsudo trail deploy --since 7d --as audit
      awsudo trail arn:aws:iam::123456789012:role/ops --as audit --json
    """
    from awsudo_py.session_for import chain_for

    context = begin(call)
    if options.target is None and options.profile is None:
        raise UsageError("no target: which profile or role?", hint="awsudo trail TARGET")
    from awsudo_py.aws.trail import LONGEST

    since = seconds_ago(options.since, "--since", most=LONGEST) if options.since is not None else _DEFAULT
    request = targeted(call, context, options.target, options.profile, options)
    chain = chain_for(context, request)
    if not chain.role_arn:
        raise AwsudoError(f"{chain.target} is not a role", hint="name a role: awsudo trail ACCOUNT:ROLE --as PROFILE")
    reader, reader_chain = request, chain
    if options.reader is not None:
        reader = _reader(context, options)
        reader_chain = chain_for(context, reader)
    found, used = _read(context, reader, reader_chain, chain.role_arn, since, quiet=options.as_json or options.quiet)
    _print(context, chain.role_arn, found, used, options)


def _reader(context: Context, options: TrailOptions) -> Request:
    from awsudo_py.resolve.request import exec_request

    keep = ("region", "no_cache", "store", "origins")
    inputs = {name: value for name, value in inputs_of(context, options).items() if name in keep}
    return exec_request([options.reader or ""], None, inputs)


def _read(
    context: Context, request: Request, chain: RoleChain, role_arn: str, since: int, *, quiet: bool
) -> tuple[list[Use], tuple[str, str] | None]:
    """The uses of the role, newest first, and when it was used last; None if that may not be read."""
    credentials = answered(context, request).credentials
    from awsudo_py.aws import trail
    from awsudo_py.aws.session_calls import SessionCalls

    calls = SessionCalls(chain, context.config, context.clients, credentials, context.deciding)
    partition = roles.partition_of_arn(role_arn)
    regions = {chain.region or roles.PARTITIONS[partition][1] or "us-east-1"}
    if partition == "aws":
        regions.add("us-east-1")
    used = None
    try:
        used = trail.last_used(calls, console_links.role_parts(role_arn)[2].rpartition("/")[2])
    except Rejected as error:
        context.terminal.notice(f"when the role was last used is not known: {error.message}")
    now = context.run.clock()
    pace = _Pace(time.monotonic, time.sleep)
    found: list[Use] = []
    for region in sorted(regions):
        with _Progress(context, region, quiet=quiet) as show:
            found.extend(
                trail.uses(
                    trail.events_of(calls, region), role_arn, since=now - since, until=now, pace=pace, progress=show
                )
            )
    return sorted(found, key=lambda use: use.time, reverse=True), used


class _Pace:
    """Waits so that no more than two requests a second are sent."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock, self._sleep, self._next = clock, sleep, 0.0

    def __call__(self) -> None:
        from awsudo_py.aws.trail import PACE

        wait = self._next - self._clock()
        if wait > 0:
            self._sleep(wait)
        self._next = self._clock() + PACE


class _Progress:
    """Shows the progress of a Region's search on a terminal; calling it updates the line."""

    def __init__(self, context: Context, region: str, *, quiet: bool) -> None:
        import sys

        self._stream = sys.stderr
        self._region = region
        self._shows = not quiet and context.terminal.level >= 0 and self._stream is not None and self._stream.isatty()

    def __enter__(self) -> Callable[[Any], None]:
        self._write(f"awsudo: reading CloudTrail in {self._region} …")
        return self._show

    def _show(self, progress: Any) -> None:
        self._write(
            f"awsudo: reading CloudTrail in {self._region}: {progress.events} events, {progress.found} of the role"
        )

    def _write(self, text: str) -> None:
        if self._shows:
            self._stream.write(f"\r\x1b[K{text}")
            self._stream.flush()

    def __exit__(self, *_: object) -> None:
        self._write("")


def _print(
    context: Context, role_arn: str, found: Sequence[Use], used: tuple[str, str] | None, options: TrailOptions
) -> None:
    if options.as_json:
        last = None if used is None else {"time": used[0] or None, "region": used[1] or None}
        write_json({"role": role_arn, "lastUsed": last, "events": [use._asdict() for use in found]})
        return
    now = context.run.clock()
    _, account, name = console_links.role_parts(role_arn)
    if used is not None:
        when = (
            f"last used {for_people(used[0], now)}{f' in {used[1]}' if used[1] else ''}"
            if used[0]
            else ("not used in the last 400 days")
        )
        write(f"role/{name} in {account}: {when}\n")
    if found:
        write_table(_COLUMNS, [_row(use, now) for use in found])
    else:
        context.terminal.notice(f"no event of {role_arn} in this time; to look further back: --since 30d")


def _row(use: Use, now: float) -> list[str | Cell]:
    failed = use.result != "ok"
    return [
        Cell(for_people(use.time, now), "dim"),
        _short(use.who),
        use.session_name,
        use.source_identity,
        use.reason,
        use.address,
        use.mfa,
        use.region,
        Cell("denied" if "AccessDenied" in use.result else use.result, "red" if failed else ""),
    ]


def _short(arn: str) -> str:
    """user/ann (111111111111), for an ARN; else the text."""
    parts = arn.split(":", 5)
    return f"{parts[5]} ({parts[4]})" if len(parts) == 6 else arn
