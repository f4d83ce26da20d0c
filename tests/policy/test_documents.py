"""Policy documents are read as AWS reads them; what is not one is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest

from awsudo_py.errors import PolicyError
from awsudo_py.policy.context import request
from awsudo_py.policy.documents import parse
from tests.policy.cases import ALICE, THERE

ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1, column 1: not valid JSON"),
        ("{\n  'a': 1}", "line 2, column 3: not valid JSON"),
        ("[]", "not a policy: a JSON object is needed"),
        ("{}", "not a policy: it has no Statement"),
        ('{"Statement": "x"}', "Statement is neither an object nor a list"),
        ('{"Statement": [{}, 3]}', "statement 2 is not an object"),
        ('{"Statement": [], "Statement": []}', 'not valid JSON: the key "Statement" appears twice in one object'),
        ('{"Statement": NaN}', "not valid JSON: NaN is not a JSON value"),
        ('{"Statement": ' + "[" * 100_000, "not valid JSON: numbers or nesting beyond any policy"),
        ('{"Statement": ' + "1" * 5_000 + "}", "not valid JSON: numbers or nesting beyond any policy"),
        (" " * 200_001, "too long for a policy: 200001 characters"),
    ],
    ids=range(11),
)
def test_what_is_not_a_policy_is_refused(text: str, fault: str) -> None:
    """The one error names the file and the place."""
    with pytest.raises(PolicyError) as raised:
        parse(text, "trust.json")

    assert raised.value.message.startswith(f"trust.json: {fault}")


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ({}, "Effect is missing"),
        ({**ALLOW, "Effect": "allow"}, 'Effect is "allow", not Allow or Deny'),
        ({**ALLOW, "Effect": ["Allow"]}, "Effect is list, not Allow or Deny"),
        ({**ALLOW, "Sid": 3}, "Sid is not a string"),
        ({"Effect": "Allow"}, "Action is missing"),
        ({**ALLOW, "Action": []}, "Action is empty"),
        ({**ALLOW, "Action": {"a": "b"}}, "Action is neither a string nor a list of strings"),
        ({**ALLOW, "Action": ["a", 1]}, "Action is neither a string nor a list of strings"),
        ({**ALLOW, "NotAction": "b"}, "both Action and NotAction"),
        ({**ALLOW, "Resource": "b", "NotResource": "b"}, "both Resource and NotResource"),
        ({**ALLOW, "NotPrincipal": "*"}, "both Principal and NotPrincipal"),
        ({**ALLOW, "Principal": "x"}, 'Principal is neither "*" nor an object'),
        ({**ALLOW, "Principal": {"aws": "x"}}, 'unknown type of principal "aws"'),
        ({**ALLOW, "Principal": {"AWS": 1}}, "the principals of type AWS are neither a string nor a list of strings"),
        ({**ALLOW, "Condition": []}, "Condition is not an object"),
        ({**ALLOW, "Condition": {"Bool": "x"}}, 'the condition operator "Bool" holds no object'),
        (
            {**ALLOW, "Condition": {"Bool": {"a": [{}]}}},
            'the condition key "a" has a value that is neither a string, a number nor a boolean',
        ),
        ({**ALLOW, "Actions": "x"}, 'unknown element "Actions"'),
        ({**ALLOW, "x" * 100: "x"}, f'unknown element "{"x" * 59}...'),
    ],
    ids=range(19),
)
def test_a_statement_carries_its_faults(statement: dict[str, Any], fault: str) -> None:
    """What AWS would not store is read, and its fault is named."""
    assert fault in parse({"Statement": statement}).statements[0].faults


def test_a_statement_is_read_whole() -> None:
    """Texts and lists, booleans and numbers: all that AWS takes."""
    policy = parse(
        {
            "Version": "2012-10-17",
            "Id": "x",
            "Statement": [
                {
                    "Sid": "CI",
                    "Effect": "Deny",
                    "Principal": {"AWS": ["a", "b"], "Service": "s"},
                    "NotAction": ["x", "y"],
                    "NotResource": "r",
                    "Condition": {"Bool": {"k": True}, "NumericLessThan": {"n": [1, 2.5]}},
                }
            ],
        }
    )
    statement = policy.statements[0]

    assert policy.has_variables
    assert (statement.title, statement.effect, statement.faults) == ('statement "CI"', "Deny", ())
    assert statement.principals == (("AWS", "a"), ("AWS", "b"), ("Service", "s"))
    assert (statement.actions, statement.not_action) == (("x", "y"), True)
    assert (statement.resources, statement.not_resource) == (("r",), True)
    assert statement.conditions == (("Bool", "k", ("true",)), ("NumericLessThan", "n", ("1", "2.5")))


def test_one_statement_needs_no_list_and_has_a_number() -> None:
    """A single statement may stand alone; without a Sid it is named by its number."""
    policy = parse("\ufeff" + '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}')

    assert [statement.title for statement in policy.statements] == ["statement 1"]
    assert not policy.has_variables


@pytest.mark.parametrize(
    ("caller", "role"),
    [
        ("", THERE),
        ("alice", THERE),
        ("arn:aws:iam::111122223333:group/x", THERE),
        ("arn:aws:iam::1111:user/x", THERE),
        ("arn:aws:iam::111122223333:user/", THERE),
        ("arn:aws:sts::111122223333:assumed-role/dev", THERE),
        ("arn:aws:iam::111122223333:user/" + "x" * 5_000, THERE),
        (ALICE, ALICE),
        (ALICE, "role/x"),
        (ALICE, "arn:aws:iam::111122223333:role/"),
        (ALICE, "arn:aws:iam::111122223333:role/" + "x" * 5_000),
    ],
    ids=range(11),
)
def test_a_request_needs_a_caller_and_a_role(caller: str, role: str) -> None:
    """What is not the ARN of a caller or of a role is refused."""
    with pytest.raises(PolicyError):
        request(caller, role)
