"""Whether a caller may assume a role: allowed, denied explicitly or implicitly, or unknown, and what decides.

1. Each needed action is judged by itself: AssumeRole; TagSession, SetSourceIdentity and SetContext as the call needs.
2. A Deny that applies ends it, in whatever policy. One that may apply leaves the verdict unknown at best.
3. The caller's account must allow it at every SCP level. RCPs can only deny.
4. Same account: a trust policy that names the user or the session is enough. One that names the role is enough unless
   boundary or session policy lack the action. One that names the account leaves it to the caller's own policies.
5. Other account: trust policy, identity policies, boundary and session policy must all allow it.
6. The root user and GetFederationToken sessions cannot assume a role.
7. What is not known never makes an Allow or a Deny certain.

Source: IAM user guide, "Policy evaluation logic", "Permissions boundaries" and "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.policy import arns, matching
from awsudo_py.policy.conditions import UNRESOLVED, ConditionResult, result, substituted
from awsudo_py.policy.context import Context
from awsudo_py.policy.truth import all_of, any_of, negated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsudo_py.policy.context import Request
    from awsudo_py.policy.documents import Policy, Statement
    from awsudo_py.policy.truth import Truth


class Outcome(str, Enum):
    """The outcome of a request."""

    ALLOW = "allow"
    DENY = "deny"
    IMPLICIT_DENY = "implicitDeny"
    UNKNOWN = "unknown"


class Side(str, Enum):
    """The sides that decide."""

    TRUST = "trust"
    IDENTITY = "identity"
    BOUNDARY = "boundary"
    SCP = "scp"
    RCP = "rcp"
    SESSION = "session"
    NONE = "none"


class Policies(NamedTuple):
    """The policies that count. None: not known. Empty: known to be absent."""

    trust: Policy | None = None
    identity: tuple[Policy, ...] | None = ()
    boundary: tuple[Policy, ...] | None = ()
    session: tuple[Policy, ...] | None = ()  # the policies that narrowed the caller's own session
    scp: tuple[tuple[Policy, ...], ...] | None = ()  # a tuple for each level; none: full access
    rcp: tuple[tuple[Policy, ...], ...] | None = ()  # besides the one that allows everything


class Named(NamedTuple):
    """How the principals of a statement name the caller."""

    itself: Truth = False  # the user or the session
    role: Truth = False  # the role whose session it is
    account: Truth = False
    anyone: Truth = False

    @property
    def at_all(self) -> Truth:
        """Whether the caller is named in any way."""
        return any_of(self)


class StatementResult(NamedTuple):
    """How one statement came out for one action."""

    side: Side
    policy: str  # its name
    statement: Statement
    named: Named  # everybody, where policies have no principals
    action: Truth
    resource: Truth
    conditions: tuple[ConditionResult, ...]
    applies: Truth

    @property
    def deciding(self) -> tuple[ConditionResult, ...]:
        """The conditions that keep it from applying, or from being known to apply."""
        failed = tuple(condition for condition in self.conditions if condition.outcome is False)
        return failed or tuple(condition for condition in self.conditions if condition.outcome is None)


class SideResult(NamedTuple):
    """The verdict of one side's policies on one action."""

    side: Side
    allows: Truth
    denies: Truth
    known: bool  # whether there was anything to read
    statements: tuple[StatementResult, ...]


class ActionVerdict(NamedTuple):
    """The verdict on one action."""

    action: str
    outcome: Outcome
    blame: Side
    statements: tuple[StatementResult, ...]  # those that decide
    sides: tuple[SideResult, ...]

    def side(self, side: Side) -> SideResult:
        """The verdict of one side on the action."""
        return next(found for found in self.sides if found.side is side)


class Verdict(NamedTuple):
    """The verdict on a request: that of its worst action."""

    outcome: Outcome
    blame: Side
    action: str  # the action that decides
    statements: tuple[StatementResult, ...]
    actions: tuple[ActionVerdict, ...]

    @property
    def decided(self) -> ActionVerdict:
        """The verdict on the action that decides."""
        return next(judged for judged in self.actions if judged.action == self.action)

    def side(self, side: Side) -> SideResult:
        """The verdict of one side on the deciding action."""
        return self.decided.side(side)


