"""Advice on a denied request: what to send, or the smallest change of a policy, and common mistakes by name.

1. A statement to paste grants the missing actions for this caller and this role, and nothing more.
2. If only a condition is not met, the advice is never to allow the call without that condition.
3. Advice about a condition that could not be evaluated is marked as possible only.
4. After a change another policy may still refuse: what is certain is only that this reason is gone.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.policy import arns
from awsudo_py.policy.context import SET_SOURCE_IDENTITY, TAG_SESSION
from awsudo_py.policy.verdicts import DELETED, Outcome, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from awsudo_py.policy.conditions import ConditionResult
    from awsudo_py.policy.context import Request
    from awsudo_py.policy.verdicts import SideResult, StatementResult, Verdict


class Advice(NamedTuple):
    """One remedy for a denied request, or a mistake that explains it."""

    slip: str  # its name, for programs
    text: str
    side: str = ""  # whose policy to change; empty: change the request or the caller
    command: str = ""  # what to run instead
    statement: dict[str, Any] | None = None  # to add to the policy of that side
    possible: bool = False  # whether it is only a possible reason


def advice(request: Request, verdict: Verdict, *, target: str = "TARGET", roles: Iterable[str] = ()) -> list[Advice]:
    """Remedies for a request that was not allowed, the closest first; target is its name on the command line.

    roles: ARNs of roles that are known to exist, for misspelt names.
    """
    if verdict.outcome is Outcome.ALLOW:
        return []
    made = [*_about_caller(request), *_about_role(request, roles)]
    if verdict.blame is Side.NONE:
        return made
    side = verdict.side(verdict.blame)
    if verdict.outcome is Outcome.DENY:
        made += _lift(request, side, verdict, target)
    elif request.caller.kind not in ("root", "federated-user"):
        made += _grant(request, side, verdict, target)
    return [each for number, each in enumerate(made) if each not in made[:number]]


def _about_caller(request: Request) -> Iterator[Advice]:
    if request.caller.kind == "root":
        yield Advice("root", "the root user cannot assume a role: use an IAM user or a session of a role")
    if request.caller.kind == "federated-user":
        yield Advice(
            "federated-user", "a session of GetFederationToken cannot assume a role: use the user's own keys or a role"
        )


def _about_role(request: Request, roles: Iterable[str]) -> Iterator[Advice]:
    """A known role with a similar name, if this one is unknown."""
    known = list(roles)
    if not known or request.role.arn in known:
        return
    same = [role for role in map(arns.role_of, known) if role is not None and role.account == request.role.account]
    name = request.role.name
    found = [("role-path", "the role's path differs", role) for role in same if role.name == name]
    found += [
        ("role-case", "upper and lower case differ", role)
        for role in same
        if role.name.lower() == name.lower() and role.name != name
    ]
    if not found:
        from difflib import get_close_matches  # 5 ms, and only a misspelt role needs it

        close = get_close_matches(name, [role.name for role in same], 1)
        found = [("role-name", "the nearest name is", role) for role in same if role.name in close]
    for slip, how, role in found:
        yield Advice(slip, f"{how}: {role.arn}", command=f"awsudo {shlex.quote(role.arn)}")


# -- a missing Allow -------------------------------------------------------------------------------------------------


def _grant(request: Request, side: SideResult, verdict: Verdict, target: str) -> Iterator[Advice]:
    """Remedies that make the side allow the action."""
    action = verdict.action
    near = [found for found in verdict.statements if found.statement.effect == "Allow"]
    yield from _about_action(request, action)
    for found in near:
        if found.named.at_all is not False and found.resource is not False and found.action is not False:
            for condition in found.deciding:
                yield from _about_condition(request, condition, target, holds=True)
        elif side.side is Side.TRUST:
            yield from _about_principals(request, found)
        elif found.resource is False:
            yield from _about_resources(request, found)
    if verdict.outcome is Outcome.UNKNOWN:
        for found in verdict.statements:
            if found.statement.effect == "Deny":
                for condition in found.deciding:
                    yield from _about_condition(request, condition, target, holds=False)
    else:
        yield from _statements(request, verdict)


def _statements(request: Request, verdict: Verdict) -> Iterator[Advice]:
    """The statements that are missing: of the side to blame, and from another account of every side at once."""
    for side in (Side.SCP, Side.TRUST, Side.IDENTITY, Side.BOUNDARY, Side.SESSION):
        if side is not verdict.blame and request.same_account:
            continue
        judged = [each for each in verdict.actions if each.side(side).allows is False]
        if side is verdict.blame:
            judged = [each for each in judged if (each.blame, each.outcome) == (side, verdict.outcome)]
        missing = [each.action for each in judged if not _only_conditions(each.side(side))]
        if missing and side is Side.SCP:
            yield Advice("scp", f"the organization must allow {', '.join(missing)} at every level", "scp")
        elif missing:
            made = trust_statement(request, missing) if side is Side.TRUST else grant_statement(request, missing)
            yield Advice(f"{side.value}-statement", f"add to the {_DOCUMENT[side]}", side.value, statement=made)


def _only_conditions(side: SideResult) -> bool:
    """Whether a statement of the side would allow it if its conditions were met."""
    return any(
        found.statement.effect == "Allow"
        and False not in (found.named.at_all, found.action, found.resource)
        and not found.statement.faults
        for found in side.statements
    )


_DOCUMENT = {
    Side.TRUST: "role's trust policy",
    Side.IDENTITY: "caller's policies",
    Side.BOUNDARY: "caller's permissions boundary",
    Side.SESSION: "policy of the caller's session",
}


def trust_statement(request: Request, actions: Iterable[str]) -> dict[str, Any]:
    """The statement by which a trust policy allows these actions to this caller only."""
    caller = request.caller
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": caller.owner}, "Action": _few(actions)}
    if caller.name.startswith("AWSReservedSSO_"):
        # the role's name ends in digits that change when the permission set is provisioned anew
        name = caller.name.rpartition("_")[0]
        statement["Principal"] = {"AWS": f"arn:{caller.partition}:iam::{caller.account}:root"}
        statement["Condition"] = {
            "ArnLike": {"aws:PrincipalArn": [f"{caller.role_prefix}{path}{name}_*" for path in ("", "*/")]}
        }
    return statement  # fmt: skip


def grant_statement(request: Request, actions: Iterable[str]) -> dict[str, Any]:
    """The statement by which a policy of the caller allows these actions on this role only."""
    return {"Effect": "Allow", "Action": _few(actions), "Resource": request.role.arn}


def _few(actions: Iterable[str]) -> str | list[str]:
    listed = list(actions)
    return listed[0] if len(listed) == 1 else listed


def _about_action(request: Request, action: str) -> Iterator[Advice]:
    if action == TAG_SESSION:
        if request.inherited_tags and not request.tags:
            yield Advice("inherited-tags", f"the caller's session passes transitive tags on, which needs {action}")
        else:
            yield Advice("tags", f"session tags are sent, which needs {action} on both sides")
    if action == SET_SOURCE_IDENTITY:
        if request.source_identity is None:
            yield Advice(
                "inherited-source-identity", f"the caller's session has a source identity, which needs {action}"
            )
        else:
            yield Advice("source-identity", f"a source identity is sent, which needs {action} on both sides")


def _about_principals(request: Request, found: StatementResult) -> Iterator[Advice]:
    """Mistakes in the principals of a trust policy that does not name the caller."""
    caller, title = request.caller, found.statement.title
    for kind, value in found.statement.principals or ():
        if kind != "AWS":
            continue
        if DELETED.fullmatch(value):
            yield Advice(
                "deleted-principal",
                f"{title} names {value}, the ID of a principal that was deleted: put its ARN there again",
                "trust",
            )
        elif "*" in value and value != "*":
            yield Advice(
                "wildcard-principal",
                f"{title} names {value}: a principal has no wildcards; name the account, and require aws:PrincipalArn",
                "trust",
            )
        elif slip := _near(value, caller):
            yield Advice(slip[0], f"{title} names {value}, and the caller is {caller.arn}: {slip[1]}", "trust")


def _near(value: str, caller: arns.Caller) -> tuple[str, str] | None:
    """How a principal that does not name the caller resembles it."""
    arn = arns.parsed(value)
    if arn is None or "/" not in arn.resource:
        return None
    owners = {caller.arn, *caller.principal_arns}
    if value.lower() in {owner.lower() for owner in owners}:
        return "case", "upper and lower case differ"
    last = arn.resource.rpartition("/")[2]
    same_account = (arn.partition, arn.account) == (caller.partition, caller.account)
    kind = arn.resource.partition("/")[0]
    if (
        same_account
        and (kind, caller.kind) == ("assumed-role", "session")
        and arn.resource.split("/")[1] == caller.name
    ):
        return "session-name", "another session of the same role; name the role, or give that --session-name"
    if same_account and last == caller.name and kind == caller.owner.split(":")[5].partition("/")[0]:
        return "path", "the path differs"
    if not same_account and last == caller.name:
        return "account", "the account differs" if arn.partition == caller.partition else "the partition differs"
    return None


def _about_resources(request: Request, found: StatementResult) -> Iterator[Advice]:
    """Mistakes in the resources of a caller's policy that do not cover the role."""
    title, role = found.statement.title, request.role
    for value in found.statement.resources or ():
        other = arns.role_of(value)
        if other is None or found.statement.not_resource:
            continue
        where = f"{title} allows it on {value}, and the role is {role.arn}"
        if value.lower() == role.arn.lower():
            yield Advice("case", f"{where}: upper and lower case differ", found.side.value)
        elif other.name == role.name:
            slip = "path" if other.account == role.account else "account"
            yield Advice(slip, f"{where}: the {slip} differs", found.side.value)


