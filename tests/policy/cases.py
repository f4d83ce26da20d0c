"""Requests and policies with the verdicts that the AWS documents give them: one row, one case."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from awsudo_py.policy.context import Request, request
from awsudo_py.policy.documents import Policy, parse
from awsudo_py.policy.verdicts import Policies

ALICE = "arn:aws:iam::111122223333:user/alice"
BOB = "arn:aws:iam::111122223333:user/bob"
DEV = "arn:aws:iam::111122223333:role/dev"
SESSION = "arn:aws:sts::111122223333:assumed-role/dev/alice"
ACCOUNT = "arn:aws:iam::111122223333:root"
HERE = "arn:aws:iam::111122223333:role/target"
THERE = "arn:aws:iam::444455556666:role/target"
SSO = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ann"
SSO_ROLE = "role/aws-reserved/sso.amazonaws.com"
ASSUME, TAG, IDENTITY, CONTEXT = "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext"
Statement = dict[str, Any]


def allow(principal: Any = None, **more: Any) -> Statement:
    """An Allow statement of a trust policy."""
    return _statement("Allow", principal, more)


def deny(principal: Any = None, **more: Any) -> Statement:
    """A Deny statement of a trust policy."""
    return _statement("Deny", principal, more)


def may(**more: Any) -> Statement:
    """An Allow statement of any other policy."""
    return _other("Allow", more)


def may_not(principal: Any = None, **more: Any) -> Statement:
    """A Deny statement of any other policy; with a principal, of an RCP."""
    return _other("Deny", {"Principal": principal, **more} if principal else more)


def _statement(effect: str, principal: Any, more: Statement) -> Statement:
    named = {} if principal is None else {"Principal": principal if _whole(principal) else {"AWS": principal}}
    return {"Effect": effect, **named, **({} if "NotAction" in more else {"Action": ASSUME}), **more}


def _whole(principal: Any) -> bool:
    return principal == "*" or isinstance(principal, dict)


def _other(effect: str, more: Statement) -> Statement:
    action = {} if "NotAction" in more else {"Action": ASSUME}
    resource = {} if "NotResource" in more else {"Resource": "*"}
    return {"Effect": effect, **action, **resource, **more}


Policies_ = list[list[Statement]]


class Case(NamedTuple):
    """One request under some policies, and the verdict with the side to blame."""

    id: str
    rule: str
    expected: str
    trust: list[Statement] | None
    caller: str = ALICE
    caller_role: str | None = None
    role: str = THERE
    identity: Policies_ | None = [[may()]]  # noqa: RUF012  (never changed)
    boundary: Policies_ | None = []  # noqa: RUF012 (never changed)
    session: Policies_ | None = []  # noqa: RUF012 (never changed)
    scp: list[Policies_] | None = []  # noqa: RUF012 (never changed)
    rcp: list[Policies_] | None = []  # noqa: RUF012 (never changed)
    version: str | None = "2012-10-17"
    session_name: str | None = None
    external_id: str | None = None
    source_identity: str | None = None
    inherited_source_identity: str | None = None
    tags: dict[str, str] = {}  # noqa: RUF012 (never changed)
    inherited_tags: dict[str, str] = {}  # noqa: RUF012 (never changed)
    transitive: list[str] = []  # noqa: RUF012 (never changed)
    mfa_code: bool = False
    region: str | None = None
    context: dict[str, Any] = {}  # noqa: RUF012 (never changed)

    @property
    def request(self) -> Request:
        """The request."""
        return request(
            self.caller,
            self.role,
            caller_role=self.caller_role,
            session_name=self.session_name,
            external_id=self.external_id,
            source_identity=self.source_identity,
            inherited_source_identity=self.inherited_source_identity,
            tags=tuple(self.tags.items()),
            inherited_tags=tuple(self.inherited_tags.items()),
            transitive_tags=tuple(self.transitive),
            mfa_code=self.mfa_code,
            region=self.region,
            context=tuple((key, _values(value)) for key, value in self.context.items()),
        )

    @property
    def policies(self) -> Policies:
        """The policies, read from their JSON."""
        return Policies(
            None if self.trust is None else self._policy(self.trust),
            self._all(self.identity),
            self._all(self.boundary),
            self._all(self.session),
            None if self.scp is None else tuple(self._all(level) or () for level in self.scp),
            None if self.rcp is None else tuple(self._all(level) or () for level in self.rcp),
        )

    def _all(self, policies: Policies_ | None) -> tuple[Policy, ...] | None:
        return None if policies is None else tuple(self._policy(statements) for statements in policies)

    def _policy(self, statements: list[Statement]) -> Policy:
        version = {} if self.version is None else {"Version": self.version}
        return parse(json.dumps({**version, "Statement": statements}))


def _values(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list | tuple) else () if value is None else (value,)


# fmt: off
#: Cases of the AWS documents: principals P, denies and elements D, conditions C, boundaries and organizations B.
DOCUMENTED = [
    Case("P02", "trust names the account, which only delegates: the caller has no permission", "implicitDeny identity", [allow(ACCOUNT)], role=HERE, identity=[]),
    Case("P05", "an account ID is the same as its root ARN", "allow none", [allow("111122223333")]),
    Case("P08", "trust names the role of the session, same account: no permission needed", "allow none", [allow(DEV)], caller=SESSION, role=HERE, identity=[]),
    Case("P11", "trust names another session of the same role", "implicitDeny trust", [allow("arn:aws:sts::111122223333:assumed-role/dev/alice2")], caller=SESSION, identity=[[may(Action="*")]]),
    Case("P14", "`*` with the aws:PrincipalOrgID of another organization", "implicitDeny trust", [allow("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}})], context={"aws:PrincipalOrgID": "o-bbbbbbbbbb"}),
    Case("P17", "a wildcard inside a principal ARN does not match (IAM refuses to store it)", "implicitDeny trust", [allow("arn:aws:iam::111122223333:user/*")]),
    Case("P20", "principal shown as AIDA…: the user was deleted (and recreated)", "implicitDeny trust", [allow("AIDAQ3EXAMPLEEXAMPLE1")], role=HERE, identity=[[may(Action="*")]]),
    Case("P23", "principal types side by side are alternatives", "allow none", [allow({"Service": "ec2.amazonaws.com", "AWS": ALICE})]),
    Case("P26", "a role that trusts itself", "allow none", [allow(DEV)], caller=SESSION, role=DEV),
    Case("P29", "user with a path: the principal needs the path", "implicitDeny trust", [allow(ALICE)], caller="arn:aws:iam::111122223333:user/eng/alice"),
    Case("D02", "explicit deny on the caller side wins", "deny identity", [allow(ALICE)], role=HERE, identity=[[may()], [may_not()]]),
    Case("D05", "NotPrincipal is not allowed in a role trust policy", "unknown trust", [allow(ACCOUNT), deny(NotPrincipal={"AWS": [ALICE, ACCOUNT]})]),
    Case("D08", "wildcards in actions", "allow none", [allow(ALICE, Action=["sts:Assume*"])], identity=[[may(Action="sts:?ssumeRole")]]),
    Case("D11", "identity Resource differs in case", "implicitDeny identity", [allow(ALICE)], identity=[[may(Resource="arn:aws:iam::444455556666:role/Target")]]),
    Case("D14", "NotAction allows what it does not name", "allow none", [allow(ALICE)], identity=[[may(NotAction="iam:*")]]),
    Case("C01", "the external ID matches", "allow none", [allow(ALICE, Condition={"StringEquals": {"sts:ExternalId": "Abc-123"}})], external_id="Abc-123"),
    Case("C04", "key names compare without case", "allow none", [allow(ALICE, Condition={"StringEquals": {"STS:externalid": "Abc-123"}})], external_id="Abc-123"),
    Case("C07", "keys and operators are all required", "implicitDeny trust", [allow(ALICE, Condition={"StringEquals": {"sts:ExternalId": "a1"}, "Bool": {"aws:MultiFactorAuthPresent": "true"}})], external_id="a1"),
    Case("C10", "StringEquals takes * literally", "implicitDeny trust", [allow(ALICE, Condition={"StringEquals": {"sts:ExternalId": "Abc*"}})], external_id="Abc-123"),
    Case("C13", "long-lived keys without MFA: the key is absent, Bool does not match", "implicitDeny trust", [allow(ALICE, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})]),
    Case("C16", "Deny Bool MFA false misses long-lived keys", "allow none", [allow(ALICE), deny(ALICE, Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}})]),
    Case("C19", "no MFA: no age", "implicitDeny trust", [allow(ALICE, Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}})]),
    Case("C22", "session name must be the user name (variable)", "allow none", [allow(ALICE, Condition={"StringEquals": {"sts:RoleSessionName": "${aws:username}"}})], session_name="alice"),
    Case("C25", "${aws:username} is absent for a role session", "implicitDeny trust", [allow(DEV, Condition={"StringLike": {"sts:RoleSessionName": "${aws:username}"}})], caller=SESSION, session_name="alice"),
    Case("C28", "source identity, caller lacks sts:SetSourceIdentity", "implicitDeny identity", [allow(ALICE, Action=[ASSUME, IDENTITY])], source_identity="alice"),
    Case("C31", "tags, trust lacks sts:TagSession", "implicitDeny trust", [allow(ALICE)], tags={"Project": "x"}, identity=[[may(Action="sts:*")]]),
    Case("C34", "tag value wrong", "implicitDeny trust", [allow(ALICE, Action=[ASSUME, TAG], Condition={"StringEquals": {"aws:RequestTag/Project": "x"}})], tags={"Project": "y"}, identity=[[may(Action=[ASSUME, TAG])]]),
    Case("C37", "ForAllValues is true when nothing was sent", "allow none", [allow(ALICE, Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["Project"]}})]),
    Case("C40", "transitive tag keys restricted", "implicitDeny trust", [allow(ALICE, Action=[ASSUME, TAG], Condition={"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["Project"]}})], tags={"Project": "x", "Cost": "y"}, transitive=["Project", "Cost"], identity=[[may(Action=[ASSUME, TAG])]]),
    Case("C43", "source IP outside", "implicitDeny trust", [allow(ALICE, Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})], context={"aws:SourceIp": "198.51.100.1"}),
    Case("C46", "IPv6 in a range", "allow none", [allow(ALICE, Condition={"IpAddress": {"aws:SourceIp": "2001:db8::/32"}})], context={"aws:SourceIp": "2001:DB8:0:1::9"}),
    Case("C49", "epoch seconds in a date operator", "allow none", [allow(ALICE, Condition={"DateGreaterThan": {"aws:CurrentTime": "1700000000"}})], context={"aws:CurrentTime": "2026-11-25T00:00:00Z"}),
    Case("C52", "ArnEquals takes wildcards, like ArnLike", "allow none", [allow(ACCOUNT, Condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/al*"}})]),
    Case("C55", "* of ArnLike spans slashes inside the resource part", "allow none", [allow(ACCOUNT, Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/*"}})], caller="arn:aws:iam::111122223333:user/eng/x/alice"),
    Case("C58", "VPC endpoint required, not used", "implicitDeny trust", [allow(ALICE, Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}})]),
    Case("C61", "two statements: each is tried, one suffices", "allow none", [allow(ALICE, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), allow(ALICE, Condition={"StringEquals": {"sts:ExternalId": "a1"}})], external_id="a1"),
    Case("C64", "empty value in a Bool: not a boolean", "implicitDeny trust", [allow(ALICE, Condition={"Bool": {"aws:MultiFactorAuthPresent": ""}})], context={"aws:MultiFactorAuthPresent": "true"}),
    Case("B02", "same account, trust names the user: an implicit deny of the boundary does not count", "allow none", [allow(ALICE)], role=HERE, boundary=[[may(Action="s3:*")]]),
    Case("B05", "same account, trust names the account: the boundary counts", "implicitDeny boundary", [allow(ACCOUNT)], role=HERE, boundary=[[may(Action="s3:*")]]),
    Case("B08", "boundary alone grants nothing", "implicitDeny identity", [allow(ALICE)], identity=[], boundary=[[may(Action="*")]]),
    Case("B11", "session policy lacks sts, same account, trust names the session", "allow none", [allow(SESSION)], caller=SESSION, role=HERE, session=[[may(Action="s3:*")]]),
    Case("B14", "SCP deny whose condition does not hold", "allow none", [allow(ALICE)], context={"aws:RequestedRegion": "eu-west-1"}, scp=[[[may(Action="*")], [may_not(Action="*", Condition={"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1"]}})]]]),
    Case("B17", "RCP lets the own organization in", "allow none", [allow(ALICE)], context={"aws:PrincipalOrgID": "o-aaaaaaaaaa"}, rcp=[[[may_not("*", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}})]]]),
]

EVERYTHING, ONLY_S3 = [may(Action="*")], [may(Action="s3:*")]
FULL, REGIONS = [EVERYTHING], [may_not(Action="*", Condition={"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}})]
BOTH, ALL = [ASSUME, TAG], "sts:*"
ORG = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}

#: More cases, made from the rules.
MADE = [
    # whom a principal names
    Case("N01", "the user by its ARN, other account", "allow none", [allow(ALICE)]),
    Case("N02", "another user", "implicitDeny trust", [allow(BOB)]),
    Case("N03", "a list of principals is a choice", "allow none", [allow([BOB, ALICE])]),
    Case("N04", "the account of the caller", "allow none", [allow(ACCOUNT)]),
    Case("N05", "another account", "implicitDeny trust", [allow("999999999999")]),
    Case("N06", "the role's account is not the caller's", "implicitDeny trust", [allow("444455556666")]),
    Case("N07", "upper and lower case of a user's ARN count", "implicitDeny trust", [allow("arn:aws:iam::111122223333:user/Alice")]),
    Case("N08", "the partition counts", "implicitDeny trust", [allow("arn:aws-cn:iam::111122223333:user/alice")]),
    Case("N09", "the partition of an account counts", "implicitDeny trust", [allow("arn:aws-us-gov:iam::111122223333:root")]),
    Case("N10", "a service does not name a person", "implicitDeny trust", [allow({"Service": "ec2.amazonaws.com"})]),
    Case("N11", "an identity provider does not name a user", "implicitDeny trust", [allow({"Federated": "arn:aws:iam::444455556666:saml-provider/corp"})]),
    Case("N12", "a canonical user ID does not name a user", "implicitDeny trust", [allow({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"})]),
    Case("N13", "`*` as the whole principal", "allow none", [allow("*")]),
    Case("N14", "`*` as the AWS principal", "allow none", [allow({"AWS": "*"})]),
    Case("N15", "`*` needs the caller's permission from another account", "implicitDeny identity", [allow("*")], identity=[]),
    Case("N16", "`*` needs no permission in the same account", "allow none", [allow("*")], role=HERE, identity=[]),
    Case("N17", "the role of the session, other account", "allow none", [allow(DEV)], caller=SESSION),
    Case("N18", "another role", "implicitDeny trust", [allow("arn:aws:iam::111122223333:role/ops")], caller=SESSION),
    Case("N19", "a role's ARN with its path names its session", "allow none", [allow("arn:aws:iam::111122223333:role/eng/dev")], caller=SESSION),
    Case("N20", "the role's path, where it is known, counts", "implicitDeny trust", [allow(DEV)], caller=SESSION, caller_role="arn:aws:iam::111122223333:role/eng/dev"),
    Case("N21", "the session by its own ARN", "allow none", [allow(SESSION)], caller=SESSION),
    Case("N22", "a user of the role's name is not the role", "implicitDeny trust", [allow("arn:aws:iam::111122223333:user/dev")], caller=SESSION),
    Case("N23", "the caller given as a role: its session is one of the role's", "allow none", [allow(DEV)], caller=DEV),
    Case("N24", "the caller given as a role: which session is not known", "unknown trust", [allow(SESSION)], caller=DEV),
    Case("N25", "the caller given as a role: a session of another role", "implicitDeny trust", [allow("arn:aws:sts::111122223333:assumed-role/ops/x")], caller=DEV),
    Case("N26", "the ID of a deleted role", "implicitDeny trust", [allow("AROAQ3EXAMPLEEXAMPLE1")], caller=SESSION),
    Case("N27", "a trust policy that names nobody at all", "implicitDeny trust", []),
    Case("N28", "no trust policy known", "unknown trust", None),
    Case("N29", "no trust policy known, and the caller may not", "implicitDeny identity", None, identity=[]),
    Case("N30", "the root user cannot assume a role", "implicitDeny identity", [allow(ACCOUNT)], caller=ACCOUNT),
    Case("N31", "the root user cannot, in its own account either", "implicitDeny identity", [allow("*")], caller=ACCOUNT, role=HERE),
    Case("N32", "a session of GetFederationToken cannot assume a role", "implicitDeny identity", [allow("arn:aws:sts::111122223333:federated-user/ann")], caller="arn:aws:sts::111122223333:federated-user/ann"),
    Case("N33", "administrators need the trust policy too", "implicitDeny trust", [allow(BOB)], role=HERE, identity=[EVERYTHING]),
    Case("N34", "a role without a path of its own may be trusted by name in its account", "allow none", [allow(DEV)], caller=SESSION, role=HERE, identity=[]),
    Case("N35", "a role does not trust itself without saying so", "implicitDeny trust", [allow({"Service": "ec2.amazonaws.com"})], caller=SESSION, role=DEV),
    # what the caller's own policies say
    Case("I01", "no identity policy, other account", "implicitDeny identity", [allow(ALICE)], identity=[]),
    Case("I02", "no identity policy, same account, the user named", "allow none", [allow(ALICE)], role=HERE, identity=[]),
    Case("I03", "identity policies not known", "unknown identity", [allow(ALICE)], identity=None),
    Case("I04", "identity policies not known, and not needed", "allow none", [allow(ALICE)], role=HERE, identity=[]),
    Case("I05", "the account named, the user allowed", "allow none", [allow(ACCOUNT)], role=HERE),
    Case("I06", "another action only", "implicitDeny identity", [allow(ALICE)], identity=[ONLY_S3]),
    Case("I07", "another role only", "implicitDeny identity", [allow(ALICE)], identity=[[may(Resource="arn:aws:iam::444455556666:role/other")]]),
    Case("I08", "this role by its ARN", "allow none", [allow(ALICE)], identity=[[may(Resource=THERE)]]),
    Case("I09", "one of several roles", "allow none", [allow(ALICE)], identity=[[may(Resource=[HERE, THERE])]]),
    Case("I10", "a wildcard in the account", "allow none", [allow(ALICE)], identity=[[may(Resource="arn:aws:iam::*:role/target")]]),
    Case("I11", "a wildcard spans the path", "allow none", [allow(ALICE)], role="arn:aws:iam::444455556666:role/a/b/target", identity=[[may(Resource="arn:aws:iam::444455556666:role/*")]]),
    Case("I12", "the path of the role counts", "implicitDeny identity", [allow(ALICE)], role="arn:aws:iam::444455556666:role/a/target", identity=[[may(Resource="arn:aws:iam::444455556666:role/target")]]),
    Case("I13", "`?` is one character", "allow none", [allow(ALICE)], identity=[[may(Resource="arn:aws:iam::444455556666:role/targe?")]]),
    Case("I14", "`?` is not no character", "implicitDeny identity", [allow(ALICE)], identity=[[may(Resource="arn:aws:iam::444455556666:role/target?")]]),
    Case("I15", "actions compare without case", "allow none", [allow(ALICE)], identity=[[may(Action="STS:assumerole")]]),
    Case("I16", "NotResource covers all that it does not name", "allow none", [allow(ALICE)], identity=[[may(NotResource="arn:aws:iam::*:role/admin")]]),
    Case("I17", "NotResource leaves out what it names", "implicitDeny identity", [allow(ALICE)], identity=[[may(NotResource=THERE)]]),
    Case("I18", "NotAction leaves out what it names", "implicitDeny identity", [allow(ALICE)], identity=[[may(NotAction="sts:*")]]),
    Case("I19", "a variable in the resource", "allow none", [allow(ALICE)], role="arn:aws:iam::444455556666:role/alice", identity=[[may(Resource="arn:aws:iam::444455556666:role/${aws:username}")]]),
    Case("I20", "a variable in the resource of the old version is text", "implicitDeny identity", [allow(ALICE)], role="arn:aws:iam::444455556666:role/alice", identity=[[may(Resource="arn:aws:iam::444455556666:role/${aws:username}")]], version="2008-10-17"),
    Case("I21", "a variable without a value matches nothing", "implicitDeny identity", [allow(DEV)], caller=SESSION, identity=[[may(Resource="arn:aws:iam::444455556666:role/${aws:username}*")]]),
    Case("I22", "a variable that nobody knows", "unknown identity", [allow(ALICE)], identity=[[may(Resource="arn:aws:iam::444455556666:role/${aws:PrincipalTag/team}")]]),
    Case("I23", "two policies: one is enough", "allow none", [allow(ALICE)], identity=[ONLY_S3, [may()]]),
    Case("I24", "a wildcard in the middle does not reach over a colon for certain", "unknown identity", [allow(ALICE)], identity=[[may(Resource="arn:aws:*:role/target")]]),
    Case("I25", "a wildcard at the end does", "allow none", [allow(ALICE)], identity=[[may(Resource="arn:aws:iam:*")]]),
    Case("I26", "a wildcard in the resource does not match another service", "implicitDeny identity", [allow(ALICE)], identity=[[may(Resource="arn:aws:s3:::*")]]),
    # Deny
    Case("X01", "a Deny in the trust policy", "deny trust", [allow(ALICE), deny(ALICE)]),
    Case("X02", "the order of statements does not matter", "deny trust", [deny(ALICE), allow(ALICE)]),
    Case("X03", "a Deny for the account is one for its users", "deny trust", [allow(ALICE), deny(ACCOUNT)]),
    Case("X04", "a Deny for everybody", "deny trust", [allow(ALICE), deny("*")]),
    Case("X05", "a Deny for another user", "allow none", [allow(ALICE), deny(BOB)]),
    Case("X06", "a Deny for the role is one for its session", "deny trust", [allow(SESSION), deny(DEV)], caller=SESSION),
    Case("X07", "a Deny of another action", "allow none", [allow(ALICE), deny("*", Action=TAG)]),
    Case("X08", "a Deny with NotAction", "deny trust", [allow(ALICE), deny("*", NotAction=TAG)]),
    Case("X09", "a Deny of all but this action", "allow none", [allow(ALICE), deny("*", NotAction="sts:Assume*")]),
    Case("X10", "a Deny in the identity policy for another role", "allow none", [allow(ALICE)], identity=[[may(), may_not(Resource=HERE)]]),
    Case("X11", "a Deny with NotResource", "deny identity", [allow(ALICE)], identity=[[may(), may_not(NotResource=HERE)]]),
    Case("X12", "a Deny in the boundary, the user named, same account", "deny boundary", [allow(ALICE)], role=HERE, boundary=[[may(), may_not()]]),
    Case("X13", "a Deny in the session policy, the session named, same account", "deny session", [allow(SESSION)], caller=SESSION, role=HERE, session=[[may(), may_not()]]),
    Case("X14", "a Deny that nobody can judge leaves it open", "unknown identity", [allow(ALICE)], identity=[[may(), may_not(Condition={"StringEquals": {"aws:PrincipalTag/team": "x"}})]]),
    Case("X15", "a Deny that nobody can judge, and no Allow", "implicitDeny trust", [allow(BOB)], identity=[[may(), may_not(Condition=ORG)]]),
    Case("X16", "a Deny that nobody can judge, and one that applies", "deny identity", [allow(ALICE), deny("*", Condition=ORG)], identity=[[may(), may_not()]]),
    Case("X17", "Deny without MFA by BoolIfExists meets long-lived keys", "deny identity", [allow(ALICE)], identity=[[may(), may_not(Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})]]),
    Case("X18", "... and lets a call with a code pass", "allow none", [allow(ALICE)], identity=[[may(), may_not(Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})]], mfa_code=True),
    Case("X19", "an Allow with NotPrincipal is not to be trusted", "unknown trust", [allow(NotPrincipal={"AWS": BOB})]),
    Case("X20", "NotPrincipal of another action does not matter", "allow none", [allow(ALICE), deny(NotPrincipal={"AWS": BOB}, Action=TAG)]),
    # several actions
    Case("A01", "tags: both sides allow them", "allow none", [allow(ALICE, Action=BOTH)], tags={"a": "b"}, identity=[[may(Action=ALL)]]),
    Case("A02", "tags: the caller lacks sts:TagSession", "implicitDeny identity", [allow(ALICE, Action=BOTH)], tags={"a": "b"}),
    Case("A03", "tags: statements of their own", "allow none", [allow(ALICE), allow(ALICE, Action=TAG)], tags={"a": "b"}, identity=[[may(), may(Action=TAG)]]),
    Case("A04", "inherited tags need sts:TagSession too", "implicitDeny trust", [allow(DEV)], caller=SESSION, inherited_tags={"a": "b"}, identity=[EVERYTHING]),
    Case("A05", "an inherited source identity needs its action", "implicitDeny trust", [allow(DEV)], caller=SESSION, inherited_source_identity="ann", identity=[EVERYTHING]),
    Case("A06", "an inherited source identity, allowed on both sides", "allow none", [allow(DEV, Action=[ASSUME, IDENTITY])], caller=SESSION, inherited_source_identity="ann", identity=[EVERYTHING]),
    Case("A07", "a source identity: trust lacks its action", "implicitDeny trust", [allow(ALICE)], source_identity="ann", identity=[EVERYTHING]),
    Case("A08", "a Deny of sts:TagSession denies the call", "deny identity", [allow(ALICE, Action=ALL)], tags={"a": "b"}, identity=[[may(Action=ALL), may_not(Action=TAG)]]),
    Case("A09", "... and not a call without tags", "allow none", [allow(ALICE, Action=ALL)], identity=[[may(Action=ALL), may_not(Action=TAG)]]),
    Case("A10", "tags from the context count as sent", "implicitDeny trust", [allow(ALICE)], context={"aws:RequestTag/Project": "x"}, identity=[EVERYTHING]),
    Case("A11", "a context provider needs sts:SetContext", "implicitDeny trust", [allow(ALICE)], context={"sts:RequestContextProviders": "arn:aws:iam::aws:contextProvider/IdentityCenter"}, identity=[EVERYTHING]),
    Case("A12", "... on both sides", "allow none", [allow(ALICE, Action=[ASSUME, CONTEXT])], context={"sts:RequestContextProviders": "arn:aws:iam::aws:contextProvider/IdentityCenter"}, identity=[EVERYTHING]),
    Case("A13", "a Deny decides before a missing Allow of another action", "deny trust", [allow(ALICE), deny("*", Action=IDENTITY)], tags={"a": "b"}, source_identity="ann"),
    Case("A14", "same account, the user named for both actions", "allow none", [allow(ALICE, Action=BOTH)], role=HERE, tags={"a": "b"}, identity=[]),
    Case("A15", "same account, the user named for one action only", "implicitDeny trust", [allow(ALICE)], role=HERE, tags={"a": "b"}, identity=[]),
    # boundary and session policy
    Case("L01", "the boundary lacks the action, other account", "implicitDeny boundary", [allow(ALICE)], boundary=[ONLY_S3]),
    Case("L02", "the boundary has the action", "allow none", [allow(ALICE)], boundary=[EVERYTHING]),
    Case("L03", "the boundary lacks it, the role named, same account", "implicitDeny boundary", [allow(DEV)], caller=SESSION, role=HERE, identity=[], boundary=[ONLY_S3]),
    Case("L04", "the session policy lacks it, the role named, same account", "implicitDeny session", [allow(DEV)], caller=SESSION, role=HERE, identity=[], session=[ONLY_S3]),
    Case("L05", "the session policy lacks it, other account", "implicitDeny session", [allow(SESSION)], caller=SESSION, session=[ONLY_S3]),
    Case("L06", "the session policy lacks it, the account named", "implicitDeny session", [allow(ACCOUNT)], caller=SESSION, role=HERE, session=[ONLY_S3]),
    Case("L07", "the boundary is not known, other account", "unknown boundary", [allow(ALICE)], boundary=None),
    Case("L08", "the boundary is not known: its Deny would count", "unknown boundary", [allow(ALICE)], role=HERE, boundary=None),
    Case("L09", "the session policy is not known", "unknown session", [allow(DEV)], caller=SESSION, session=None),
    Case("L10", "the boundary lacks it, `*`, same account: the documents are silent", "unknown boundary", [allow("*")], role=HERE, boundary=[ONLY_S3]),
    Case("L11", "an unclear boundary", "unknown boundary", [allow(ALICE)], boundary=[[may(Condition=ORG)]]),
    Case("L12", "all of identity, boundary and session policy allow it", "allow none", [allow(ACCOUNT)], caller=SESSION, role=HERE, boundary=[EVERYTHING], session=[[may()]]),
    # organizations
    Case("O01", "an SCP without sts", "implicitDeny scp", [allow(ALICE)], scp=[[ONLY_S3]]),
    Case("O02", "the full-access SCP", "allow none", [allow(ALICE)], scp=[FULL]),
    Case("O03", "every level must allow", "implicitDeny scp", [allow(ALICE)], scp=[FULL, [ONLY_S3], FULL]),
    Case("O04", "one policy of a level is enough", "allow none", [allow(ALICE)], scp=[FULL, [ONLY_S3, EVERYTHING]]),
    Case("O05", "a level with nothing on it", "implicitDeny scp", [allow(ALICE)], scp=[FULL, []]),
    Case("O06", "a Deny at one level", "deny scp", [allow(ALICE)], scp=[FULL, [EVERYTHING, [may_not()]]]),
    Case("O07", "an SCP counts in the same account, the user named", "implicitDeny scp", [allow(ALICE)], role=HERE, scp=[[ONLY_S3]]),
    Case("O08", "a region guard meets the global endpoint", "deny scp", [allow(ALICE)], scp=[[EVERYTHING, REGIONS]], region="us-east-1"),
    Case("O09", "a region guard lets its region pass", "allow none", [allow(ALICE)], scp=[[EVERYTHING, REGIONS]], region="eu-west-1"),
    Case("O10", "a region guard, and the region is not known", "unknown scp", [allow(ALICE)], scp=[[EVERYTHING, REGIONS]]),
    Case("O11", "SCPs not known", "unknown scp", [allow(ALICE)], scp=None),
    Case("O12", "SCPs not known, and the trust policy refuses", "implicitDeny trust", [allow(BOB)], scp=None, rcp=None),
    Case("O13", "an RCP denies other organizations", "deny rcp", [allow(ALICE)], rcp=[[[may_not("*", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}})]]], context={"aws:PrincipalOrgID": "o-2"}),
    Case("O14", "an RCP, and the caller's organization is not known", "unknown rcp", [allow(ALICE)], rcp=[[[may_not("*", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}})]]]),
    Case("O15", "an RCP denies callers outside any organization", "deny rcp", [allow(ALICE)], rcp=[[[may_not("*", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}, "StringNotLike": {"aws:PrincipalArn": "*:role/*"}})]]], context={"aws:PrincipalOrgID": "o-2"}),
    Case("O16", "an RCP for another action", "allow none", [allow(ALICE)], rcp=[[[may_not("*", Action="s3:*")]]]),
    Case("O17", "RCPs not known", "unknown rcp", [allow(ALICE)], rcp=None),
    Case("O18", "an SCP allows one action only, tags are sent", "implicitDeny scp", [allow(ALICE, Action=ALL)], tags={"a": "b"}, identity=[EVERYTHING], scp=[[[may()]]]),
    Case("O19", "what was read and is unclear comes before what was not read", "unknown trust", [allow("*", Condition=ORG)], scp=None, rcp=None),
    # the role of the caller's session, as aws:PrincipalArn
    Case("R01", "aws:PrincipalArn is the role's ARN", "allow none", [allow(ACCOUNT, Condition={"ArnEquals": {"aws:PrincipalArn": DEV}})], caller=SESSION),
    Case("R02", "... and not the session's", "implicitDeny trust", [allow(ACCOUNT, Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:sts::111122223333:assumed-role/dev/*"}})], caller=SESSION),
    Case("R03", "a path that the role may have", "unknown trust", [allow(ACCOUNT, Condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/eng/dev"}})], caller=SESSION),
    Case("R04", "the path that the role has", "allow none", [allow(ACCOUNT, Condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/eng/dev"}})], caller=SESSION, caller_role="arn:aws:iam::111122223333:role/eng/dev"),
    Case("R05", "a role of IAM Identity Center has a path", "implicitDeny trust", [allow(ACCOUNT, Condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_0123456789abcdef"}})], caller=SSO),
    Case("R06", "... whatever its region", "allow none", [allow(ACCOUNT, Condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::111122223333:{SSO_ROLE}/*AWSReservedSSO_Admin_*"}})], caller=SSO),
    Case("R07", "... whose region is not known", "unknown trust", [allow(ACCOUNT, Condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::111122223333:{SSO_ROLE}/ap-south-1/AWSReservedSSO_Admin_0123456789abcdef"}})], caller=SSO),
    Case("R08", "another role's name is never ours", "implicitDeny trust", [allow(ACCOUNT, Condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/eng/ops"}})], caller=SESSION),
    Case("R09", "a context value counts over our guess", "allow none", [allow(ACCOUNT, Condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/eng/dev"}})], caller=SESSION, context={"aws:PrincipalArn": "arn:aws:iam::111122223333:role/eng/dev"}),
    # statements that AWS would not store
    Case("F01", "a statement without Effect", "unknown trust", [{"Principal": "*", "Action": ASSUME}]),
    Case("F02", "an Effect in small letters", "unknown trust", [{"Effect": "allow", "Principal": "*", "Action": ASSUME}]),
    Case("F03", "Resource in a trust policy", "unknown trust", [allow(ALICE, Resource="*")]),
    Case("F04", "an identity policy with Principal", "unknown identity", [allow(ALICE)], identity=[[may(Principal="*")]]),
    Case("F05", "an identity policy without Resource", "unknown identity", [allow(ALICE)], identity=[[{"Effect": "Allow", "Action": "*"}]]),
    Case("F06", "Action and NotAction together", "unknown trust", [allow(ALICE, NotAction="iam:*", Action=ASSUME)]),
    Case("F07", "an unknown version", "unknown trust", [allow(ALICE)], version="2012-10-18"),
    Case("F08", "no version is the old version", "allow none", [allow(ALICE)], version=None),
    Case("F09", "an unknown element", "unknown trust", [allow(ALICE, Actions="x")]),
    Case("F10", "an unknown type of principal", "unknown trust", [allow({"Aws": ALICE})]),
    Case("F11", "a statement without Principal", "unknown trust", [allow()]),
    Case("F12", "a faulty statement of another action does not matter", "allow none", [allow(ALICE), deny("*", Action=TAG, Resource="*")]),
    Case("F13", "a faulty Deny leaves it open", "unknown trust", [allow(ALICE), deny("*", Resource="*")]),
]
# fmt: on