#: The order in which sides are blamed if several refuse.
ORDER = (Side.RCP, Side.SCP, Side.TRUST, Side.IDENTITY, Side.BOUNDARY, Side.SESSION)
_WORST_FIRST = (Outcome.DENY, Outcome.IMPLICIT_DENY, Outcome.UNKNOWN, Outcome.ALLOW)
_EVERYBODY = Named(anyone=True)


def evaluate(request: Request, policies: Policies) -> Verdict:
    """The verdict on a request under these policies."""
    judge = _Judge(request, policies)
    actions = tuple(judge.verdict(action) for action in request.actions)
    worst = min(actions, key=lambda judged: _WORST_FIRST.index(judged.outcome))
    return Verdict(worst.outcome, worst.blame, worst.action, worst.statements, actions)


def _unclear_rank(found: SideResult) -> tuple[bool, int]:
    """What was read first, in the order of ORDER; then what could not be read, the organizations' policies last."""
    order = ORDER if found.known else (*ORDER[2:], *ORDER[:2])
    return (not found.known, order.index(found.side))


def reported(verdict: Verdict, outcome: Outcome, blame: Side, action: str) -> Verdict:
    """The verdict with an outcome that AWS itself reported for an action."""
    judged = next(each for each in verdict.actions if each.action == action)
    if blame is Side.NONE:
        statements = judged.statements if judged.outcome is outcome else ()
    else:
        statements = _deciding(outcome, judged.side(blame))
    return verdict._replace(outcome=outcome, blame=blame, action=action, statements=statements)


