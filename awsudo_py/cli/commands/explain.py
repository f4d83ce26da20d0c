"""awsudo explain: shows how a target resolves, and why its role can or cannot be assumed."""

from __future__ import annotations

from awsudo_py.cli.call import Call, begin, targeted
from awsudo_py.cli.click_glue import subcommand
from awsudo_py.cli.options import RequestOptions
from awsudo_py.errors import UsageError


class ExplainOptions(RequestOptions):
    """What `awsudo explain` takes."""

    env: bool
    graph: str | None
    why: bool
    fix: bool
    no_calls: bool
    trust_policy: str | None
    identity_policies: tuple[str, ...]
    boundary: str | None
    session_policy: str | None
    scps: tuple[str, ...]
    rcps: tuple[str, ...]
    caller: str | None
    context_keys: tuple[str, ...]
    as_json: bool
    target: str | None
    words: tuple[str, ...]


@subcommand("explain", ExplainOptions)
def command(call: Call, options: ExplainOptions) -> int | None:
    """Show how a target resolves: each value, and the file and line that set it.

    Also what it overrides, the MFA decision, what is cached and until when, why the next run would call AWS, and what
    COMMAND would find in its environment. Nothing is called. `awsudo --dry-run TARGET COMMAND` shows the same.

    --why explains why the role can or cannot be assumed: the policy, the statement and the condition that decide, and
    what would change the answer. It requests the session from AWS and, if that is refused, reads what it may: the
    role's trust policy, your policies, a simulation of them; -v lists each call. With policy files it evaluates those,
    before they are applied, without any call. What is not known is unknown. Exit code: 0 allowed, 1 denied, 3 unknown.

    \b
      awsudo explain prod
      awsudo explain -d 2h prod -- aws s3 ls
      awsudo explain prod --env               list the variables too
      awsudo explain prod --json
      awsudo explain prod --graph svg > x.svg
      awsudo explain prod --why
      awsudo explain 123456789012:deploy --why --trust-policy trust.json \\
          --identity-policy dev.json --context aws:PrincipalOrgID=o-1 \\
          --caller arn:aws:iam::111122223333:user/ann
    """
    if options.target is None and options.profile is None:
        raise UsageError("no target: which profile or role?", hint="awsudo explain TARGET")
    context = begin(call)
    request = targeted(call, context, options.target, options.profile, options)
    if options.why:
        from awsudo_py.cli.why import why  # here, so that other explanations do not import it

        return why(context, request, options)
    from awsudo_py.session_for import chain_for

    chain = chain_for(context, request)
    if options.graph is not None:
        from awsudo_py.cli.graphs import graph
        from awsudo_py.cli.output import write
        from awsudo_py.resolve.outline import outline_of

        write(graph(options.graph, [outline_of(chain, context.config)]))
        return None
    from awsudo_py.cli.explanation import show

    show(context, request, chain, options.words, as_json=options.as_json, names=options.env)
    return None
