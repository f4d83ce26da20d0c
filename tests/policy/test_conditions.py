"""Each condition operator: what holds, what does not, and what nobody can know."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from awsudo_py.policy.conditions import OPERATORS, result
from awsudo_py.policy.context import Context, Request, request
from awsudo_py.policy.documents import ConditionKey, parse
from tests.policy.cases import ALICE, SESSION, THERE, allow

UNKNOWN = object()
KEY = "sts:Key"


class Row(NamedTuple):
    """An operator with a policy's values, the value in the request, and what comes of it."""

    operator: str
    operand: Any
    found: Any  # None: absent
    outcome: bool | None


# fmt: off
ROWS = [
    Row("StringEquals", "a", "a", True),
    Row("StringEquals", "a", "A", False),
    Row("StringEquals", ["x", "a"], "a", True),
    Row("StringEquals", [], "a", False),
    Row("StringEquals", "", "", True),
    Row("StringEquals", "a", None, False),
    Row("StringEquals", "a", UNKNOWN, None),
    Row("StringEquals", "a?", "ab", False),
    Row("StringEquals", "a*", "a*", True),
    Row("StringEquals", 12, "12", True),
    Row("StringEquals", True, "true", True),
    Row("stringequals", "a", "a", True),
    Row("StringNotEquals", "a", "b", True),
    Row("StringNotEquals", "a", "a", False),
    Row("StringNotEquals", ["a", "b"], "b", False),
    Row("StringNotEquals", ["a", "b"], "c", True),
    Row("StringNotEquals", "a", None, True),
    Row("StringNotEquals", "a", UNKNOWN, None),
    Row("StringEqualsIgnoreCase", "aBc", "AbC", True),
    Row("StringEqualsIgnoreCase", "abc", "abd", False),
    Row("StringNotEqualsIgnoreCase", "abc", "ABC", False),
    Row("StringNotEqualsIgnoreCase", "abc", None, True),
    Row("StringLike", "a*c", "abbc", True),
    Row("StringLike", "a*c", "abbd", False),
    Row("StringLike", "*", "", True),
    Row("StringLike", "a*", "A", False),
    Row("StringLike", "a?c", "abc", True),
    Row("StringLike", "a?c", "ac", False),
    Row("StringLike", "arn:*:x", "arn:a:b/c:x", True),
    Row("StringLike", "*a*b*", "xxaxxbxx", True),
    Row("StringLike", "*a*b*", "xxbxxaxx", False),
    Row("StringLike", "*?b?*", "aabc", True),
    Row("StringLike", "ab*ba", "aba", False),
    Row("StringLike", "*", None, False),
    Row("StringLike", "${*}", "*", True),
    Row("StringLike", "${*}", "a", False),
    Row("StringLike", "${?}", "?", True),
    Row("StringLike", "${?}", "a", False),
    Row("StringEquals", "${$}{x}", "${x}", True),
    Row("StringNotLike", "a*", "b", True),
    Row("StringNotLike", "a*", "ab", False),
    Row("StringNotLike", "a*", None, True),
    Row("StringEqualsIfExists", "a", None, True),
    Row("StringEqualsIfExists", "a", "b", False),
    Row("StringEqualsIfExists", "a", UNKNOWN, None),
    Row("StringNotEqualsIfExists", "a", None, True),
    Row("NumericEquals", "10", "10", True),
    Row("NumericEquals", 10, "10.0", True),
    Row("NumericEquals", "10", "11", False),
    Row("NumericEquals", "ten", "10", False),
    Row("NumericEquals", "10", "ten", False),
    Row("NumericNotEquals", "10", "11", True),
    Row("NumericNotEquals", "10", None, True),
    Row("NumericNotEquals", "ten", "10", None),
    Row("NumericLessThan", "3600", "3599", True),
    Row("NumericLessThan", "3600", "3600", False),
    Row("NumericLessThan", "3600", None, False),
    Row("NumericLessThanIfExists", "3600", None, True),
    Row("NumericLessThanEquals", "3600", "3600", True),
    Row("NumericLessThanEquals", "3600", "3601", False),
    Row("NumericGreaterThan", "5", "5.5", True),
    Row("NumericGreaterThan", "5", "-6", False),
    Row("NumericGreaterThanEquals", "5", "5", True),
    Row("NumericGreaterThanEquals", ["9", "5"], "7", True),
    Row("NumericEquals", "1e3", "1000", False),
    Row("NumericEquals", "NaN", "NaN", False),
    Row("DateEquals", "2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", True),
    Row("DateEquals", "2026-01-02", "2026-01-02T00:00:00Z", True),
    Row("DateEquals", "1767322800", "2026-01-02T03:00:00Z", True),
    Row("DateNotEquals", "2026-01-02", "2026-01-03", True),
    Row("DateNotEquals", "soon", "2026-01-03", None),
    Row("DateLessThan", "2026-01-02T03:04:05Z", "2026-01-02T03:04:04.999Z", True),
    Row("DateLessThan", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", False),
    Row("DateLessThan", "2026-02-30", "2026-01-01", False),
    Row("DateLessThan", "tomorrow", "2026-01-01", False),
    Row("DateLessThanEquals", "2026", "2026-01-01T00:00:00Z", True),
    Row("DateGreaterThan", "2026-01-02T03:04:05-02:00", "2026-01-02T05:04:06Z", True),
    Row("DateGreaterThan", "2026-01-02T03:04:05-02:00", "2026-01-02T05:04:05Z", False),
    Row("DateGreaterThanEquals", "2026-01-02", "2026-01-02", True),
    Row("DateGreaterThan", "2026-01-02", None, False),
    Row("Bool", "true", "true", True),
    Row("Bool", True, "true", True),
    Row("Bool", "True", "true", True),
    Row("Bool", "true", "false", False),
    Row("Bool", "false", None, False),
    Row("Bool", "yes", "yes", False),
    Row("Bool", "", "", False),
    Row("BoolIfExists", "true", None, True),
    Row("BoolIfExists", "true", "false", False),
    Row("Null", "true", None, True),
    Row("Null", "true", "a", False),
    Row("Null", "false", "a", True),
    Row("Null", "false", None, False),
    Row("Null", False, "a", True),
    Row("Null", "true", UNKNOWN, None),
    Row("Null", "maybe", None, False),
    Row("NullIfExists", "true", None, None),
    Row("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    Row("BinaryEquals", "QmluYXJ5", "QmluYXJ4", False),
    Row("BinaryEquals", "not base64!", "QmluYXJ5", False),
    Row("IpAddress", "203.0.113.0/24", "203.0.113.7", True),
    Row("IpAddress", "203.0.113.0/24", "203.0.114.7", False),
    Row("IpAddress", "203.0.113.7", "203.0.113.7", True),
    Row("IpAddress", "203.0.113.9/24", "203.0.113.7", True),
    Row("IpAddress", ["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", True),
    Row("IpAddress", "2001:db8::/32", "203.0.113.7", False),
    Row("IpAddress", "203.0.113.0/99", "203.0.113.7", False),
    Row("IpAddress", "203.0.113.0/24", "nowhere", False),
    Row("IpAddress", "203.0.113.0/24", None, False),
    Row("NotIpAddress", "203.0.113.0/24", "198.51.100.1", True),
    Row("NotIpAddress", "203.0.113.0/24", "203.0.113.7", False),
    Row("NotIpAddress", "203.0.113.0/24", None, True),
    Row("NotIpAddress", "203.0.113.0/24", "nowhere", None),
    Row("ArnEquals", "arn:aws:iam::1:role/a", "arn:aws:iam::1:role/a", True),
    Row("ArnEquals", "arn:aws:iam::*:role/*", "arn:aws:iam::1:role/a/b", True),
    Row("ArnLike", "arn:aws:iam::1:role/?", "arn:aws:iam::1:role/a", True),
    Row("ArnLike", "arn:*:iam::1:role/a", "arn:aws-cn:iam::1:role/a", True),
    Row("ArnLike", "arn:aws:*:role/a", "arn:aws:iam::1:role/a", None),
    Row("ArnLike", "arn:aws:iam::*", "arn:aws:iam::1:role/a", None),
    Row("ArnLike", "arn:aws:iam::1:role/a", "not an arn", False),
    Row("ArnLike", "arn:aws:iam", "arn:aws:iam::1:role/a", False),
    Row("ArnLike", "arn:aws:iam::1*:role/a", "arn:aws:iam::1:x:role/a", False),
    Row("ArnLike", "arn:aws:sns:*:1:a:*", "arn:aws:sns:eu-west-1:1:a:b:c", True),
    Row("ArnLike", "ARN:aws:iam::1:role/a", "arn:aws:iam::1:role/a", False),
    Row("ArnNotEquals", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/a", False),
    Row("ArnNotEquals", "arn:aws:iam::1:role/*", "arn:aws:iam::2:role/a", True),
    Row("ArnNotLike", "arn:aws:iam::1:role/*", None, True),
    Row("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
    Row("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    Row("ForAllValues:StringEquals", "a", None, True),
    Row("ForAllValues:StringEquals", "a", UNKNOWN, None),
    Row("ForAllValues:StringNotEquals", ["a", "b"], ["c", "d"], True),
    Row("ForAllValues:StringNotEquals", ["a", "b"], ["c", "a"], False),
    Row("ForAllValues:StringLike", "team-*", ["team-a", "team-b"], True),
    Row("ForAnyValue:StringEquals", ["a", "b"], ["c", "b"], True),
    Row("ForAnyValue:StringEquals", ["a", "b"], ["c", "d"], False),
    Row("ForAnyValue:StringEquals", "a", None, False),
    Row("ForAnyValue:StringNotEquals", "a", None, False),
    Row("ForAnyValue:StringNotEquals", "a", ["a", "b"], True),
    Row("ForAnyValue:StringNotEquals", "a", ["a"], False),
    Row("ForAnyValue:StringLike", "o-1/*/ou-2/*", ["o-1/r/ou-2/", "o-1/r/ou-3/"], True),
    Row("ForAnyValue:StringEqualsIfExists", "a", None, True),
    Row("forallvalues:stringequals", "a", ["a"], True),
    Row("ForSomeValues:StringEquals", "a", ["a"], None),
    Row("StringEquals", "a", ["a", "b"], None),
    Row("StringMatches", "a", "a", None),
    Row("", "a", "a", None),
]
# fmt: on


def _context(row: Row) -> Context:
    if row.found is UNKNOWN:
        return Context(request(ALICE, THERE, unknown=frozenset({KEY.lower()})))
    values = () if row.found is None else (row.found,) if isinstance(row.found, str) else tuple(row.found)
    return Context(request(ALICE, THERE, context=((KEY, values),)))


def _outcome(condition: Any, context: Context, *, version: str = "2012-10-17") -> bool | None:
    policy = parse({"Version": version, "Statement": allow("*", Condition=condition)})
    (key,) = policy.statements[0].conditions
    return result(key, context, variables=policy.has_variables).outcome


@pytest.mark.parametrize("row", ROWS, ids=[f"{number}-{row.operator}" for number, row in enumerate(ROWS)])
def test_an_operator_comes_out_as_the_documents_say(row: Row) -> None:
    """Every operator has its truth table: true, false, or unknown."""
    assert _outcome({row.operator: {KEY: row.operand}}, _context(row)) is row.outcome


def test_every_operator_is_in_the_table() -> None:
    """No operator is without a row."""
    tried = {row.operator.rpartition(":")[2].lower().removesuffix("ifexists") for row in ROWS}

    assert set(OPERATORS) <= tried


VARIABLES = [
    ("${aws:username}", "alice", True),
    ("${AWS:UserName}", "alice", True),
    ("x-${aws:username}-y", "x-alice-y", True),
    ("${aws:username}*", "alice2", True),
    ("${aws:PrincipalAccount}", "111122223333", True),
    ("${sts:Empty}", "alice", False),
    ("${sts:Empty, 'nobody'}", "nobody", True),
    ("${sts:Empty,'nobody'}", "nobody", True),
    ("${aws:username, 'nobody'}", "nobody", False),
    ("${sts:Star}", "a*c", True),
    ("${sts:Star}", "abc", False),
    ("${sts:Many}", "a", None),
    ("${aws:PrincipalTag/team}", "x", None),
    ("${aws:PrincipalTag/team, 'x'}", "x", None),
    ("${}", "x", None),
    ("${aws:username", "${aws:username", None),
    ("x${aws:username", "x${aws:username", None),
    ("$aws:username}", "$aws:username}", True),
]


@pytest.mark.parametrize(("value", "found", "outcome"), VARIABLES)
def test_a_policy_variable_is_filled_in(value: str, found: str, outcome: bool | None) -> None:
    """A variable stands for the request's value, literally; without one, nothing matches."""
    given = ((KEY, (found,)), ("sts:Empty", ()), ("sts:Star", ("a*c",)), ("sts:Many", ("a", "b")))

    assert _outcome({"StringLike": {KEY: value}}, Context(request(ALICE, THERE, context=given))) is outcome


def test_a_variable_without_a_value_leaves_a_negation_open() -> None:
    """That a value differs from one that does not exist is more than the documents say."""
    context = Context(request(ALICE, THERE, context=((KEY, ("x",)), ("sts:Empty", ()))))

    assert _outcome({"StringNotEquals": {KEY: "${sts:Empty}"}}, context) is None
    assert _outcome({"StringNotEquals": {KEY: ["${sts:Empty}", "x"]}}, context) is False


def test_the_old_version_knows_no_variables() -> None:
    """Before 2012-10-17 a variable is plain text."""
    context = Context(request(ALICE, THERE, context=((KEY, ("${aws:username}",)),)))

    assert _outcome({"StringEquals": {KEY: "${aws:username}"}}, context, version="2008-10-17") is True
    assert _outcome({"StringEquals": {KEY: "${aws:username}"}}, context) is False


KEYS = [
    # key, of a user, of a session: the value, None where absent, UNKNOWN
    ("aws:PrincipalArn", ALICE, "arn:aws:iam::111122223333:role/dev"),
    ("aws:PrincipalType", "User", "AssumedRole"),
    ("aws:PrincipalAccount", "111122223333", "111122223333"),
    ("aws:username", "alice", None),
    ("aws:ResourceAccount", "444455556666", "444455556666"),
    ("aws:MultiFactorAuthPresent", None, UNKNOWN),
    ("aws:MultiFactorAuthAge", None, UNKNOWN),
    ("aws:TokenIssueTime", None, UNKNOWN),
    ("aws:SourceIdentity", None, UNKNOWN),
    ("aws:FederatedProvider", None, UNKNOWN),
    ("ec2:SourceInstanceARN", None, UNKNOWN),
    ("saml:sub", None, UNKNOWN),
    ("aws:SecureTransport", "true", "true"),
    ("aws:ViaAWSService", "false", "false"),
    ("aws:CalledVia", None, None),
    ("aws:SourceArn", None, None),
    ("aws:SourceVpce", None, None),
    ("sts:ExternalId", None, None),
    ("sts:SourceIdentity", None, None),
    ("sts:RoleSessionName", UNKNOWN, UNKNOWN),
    ("aws:TagKeys", None, None),
    ("aws:RequestTag/team", None, None),
    ("aws:PrincipalOrgID", UNKNOWN, UNKNOWN),
    ("aws:PrincipalTag/team", UNKNOWN, UNKNOWN),
    ("aws:SourceIp", UNKNOWN, UNKNOWN),
    ("aws:userid", UNKNOWN, UNKNOWN),
    ("aws:CurrentTime", UNKNOWN, UNKNOWN),
    ("aws:RequestedRegion", UNKNOWN, UNKNOWN),
    ("aws:ResourceTag/team", UNKNOWN, UNKNOWN),
    ("iam:ResourceTag/team", UNKNOWN, UNKNOWN),
    ("aws:NeverHeardOf", UNKNOWN, UNKNOWN),
    ("sts:NeverHeardOf", UNKNOWN, UNKNOWN),
]


@pytest.mark.parametrize(("key", "of_user", "of_session"), KEYS, ids=[row[0] for row in KEYS])
def test_a_key_is_known_absent_or_unknown(key: str, of_user: object, of_session: object) -> None:
    """What a request carries is known without a call, known to be absent, or unknown."""
    for caller, expected in ((ALICE, of_user), (SESSION, of_session)):
        found = Context(request(caller, THERE)).alternatives(key)

        assert found == (() if expected is UNKNOWN else (None,) if expected is None else ((expected,),))


def _full(**more: Any) -> Request:
    sent: dict[str, Any] = {
        "session_name": "s",
        "external_id": "e",
        "source_identity": "i",
        "tags": (("Team", "t"), ("Cost", "c")),
    }
    sent |= {"transitive_tags": ("Team",), "duration": 900, "region": "eu-west-1", "now": 1767322800.5}
    return request(ALICE, THERE, **{**sent, "mfa_code": True, **more})


def test_what_is_sent_with_the_call_is_known() -> None:
    """External ID, names, tags, duration, region, time and MFA code of the call stand in its context."""
    context = Context(_full())

    assert {key: context.alternatives(key) for key in SENT} == {key: (values,) for key, values in SENT.items()}


SENT = {
    "sts:RoleSessionName": ("s",),
    "sts:ExternalId": ("e",),
    "sts:SourceIdentity": ("i",),
    "aws:TagKeys": ("Team", "Cost"),
    "aws:RequestTag/team": ("t",),
    "sts:TransitiveTagKeys": ("Team",),
    "sts:DurationSeconds": ("900",),
    "aws:RequestedRegion": ("eu-west-1",),
    "aws:CurrentTime": ("2026-01-02T03:00:00Z",),
    "aws:EpochTime": ("1767322800",),
    "aws:MultiFactorAuthPresent": ("true",),
    "aws:MultiFactorAuthAge": ("0",),
}


def test_mfa_of_unknown_age_has_no_known_age() -> None:
    """That MFA is present says nothing of when it was."""
    context = Context(request(ALICE, THERE, context=(("aws:MultiFactorAuthPresent", ("true",)),)))

    assert context.alternatives("aws:MultiFactorAuthAge") == ()


def test_inherited_tags_leave_the_tag_keys_open() -> None:
    """Which tags of a session are passed on is not all known."""
    context = Context(_full(inherited_tags=(("Env", "prod"),)))

    assert context.alternatives("aws:TagKeys") == ()
    assert context.alternatives("aws:RequestTag/other") == ()
    assert context.alternatives("aws:RequestTag/Team") == (("t",),)


def test_a_result_shows_both_sides_of_the_comparison() -> None:
    """Operator, key, policy values and request value are there for the message."""
    condition = ConditionKey("StringEquals", "sts:ExternalId", ("ci-7f3",))

    assert result(condition, Context(_full()), variables=True)[:5] == (
        "StringEquals",
        "sts:ExternalId",
        ("ci-7f3",),
        ("e",),
        True,
    )