# -- conditions ------------------------------------------------------------------------------------------------------


def _about_condition(request: Request, condition: ConditionResult, target: str, *, holds: bool) -> Iterator[Advice]:
    """Remedies that make a condition hold, or not hold."""
    possible = condition.outcome is None
    key = condition.key.lower()
    name = condition.operator.rpartition(":")[2].lower().removesuffix("ifexists")
    text = described(condition, holds=holds)
    positive = name != "null" and ("not" not in name) is holds
    plain = next((value for value in condition.expected if positive and not set(value) & set("*?$")), "")
    for prefix, slip, make in _SENT:
        if key.startswith(prefix):
            command = make(condition, plain, target)
            yield Advice(slip, text, command=command, possible=possible)
            break
    else:
        yield Advice("condition", text, possible=possible)
    if key == "aws:principalarn" and request.caller.kind == "session":
        if any(":assumed-role/" in value for value in condition.expected):
            yield Advice(
                "principal-arn",
                f"aws:PrincipalArn of a session is the ARN of its role, {request.caller.owner}, not its own",
                "trust",
                possible=possible,
            )
        elif "AWSReservedSSO_" in request.caller.name:
            yield Advice(
                "principal-arn",
                f"the role of a permission set has a path: {request.caller.role_prefix}*{request.caller.name}",
                "trust",
                possible=possible,
            )
    if key == "aws:requestedregion" and condition.found == ("us-east-1",):
        yield Advice(
            "global-endpoint",
            "a call to the global STS endpoint counts as one in us-east-1: use a Regional endpoint",
            command=f"awsudo --region {shlex.quote(plain or 'REGION')} {target}",
            possible=possible,
        )


