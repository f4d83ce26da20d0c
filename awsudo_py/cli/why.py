"""awsudo explain --why: evaluates the policies of one AssumeRole call, and shows what decides it.

1. With policy files there is no call: what is given is all there is, and what is not given is not there.
2. Without files, what could not be read is unknown.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.cli import policy_files
from awsudo_py.cli.output import on_terminal, write, write_json
from awsudo_py.errors import AwsudoError, UsageError
from awsudo_py.model import RoleHop, SessionTokenHop
from awsudo_py.policy.advice import Advice, advice, described
from awsudo_py.policy.context import OF_VPC_ENDPOINTS
from awsudo_py.policy.context import request as policy_request
from awsudo_py.policy.verdicts import Outcome, Policies, Side, Verdict, evaluate, reported
from awsudo_py.resolve import roles
from awsudo_py.resolve.role_words import looks_like_role
from awsudo_py.terminal import coloured, escape, styled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from awsudo_py.aws.evidence import Check
    from awsudo_py.cli.commands.explain import ExplainOptions
    from awsudo_py.context import Context
    from awsudo_py.model import Request, RoleChain
    from awsudo_py.policy import context as policy_context
    from awsudo_py.policy.denials import Denial
    from awsudo_py.policy.verdicts import SideResult, StatementResult

#: Outcome → exit code, for scripts to branch on.
EXIT_CODES = {Outcome.ALLOW: 0, Outcome.DENY: 1, Outcome.IMPLICIT_DENY: 1, Outcome.UNKNOWN: 3}
_TITLES = {
    Side.TRUST: "trust policy",
    Side.IDENTITY: "identity policies",
    Side.BOUNDARY: "permissions boundary",
    Side.SESSION: "session policy",
    Side.SCP: "SCPs",
    Side.RCP: "RCPs",
}
#: In which order sides are shown.
_SHOWN = (Side.IDENTITY, Side.TRUST, Side.BOUNDARY, Side.SESSION, Side.SCP, Side.RCP)


class Report(NamedTuple):
    """What --why has to say."""

    target: str
    request: policy_context.Request
    policies: Policies
    verdict: Verdict
    advice: list[Advice]
    notes: tuple[str, ...] = ()  # what was taken for granted, or could not be read
    denial: Denial | None = None  # what AWS's text says, if it was called and refused
    checks: tuple[Check, ...] = ()  # AWS's own evaluation
    called: bool = False  # whether AWS was called for the session


def why(context: Context, request: Request, options: ExplainOptions) -> int:
    """Show why the target's role can or cannot be assumed; the exit code says which. Raises AwsudoError."""
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
        _write_statements(report)
    else:
        write("".join(f"{line}\n" for line in lines(report, colour=coloured(sys.stdout, context.environ))))
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
    from awsudo_py.session import chain_for

    chain = chain_for(context, request)
    last = chain.hops[-1] if chain.hops else None
    if not isinstance(last, RoleHop):
        raise AwsudoError(
            f"{chain.target} assumes no role by itself, so that no policies decide on it here",
            hint="awsudo explain TARGET --why, for a profile with role_arn or a role's ARN",
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
    made = _made(context, request, options, hop, chain, caller)
    verdict = evaluate(made, given)
    return Report(target, made, given, verdict, advice(made, verdict, target=target), notes)


def _online(context: Context, request: Request, options: ExplainOptions, hop: RoleHop, target: str) -> Report:
    from awsudo_py.session import chain_for

    chain = chain_for(context, request)
    last = chain.hops[-1] if chain.hops else None
    hop = last if isinstance(last, RoleHop) else hop
    nothing = Policies(None, None, None, None, None, None)
    if options.no_calls:
        caller = options.caller or _caller_in(chain)
        if caller is None:
            raise UsageError(
                "without a call it is not known who calls", hint="add --caller ARN, or leave --no-calls out"
            )
        made = _made(context, request, options, hop, chain, caller)
        return Report(target, made, nothing, evaluate(made, nothing), [], ("nothing was called: --no-calls",))
    from awsudo_py.aws.evidence import Evidence  # here, as they take botocore
    from awsudo_py.cli import why_online

    denial = why_online.attempt(context, request, chain)
    before, credentials = why_online.credentials_before(context, request, chain)
    evidence = Evidence(
        before,
        context.config,
        context.clients,
        credentials,
        context.deciding,
        announce=lambda name: context.terminal.detail(f"calling {name}"),
    )
    caller = options.caller or (denial.caller if denial else "") or credentials.arn or evidence.caller()
    made = _made(context, request, options, hop, chain, caller)
    # what a call goes through is not known from here, nor what a session carries
    unknown = OF_VPC_ENDPOINTS | (_OF_SESSIONS if credentials.session_token and not made.mfa_code else frozenset())
    made = made._replace(unknown=frozenset(unknown - {key.lower() for key, _ in made.context}))
    if denial is None:
        verdict = reported(evaluate(made, nothing), Outcome.ALLOW, Side.NONE, made.actions[0])
        return Report(target, made, nothing, verdict, [], called=True)
    findings = why_online.gather(evidence, made, chain, denial)
    made, verdict = why_online.evaluated(made, findings)
    advised = advice(made, verdict, target=target, roles=findings.roles)
    return Report(
        target, made, findings.policies, verdict, advised, findings.notes, denial, findings.checks, called=True
    )


_OF_SESSIONS = frozenset(("aws:multifactorauthpresent", "aws:multifactorauthage"))


def _made(
    context: Context,
    request: Request,
    options: ExplainOptions,
    hop: RoleHop,
    chain: RoleChain | None,
    caller: str,
) -> policy_context.Request:
    """The request as the evaluator takes it. Raises PolicyError."""
    keys = context_keys(options.context_keys)
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
    """The policies in the files of the command line, and what was taken for granted. Raises PolicyError."""
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
        notes.append("the SCPs given only deny: FullAWSAccess is taken to stand beside them")
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
    """Condition keys from KEY=VALUE; a key that stands twice has two values. Raises UsageError."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or ":" not in key:
            raise UsageError(
                f"invalid --context {word!r}: it must be KEY=VALUE", hint="--context aws:SourceIp=192.0.2.1"
            )
        found[key] = (*found.get(key, ()), value)
    return tuple(found.items())


def _caller_in(chain: RoleChain | None) -> str | None:
    """The caller as far as the chain tells it: the role before the last."""
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


# -- for people ------------------------------------------------------------------------------------------------------

_HEADINGS = {
    Outcome.ALLOW: ("ALLOWED", "green"),
    Outcome.DENY: ("DENIED", "red"),
    Outcome.IMPLICIT_DENY: ("DENIED", "red"),
    Outcome.UNKNOWN: ("UNKNOWN", "yellow"),
}


def lines(report: Report, *, colour: bool) -> Iterator[str]:
    """The report as a person reads it."""

    def style(text: str, name: str) -> str:
        return styled(text, name) if colour and name else text

    verdict, request = report.verdict, report.request
    word, hue = _HEADINGS[verdict.outcome]
    if report.denial is not None:
        word, hue = _HEADINGS[Outcome.DENY]
    yield f"{style(escape(report.target), 'bold')}: {style(word, hue)}{escape(_because(verdict))}"
    yield ""
    yield escape(f"  caller    {request.caller.arn}")
    yield escape(f"  role      {request.role.arn}")
    yield escape(f"  sent      {_sent(request)}")
    if report.called and report.denial is None:
        yield "  AWS       gave a session; it is cached"
        return
    if report.denial is not None:
        yield style(escape(f"  AWS       {report.denial.text}"), "dim")
    for check in report.checks:
        yield escape(f"  checked   {check_text(check)}")
    yield ""
    if len(verdict.actions) > 1:
        yield style(f"  action {verdict.action}; also needed: {_others(verdict)}", "dim")
    for side in _SHOWN:
        yield from _side_lines(verdict.decided.side(side), report.policies, style)
    yield from _tail(report, style)


def _side_lines(found: SideResult, policies: Policies, style: Callable[[str, str], str]) -> Iterator[str]:
    """What one side says, and why."""
    word, hue, statement = _said(found, policies)
    if statement is None:
        yield f"  {_TITLES[found.side].ljust(20)}  {style(word, hue)}"
        return
    yield f"  {_TITLES[found.side].ljust(20)}  {style(word.ljust(9), hue)}  {escape(_place(statement))}"
    for reason in _reasons(statement):
        yield f"  {'':20}    {escape(reason)}"


def _tail(report: Report, style: Callable[[str, str], str]) -> Iterator[str]:
    """What would change it, and notes."""
    outcome = report.verdict.outcome
    if report.advice:
        yield ""
        yield "What would change it:" if outcome is not Outcome.UNKNOWN else "What may decide it:"
        for each in report.advice:
            yield from (f"  {line}" for line in _advised(each))
    elif outcome is Outcome.UNKNOWN and report.denial is not None and report.denial.candidates:
        yield ""
        yield "It may be one of these:"
        yield from (escape(f"  - {line}") for line in report.denial.candidates)
    if any(each.statement is not None for each in report.advice):
        yield style("  The statements as JSON: add --fix.", "dim")
    for note in report.notes:
        yield style(escape(f"Note: {note}"), "dim")
    if outcome in (Outcome.DENY, Outcome.IMPLICIT_DENY):
        yield style("After this change another policy may still refuse.", "dim")


def _because(verdict: Verdict) -> str:
    titles = {
        Side.TRUST: "the role's trust policy",
        Side.IDENTITY: "the caller's policies",
        Side.BOUNDARY: "the caller's permissions boundary",
        Side.SESSION: "the policy of the caller's session",
        Side.SCP: "the organization's SCPs",
        Side.RCP: "the RCPs of the role's organization",
    }
    many = verdict.blame in (Side.IDENTITY, Side.SCP, Side.RCP)
    if verdict.outcome is Outcome.ALLOW:
        return ""
    if verdict.blame is Side.NONE:
        return " by AWS; the policies that can be read do not show why"
    if verdict.outcome is Outcome.UNKNOWN:
        return f": what {titles[verdict.blame]} say{'' if many else 's'} is not known"
    if verdict.outcome is Outcome.DENY:
        return f" by a Deny in {titles[verdict.blame]}"
    return f": {titles[verdict.blame]} {'do' if many else 'does'} not allow it"


def check_text(check: Check) -> str:
    """A check of AWS's own evaluation, as a line."""
    policies = [f"{uri}{f', {chr(32).join(filter(None, sids))}' if any(sids) else ''}" for uri, sids in check.policies]
    return " ".join(filter(None, (check.kind, check.effect, "; ".join(policies))))


def _sent(request: policy_context.Request) -> str:
    parts = [
        f"session name {request.session_name}" if request.session_name else "",
        f"external ID {request.external_id}" if request.external_id is not None else "no external ID",
        "an MFA code" if request.mfa_code else "no MFA code",
        f"tags {', '.join(f'{key}={value}' for key, value in request.tags)}" if request.tags else "",
        f"source identity {request.source_identity}" if request.source_identity else "",
        f"region {request.region}" if request.region else "",
    ]
    return "; ".join(filter(None, parts))


def _others(verdict: Verdict) -> str:
    names = {Outcome.ALLOW: "allowed", Outcome.UNKNOWN: "unknown"}
    others = [each for each in verdict.actions if each.action != verdict.action]
    return ", ".join(f"{each.action} ({names.get(each.outcome, 'denied')})" for each in others)


def _said(found: SideResult, policies: Policies) -> tuple[str, str, StatementResult | None]:
    """What a side says, its colour, and the statement that decides it."""
    given = getattr(policies, found.side.value)
    if given is None:
        return "unknown", "yellow", None
    if found.side is not Side.TRUST and not given:
        nothing = "none given" if found.side is Side.IDENTITY else "none"
        return nothing, "red" if found.side is Side.IDENTITY and found.allows is False else "dim", None
    applies = [each for each in found.statements if each.applies]
    denying = [each for each in applies if each.statement.effect == "Deny"]
    if denying:
        return "denies", "red", denying[0]
    unclear = [each for each in found.statements if each.applies is None]
    if found.denies is None or found.allows is None:
        return "unknown", "yellow", unclear[0] if unclear else None
    if found.allows and found.side is Side.RCP:
        return "allow", "green", None
    if found.allows:
        allowing = [each for each in applies if each.statement.effect == "Allow"]
        return "allows", "green", allowing[0] if allowing else None
    near = sorted(
        (each for each in found.statements if each.statement.effect == "Allow" and each.action is not False),
        key=lambda each: sum(part is not True for part in (each.named.at_all, each.resource)) * 9 + len(each.deciding),
    )
    return "no allow", "red", near[0] if near else None


def _place(found: StatementResult) -> str:
    return f"{found.statement.title} of {found.policy}" if found.policy else found.statement.title


def _reasons(found: StatementResult) -> Iterator[str]:
    """Why a statement does not apply, or may not."""
    yield from (f"AWS would not store it: {fault}" for fault in found.statement.faults)
    if found.applies:
        return
    if found.action is False:
        yield "it does not cover the action"
    if found.named.at_all is False:
        yield "its principals do not name the caller"
    elif found.named.at_all is None:
        yield "whether its principals name the caller is not known"
    if found.resource is False:
        yield "its resources do not cover the role"
    if found.statement.effect == "Deny" and found.deciding:
        yield "it denies only under a condition that is not known to hold:"
    yield from (described(condition) for condition in found.deciding)


def _advised(each: Advice) -> Iterator[str]:
    may_be = "possibly: " if each.possible else ""
    yield escape(f"- {may_be}{each.text}")
    if each.command:
        yield escape(f"    {each.command}")
    if each.statement is not None:
        yield escape(f"    {json.dumps(each.statement)}")


def _write_statements(report: Report) -> None:
    """The statements to paste, as JSON: for each side a policy."""
    found = [each for each in report.advice if each.statement is not None]
    if not found:
        raise AwsudoError(
            f"no statement would change the answer for {report.target}", hint=f"awsudo explain {report.target} --why"
        )
    if on_terminal():
        for each in found:
            write(f"{escape(each.text)}:\n{json.dumps(each.statement, indent=2)}\n")
        return
    write_json([{"policy": each.side, "statement": each.statement} for each in found])


# -- for programs ----------------------------------------------------------------------------------------------------


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON."""
    verdict = report.verdict
    return {
        "target": report.target,
        "role": report.request.role.arn,
        "caller": report.request.caller.arn,
        "verdict": verdict.outcome.value,
        "blame": verdict.blame.value,
        "action": verdict.action,
        "statements": [_statement_json(found) for found in verdict.statements],
        "actions": [
            {"action": each.action, "verdict": each.outcome.value, "blame": each.blame.value}
            for each in verdict.actions
        ],
        "sides": {each.side.value: _said(each, report.policies)[0] for each in verdict.decided.sides},
        "advice": [each._asdict() for each in report.advice],
        "aws": None if report.denial is None else _denial_json(report.denial),
        "checks": [each._asdict() for each in report.checks],
        "notes": list(report.notes),
    }


def _denial_json(denial: Denial) -> dict[str, Any]:
    wanted = ("side", "explicit", "text", "policy_arn", "authorization_id", "link", "candidates")
    return {name: value for name, value in denial._asdict().items() if name in wanted}


def _statement_json(found: StatementResult) -> dict[str, Any]:
    return {
        "side": found.side.value,
        "policy": found.policy,
        "statement": found.statement.number,
        "sid": found.statement.sid,
        "effect": found.statement.effect,
        "applies": found.applies,
        "principal": found.named.at_all,
        "action": found.action,
        "resource": found.resource,
        "faults": list(found.statement.faults),
        "conditions": [
            {
                "operator": each.operator,
                "key": each.key,
                "policyValues": list(each.wanted),
                "requestValues": list(each.found) if each.known and each.found is not None else None,
                "known": each.known,
                "holds": each.outcome,
            }
            for each in found.conditions
        ],
    }