class _Judge:
    def __init__(self, request: Request, policies: Policies) -> None:
        self._request = request
        self._policies = policies
        self._context = Context(request)
        self._conditions: dict[int, tuple[ConditionResult, ...]] = {}

    def verdict(self, action: str) -> ActionVerdict:
        given = self._policies
        trust = None if given.trust is None else (given.trust,)
        sides = {
            Side.RCP: self._levels(Side.RCP, given.rcp, action),
            Side.SCP: self._levels(Side.SCP, given.scp, action),
            Side.TRUST: self._side(Side.TRUST, trust, action),
            Side.IDENTITY: self._side(Side.IDENTITY, given.identity, action),
            Side.BOUNDARY: self._limit(Side.BOUNDARY, given.boundary, action),
            Side.SESSION: self._limit(Side.SESSION, given.session, action),
        }
        outcome, blame = self._decision(sides)
        statements = _deciding(outcome, sides[blame]) if blame is not Side.NONE else _granting(sides)
        return ActionVerdict(action, outcome, blame, statements, tuple(sides.values()))

    def _decision(self, sides: dict[Side, SideResult]) -> tuple[Outcome, Side]:
        for side in ORDER:
            if sides[side].denies:
                return Outcome.DENY, side
        if self._request.caller.kind in ("root", "federated-user"):
            return Outcome.IMPLICIT_DENY, Side.IDENTITY
        for side in (Side.RCP, Side.SCP):
            if sides[side].allows is False:
                return Outcome.IMPLICIT_DENY, side
        granted, blame = self._granted(sides)
        if granted is False:
            return Outcome.IMPLICIT_DENY, blame
        unclear = [side for side in ORDER if sides[side].denies is None]
        unclear += [side for side in (Side.RCP, Side.SCP) if sides[side].allows is None]
        unclear += [blame] if granted is None else []
        if not unclear:
            return Outcome.ALLOW, Side.NONE
        # what was read and is not clear says more than what could not be read
        return Outcome.UNKNOWN, min(unclear, key=lambda side: _unclear_rank(sides[side]))

    def _granted(self, sides: dict[Side, SideResult]) -> tuple[Truth, Side]:
        """Whether the two accounts allow it, and which side is to blame if not."""
        identity, boundary = sides[Side.IDENTITY].allows, sides[Side.BOUNDARY].allows
        session, trust = sides[Side.SESSION].allows, _grades(sides[Side.TRUST])
        limits = all_of((boundary, session))
        if self._request.same_account:
            ways = (
                trust.itself,
                all_of((trust.role, limits)),
                # AWS does not document whether `*` names the caller itself here
                all_of((trust.anyone, None if limits is False else limits)),
                all_of((trust.account, identity, limits)),
            )
            granted = any_of(ways)
            needs_identity = any_of((trust.role, trust.anyone)) is not True
        else:
            granted = all_of((trust.at_all, identity, limits))
            needs_identity = True
        missing = [
            (Side.TRUST, trust.at_all),
            *([(Side.IDENTITY, identity)] if needs_identity else []),
            (Side.BOUNDARY, boundary),
            (Side.SESSION, session),
        ]
        for refused in (False, None):
            for side, allows in missing:
                if allows is refused:
                    return granted, side
        return granted, Side.NONE

    def _levels(self, side: Side, levels: Sequence[Sequence[Policy]] | None, action: str) -> SideResult:
        """The verdict of SCPs or RCPs: an Allow at every level, or a Deny at one."""
        if levels is None:
            return SideResult(side, None, None, False, ())
        found = [self._side(side, level, action) for level in levels]
        allows = all_of(level.allows for level in found) if side is Side.SCP else True
        statements = tuple(statement for level in found for statement in level.statements)
        return SideResult(side, allows, any_of(level.denies for level in found), bool(found), statements)

    def _limit(self, side: Side, policies: Sequence[Policy] | None, action: str) -> SideResult:
        """The verdict of a boundary or session policy; without one there is no limit."""
        if policies is not None and not policies:
            return SideResult(side, True, False, True, ())
        return self._side(side, policies, action)

    def _side(self, side: Side, policies: Sequence[Policy] | None, action: str) -> SideResult:
        if policies is None:
            return SideResult(side, None, None, False, ())
        statements = [
            self._statement(side, policy, statement, action) for policy in policies for statement in policy.statements
        ]
        return SideResult(
            side,
            any_of(found.applies for found in statements if found.statement.effect != "Deny"),
            any_of(found.applies for found in statements if found.statement.effect != "Allow"),
            True,
            tuple(statements),
        )

    def _statement(self, side: Side, policy: Policy, statement: Statement, action: str) -> StatementResult:
        named, resource, faults = _EVERYBODY, self._resource(statement, policy), statement.faults
        if side in (Side.TRUST, Side.RCP):
            named = self._named(statement)
        if side is Side.TRUST:
            resource = True
            faults += ("Resource does not belong in a trust policy",) if statement.resources is not None else ()
            faults += ("Principal is missing",) if statement.principals is None else ()
            faults += ("NotPrincipal does not belong in a trust policy",) if statement.not_principal else ()
        else:
            faults += ("Resource is missing",) if statement.resources is None else ()
            if side is not Side.RCP and statement.principals is not None:
                faults += ("Principal does not belong in this policy",)
        covers = any_of(matching.action_matches(pattern, action) for pattern in statement.actions)
        covers = negated(covers) if statement.not_action else covers
        conditions = self._results(statement, policy)
        applies = all_of((named.at_all, covers, resource, *(condition.outcome for condition in conditions)))
        if faults:
            statement = statement._replace(faults=faults)
            # AWS would not store it, so its final content is unknown
            applies = False if covers is False and not any("Action" in fault for fault in faults) else None
        return StatementResult(side, policy.name, statement, named, covers, resource, conditions, applies)

    def _results(self, statement: Statement, policy: Policy) -> tuple[ConditionResult, ...]:
        """How the conditions came out; they are the same for every action."""
        known = self._conditions.get(id(statement))
        if known is None:
            variables = policy.has_variables
            known = tuple(result(key, self._context, variables=variables) for key in statement.conditions)
            self._conditions[id(statement)] = known
        return known

    def _resource(self, statement: Statement, policy: Policy) -> Truth:
        if statement.resources is None:
            return False
        covers: list[Truth] = []
        for resource in statement.resources:
            expected = substituted(resource, self._context, variables=policy.has_variables)
            if expected is None or expected == UNRESOLVED:
                covers.append(None if expected is None else False)
            else:
                covers.append(matching.resource_matches(expected, self._request.role.arn))
        return negated(any_of(covers)) if statement.not_resource else any_of(covers)

    def _named(self, statement: Statement) -> Named:
        if statement.not_principal:
            return Named(anyone=None)
        found = [name_of(value, self._request) for kind, value in statement.principals or () if kind == "AWS"]
        return Named(*(any_of(grades) for grades in zip(*found, strict=True))) if found else Named()


