"""Reads what a caller may read about a refusal: the caller, roles, policies, simulations, authorization details.

Each call is announced before it is made, and raises AwsudoError. Nothing is changed at AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.errors import AwsudoError
from awsudo_py.policy.documents import Policy, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from awsudo_py.aws.session_calls import SessionCalls

#: A list of IAM is read up to this length; a longer one counts as incomplete.
_MOST = 1000


class RoleFacts(NamedTuple):
    """A role, as iam:GetRole returns it."""

    arn: str  # with its path
    trust: Policy | None  # None: not in the response
    boundary: str  # ARN of its permissions boundary; empty: none


class Simulation(NamedTuple):
    """The result of iam:SimulatePrincipalPolicy for one action on the role."""

    action: str
    decision: str  # allowed, explicitDeny, implicitDeny
    policies: tuple[str, ...]  # whose statements matched
    by_organization: bool | None  # whether the SCPs allow it; None: not reported
    by_boundary: bool | None


class Check(NamedTuple):
    """One check of AWS's own evaluation of a refused call."""

    kind: str  # SERVICE_CONTROL_POLICY, RESOURCE, PRINCIPAL, …
    effect: str  # ALLOW, NO_IMPACT, IMPLICIT_DENY, EXPLICIT_DENY
    target: str
    policies: tuple[tuple[str, tuple[str, ...]], ...]  # URI, Sids


class Evidence:
    """Read calls with one caller's credentials. announce gets the name of each call before it is made."""

    def __init__(self, calls: SessionCalls, announce: Callable[[str], None]) -> None:
        self._calls = calls
        self._announce = announce

    def caller(self) -> str:
        """The ARN of the caller."""
        self._announce("sts:GetCallerIdentity")
        return self._calls.sts("the caller's identity", lambda sts: str(sts.get_caller_identity()["Arn"]))

    def role(self, name: str) -> RoleFacts:
        """The role of that name in the caller's account."""
        found = self._iam("GetRole", f"the role {name}", lambda iam: iam.get_role(RoleName=name))["Role"]
        document = found.get("AssumeRolePolicyDocument")
        return RoleFacts(
            str(found["Arn"]),
            parse(document, "the trust policy") if document else None,
            str(found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")),
        )

    def roles(self) -> list[str]:
        """The ARNs of the roles in the caller's account."""
        listed = self._iam("ListRoles", "the list of roles", lambda iam: iam.list_roles(MaxItems=_MOST))
        return [str(each["Arn"]) for each in listed["Roles"]]

    def user_boundary(self, name: str) -> str:
        """The ARN of a user's permissions boundary; empty: none."""
        found = self._iam("GetUser", f"the user {name}", lambda iam: iam.get_user(UserName=name))["User"]
        return str(found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""))

    def policies_of_user(self, name: str) -> tuple[Policy, ...]:
        """The policies of a user and of its groups."""
        groups = self._iam(
            "ListGroupsForUser", f"the groups of {name}", lambda iam: iam.list_groups_for_user(UserName=name)
        )
        found = [*self._policies("User", name)]
        for group in _whole(groups, "Groups"):
            found += self._policies("Group", str(group["GroupName"]))
        return tuple(found)

    def policies_of_role(self, name: str) -> tuple[Policy, ...]:
        """The policies of a role."""
        return tuple(self._policies("Role", name))

    def managed(self, arn: str) -> Policy:
        """The default version of a managed policy."""
        version = self._iam("GetPolicy", f"the policy {arn}", lambda iam: iam.get_policy(PolicyArn=arn))
        number = version["Policy"]["DefaultVersionId"]
        found = self._iam(
            "GetPolicyVersion",
            f"the policy {arn}",
            lambda iam: iam.get_policy_version(PolicyArn=arn, VersionId=number),
        )
        return parse(found["PolicyVersion"]["Document"], arn)

    def simulate(self, source: str, actions: Sequence[str], role: str) -> list[Simulation]:
        """The result of AWS's own simulator for these actions on the role, for a user or role."""
        # one resource for each call: since July 2026 there is one result for each action, not for each resource
        found = self._iam(
            "SimulatePrincipalPolicy",
            f"a simulation of the policies of {source}",
            lambda iam: iam.simulate_principal_policy(
                PolicySourceArn=source, ActionNames=list(actions), ResourceArns=[role]
            ),
        )
        return [_simulation(each) for each in _whole(found, "EvaluationResults")]

    def authorization(self, authorization_id: str) -> list[Check]:
        """AWS's own evaluation of a refused call, by the ID in its text."""
        self._announce("iam-toolbox:GetRequestAuthorizationDetails")
        found = self._calls.service(
            "iam-toolbox",
            "the authorization details",
            lambda toolbox: toolbox.get_request_authorization_details(authorizationId=authorization_id),
        )
        return [_check(check) for evaluation in found.get("evaluations", ()) for check in evaluation.get("checks", ())]

    def _policies(self, kind: str, name: str) -> Iterable[Policy]:
        """The managed and inline policies of a user, group or role."""
        lower, whose = kind.lower(), {f"{kind}Name": name}
        attached = self._iam(
            f"ListAttached{kind}Policies",
            f"the policies of {lower} {name}",
            lambda iam: getattr(iam, f"list_attached_{lower}_policies")(**whose, MaxItems=_MOST),
        )
        inline = self._iam(
            f"List{kind}Policies",
            f"the policies of {lower} {name}",
            lambda iam: getattr(iam, f"list_{lower}_policies")(**whose, MaxItems=_MOST),
        )
        for each in _whole(attached, "AttachedPolicies"):
            yield self.managed(str(each["PolicyArn"]))
        for policy in _whole(inline, "PolicyNames"):
            yield self._inline(kind, name, str(policy))

    def _inline(self, kind: str, name: str, policy: str) -> Policy:
        lower, whose = kind.lower(), {f"{kind}Name": name}
        found = self._iam(
            f"Get{kind}Policy",
            f"the policy {policy} of {lower} {name}",
            lambda iam: getattr(iam, f"get_{lower}_policy")(**whose, PolicyName=policy),
        )
        return parse(found["PolicyDocument"], f"policy {policy} of {lower} {name}")

    def _iam(self, operation: str, title: str, call: Callable[[Any], Any]) -> Any:
        self._announce(f"iam:{operation}")
        return self._calls.service("iam", title, call)


def _whole(answer: Mapping[str, Any], name: str) -> list[Any]:
    """A list of an answer. Raises AwsudoError if it is longer than is read."""
    if answer.get("IsTruncated") is True:
        raise AwsudoError(f"more {name} than can be read at once")
    return list(answer.get(name, ()))


def _simulation(found: Mapping[str, Any]) -> Simulation:
    return Simulation(
        str(found.get("EvalActionName", "")),
        str(found.get("EvalDecision", "")),
        tuple(dict.fromkeys(str(each.get("SourcePolicyId", "")) for each in found.get("MatchedStatements", ()))),
        found.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations"),
        found.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary"),
    )


def _check(found: Mapping[str, Any]) -> Check:
    return Check(
        str(found.get("checkType", "")),
        str(found.get("evaluatedEffect", "")),
        str(found.get("targetArn", "")),
        tuple(
            (
                str(policy.get("uri", "")),
                tuple(str(each.get("sid", "")) for each in policy.get("matchedStatements", ())),
            )
            for policy in found.get("matchedPolicies", ())
        ),
    )
