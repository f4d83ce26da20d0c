"""awsudo explain --why with calls: asks AWS for the session, and reads what the caller may read if it is refused.

1. In this order: what AWS's text says; its own evaluation, by the authorization ID; the policies that can be read, and
   our evaluation of them.
2. AWS's statements take precedence over our evaluation. What could not be read is reported as unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from awsudo_py.aws.evidence import Check, Evidence, Simulation
from awsudo_py.errors import AwsudoError, Rejected
from awsudo_py.model import RoleHop
from awsudo_py.policy.arns import role_of
from awsudo_py.policy.denials import Call as DenialCall
from awsudo_py.policy.denials import Denial
from awsudo_py.policy.documents import Policy, parse
from awsudo_py.policy.error_codes import explained
from awsudo_py.policy.verdicts import Outcome, Policies, Side, evaluate, reported
from awsudo_py.resolve.source_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from awsudo_py.aws_credentials import Credentials
    from awsudo_py.context import Context
    from awsudo_py.model import Request, RoleChain
    from awsudo_py.policy import context as policy_context
    from awsudo_py.policy.verdicts import Verdict

_Result = TypeVar("_Result")


class Findings(NamedTuple):
    """The results of the calls."""

    policies: Policies
    notes: tuple[str, ...] = ()
    denial: Denial | None = None  # what AWS's text says
    checks: tuple[Check, ...] = ()  # AWS's own evaluation
    roles: tuple[str, ...] = ()  # roles that exist, if the requested one does not
    caller_role: str | None = None  # the role of the caller's session, with its path


def attempt(context: Context, request: Request, chain: RoleChain) -> Denial | None:
    """Request the session: None if AWS returns it, else how its refusal reads. Raises AwsudoError for others."""
    from awsudo_py.session_for import session_for

    context.terminal.detail("calling sts:AssumeRole")
    try:
        session_for(context, request._replace(refresh=True), chain=chain)
    except Rejected as error:
        denial = denial_of(error)
        if denial is None:
            raise
        return denial
    return None


def denial_of(error: Rejected) -> Denial | None:
    """The reading of a refusal's text, if policies decided it."""
    found = explained(error.code, error.detail, DenialCall()) if error.code.startswith("AccessDenied") else None
    if found is None or found.side == "mfa":
        return None
    # the error's list also knows the call
    return found._replace(candidates=tuple(line[2:] for line in error.hints if line.startswith("- ")))


def credentials_before(context: Context, request: Request, chain: RoleChain) -> tuple[RoleChain, Credentials]:
    """The credentials with which the last role is assumed. Raises AwsudoError."""
    from awsudo_py.keys.owner import keys_of
    from awsudo_py.session_for import obtain

    before = chain._replace(hops=chain.hops[:-1], if_session=None)
    if not before.hops:
        keys = keys_of(context, chain.source)
        if keys is not None:
            return before, keys
    return before, obtain(context, before, request).credentials().credentials


def gather(evidence: Evidence, made: policy_context.Request, chain: RoleChain, denial: Denial | None) -> Findings:
    """What the caller may read about a refusal."""
    reader = _Reader(evidence)
    checks: tuple[Check, ...] = ()
    if denial is not None and denial.authorization_id:
        identifier = denial.authorization_id
        checks = tuple(reader.read("AWS's own evaluation", lambda: evidence.authorization(identifier)) or ())
    trust, roles = _trust(reader, made)
    caller = made.caller
    identity, boundary, caller_role = _of_caller(reader, made)
    simulated = reader.read(
        "a simulation of the caller's policies",
        lambda: evidence.simulate(caller_role or caller.owner, made.actions, made.role.arn),
    )
    scp: tuple[tuple[Policy, ...], ...] | None = None
    if simulated:
        scp = _by_organization(simulated)
        if identity is None:
            identity = (_simulated(simulated, made.role.arn),)
            reader.notes.append("the caller's policies are those of AWS's simulation")
        if boundary is None:
            boundary = _by_boundary(simulated)
    return Findings(
        Policies(trust, identity, boundary, _session_policy(chain), scp, None),
        tuple(reader.notes),
        denial,
        checks,
        roles,
        caller_role,
    )


class _Reader:
    """Reads, and records what could not be read."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.notes: list[str] = []

    def read(self, what: str, call: Callable[[], _Result]) -> _Result | None:
        """The result of the call; None, with a note, if it is refused or cannot be used."""
        try:
            return call()
        except AwsudoError as error:
            self.note(what, error)
            return None

    def note(self, what: str, error: AwsudoError) -> None:
        """Record that something could not be read."""
        self.notes.append(f"{what} could not be read: {error.message.partition(': ')[2] or error.message}")


def _trust(reader: _Reader, made: policy_context.Request) -> tuple[Policy | None, tuple[str, ...]]:
    """The role's trust policy, or the existing roles if this one does not exist."""
    if not made.same_account:
        reader.notes.append(
            f"the role's trust policy is in account {made.role.account}, where the caller cannot read it"
        )
        return None, ()
    try:
        found = reader.evidence.role(made.role.name)
    except AwsudoError as error:
        if error.code != "NoSuchEntity":
            reader.note("the role's trust policy", error)
            return None, ()
        reader.notes.append(f"there is no role {made.role.name} in account {made.role.account}")
        return Policy((), name="a role that does not exist"), tuple(
            reader.read("the list of roles", reader.evidence.roles) or ()
        )
    if found.arn != made.role.arn:
        reader.notes.append(f"there is no {made.role.arn}: the role of that name is {found.arn}")
        return Policy((), name="a role that does not exist"), (found.arn,)
    return found.trust, ()