def name_of(principal: str, request: Request) -> Named:
    """How one AWS principal of a policy names the caller. No wildcard counts inside it; upper and lower case do."""
    caller, role = request.caller, request.role
    if principal == "*":
        return Named(anyone=True)
    if arns.is_account(principal):
        return Named(account=(role.partition, principal) == (caller.partition, caller.account))
    arn = arns.parsed(principal)
    if arn is None or (arn.partition, arn.account) != (caller.partition, caller.account):
        return Named()
    if arn.service == "iam" and arn.resource == "root":
        return Named(account=True)
    if principal == caller.arn and not (caller.kind == "session" and caller.session is None):
        return Named(itself=True)
    if caller.kind != "session":
        return Named()
    named = arns.role_of(principal)
    if named is not None:
        # a role's name is unique in its account, so that a session, whose ARN has no path, names one role
        return Named(role=principal == caller.role_arn if caller.role_arn else named.name == caller.name)
    if caller.session is None and arn.resource.startswith(f"assumed-role/{caller.name}/"):
        return Named(itself=None)
    return Named()


#: The unique IDs that stand in a policy for a principal which was deleted [IAM user guide, "IAM identifiers"].
DELETED = re.compile(r"A(?:IDA|ROA|GPA|IPA|NPA|NVA|PKA|SCA|CCA)[A-Z0-9]{12,124}", re.ASCII)


def _grades(trust: SideResult) -> Named:
    """How the trust policy's Allow statements name the caller, where all else of them applies."""
    if not trust.known:
        return Named(None, None, None, None)
    found = []
    for statement in trust.statements:
        if statement.statement.effect == "Deny":
            continue
        rest: list[Truth] = [statement.action, *(condition.outcome for condition in statement.conditions)]
        rest += [None] if statement.statement.faults else []
        found.append([all_of((grade, *rest)) for grade in statement.named])
        if statement.applies is None and any_of(found[-1]) is False:
            found[-1][-1] = None
    return Named(*(any_of(grades) for grades in zip(*found, strict=True))) if found else Named()


def _deciding(outcome: Outcome, side: SideResult) -> tuple[StatementResult, ...]:
    """The statements of a side that decide: those that deny, or the Allow statements that come closest."""
    if outcome is Outcome.DENY:
        return tuple(found for found in side.statements if found.statement.effect == "Deny" and found.applies)
    if outcome is Outcome.UNKNOWN:
        return tuple(found for found in side.statements if found.applies is None)
    near = [found for found in side.statements if found.statement.effect == "Allow" and found.action is not False]
    return tuple(sorted(near, key=_distance))


def _distance(found: StatementResult) -> int:
    """How much of a statement keeps it from applying."""
    failed = sum(condition.outcome is not True for condition in found.conditions)
    return failed + 4 * (found.named.at_all is not True) + 4 * (found.resource is not True)


def _granting(sides: dict[Side, SideResult]) -> tuple[StatementResult, ...]:
    """The statements that allow it."""
    found = [*sides[Side.TRUST].statements, *sides[Side.IDENTITY].statements]
    return tuple(statement for statement in found if statement.statement.effect == "Allow" and statement.applies)
