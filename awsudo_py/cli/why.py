"""awsudo explain --why: evaluates the policies of one AssumeRole call, and shows the deciding statements.

1. With policy files there is no call: the given files are all the policies that exist.
2. Without files, policies that could not be read are unknown.
"""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from awsudo_py.cli import policy_files
from awsudo_py.cli.output import terminal_width, write, write_json
from awsudo_py.cli.why_report import Report, as_json, page, write_statements
from awsudo_py.display import coloured
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.model import RoleHop, SessionTokenHop
from awsudo_py.policy.advice import advice
from awsudo_py.policy.context import OF_VPC_ENDPOINTS
from awsudo_py.policy.context import request as policy_request
from awsudo_py.policy.verdicts import Outcome, Policies, Side, evaluate, reported
from awsudo_py.resolve import roles
from awsudo_py.resolve.role_words import looks_like_role

if TYPE_CHECKING:
    from awsudo_py.cli.commands.explain import ExplainOptions
    from awsudo_py.context import Context
    from awsudo_py.errors import Rejected
    from awsudo_py.model import Request, RoleChain
    from awsudo_py.policy import context as policy_context
    from awsudo_py.policy.denials import Denial

#: Outcome → exit code, for scripts to branch on.
EXIT_CODES = {Outcome.ALLOW: 0, Outcome.DENY: 1, Outcome.IMPLICIT_DENY: 1, Outcome.UNKNOWN: 3}


def why(context: Context, request: Request, options: ExplainOptions) -> int:
    """Show why the target's role can or cannot be assumed; returns the exit code of the outcome. Raises AwsudoError."""
    hop, chain = _last_hop(context, request)
    target = request.target or request.role or request.profile or ""
    files = (options.trust_policy, options.boundary, options.session_policy)
    if any(files) or options.identity_policies or options.scps or options.rcps:
        report = _offline(context, request, options, hop, chain, target)
    else:
        report = _online(context, request, options, hop, target)
    if options.as_json:
        write_json(as_json(report))
    elif options.fix:
        write_statements(report)
    else:
        write(page(report, width=terminal_width(), colour=coloured(sys.stdout, context.environ)))
    return EXIT_CODES[report.verdict.outcome]


def _last_hop(context: Context, request: Request) -> tuple[RoleHop, RoleChain | None]:
    """The AssumeRole call in question; without a chain where the role is given by its ARN. Raises AwsudoError."""
    word = request.role or request.target or ""
    if looks_like_role(word) and not context.config.profile(word):
        return (
            RoleHop(
                roles.role_arn(word),
                session_name=request.session_name,
                duration=request.duration,
                external_id=request.external_id,
                mfa_serial=request.mfa_serial,
                tags=request.tags,
                transitive_tags=request.transitive_tags,
                source_identity=request.source_identity,
            ),
            None,
        )
    from awsudo_py.session_for import chain_for

    chain = chain_for(context, request)
    last = chain.hops[-1] if chain.hops else None
    if not isinstance(last, RoleHop):
        raise AwsudoError(
            f"{chain.target} assumes no role itself, so there are no policies to evaluate",
            hint="awsudo explain TARGET --why, for a target whose role is assumed by AssumeRole",
        )
    return last, chain


def _offline(
    context: Context, request: Request, options: ExplainOptions, hop: RoleHop, chain: RoleChain | None, target: str
) -> Report:
    given, notes = read_policies(options)
    caller = options.caller or _caller_in(chain)
    if caller is None:
        raise UsageError(
            "--why with policy files makes no call, and needs the caller",
            hint="--caller arn:aws:iam::ACCOUNT:user/NAME, or arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION",
        )
    made = _made(context, request, options.context_keys, hop, chain, caller)
    verdict = evaluate(made, given)
    return Report(target, made, given, verdict, advice(made, verdict, target=shlex.quote(target)), notes)


def _online(context: Context, request: Request, options: ExplainOptions, hop: RoleHop, target: str) -> Report:
    from awsudo_py.session_for import chain_for

    chain = chain_for(context, request)
    last = chain.hops[-1] if chain.hops else None
    hop = last if isinstance(last, RoleHop) else hop
    nothing = Policies(None, None, None, None, None, None)
    if options.no_calls:
        caller = options.caller or _caller_in(chain)
        if caller is None:
            raise UsageError("the caller is not known without a call", hint="add --caller ARN, or leave --no-calls out")
        made = _made(context, request, options.context_keys, hop, chain, caller)
        return Report(target, made, nothing, evaluate(made, nothing), [], ("no call was made: --no-calls",))
    from awsudo_py.cli import why_online  # here, as it imports botocore

    denial = why_online.attempt(context, request, chain)
    return _called(context, request, chain, denial, target, caller=options.caller, keys=options.context_keys)


def after_refusal(context: Context, request: Request, error: Rejected) -> str:
    """The report on a refusal that a run met, as a page; empty if policies did not decide it. Raises AwsudoError."""
    from awsudo_py.cli import why_online
    from awsudo_py.session_for import chain_for

    denial, chain = why_online.denial_of(error), chain_for(context, request)
    if denial is None or not chain.hops or not isinstance(chain.hops[-1], RoleHop):
        return ""
    return page(_called(context, request, chain, denial, chain.target), width=None, colour=False)