def _of_caller(
    reader: _Reader, made: policy_context.Request
) -> tuple[tuple[Policy, ...] | None, tuple[Policy, ...] | None, str | None]:
    """The caller's policies and boundary, as far as they can be read, and the ARN of its role."""
    caller, evidence = made.caller, reader.evidence
    role_arn: str | None = None
    if caller.kind == "session":
        facts = reader.read(f"the role {caller.name}", lambda: evidence.role(caller.name))
        boundary_arn = None if facts is None else facts.boundary
        role_arn = None if facts is None else facts.arn
        identity = reader.read("the caller's policies", lambda: evidence.policies_of_role(caller.name))
    elif caller.kind == "user":
        boundary_arn = reader.read(f"the user {caller.name}", lambda: evidence.user_boundary(caller.name))
        identity = reader.read("the caller's policies", lambda: evidence.policies_of_user(caller.name))
    else:
        return (), (), None
    if boundary_arn is None:
        return identity, None, role_arn
    if not boundary_arn:
        return identity, (), role_arn
    boundary = reader.read("the permissions boundary", lambda: evidence.managed(boundary_arn))
    return identity, None if boundary is None else (boundary,), role_arn


def _statement(effect: str, actions: list[str], resource: str = "*") -> dict[str, Any]:
    return {"Effect": effect, "Action": actions, "Resource": resource}


def _simulated(simulated: list[Simulation], role: str) -> Policy:
    """A policy with the result of the simulation."""
    statements = [
        _statement("Allow" if each.decision == "allowed" else "Deny", [each.action], role)
        for each in simulated
        if each.decision in ("allowed", "explicitDeny")
    ]
    named = ", ".join(dict.fromkeys(name for each in simulated for name in each.policies if name))
    return parse({"Version": "2012-10-17", "Statement": statements}, named or "AWS's simulation")


def _by_organization(simulated: list[Simulation]) -> tuple[tuple[Policy, ...], ...] | None:
    """The SCPs, as far as the simulation shows them."""
    if any(each.by_organization is None for each in simulated):
        return None
    allowed = [each.action for each in simulated if each.by_organization]
    statements = [_statement("Allow", allowed)] if allowed else []
    return ((parse({"Version": "2012-10-17", "Statement": statements}, "AWS's simulation"),),)


def _by_boundary(simulated: list[Simulation]) -> tuple[Policy, ...] | None:
    if any(each.by_boundary is None for each in simulated):
        return None
    allowed = [each.action for each in simulated if each.by_boundary]
    statements = [_statement("Allow", allowed)] if allowed else []
    return (parse({"Version": "2012-10-17", "Statement": statements}, "AWS's simulation"),)


def _session_policy(chain: RoleChain) -> tuple[Policy, ...] | None:
    """The policy that the caller's session was narrowed with, as far as the chain shows it; None: not known."""
    before = chain.hops[-2] if len(chain.hops) > 1 else None
    if isinstance(before, RoleHop):
        if before.policy_arns:
            return None
        return (parse(before.policy, "its session policy"),) if before.policy else ()
    if kind_of(chain.source).made_elsewhere and before is None:
        return None
    return ()


def settled(verdict: Verdict, denial: Denial | None) -> Verdict:
    """The verdict, in which AWS's statements take precedence over our evaluation."""
    if denial is None:
        return reported(verdict, Outcome.ALLOW, Side.NONE, verdict.action)
    sides = {side.value: side for side in Side}
    side = sides.get(denial.side)
    action = denial.action if denial.action in {each.action for each in verdict.actions} else verdict.action
    if side is not None and denial.explicit is not None:
        return reported(verdict, Outcome.DENY if denial.explicit else Outcome.IMPLICIT_DENY, side, action)
    if verdict.outcome is Outcome.ALLOW or (
        verdict.outcome is Outcome.UNKNOWN and not verdict.side(verdict.blame).known
    ):
        return reported(verdict, Outcome.UNKNOWN, side or Side.NONE, action)
    return verdict


def evaluated(made: policy_context.Request, findings: Findings) -> tuple[policy_context.Request, Verdict]:
    """The request, completed with the caller's details, and the verdict."""
    role = findings.caller_role
    if role is not None and role_of(role) is not None:
        made = made._replace(caller=made.caller._replace(role_arn=role))
    return made, settled(evaluate(made, findings.policies), findings.denial)
