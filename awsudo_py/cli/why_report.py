"""The report of awsudo explain --why: as a page, as statements to paste, as JSON."""

from __future__ import annotations

import json
import shlex
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.cli.output import on_terminal, write, write_json
from awsudo_py.display import escape, styled
from awsudo_py.errors import AwsudoError
from awsudo_py.policy.advice import described
from awsudo_py.policy.verdicts import Outcome, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awsudo_py.aws.evidence import Check
    from awsudo_py.policy import context as policy_context
    from awsudo_py.policy.advice import Advice
    from awsudo_py.policy.denials import Denial
    from awsudo_py.policy.verdicts import Policies, SideResult, StatementResult, Verdict

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
    """The report of --why."""

    target: str
    request: policy_context.Request
    policies: Policies
    verdict: Verdict
    advice: list[Advice]
    notes: tuple[str, ...] = ()  # what was assumed, or could not be read
    denial: Denial | None = None  # the reading of AWS's text, if it was called and refused
    checks: tuple[Check, ...] = ()  # AWS's own evaluation
    called: bool = False  # whether AWS was called for the session


# -- for people ------------------------------------------------------------------------------------------------------

_HEADINGS = {
    Outcome.ALLOW: ("ALLOWED", "green"),
    Outcome.DENY: ("DENIED", "red"),
    Outcome.IMPLICIT_DENY: ("DENIED", "red"),
    Outcome.UNKNOWN: ("UNKNOWN", "yellow"),
}


class Line(NamedTuple):
    """A line of the report: its style, of one word only if that is named, and the indent of its continuation lines."""

    text: str
    style: str = ""
    word: str = ""
    inset: int = 2


def page(report: Report, *, width: int | None, colour: bool) -> str:
    """The report as a person reads it, in lines of this width."""
    return "".join(f"{line}\n" for each in lines(report) for line in _painted(each, width, colour=colour))


def _painted(line: Line, width: int | None, *, colour: bool) -> list[str]:
    text = escape(line.text)
    pasted = text.lstrip().startswith(("awsudo ", "{"))
    pieces = [text]
    if width is not None and len(text) > width and not pasted:
        indent = " " * (len(text) - len(text.lstrip()))
        pieces = textwrap.wrap(
            text.lstrip(),
            max(width, 40),
            initial_indent=indent,
            subsequent_indent=" " * max(line.inset, len(indent)),
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
    if colour and line.style and line.word:
        return [pieces[0].replace(line.word, styled(line.word, line.style), 1), *pieces[1:]]
    return [styled(piece, line.style) for piece in pieces] if colour and line.style else pieces


def lines(report: Report) -> Iterator[Line]:
    """The report, line by line."""
    verdict, request = report.verdict, report.request
    word, hue = _HEADINGS[verdict.outcome if report.denial is None else Outcome.DENY]
    yield Line(f"{report.target}: {word}{_because(verdict)}", hue, word)
    yield Line("")
    yield Line(f"  caller    {request.caller.arn}", inset=12)
    yield Line(f"  role      {request.role.arn}", inset=12)
    yield Line(f"  sent      {_sent(request)}", inset=12)
    if report.called and report.denial is None:
        yield Line("  AWS       returned a session, which is cached")
        return
    if report.denial is not None:
        yield Line(f"  AWS       {report.denial.text}", "dim", inset=12)
    for check in report.checks:
        yield Line(f"  checked   {check_text(check)}", inset=12)
    yield Line("")
    if len(verdict.actions) > 1:
        yield Line(f"  action {verdict.action}; also needed: {_others(verdict)}", "dim")
    for side in _SHOWN:
        yield from _side_lines(verdict.decided.side(side), report.policies)
    yield from _tail(report)


def _side_lines(found: SideResult, policies: Policies) -> Iterator[Line]:
    """The verdict of one side, with its reasons."""
    word, hue, statement = _summary(found, policies)
    title = f"  {_TITLES[found.side].ljust(20)}  "
    if statement is None:
        yield Line(f"{title}{word}", hue, word)
        return
    yield Line(f"{title}{word.ljust(9)}  {_place(statement)}", hue, word, inset=33)
    for reason in _reasons(statement):
        yield Line(f"{'':24}  {reason}", inset=28)


def _tail(report: Report) -> Iterator[Line]:
    """What would change the verdict, and notes."""
    outcome = report.verdict.outcome
    if report.advice:
        yield Line("")
        yield Line("What would change it:" if outcome is not Outcome.UNKNOWN else "What may decide it:", "bold")
        for each in report.advice:
            yield from _advised(each)
    elif outcome is Outcome.UNKNOWN and report.denial is not None and report.denial.candidates:
        yield Line("")
        yield Line("It may be one of these:", "bold")
        yield from (Line(f"  - {line}", inset=4) for line in report.denial.candidates)
    if any(each.statement is not None for each in report.advice):
        yield Line("  The statements as JSON: add --fix.", "dim")
    for note in report.notes:
        yield Line(f"Note: {note}", "dim", inset=6)
    if outcome in (Outcome.DENY, Outcome.IMPLICIT_DENY):
        yield Line("After this change another policy may still refuse.", "dim")


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


def _summary(found: SideResult, policies: Policies) -> tuple[str, str, StatementResult | None]:
    """The verdict of a side, its colour, and the deciding statement."""
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


def _advised(each: Advice) -> Iterator[Line]:
    may_be = "possibly: " if each.possible else ""
    yield Line(f"  - {may_be}{each.text}", inset=4)
    if each.command:
        yield Line(f"      {each.command}")
    if each.statement is not None:
        yield Line(f"      {json.dumps(each.statement)}")


def write_statements(report: Report) -> None:
    """The statements to paste, as JSON: for each side a policy."""
    found = [each for each in report.advice if each.statement is not None]
    if not found:
        raise AwsudoError(
            f"no statement would change the answer for {report.target}",
            hint=f"awsudo explain {shlex.quote(report.target)} --why",
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
        "sides": {each.side.value: _summary(each, report.policies)[0] for each in verdict.decided.sides},
        "advice": [each._asdict() for each in report.advice],
        "aws": None if report.denial is None else _denial_json(report.denial),
        "checks": [each._asdict() for each in report.checks],
        "notes": list(report.notes),
    }


def _denial_json(denial: Denial) -> dict[str, Any]:
    fields = ("side", "explicit", "text", "policy_arn", "authorization_id", "link", "candidates")
    return {name: value for name, value in denial._asdict().items() if name in fields}


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
                "policyValues": list(each.expected),
                "requestValues": list(each.found) if each.known and each.found is not None else None,
                "known": each.known,
                "holds": each.outcome,
            }
            for each in found.conditions
        ],
    }