def _called(
    context: Context,
    request: Request,
    chain: RoleChain,
    denial: Denial | None,
    target: str,
    *,
    caller: str | None = None,
    keys: tuple[str, ...] = (),
) -> Report:
    """The report after AWS was called for the session."""
    from awsudo_py.aws.evidence import Evidence
    from awsudo_py.aws.session_calls import SessionCalls
    from awsudo_py.cli import why_online

    chain, hop = _refused_at(chain, denial)
    before, credentials = why_online.credentials_before(context, request, chain)
    calls = SessionCalls(before, context.config, context.clients, credentials, context.deciding)
    evidence = Evidence(calls, lambda name: context.terminal.detail(f"calling {name}"))
    caller = caller or (denial.caller if denial else "") or credentials.arn or evidence.caller()
    made = _made(context, request, keys, hop, chain, caller)
    # neither the call's path nor what its session carries is known here
    unknown = OF_VPC_ENDPOINTS | (_OF_SESSIONS if credentials.session_token and not made.mfa_code else frozenset())
    made = made._replace(unknown=frozenset(unknown - {key.lower() for key, _ in made.context}))
    if denial is None:
        nothing = Policies(None, None, None, None, None, None)
        verdict = reported(evaluate(made, nothing), Outcome.ALLOW, Side.NONE, made.actions[0])
        return Report(target, made, nothing, verdict, [], called=True)
    findings = why_online.gather(evidence, made, chain, denial)
    made, verdict = why_online.evaluated(made, findings)
    advised = advice(made, verdict, target=shlex.quote(target), roles=findings.roles)
    return Report(
        target, made, findings.policies, verdict, advised, findings.notes, denial, findings.checks, called=True
    )


def _refused_at(chain: RoleChain, denial: Denial | None) -> tuple[RoleChain, RoleHop]:
    """The chain up to the role that was refused: the last, or one before it."""
    hops = [(number, hop) for number, hop in enumerate(chain.hops, 1) if isinstance(hop, RoleHop)]
    refused = [each for each in hops if denial is not None and each[1].role_arn == denial.resource]
    number, hop = (refused or hops[-1:])[0]
    return chain._replace(hops=chain.hops[:number]), hop


_OF_SESSIONS = frozenset(("aws:multifactorauthpresent", "aws:multifactorauthage"))


def _made(
    context: Context,
    request: Request,
    words: tuple[str, ...],
    hop: RoleHop,
    chain: RoleChain | None,
    caller: str,
) -> policy_context.Request:
    """The request as the evaluator takes it. Raises PolicyError."""
    keys = context_keys(words)
    return policy_request(
        caller,
        hop.role_arn,
        caller_role=next((values[0] for key, values in keys if key.lower() == "aws:principalarn" and values), None),
        session_name=hop.session_name,
        external_id=hop.external_id,
        source_identity=hop.source_identity,
        tags=hop.tags,
        transitive_tags=hop.transitive_tags,
        mfa_code=hop.mfa_serial is not None,
        duration=hop.duration,
        region=_region(request, chain),
        now=context.run.clock(),
        context=(*_mfa_before(chain), *keys),
    )


def read_policies(options: ExplainOptions) -> tuple[Policies, tuple[str, ...]]:
    """The policies in the files of the command line, and what was assumed. Raises PolicyError."""
    trust = policy_files.documents(options.trust_policy) if options.trust_policy is not None else ()
    if len(trust) > 1:
        raise UsageError("a role has one trust policy, and the file holds several", hint="give one document")
    levels, granted = policy_files.levels(options.scps)
    rcps = tuple(policy for path in options.rcps for policy in policy_files.documents(path))
    notes = []
    if not trust:
        notes.append("no trust policy given: --trust-policy FILE")
    if not options.identity_policies:
        notes.append("no policy of the caller given: --identity-policy FILE")
    if granted:
        notes.append("these SCPs only deny: FullAWSAccess is assumed to be attached too")
    return (
        Policies(
            trust[0] if trust else None,
            tuple(policy for path in options.identity_policies for policy in policy_files.documents(path)),
            policy_files.documents(options.boundary) if options.boundary is not None else (),
            policy_files.documents(options.session_policy) if options.session_policy is not None else (),
            levels,
            (rcps,) if rcps else (),
        ),
        tuple(notes),
    )


def context_keys(words: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Condition keys from KEY=VALUE; a key that is given twice has two values. Raises UsageError."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or ":" not in key:
            raise UsageError(
                f"invalid --context {word!r}: it must be KEY=VALUE", hint="--context aws:SourceIp=192.0.2.1"
            )
        found[key] = (*found.get(key, ()), *_listed(value))
    return tuple(found.items())


def _listed(value: str) -> list[str]:
    """The values in a JSON list of texts, or the value."""
    if value.startswith("["):
        with suppress(ValueError, RecursionError):
            listed = json.loads(value)
            if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
                return listed
    return [value]


def _caller_in(chain: RoleChain | None) -> str | None:
    """The caller as far as the chain shows it: the role before the last."""
    before = [hop for hop in (chain.hops[:-1] if chain else ()) if isinstance(hop, RoleHop)]
    return before[-1].role_arn if before else None


def _region(request: Request, chain: RoleChain | None) -> str | None:
    if chain is None:
        return request.region
    return chain.endpoint.region or ("us-east-1" if chain.endpoint.url is None else None)


def _mfa_before(chain: RoleChain | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """MFA of the session with which the first role of the chain is assumed."""
    hops = chain.hops if chain else ()
    if len(hops) == 2 and isinstance(hops[0], SessionTokenHop) and hops[0].mfa_serial:
        return (("aws:MultiFactorAuthPresent", ("true",)),)
    return ()
