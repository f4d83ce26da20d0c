"""AWS's error texts: the side that each names, or unknown, and the explanation."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsudo_py.policy.denials import Call, Denial, owner_title
from awsudo_py.policy.error_codes import CODES, explained
from tests.policy.denial_texts import DEFAULT, FORMS, GATHERED, OTHERS, POLICY, ROLE, SCP, Row


def _explained(row: Row) -> Denial:
    found = explained(row.code, row.text, row.call)
    assert found is not None
    return found


@pytest.mark.parametrize("row", GATHERED + FORMS + OTHERS, ids=lambda row: row.id)
def test_a_text_is_explained_with_its_side(row: Row) -> None:
    """The side is named where the text names it, and unknown where not; the explanation leads to the cause."""
    found = _explained(row)
    output = "\n".join((found.failed, *found.lines))

    assert (found.side, found.explicit) == (row.side, row.explicit)
    assert [words for words in row.words if words not in output] == []


@pytest.mark.parametrize("row", GATHERED + FORMS + OTHERS, ids=lambda row: row.id)
def test_a_claim_and_candidates_never_stand_together(row: Row) -> None:
    """Where the side is known there are no candidates; where it is not, no side is named."""
    found = _explained(row)

    assert not found.candidates or found.side == "unknown"
    assert found.failed and all(found.lines)


def test_there_are_enough_texts_of_access_denied() -> None:
    """At least forty texts of AccessDenied, in every kind of policy."""
    denied = [row for row in GATHERED + FORMS if row.code.startswith("AccessDenied")]

    assert len(denied) >= 40
    assert {row.side for row in denied} >= {"identity", "trust", "boundary", "session", "scp", "rcp", "vpce", "unknown"}


def test_the_parts_of_a_denial_are_found() -> None:
    """Caller, action, resource, policy, authorization ID and link come out of one sentence."""
    row = next(row for row in FORMS if row.id == "scp: denied, with policy and details")
    found = _explained(row)

    assert (found.caller, found.action, found.resource) == (
        "arn:aws:iam::111122223333:user/alice",
        "sts:AssumeRole",
        ROLE,
    )
    assert (found.policy_arn, found.authorization_id) == (SCP, "5arhuwacg4o48yxy")
    assert found.link.endswith("#/authorization-details/5arhuwacg4o48yxy")


def test_only_one_of_several_reasons_is_named() -> None:
    """Wherever AWS names a kind of policy, the user learns that another may refuse too."""
    named = [row for row in FORMS if row.explicit is not None and "unknown" not in row.side and "Get" not in row.id]

    assert all("another may follow" in "\n".join(_explained(row).lines) for row in named)


def test_a_deny_is_never_reported_as_a_missing_allow() -> None:
    """Where a Deny refuses, no hint sends anybody to add an Allow."""
    for row in GATHERED + FORMS:
        found = _explained(row)
        if found.explicit:
            assert "must allow" not in "\n".join(found.lines)
            assert "attach a policy" not in "\n".join(found.lines)


SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "text",
    [
        f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date, got '{SECRET}/2018/sts/aws4_request'",
        f"'{SECRET}' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4 {SECRET}'.",
        f"Authorization header requires 'Signature' parameter. Authorization={SECRET}",
    ],
)
def test_a_text_that_repeats_a_secret_is_cut(text: str) -> None:
    """Swapped keys: STS repeats the secret access key in its answer, and nobody shows it."""
    found = explained("IncompleteSignature", text, DEFAULT)

    assert found is not None
    assert SECRET not in "".join((found.text, found.failed, *found.lines)) and "..." in found.text


def test_other_texts_are_left_whole() -> None:
    """AWS's words are kept as they are."""
    for row in FORMS:
        assert _explained(row).text == row.text


def test_every_code_is_tried() -> None:
    """A code in the table is explained with and without a text."""
    for code in CODES:
        for text in ("", "x"):
            found = explained(code, text, DEFAULT)
            assert found is not None and found.failed and "{" not in "".join(found.lines)


def test_an_unknown_error_is_not_explained() -> None:
    """A new code is left to AWS's own words."""
    assert explained("AnErrorOfTomorrow", "x", DEFAULT) is None
    assert explained("ValidationError", "1 validation error detected", DEFAULT) is None


@pytest.mark.parametrize(
    ("arn", "title"),
    [
        ("arn:aws:sts::111122223333:assumed-role/dev/x", "the role dev"),
        (
            "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Power_User_0123456789abcdef/x",
            "the permission set Power_User",
        ),
        ("arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:user/alice"),
        ("nobody", "nobody"),
        ("", "the caller"),
    ],
)
def test_a_policy_belongs_to_a_role_and_not_to_its_session(arn: str, title: str) -> None:
    """Messages name what a policy can be attached to."""
    assert owner_title(arn) == title


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(("AccessDenied", "InvalidIdentityToken", "ValidationError", "SignatureDoesNotMatch", "ExpiredToken")),
    st.one_of(st.text(), st.lists(st.sampled_from(("User: a:b is not authorized to perform: ", "sts:AssumeRole ", "with an explicit deny in a ", "because no ", " policy", " allows the ", POLICY, ": ", "on resource: ", "20260102T030405Z ", "(99999999T999999Z - 5 min"))).map("".join)),
)  # fmt: skip
def test_no_text_makes_it_fail(code: str, text: str) -> None:
    """Whatever AWS, or somebody in its place, writes."""
    explained(code, text, Call())


@pytest.mark.parametrize(
    "text",
    [
        "User: a:" + "b" * 100_000,
        "because no " + "a " * 50_000,
        "with an explicit deny in a " + "policy " * 20_000,
        "20260102T030405Z" * 8_000,
        "a:b is not authorized to perform: x on resource: " * 3_000,
        "'" * 100_000 + "slash-delimited",
    ],
    ids=range(6),
)
def test_a_long_text_is_read_in_linear_time(text: str) -> None:
    """100 kB of anything are read at once."""
    for code in ("AccessDenied", "SignatureDoesNotMatch"):
        before = time.process_time()
        explained(code, text, DEFAULT)
        assert time.process_time() - before < 1