def _option(option: str) -> Callable[[ConditionResult, str, str], str]:
    return lambda _condition, plain, target: f"awsudo {option} {shlex.quote(plain) if plain else 'VALUE'} {target}"


def _mfa(condition: ConditionResult, _plain: str, target: str) -> str:
    return f"awsudo --mfa-serial ARN {target}" if condition.found is None else f"awsudo --mfa-per-role {target}"


def _tag(condition: ConditionResult, plain: str, target: str) -> str:
    return f"awsudo --tag {shlex.quote(condition.key.partition('/')[2] + '=' + (plain or 'VALUE'))} {target}"


def _nothing(_condition: ConditionResult, _plain: str, _target: str) -> str:
    return ""


#: Prefixes of keys → the mistake's name, and what to send.
_SENT: tuple[tuple[str, str, Callable[[ConditionResult, str, str], str]], ...] = (
    ("sts:externalid", "external-id", _option("--external-id")),
    ("sts:rolesessionname", "session-name", _option("--session-name")),
    ("sts:sourceidentity", "source-identity", _option("--source-identity")),
    ("sts:durationseconds", "duration", _option("--duration")),
    ("sts:transitivetagkeys", "transitive-tags", _option("--transitive-tag")),
    ("aws:requesttag/", "tags", _tag),
    ("aws:tagkeys", "tags", _nothing),
    ("aws:multifactorauthpresent", "mfa", _mfa),
    ("aws:multifactorauthage", "mfa-age", lambda _c, _p, target: f"awsudo --mfa-per-role {target}"),
    ("aws:requestedregion", "region", _option("--region")),
    ("aws:currenttime", "time", _nothing),
    ("aws:epochtime", "time", _nothing),
    ("aws:sourceip", "network", _nothing),
    ("aws:vpcsourceip", "network", _nothing),
    ("aws:sourcevpc", "network", _nothing),
    ("aws:principalarn", "principal", _nothing),
    ("aws:principaltag/", "principal-tag", _nothing),
    ("aws:principalorg", "organization", _nothing),
    ("aws:userid", "principal", _nothing),
)


