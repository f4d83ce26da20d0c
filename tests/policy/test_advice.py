"""What mends a denied request: slips by their name, what to send, and statements that do it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from awsudo_py.policy.advice import Advice, advice, described
from awsudo_py.policy.conditions import OPERATORS, ConditionResult
from awsudo_py.policy.documents import parse
from awsudo_py.policy.verdicts import Outcome, Policies, evaluate
from tests import messages
from tests.policy.cases import (
    ACCOUNT,
    ALICE,
    DEV,
    DOCUMENTED,
    HERE,
    MADE,
    SESSION,
    SSO,
    THERE,
    Case,
    allow,
    deny,
    may,
    may_not,
)


def _advice(case: Case, **more: Any) -> list[Advice]:
    return advice(case.request, evaluate(case.request, case.policies), **more)


def _case(trust: list[dict[str, Any]], **more: Any) -> Case:
    return Case("", "", "", trust, **more)


def _if(condition: dict[str, Any]) -> list[dict[str, Any]]:
    return [allow("*", Condition=condition)]


MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
# fmt: off
SLIPS: list[tuple[str, Case, str]] = [
    ("account", _case([allow("arn:aws:iam::999999999999:user/alice")]), messages.ACCOUNT_DIFFERS),
    ("account", _case([allow("arn:aws-cn:iam::111122223333:user/alice")]), "the partition differs"),
    ("case", _case([allow("arn:aws:iam::111122223333:user/Alice")]), messages.CASE_DIFFERS),
    ("case", _case([allow("arn:aws:iam::111122223333:role/Dev")], caller=SESSION), messages.CASE_DIFFERS),
    ("path", _case([allow("arn:aws:iam::111122223333:user/eng/alice")]), messages.PATH_DIFFERS),
    ("path", _case([allow(DEV)], caller=SESSION, caller_role="arn:aws:iam::111122223333:role/eng/dev"), messages.PATH_DIFFERS),
    ("session-name", _case([allow("arn:aws:sts::111122223333:assumed-role/dev/bob")], caller=SESSION), "name the role"),
    ("deleted-principal", _case([allow("AIDAQ3EXAMPLEEXAMPLE1")]), "put its ARN there again"),
    ("wildcard-principal", _case([allow("arn:aws:iam::111122223333:user/*")]), "require aws:PrincipalArn"),
    ("account", _case([allow(ALICE)], identity=[[may(Resource=HERE)]]), messages.ACCOUNT_DIFFERS),
    ("case", _case([allow(ALICE)], identity=[[may(Resource="arn:aws:iam::444455556666:role/Target")]]), messages.CASE_DIFFERS),
    ("path", _case([allow(ALICE)], identity=[[may(Resource="arn:aws:iam::444455556666:role/x/target")]]), messages.PATH_DIFFERS),
    ("external-id", _case(_if({"StringEquals": {"sts:ExternalId": "ci-7f3"}})), "awsudo --external-id ci-7f3 deploy"),
    ("external-id", _case(_if({"StringEquals": {"sts:ExternalId": ["a", "b"]}}), external_id="c"), 'the request has "c"'),
    ("external-id", _case(_if({"StringLike": {"sts:ExternalId": "ci-*"}})), "awsudo --external-id VALUE deploy"),
    ("mfa", _case(_if(MFA)), "awsudo --mfa-serial ARN deploy"),
    ("mfa", _case(_if(MFA), context={"aws:MultiFactorAuthPresent": "false"}), "awsudo --mfa-per-role deploy"),
    ("mfa-age", _case(_if({"NumericLessThan": {"aws:MultiFactorAuthAge": "60"}}), context={"aws:MultiFactorAuthAge": "99"}), "awsudo --mfa-per-role deploy"),
    ("mfa", _case([allow("*")], identity=[[may(), may_not(Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})]]), "awsudo --mfa-serial ARN deploy"),
    ("session-name", _case(_if({"StringEquals": {"sts:RoleSessionName": "ann smith"}}), session_name="x"), "awsudo --session-name 'ann smith' deploy"),
    ("source-identity", _case(_if({"StringEquals": {"sts:SourceIdentity": "ann"}})), "awsudo --source-identity ann deploy"),
    ("duration", _case([allow("*"), deny("*", Condition={"Null": {"sts:DurationSeconds": "true"}})], context={"sts:DurationSeconds": None}), "awsudo --duration VALUE deploy"),
    ("tags", _case(_if({"StringEquals": {"aws:RequestTag/team": "a b"}})), "awsudo --tag 'team=a b' deploy"),
    ("tags", _case([allow(ALICE)], tags={"a": "b"}, identity=[[may(Action="*")]]), "needs sts:TagSession on both sides"),
    ("inherited-tags", _case([allow(DEV)], caller=SESSION, inherited_tags={"a": "b"}, identity=[[may(Action="*")]]), "passes transitive tags on"),
    ("inherited-source-identity", _case([allow(DEV)], caller=SESSION, inherited_source_identity="ann", identity=[[may(Action="*")]]), "has a source identity"),
    ("region", _case(_if({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}), region="us-west-2"), "awsudo --region eu-west-1 deploy"),
    ("global-endpoint", _case([allow("*")], scp=[[[may(Action="*"), may_not(Condition={"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}})]]], region="us-east-1"), "awsudo --region eu-west-1 deploy"),
    ("principal-arn", _case([allow(ACCOUNT, Condition={"ArnLike": {"aws:PrincipalArn": f"{SESSION}"}})], caller=SESSION), f"the ARN of its role, {DEV}"),
    ("principal-arn", _case([allow(ACCOUNT, Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_*"}})], caller=SSO), "has a path"),
    ("network", _case(_if({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), context={"aws:SourceIp": "1.2.3.4"}), 'the request has "1.2.3.4"'),
    ("organization", _case(_if({"StringEquals": {"aws:PrincipalOrgID": "o-1"}})), messages.UNKNOWN_VALUE),
    ("principal-tag", _case(_if({"StringEquals": {"aws:PrincipalTag/team": "x"}})), messages.UNKNOWN_VALUE),
    ("time", _case(_if({"DateGreaterThan": {"aws:CurrentTime": "2030-01-01"}}), context={"aws:CurrentTime": "2026-01-01"}), "must be after"),
    ("condition", _case(_if({"StringEquals": {"ec2:Whatever": "x"}})), "the request does not have it"),
    ("root", _case([allow(ACCOUNT)], caller=ACCOUNT), "the root user cannot assume a role"),
    ("federated-user", _case([allow("*")], caller="arn:aws:sts::111122223333:federated-user/x"), "GetFederationToken"),
    ("scp", _case([allow("*")], scp=[[[may(Action="s3:*")]]]), "must allow sts:AssumeRole at every level"),
    ("trust-deny", _case([allow("*"), deny(ALICE, Sid="Out")]), 'statement "Out" denies sts:AssumeRole'),
    ("identity-deny", _case([allow("*")], identity=[[may_not()]]), messages.DENY_WINS),
]
# fmt: on


@pytest.mark.parametrize(("slip", "case", "words"), SLIPS, ids=[f"{n}-{slip}" for n, (slip, *_) in enumerate(SLIPS)])
def test_a_slip_has_a_name_and_a_way_out(slip: str, case: Case, words: str) -> None:
    """The slip is among the advice, with what tells it or what to send."""
    found = [each for each in _advice(case, target="deploy") if each.slip == slip]

    assert any(words in f"{each.text} {each.command}" for each in found), found


def test_what_is_not_known_is_advice_of_a_possible_reason_only() -> None:
    """A condition that nobody could evaluate is marked as such."""
    unknown = _advice(_case(_if({"StringEquals": {"aws:PrincipalOrgID": "o-1"}})))
    known = _advice(_case(_if({"StringEquals": {"sts:ExternalId": "x"}})))

    assert [each.possible for each in unknown] == [True]
    assert [each.possible for each in known if each.slip == "external-id"] == [False]


def test_an_allowed_request_needs_no_advice() -> None:
    """Nothing is to be mended."""
    assert _advice(_case([allow("*")])) == []


@pytest.mark.parametrize(
    ("known", "slip"),
    [
        ("arn:aws:iam::444455556666:role/Target", "role-case"),
        ("arn:aws:iam::444455556666:role/eng/target", "role-path"),
        ("arn:aws:iam::444455556666:role/tagret", "role-name"),
    ],
)
def test_the_nearest_known_role_is_named(known: str, slip: str) -> None:
    """A role that is known, and differs in case, path or a letter, is probably meant."""
    found = _advice(
        _case([allow(DEV)]), roles=[known, "arn:aws:iam::999999999999:role/target", "arn:aws:iam::444455556666:role/x"]
    )

    assert [(each.slip, each.command) for each in found if each.slip.startswith("role-")] == [(slip, f"awsudo {known}")]


def test_a_role_that_is_known_is_not_doubted() -> None:
    """Where the role itself is known, no other is named."""
    assert not [each for each in _advice(_case([allow(DEV)]), roles=[THERE, THERE.title()]) if "role-" in each.slip]


MENDABLE = [
    case
    for case in DOCUMENTED + MADE
    if case.expected.startswith("implicitDeny") and case.expected.split()[1] in ("trust", "identity", "boundary", "session")
    and "federated-user" not in case.caller and case.caller != ACCOUNT and case.trust is not None
]  # fmt: skip


def _pasted(policies: Policies, made: Advice) -> Policies:
    """The policies with a statement that was advised."""
    added = parse(json.dumps({"Version": "2012-10-17", "Statement": made.statement}))
    if made.side != "trust":
        changed: Any = {made.side: (*getattr(policies, made.side), added)}
        return policies._replace(**changed)
    assert policies.trust is not None
    joined = (*policies.trust.statements, *added.statements)
    return policies._replace(trust=policies.trust._replace(statements=joined, version=added.version))


@pytest.mark.parametrize("case", MENDABLE, ids=lambda case: case.id)
def test_the_statement_to_paste_does_mend_it(case: Case) -> None:
    """With the statements pasted that it advises, one after the other, nothing is missing any more."""
    request, policies = case.request, case.policies
    for _ in range(5):
        verdict = evaluate(request, policies)
        statements = [each for each in advice(request, verdict) if each.statement is not None]
        if verdict.outcome is not Outcome.IMPLICIT_DENY or not statements:
            break
        for made in statements:
            policies = _pasted(policies, made)

    if verdict.outcome is Outcome.IMPLICIT_DENY:  # a condition is in the way, and reported
        assert [each for each in advice(request, verdict) if "must" in each.text]
    else:
        # where something else is not known, it still is not
        assert verdict.outcome is (Outcome.UNKNOWN if case.id in ("X15", "O12") else Outcome.ALLOW)


def test_no_advice_drops_a_condition() -> None:
    """Where an external ID is missing, the advice is to send it: a statement without it would open the role."""
    found = _advice(_case(_if({"StringEquals": {"sts:ExternalId": "x"}})))

    assert [each.slip for each in found] == ["external-id"]


@pytest.mark.parametrize("case", MENDABLE, ids=lambda case: case.id)
def test_the_statement_to_paste_grants_no_more_than_is_needed(case: Case) -> None:
    """One caller or one role, and the actions of this request: no wildcard stands in it, but for a permission set."""
    for made in [each for each in _advice(case) if each.statement is not None]:
        statement = made.statement or {}
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]

        assert set(actions) <= set(case.request.actions)
        assert "*" not in json.dumps(statement) or "AWSReservedSSO_" in json.dumps(statement["Condition"])


def test_from_another_account_all_that_is_missing_is_advised_at_once() -> None:
    """Trust policy and identity policy each get their statement, with all actions that they lack."""
    case = _case([allow(ALICE)], tags={"a": "b"})

    found = {each.side: each.statement for each in _advice(case) if each.statement is not None}

    assert found == {
        "trust": {"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "sts:TagSession"},
        "identity": {"Effect": "Allow", "Action": "sts:TagSession", "Resource": THERE},
    }


def test_a_permission_set_is_trusted_by_its_name_and_not_by_its_changing_digits() -> None:
    """The statement names the account, and requires the role's ARN up to the digits that a new set-up changes."""
    (made,) = [each for each in _advice(_case([allow(DEV)], caller=SSO)) if each.statement is not None]

    prefix = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/"
    names = [f"{prefix}AWSReservedSSO_Admin_*", f"{prefix}*/AWSReservedSSO_Admin_*"]
    assert made.statement == {
        "Effect": "Allow",
        "Principal": {"AWS": ACCOUNT},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:PrincipalArn": names}},
    }


