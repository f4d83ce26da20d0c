"""The strict STS and IAM with policies that can be read and simulated, and the authorization details of IAM Toolbox."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from tests.servers.serving import Answer, Call, Serving, as_json
from tests.servers.strict_iam import _IAM, StrictAws
from tests.servers.strict_sts import _Principal, _Refusal

Document = dict[str, Any]


class StrictPolicies(StrictAws):
    """StrictAws whose roles and users have policies. What decides AssumeRole is what add_role() says."""

    def __init__(self) -> None:
        self.trust: dict[str, Document] = {}  # name of a role → its trust policy
        self.inline: dict[str, Document] = {}  # name of a user or role → its policy `main`
        self.attached: dict[str, dict[str, Document]] = {}  # name → policies by ARN
        self.boundaries: dict[str, str] = {}  # name → ARN
        self.managed: dict[str, Document] = {}
        self.groups: dict[str, list[str]] = {}
        self.decisions: dict[str, str] = {}  # action → decision of the simulator; allowed, if it is not here
        self.organization: bool | None = None
        super().__init__()
        for kind in ("User", "Group", "Role"):
            self._actions[f"ListAttached{kind}Policies"] = self._list_attached
            self._actions[f"List{kind}Policies"] = self._list_inline
            self._actions[f"Get{kind}Policy"] = self._get_inline
        self._actions |= {
            "GetRole": self._get_role_with_policies,
            "GetUser": self._get_user,
            "ListRoles": self._list_roles,
            "ListGroupsForUser": self._list_groups,
            "GetPolicy": self._get_policy,
            "GetPolicyVersion": self._get_policy_version,
            "SimulatePrincipalPolicy": self._simulate,
        }
        for name in set(self._actions) & set(_IAM["operations"]):
            self._actions[name] = self._refusing(name, self._actions[name])

    def _refusing(self, name: str, action: Any) -> Any:
        def refusing(caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
            self._allowed(caller, f"iam:{name}")
            result: dict[str, Any] = action(caller, params)
            return result

        return refusing

    def _name(self, params: dict[str, str]) -> str:
        return next(params[key] for key in ("UserName", "RoleName", "GroupName") if key in params)

    def _bounded(self, name: str) -> dict[str, Any]:
        arn = self.boundaries.get(name)
        return (
            {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}} if arn else {}
        )

    def _get_role_with_policies(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        role = self._get_role(caller, params)["Role"]
        name = params["RoleName"]
        trust = {"AssumeRolePolicyDocument": quote(json.dumps(self.trust[name]))} if name in self.trust else {}
        return {"Role": {**role, **trust, **self._bounded(name)}}

    def _get_user(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        name = params["UserName"]
        user = {"Path": "/", "UserName": name, "UserId": "AIDA" + "X" * 17, "Arn": caller.arn}
        return {"User": {**user, "CreateDate": "2026-01-01T00:00:00Z", **self._bounded(name)}}

    def _list_roles(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        arns = [arn for arn in self._roles if arn.split(":")[4] == caller.account]
        listed = [self._get_role(caller, {"RoleName": arn.rpartition("/")[2]})["Role"] for arn in arns]
        return {"Roles": listed, "IsTruncated": "false"}

    def _list_groups(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        arn = f"arn:aws:iam::{caller.account}:group/"
        common = {"Path": "/", "GroupId": "AGPA" + "X" * 17, "CreateDate": "2026-01-01T00:00:00Z"}
        names = self.groups.get(params["UserName"], [])
        listed = [{**common, "GroupName": name, "Arn": f"{arn}{name}"} for name in names]
        return {"Groups": listed, "IsTruncated": "false"}

    def _list_attached(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        attached = self.attached.get(self._name(params), {})
        self.managed |= attached
        listed = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in attached]
        return {"AttachedPolicies": listed, "IsTruncated": "false"}

    def _list_inline(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        return {"PolicyNames": ["main"] if self._name(params) in self.inline else [], "IsTruncated": "false"}

    def _get_inline(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        name = self._name(params)
        key = next(key for key in ("UserName", "RoleName", "GroupName") if key in params)
        return {key: name, "PolicyName": "main", "PolicyDocument": quote(json.dumps(self.inline[name]))}

    def _get_policy(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        if params["PolicyArn"] not in self.managed:
            raise _Refusal("NoSuchEntity", "Policy does not exist.", 404)
        return {"Policy": {"Arn": params["PolicyArn"], "DefaultVersionId": "v3"}}

    def _get_policy_version(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        document = quote(json.dumps(self.managed[params["PolicyArn"]]))
        return {"PolicyVersion": {"Document": document, "VersionId": "v3", "IsDefaultVersion": "true"}}

    def _simulate(self, caller: _Principal, params: dict[str, str]) -> dict[str, Any]:
        assert "ResourceArns.member.2" not in params, "one resource a call"
        results = []
        for number in range(1, 9):
            action = params.get(f"ActionNames.member.{number}")
            if action is None:
                break
            detail = {}
            if self.organization is not None:
                allowed = str(self.organization).lower()
                detail = {"OrganizationsDecisionDetail": {"AllowedByOrganizations": allowed}}
            decision = self.decisions.get(action, "allowed")
            results.append(
                {
                    "EvalActionName": action,
                    "EvalResourceName": params["ResourceArns.member.1"],
                    "EvalDecision": decision,
                    "MatchedStatements": [{"SourcePolicyId": "engineers"}],
                    **detail,
                }
            )
        return {"EvaluationResults": results, "IsTruncated": "false"}


class Toolbox(Serving):
    """IAM Toolbox, which knows the details of one refused request."""

    def __init__(self, authorization_id: str, checks: list[dict[str, Any]]) -> None:
        super().__init__()
        self._id, self._checks = authorization_id, checks

    def answer(self, call: Call) -> Answer:
        """The details of that ID, to a signed GET only."""
        scope = call.headers.get("Authorization", "")
        if call.method != "GET" or "/iam/aws4_request" not in scope:
            return as_json({"message": "not authorized"}, 403, {"x-amzn-errortype": "AccessDeniedException"})
        if call.path != f"/authorization-details/{self._id}":
            return as_json({"message": "not found"}, 404, {"x-amzn-errortype": "ResourceNotFoundException"})
        return as_json({"evaluations": [{"action": "sts:AssumeRole", "checks": self._checks}]})
