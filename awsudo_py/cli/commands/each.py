"""awsudo each: runs one command as many targets at once."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from awsudo_py.child_supervision import end_like
from awsudo_py.cli.call import Call, begin, inputs_of
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.confirmation import pass_fleet_rails
from awsudo_py.cli.options import AnsweredOptions
from awsudo_py.cli.output import write
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.resolve import limits
from awsudo_py.resolve.limits import Origin

if TYPE_CHECKING:
    from awsudo_py.context import Context
    from awsudo_py.fleet.records import Target


class EachOptions(AnsweredOptions):
    """What `awsudo each` takes."""

    patterns: tuple[str, ...]
    everything: bool
    where: tuple[str, ...]
    regions: tuple[str, ...]
    role_name: str | None
    accounts: tuple[str, ...]
    org: str | None
    ou: tuple[str, ...]
    sso: str | None
    dry_run: bool
    jobs: str | None
    timeout: str | None
    grace: str | None
    retry: str | None
    fail_fast: bool
    stdin: bool
    template: bool
    ordered: bool
    merged: bool
    no_merge: bool
    diff: bool
    as_json: bool
    merge_json: bool
    output_dir: str | None
    html: str | None
    joblog: str | None
    resume: bool
    only_failed: bool
    shard: str | None
    merge: tuple[str, ...]


@subcommand("each", EachOptions)
def command(call: Call, options: EachOptions) -> int:
    """Run a command as many targets at once.

    PATTERN is a target, a glob over the names of profiles, a role ARN, ACCOUNT:ROLE, @FILE, or - for stdin; !PATTERN
    excludes, and always wins.

    \b
      awsudo each 'prod-*' '!prod-old' -- aws s3 ls
      awsudo each --all --merge-json -- aws ec2 describe-vpcs
      awsudo each --role Audit --accounts @accounts -p base -- ./check.sh
      awsudo each --org management --role Audit -- aws lambda list-functions
      awsudo each 'prod-*' --joblog run.jsonl --resume -- terraform plan
      awsudo each --all --shard auto --joblog "out/$i.jsonl" -- ./check.sh

    A command gets /dev/null as stdin and a session of its own: it cannot ask on the terminal.

    Each result is ok, failed, or no session. Exit codes: 0 all ok, 1 some not, 125 none could run.

    ^C ends all commands (TERM, then KILL after --grace); ^C again kills them at once.
    """
    if os.name == "nt":
        raise AwsudoError("awsudo each does not run on Windows", hint="run it in WSL")
    if options.merge:
        return _merge(call, options)
    # here, so that --help does without them
    from awsudo_py.fleet.job import run_job
    from awsudo_py.fleet.sessions import FleetTerminal

    terminal = FleetTerminal(call.terminal.level)
    context = begin(call, terminal, wait=options.wait)
    inputs = inputs_of(context, options)
    mode = _mode(options)
    _refuse_contradictions(call, options)
    targets = _targets(context, options)
    if options.dry_run:
        write("".join(f"{target.name}\n" for target in targets))
        return 0
    from awsudo_py.fleet.job import Job
    from awsudo_py.fleet.shard import of_shard, shard_of

    shard = shard_of(options.shard, os.environ) if options.shard else None
    mine = of_shard(targets, shard)
    pass_fleet_rails(context, mine, call.words, call.process.argv, fill=options.template, yes=options.yes)
    job = Job(
        mine,
        call.words,
        jobs=_number(options.jobs, "--jobs", least=1),
        retry=_number(options.retry, "--retry") or 0,
        timeout=_time(options.timeout, "--timeout"),
        grace=5.0 if options.grace is None else _time(options.grace, "--grace") or 0.0,
        fail_fast=options.fail_fast,
        stdin=options.stdin,
        template=options.template,
        mode=mode,
        diff=options.diff,
        output_dir=options.output_dir or "",
        html=options.html or "",
        joblog=options.joblog or "",
        resume=options.resume,
        only_failed=options.only_failed,
        shard=shard,
    )
    outcome = run_job(job, context, terminal, inputs, core_limit=_core_limit(call))
    if outcome.signal:
        end_like(-outcome.signal)
    return outcome.code


def _core_limit(call: Call) -> tuple[int, int]:
    """The limit of core dumps that the caller had."""
    import resource

    ours = resource.getrlimit(resource.RLIMIT_CORE)
    call.process.allow_core_dumps()
    callers = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, ours)
    return callers


def _mode(options: EachOptions) -> str:
    from awsudo_py.fleet import job

    given = {
        job.JSON: options.as_json,
        job.MERGED_JSON: options.merge_json,
        job.ORDERED: options.ordered,
        job.MERGED: options.merged or options.diff,
        job.LINES: options.no_merge,
    }
    chosen = [mode for mode, is_given in given.items() if is_given]
    if len(chosen) > 1:
        raise UsageError(f"output is printed in one way: {' or '.join(chosen)}", hint="see awsudo each --help")
    if chosen:
        return chosen[0]
    return job.MERGED if sys.stdout is not None and sys.stdout.isatty() else job.LINES


#: The options that select the accounts for --role: flags and field names.
_PLACES = {"--accounts": "accounts", "--org": "org", "--sso": "sso"}


def _refuse_contradictions(call: Call, options: EachOptions) -> None:
    if not call.words and not options.dry_run:
        hint = "awsudo each PATTERN… -- COMMAND [ARG]…"
        if call.dashed:
            raise UsageError("no command after --", hint=hint)
        raise UsageError("no command: it goes after --", hint=hint)
    if (options.resume or options.only_failed) and not options.joblog:
        which = "--resume" if options.resume else "--only-failed"
        raise UsageError(f"{which} needs a journal", hint=f"awsudo each --joblog FILE {which} …")
    places = [flag for flag, given in _PLACES.items() if getattr(options, given)]
    if len(places) > 1:
        raise UsageError(f"{' and '.join(places)} exclude each other", hint="name one of them")
    if places and not options.role_name:
        hint = f"awsudo each --role NAME {places[0]} …"
        raise UsageError(f"{places[0]} needs a role to assume in each account", hint=hint)
    if options.role_name and not places:
        raise UsageError("--role needs the accounts to assume it in", hint="awsudo each --role NAME --accounts a,b …")
    if options.ou and not options.org:
        raise UsageError("--ou needs --org", hint="awsudo each --org TARGET --ou ID --role NAME …")
    if options.stdin and "-" in options.patterns:
        raise UsageError("stdin cannot be both the list of targets and the commands' input", hint="use @FILE")


def _targets(context: Context, options: EachOptions) -> list[Target]:
    """The targets that the options select. Raises AwsudoError."""
    from awsudo_py.fleet.plan import Selection, known_targets, select

    names: tuple[str, ...] = ()
    if options.sso and options.role_name:
        from awsudo_py.fleet.portal import portal_profiles

        profiles = portal_profiles(context, options.sso, options.role_name)
        context.add_profiles(profiles)
        names = tuple(profiles)
    selection = Selection(
        words=options.patterns,
        everything=options.everything,
        names=names,
        where=options.where,
        regions=_regions(options),
        role=options.role_name or "",
        accounts=_accounts(context, options),
        source=options.profile or (options.org if options.org else None),
    )
    return select(selection, known_targets(context.config), _read)


def _regions(options: EachOptions) -> tuple[str, ...]:
    words = tuple(word.strip() for given in options.regions for word in given.split(",") if word.strip())
    if words != ("all",):
        for word in words:
            limits.text("region", word, Origin("--regions", UsageError))
        return words
    from awsudo_py.resolve.roles import partition_of_region
    from awsudo_py.shell.completion.regions import REGIONS

    partition = partition_of_region(options.region or "")
    return tuple(region for region in REGIONS if partition_of_region(region) == partition)


def _accounts(context: Context, options: EachOptions) -> tuple[tuple[str, str], ...]:
    """Account numbers with their names."""
    found: dict[str, str] = {}
    for given in options.accounts:
        for word in given.split(","):
            lines = _read(word[1:]).splitlines() if word.startswith("@") else [word]
            for line in lines:
                number, _, name = line.strip().partition(" ")
                if number and not number.startswith("#"):
                    found[number] = name.strip()
    if options.org:
        found.update(_organization(context, options))
    return tuple(found.items())


def _organization(context: Context, options: EachOptions) -> dict[str, str]:
    """The active accounts of the organization, as listed by the target of --org."""
    from awsudo_py.aws.organizations import Organization
    from awsudo_py.aws.session_calls import SessionCalls
    from awsudo_py.resolve.request import exec_request
    from awsudo_py.session_for import session_for

    assert options.org is not None
    request = exec_request([options.org], None, inputs_of(context, options))
    answer = session_for(context, request)
    calls = SessionCalls(answer.chain, context.config, context.clients, answer.credentials, context.deciding)
    found = {account.account_id: account.name for account in Organization(calls).accounts(options.ou)}
    if not found:
        raise AwsudoError(f"{options.org} sees no active account below {', '.join(options.ou) or 'the root'}")
    return found


def _read(path: str) -> str:
    """The text of a file, or of stdin for `-`. Raises AwsudoError."""
    try:
        if path == "-":
            data = b"".join(iter(lambda: os.read(0, 1 << 16), b""))
        else:
            with open(os.path.expanduser(path), "rb") as file:
                data = file.read()
    except OSError as error:
        raise AwsudoError(f"cannot read {'stdin' if path == '-' else path}: {error.strerror}") from None
    return data.decode("utf-8", "surrogateescape")


def _number(text: str | None, name: str, *, least: int = 0) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise UsageError(f"{name}: invalid number {text!r}", hint=f"write a whole number, {least} or more")
    return int(text)


def _time(text: str | None, name: str) -> float | None:
    return None if text is None else limits.span(text, Origin(name, UsageError))


def _merge(call: Call, options: EachOptions) -> int:
    """Put the journals of shards together."""
    from awsudo_py.fleet.gather import gather
    from awsudo_py.fleet.summary import some, summary

    found = gather(options.merge)
    lines = summary(found.tally, seconds=found.seconds)
    if found.missing_shards:
        numbers = [str(number) for number in found.missing_shards]
        lines.append(f"  missing shards: {some(numbers, 20)} (of {found.shards})")
    if found.missing_targets:
        lines.append(f"  no result: {len(found.missing_targets)}  {some(found.missing_targets, 5)}")
    write("".join(f"{line}\n" for line in lines))
    return found.tally.exit_code or (1 if found.missing_shards or found.missing_targets else 0)