def described(condition: ConditionResult, *, holds: bool = True) -> str:
    """A condition as a sentence: the policy's requirement, and the request's values. holds: whether it should hold."""
    quantifier, _, operator = condition.operator.rpartition(":")
    name = operator.lower()
    optional = " where it is present" if name.endswith("ifexists") else ""
    name = name.removesuffix("ifexists")
    found = "its value is not known" if not condition.known else _found(condition)
    which = {"forallvalues": "every value of ", "foranyvalue": "a value of "}.get(quantifier.lower(), "")
    values = " or ".join(map(_quoted, condition.expected[:3])) + (" or ..." if len(condition.expected) > 3 else "")
    if name == "null":
        absent = ("true" in (value.lower() for value in condition.expected)) is holds
        return f"{condition.key} must be {'absent' if absent else 'present'}; {found}"
    if name not in _PHRASES:
        must = "must satisfy" if holds else "must not satisfy"
        return f"{which}{condition.key} {must} {condition.operator} {values}; {found}"
    must, must_not = _PHRASES[name]
    return f"{which}{condition.key} {must if holds else must_not} {values}{optional} ({operator}); {found}"


def _phrases() -> dict[str, tuple[str, str]]:
    """Operators, in lower case → how a sentence says that they hold, and that they do not."""
    found = {"bool": ("must be", "must not be"), "binaryequals": ("must equal", "must not equal")}
    for names, must, must_not in (
        (("StringEquals", "StringEqualsIgnoreCase", "NumericEquals", "DateEquals"), "must equal", "must not equal"),
        (("StringLike", "ArnLike", "ArnEquals"), "must match", "must not match"),
        (("IpAddress",), "must be in", "must not be in"),
        (("NumericLessThan",), "must be less than", "must not be less than"),
        (("NumericLessThanEquals",), "must be at most", "must be more than"),
        (("NumericGreaterThan",), "must be more than", "must be at most"),
        (("NumericGreaterThanEquals",), "must be at least", "must be less than"),
        (("DateLessThan", "DateLessThanEquals"), "must be before", "must be after"),
        (("DateGreaterThan", "DateGreaterThanEquals"), "must be after", "must be before"),
    ):
        for name in names:
            lower = name.lower()
            found[lower] = (must, must_not)
            head = next((kind for kind in ("string", "numeric", "date", "arn") if lower.startswith(kind)), "")
            found[f"{head}not{lower.removeprefix(head)}" if head else f"not{lower}"] = (must_not, must)
    return found


_PHRASES = _phrases()


def _found(condition: ConditionResult) -> str:
    if condition.found is None:
        return "the request does not have it"
    return f"the request has {', '.join(map(_quoted, condition.found[:3]))}"


def _quoted(text: str) -> str:
    return f'"{text[:100]}"'


# -- a Deny ----------------------------------------------------------------------------------------------------------


def _lift(request: Request, side: SideResult, verdict: Verdict, target: str) -> Iterator[Advice]:
    """Remedies that keep the denying statements from applying."""
    for found in verdict.statements:
        for condition in found.conditions:
            yield from _about_condition(request, condition, target, holds=False)
        yield Advice(
            f"{side.side.value}-deny",
            f"{found.statement.title} denies {verdict.action}: narrow it or take it out; an Allow does not override it",
            side.side.value,
        )
