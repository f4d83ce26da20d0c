"""awsudo whoami: shows the identity of the current credentials, or of a target."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.aws_credentials import rfc3339
from awsudo_py.cli.call import Call, answered, begin, inputs_of, targeted
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import RequestOptions
from awsudo_py.cli.output import write, write_json
from awsudo_py.durations import brief
from awsudo_py.model import RoleHop, SessionTokenHop
from awsudo_py.resolve.source_kinds import from_environment

if TYPE_CHECKING:
    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.context import Context
    from awsudo_py.model import Request, RoleChain


class WhoamiOptions(RequestOptions):
    """What `awsudo whoami` takes."""

    as_json: bool
    target: str | None


class _Who(NamedTuple):
    """Credentials, and where they come from."""

    target: str
    chain: RoleChain
    credentials: Credentials
    origin: str


@subcommand("whoami", WhoamiOptions)
def command(call: Call, options: WhoamiOptions) -> None:
    """Show who you are at AWS: with the credentials at hand, or as TARGET.

    Calls STS once at most for it (GetCallerIdentity); not at all if AWS named the session when it was made.

    \b
      awsudo whoami
      awsudo whoami prod
      awsudo whoami prod --json
    """
    context = begin(call)
    if options.target is None and options.profile is None:
        who = _ambient(context, options)
    else:
        who = _of_target(context, targeted(call, context, options.target, options.profile, options))
    arn, user_id = who.credentials.arn, who.credentials.user_id
    if not (arn and user_id):
        from awsudo_py.keys.owner import iam_at

        identity = iam_at(context, who.chain, who.credentials).identity()
        arn, user_id = identity.arn, identity.user_id
    fields = _fields(context, who, arn, user_id)
    if options.as_json:
        write_json(fields)
    else:
        write("".join(f"{line}\n" for line in _lines(fields, context.run.clock())))


def _of_target(context: Context, request: Request) -> _Who:
    from awsudo_py.session_for import chain_for, obtain

    chain = chain_for(context, request)
    only = chain.hops[0] if len(chain.hops) == 1 else None
    if isinstance(only, SessionTokenHop) and obtain(context, chain, request).cached().session is None:
        # the keys themselves tell the identity of their session, without a code or a second call
        bare = chain._replace(hops=())
        keys = obtain(context, bare, request).credentials().credentials
        return _Who(chain.target, bare, keys, f"{chain.source.where} (a command gets a session of them)")
    answer = answered(context, request, chain=chain)
    return _Who(chain.target, chain, answer.credentials, "AWS, just now" if answer.called_aws else "the cache")


def _ambient(context: Context, options: WhoamiOptions) -> _Who:
    """The credentials that the AWS CLI would use here."""
    from awsudo_py.cli.call import ambient_profile
    from awsudo_py.model import Request
    from awsudo_py.session_for import obtain

    request = Request(**inputs_of(context, options))
    resolver = context.resolver()
    source = resolver.source(None)
    profile = ambient_profile(context) or "default"
    if not from_environment(source) and "role_arn" in (context.config.profile(profile) or {}):
        return _of_target(context, request._replace(profile=profile))
    chain = resolver.chain_of_keys(source.profile or "", source, request)
    credentials = obtain(context, chain, request).credentials().credentials
    target = context.environ.get("AWSUDO_TARGET", "") if from_environment(source) else source.profile or ""
    return _Who(target, chain, credentials, source.where)


def _fields(context: Context, who: _Who, arn: str, user_id: str) -> dict[str, Any]:
    from awsudo_py.resolve.outline import account_names

    account = arn.split(":")[4] if arn.count(":") >= 5 else ""
    names = account_names(context.config.profile(name) or {} for name in context.config.names())
    last = who.chain.hops[-1] if who.chain.hops else None
    narrowed = [*last.policy_arns, *(["a session policy"] if last.policy else [])] if isinstance(last, RoleHop) else []
    until = who.credentials.expiration
    if until is None and from_environment(who.chain.source):
        until = _moment(context.environ.get("AWS_CREDENTIAL_EXPIRATION", ""))
    return {
        "target": who.target or None,
        "arn": arn,
        "account": account or None,
        "account_name": names.get(account),
        "user_id": user_id,
        "region": who.chain.region,
        "expires": rfc3339(until) if until is not None else None,
        "origin": who.origin,
        "narrowed_by": narrowed,
    }


def _lines(fields: dict[str, Any], now: float) -> list[str]:
    from awsudo_py.display import escape

    name = f" ({fields['account_name']})" if fields["account_name"] else ""
    account = f"account {fields['account']}{name}"
    until = _moment(fields["expires"] or "")
    expires = f"expires in {brief(until - now)} ({time.strftime('%H:%M', time.localtime(until))})" if until else ""
    narrowed = f"narrowed by {', '.join(fields['narrowed_by'])}" if fields["narrowed_by"] else ""
    lead = f"{fields['target']}  " if fields["target"] else ""
    rows = [
        fields["arn"],
        f"{account}, region {fields['region'] or 'not set'}",
        f"user ID {fields['user_id']}",
        "; ".join(filter(None, (", ".join(filter(None, (expires, f"from {fields['origin']}"))), narrowed))),
    ]
    return [escape(f"{lead if number == 0 else ' ' * len(lead)}{row}") for number, row in enumerate(rows)]


def _moment(written: str) -> float | None:
    import calendar

    try:
        return float(calendar.timegm(time.strptime(written, "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return None
