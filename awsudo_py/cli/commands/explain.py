"""awsudo explain: shows how a target resolves."""

from __future__ import annotations

from awsudo_py.cli.click_glue import Call, begin, subcommand, targeted
from awsudo_py.cli.options import RequestOptions
from awsudo_py.errors import UsageError


class ExplainOptions(RequestOptions):
    """What `awsudo explain` takes."""

    env: bool
    graph: str | None
    as_json: bool
    target: str | None
    words: tuple[str, ...]


@subcommand("explain", ExplainOptions)
def command(call: Call, options: ExplainOptions) -> None:
    """Show how a target resolves: each value, and the file and line that set it.

    Also what it overrides, the MFA decision, what is cached and until when, why the next run would call AWS, and what
    COMMAND would find in its environment. Nothing is called. `awsudo --dry-run TARGET COMMAND` shows the same.

    \b
      awsudo explain prod
      awsudo explain -d 2h prod -- aws s3 ls
      awsudo explain prod --env               list the variables too
      awsudo explain prod --json
      awsudo explain prod --graph svg > x.svg
    """
    if options.target is None and options.profile is None:
        raise UsageError("no target: which profile or role?", hint="awsudo explain TARGET")
    from awsudo_py.session import chain_for

    context = begin(call)
    request = targeted(call, context, options.target, options.profile, options)
    chain = chain_for(context, request)
    if options.graph is not None:
        from awsudo_py.cli.graphs import graph
        from awsudo_py.cli.output import write
        from awsudo_py.resolve.outline import outline_of

        write(graph(options.graph, [outline_of(chain, context.config)]))
        return
    from awsudo_py.cli.explanation import show

    show(context, request, chain, options.words, as_json=options.as_json, names=options.env)
