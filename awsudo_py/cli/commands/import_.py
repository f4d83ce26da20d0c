"""awsudo import: writes profiles for the roles of a portal, or for those of another tool."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from awsudo_py.cli.call import Call, begin
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import Common
from awsudo_py.cli.output import write
from awsudo_py.errors import AwsudoError, Interrupted, UsageError, did_you_mean
from awsudo_py.model import SsoSession
from awsudo_py.prompt import confirmed
from awsudo_py.resolve import limits
from awsudo_py.resolve.limits import Origin
from awsudo_py.resolve.sso_sessions import session_named
from awsudo_py.sessions.file_store import FileStore, state_directory
from awsudo_py.signin.listing import Listings, listed
from awsudo_py.signin.profile_block import DEFAULT_TEMPLATE, Role, named, plan
from awsudo_py.signin.rate import Rate
from awsudo_py.signin.start_urls import region_of_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from awsudo_py.aws.sso_portal import Account
    from awsudo_py.context import Context
    from awsudo_py.files import Change
    from awsudo_py.signin.listing import Listing
    from awsudo_py.signin.profile_block import Plan

#: Lines of a difference that are displayed before the question; `--diff` prints all.
_DISPLAYED = 40
#: The fields of options that select and name roles of a session → their flags.
_OF_SESSION = {
    "tenant": "--tenant",
    "region": "--region",
    "template": "--name",
    "accounts": "--account",
    "roles": "--role",
    "profile_region": "--default-region",
}
#: Names that a message lists.
_LISTED = 5


class ImportOptions(Common):
    """What `awsudo import` takes."""

    sso: str | None
    tool: str | None
    region: str | None
    tenant: str | None
    template: str | None
    accounts: tuple[str, ...]
    roles: tuple[str, ...]
    existing: str | None
    profile_region: str | None
    diff_only: bool
    yes: bool


@subcommand("import", ImportOptions)
def command(call: Call, options: ImportOptions) -> None:
    """Write a profile for every account and role of an SSO session, or take over another tool's.

    The profiles stand between two marks in ~/.aws/config; the rest of the file stays as it is. Shows the difference and
    asks before it writes. Doing it again adds what is new and removes what is gone.

    \b
      awsudo import --sso corp                     every account and role
      awsudo import --sso https://corp.awsapps.com/start --region eu-west-1
      awsudo import --sso corp --account 'prod-*' --name '{account_name}'
      awsudo import --sso corp --tenant aa-1234    roles of account access
      awsudo import --from granted
      awsudo import --from aws-vault               the keys in its keyring

    \b
    Fields of --name: {account_name} {account_id} {role} {session} {email}
    """
    if (options.sso is None) == (options.tool is None):
        raise UsageError("import takes --sso SESSION or --from TOOL", hint="awsudo import --sso SESSION")
    given = [flag for field, flag in _OF_SESSION.items() if getattr(options, field) not in (None, ())]
    if options.tool is not None and given:
        raise UsageError(f"{given[0]} is for --sso SESSION", hint=f"leave it out: awsudo import --from {options.tool}")
    context = begin(call)
    if options.tool == "aws-vault":
        from awsudo_py.cli.commands.import_keys import import_keys

        import_keys(context, yes=options.yes, list_only=options.diff_only, replace=options.existing == "overwrite")
        return
    if options.tool is not None:
        from awsudo_py.cli.commands.import_from import import_from

        import_from(
            context,
            options.tool,
            lambda change, question: apply(context, change, question, yes=options.yes, diff_only=options.diff_only),
        )
        return
    session, is_new = _session(context, options.sso or "", options.region)
    if options.tenant is not None:
        limits.text("tenant_id", options.tenant, Origin("--tenant", UsageError))
        session = session._replace(tenant=options.tenant)
    listing = _listing(context, session, options)
    roles = [
        Role(account.account_id, account.name, role, account.email)
        for account in listing.accounts
        if _fits(options.accounts, account.name, account.account_id)
        for role in account.roles or ()
        if _fits(options.roles, role, role.rpartition("/")[2])
    ]
    by_name, collisions = named(roles, session, options.template or DEFAULT_TEMPLATE)
    region = options.profile_region
    if region is not None:
        limits.text("region", region, Origin("--default-region", UsageError))
    planned = plan(
        context.config.config_file,
        session,
        by_name,
        collisions=collisions,
        with_session=is_new,
        overwrite=options.existing == "overwrite",
        region=region,
    )
    _explain(context, planned)
    if planned.change.before == planned.change.after:
        context.terminal.notice(f"{planned.change.path} is up to date: {_count(planned.written)} of {session.name}")
        return
    if apply(context, planned.change, _question(planned), yes=options.yes, diff_only=options.diff_only):
        context.terminal.notice(f"{_count(planned.written)} of {session.name} in {planned.change.path}")


def apply(context: Context, change: Change, question: str, *, yes: bool, diff_only: bool) -> bool:
    """Show a change and make it after a yes; returns whether it was made. Raises AwsudoError."""
    if diff_only:
        write(change.diff())
        return False
    lines = change.diff().splitlines()
    more = [f"... {len(lines) - _DISPLAYED} more lines; all of them: --diff"] if len(lines) > _DISPLAYED else []
    context.terminal.show([*lines[:_DISPLAYED], *more])
    if not confirmed(question, yes=yes, otherwise="to confirm, pass --yes; to see the difference only, --diff"):
        raise Interrupted("nothing was written")
    change.apply()
    return True


def _session(context: Context, word: str, region: str | None) -> tuple[SsoSession, bool]:
    """The session, and whether it is missing in the configuration. Raises AwsudoError."""
    config = context.config
    if not word.startswith(("https://", "http://")):
        if word not in config.sso_sessions:
            name = word if word.replace("-", "").isalnum() else "NAME"
            raise AwsudoError(
                f"no [sso-session {word}] in {config.config_file}",
                hint=did_you_mean(word, config.sso_sessions)
                or f"name the portal instead: awsudo import --sso https://{name}.awsapps.com/start --region REGION",
            )
        return session_named(word, config), False
    for name, section in config.sso_sessions.items():
        if section.get("sso_start_url", "").rstrip("/#") == word.rstrip("/#"):
            return session_named(name, config), False
    host = urlsplit(word).hostname or ""
    region = region or region_of_host(host)
    if region is None:
        raise UsageError(
            f"--sso {word}: no region", hint="add the region of Identity Center, such as --region eu-west-1"
        )
    limits.text("region", region, Origin("--region", UsageError))
    name = host.partition(".")[0]
    if name in config.sso_sessions:
        raise AwsudoError(
            f"[sso-session {name}] in {config.config_file} has another start URL",
            hint=f"add a session for {word} under another name: aws configure sso-session",
        )
    return SsoSession(name, word, region, ("sso:account:access",)), True


def _listing(context: Context, session: SsoSession, options: ImportOptions) -> Listing:
    """The accounts and roles of the portal, listed with a progress bar; remembered for TAB."""
    sign_ins, run = context.sign_ins, context.run
    sign_ins.tokens().token(session)  # here, where a prompt is possible: the threads below must not prompt
    tokens = sign_ins.tokens(offers=False)
    directory = state_directory(context.environ)

    def included(account: Account) -> bool:
        return _fits(options.accounts, account.name, account.account_id)

    with _progress(quiet=context.terminal.level < 0) as progress:
        return listed(
            session,
            lambda: sign_ins.lister(session, lambda: tokens.token(session)),
            listings=Listings(FileStore(directory) if directory is not None else None),
            rate=Rate(context.stores.get("file"), clock=run.clock, sleep=run.sleep),
            clock=run.clock,
            progress=progress,
            included=included,
        )


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int, int], None]]:
    """Draws the progress of the listing on a terminal's stderr; does nothing elsewhere."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr, emoji=False, highlight=False)
    columns = (
        TextColumn("Reading accounts"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("roles {task.fields[roles]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("accounts", total=None, roles=0)
        yield lambda done, total, roles: bar.update(task, completed=done, total=total, roles=roles)


def _explain(context: Context, planned: Plan) -> None:
    """Notices about surprising results."""
    if planned.collisions:
        context.terminal.notice(
            f"several roles would have the same name: {_some(planned.collisions)}; the account ID is added to each"
        )
    if planned.existing:
        context.terminal.notice(
            f"your own profiles are not changed: {_some(planned.existing)}; to replace them: --existing overwrite"
        )


def _question(planned: Plan) -> str:
    kinds = ("new", "changed", "gone", "unchanged", "overwritten")
    counts = [(kind, len(getattr(planned, kind))) for kind in kinds]
    return f"Write {_count(planned.written)} ({', '.join(f'{count:,} {kind}' for kind, count in counts if count)})?"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _count(number: int) -> str:
    return f"{number:,} profile{'' if number == 1 else 's'}"


def _fits(patterns: tuple[str, ...], *names: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