@pytest.mark.parametrize(
    ("operator", "expected", "holds", "sentence"),
    [
        ("StringEquals", ["a"], True, 'sts:K must equal "a" (StringEquals); the request does not have it'),
        ("StringNotEquals", ["a", "b"], False, 'sts:K must equal "a" or "b" (StringNotEquals)'),
        ("StringNotLike", ["a"], True, 'sts:K must not match "a"'),
        ("NotIpAddress", ["10.0.0.0/8"], False, 'sts:K must be in "10.0.0.0/8"'),
        ("NumericLessThan", ["60"], True, 'sts:K must be less than "60"'),
        ("BoolIfExists", ["true"], True, 'sts:K must be "true" where it is present (BoolIfExists)'),
        ("ForAllValues:StringEquals", ["a"], True, 'every value of sts:K must equal "a"'),
        ("Null", ["true"], True, "sts:K must be absent"),
        ("Null", ["false"], True, "sts:K must be present"),
        ("Null", ["true"], False, "sts:K must be present"),
        ("Odd", ["a"], True, 'sts:K must satisfy Odd "a"'),
        ("StringEquals", ["a", "b", "c", "d"], True, '"c" or ...'),
    ],
)
def test_a_condition_is_a_sentence(operator: str, expected: list[str], holds: bool, sentence: str) -> None:
    """The operator in words, the policy's values, and what the request has."""
    condition = ConditionResult(operator, "sts:K", tuple(expected), None, True, False)

    assert sentence in described(condition, holds=holds)


def test_every_operator_has_its_words() -> None:
    """No operator but Null is shown by its name only."""
    for operator in OPERATORS:
        assert "satisfy" not in described(ConditionResult(operator, "k", ("x",), ("y",), True, False))
