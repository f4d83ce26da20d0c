"""Wildcards: the same answers as a regular expression, in bounded time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from awsudo_py.policy import matching
from awsudo_py.policy.arns import caller_of, role_of
from awsudo_py.policy.matching import STAR

_SMALL = st.text(alphabet="ab:*?", max_size=14)


@given(_SMALL, st.text(alphabet="ab:", max_size=20))
@settings(max_examples=500, deadline=None)
@example("*a?b*", "aaab")
@example("a*a", "a")
@example("**", "")
def test_a_pattern_matches_what_the_regular_expression_matches(expected: str, text: str) -> None:
    """Cutting a pattern at its stars gives what trying everything would give."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in expected)

    assert matching.matches(matching.pattern(expected), text) == bool(re.fullmatch(expression, text, re.DOTALL))


@given(_SMALL)
def test_a_pattern_is_its_own_text_literally(expected: str) -> None:
    """Nothing of a text is lost when it becomes a pattern."""
    assert matching.literal(matching.pattern(expected)) == expected


@given(st.text(alphabet="a:*?", max_size=14))
def test_a_pattern_is_cut_at_its_first_five_colons(expected: str) -> None:
    """The parts of an ARN pattern are those of its text."""
    assert [matching.literal(part) for part in matching.split(matching.pattern(expected))] == expected.split(":", 5)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("*a" * 2_000 + "b", "a" * 4_000),
        ("*?a" * 2_000 + "b", "a" * 4_000),
        ("?*" * 2_000, "a" * 1_999),
        ("*" + "a?" * 1_000 + "b*", "a" * 4_000),
        ("*" * 10_000, "a" * 4_000),
    ],
)
def test_every_pattern_matches_in_linear_time(expected: str, text: str) -> None:
    """A pattern that would keep a regular expression busy for years is done at once."""
    before = time.process_time()
    matching.matches(matching.pattern(expected), text)

    assert time.process_time() - before < 1


@pytest.mark.parametrize(
    ("expected", "resource", "covers"),
    [
        ("*", "arn:aws:iam::1:role/a", True),
        ("arn:*", "arn:aws:iam::1:role/a", True),
        ("arn:aws:iam::*", "arn:aws:iam::1:role/a", True),
        ("arn:aws:iam::1:role/*", "arn:aws:iam::1:role/a:b", True),
        ("*:role/a", "arn:aws:iam::1:role/a", None),
        ("arn:aws:iam::1*a", "arn:aws:iam::1:role/a", None),
        ("arn:aws:i*:x*", "arn:aws:iam::1:x", None),
        ("arn:aws:iam::1:role/b", "arn:aws:iam::1:role/a", False),
        ("", "arn:aws:iam::1:role/a", False),
    ],
)
def test_a_resource_pattern_stays_between_colons(expected: str, resource: str, covers: bool | None) -> None:
    """Only a star at the end reaches over a colon; another one leaves it open."""
    assert matching.resource_matches(matching.pattern(expected), resource) is covers


@pytest.mark.parametrize(
    ("arn", "kind", "name", "session"),
    [
        ("arn:aws:iam::111122223333:user/alice", "user", "alice", None),
        ("arn:aws:iam::111122223333:user/a/b/alice", "user", "alice", None),
        ("arn:aws:sts::111122223333:assumed-role/dev/alice", "session", "dev", "alice"),
        ("arn:aws-cn:sts::111122223333:assumed-role/dev/a/b", "session", "dev", "a/b"),
        ("arn:aws:iam::111122223333:role/a/dev", "session", "dev", None),
        ("arn:aws:iam::111122223333:root", "root", "", None),
        ("arn:aws:sts::111122223333:federated-user/ann", "federated-user", "ann", None),
    ],
)
def test_a_caller_is_read_from_its_arn(arn: str, kind: str, name: str, session: str | None) -> None:
    """GetCallerIdentity's ARN tells the kind of caller."""
    caller = caller_of(arn)

    assert (caller.kind, caller.name, caller.session, caller.account) == (kind, name, session, "111122223333")


def test_the_role_of_a_session_counts_only_if_it_is_that_role() -> None:
    """Another role's ARN is not taken for the path of this one."""
    session = "arn:aws:sts::111122223333:assumed-role/dev/alice"

    assert caller_of(session, "arn:aws:iam::111122223333:role/eng/dev").owner.endswith("role/eng/dev")
    assert caller_of(session, "arn:aws:iam::111122223333:role/ops").owner.endswith(":role/dev")


def test_a_role_has_a_path_and_a_name() -> None:
    """The last part of a role's ARN is its name."""
    found = role_of("arn:aws:iam::111122223333:role/a/b/dev")

    assert found is not None
    assert (found.path, found.name) == ("/a/b/", "dev")
    assert STAR not in matching.pattern(found.arn)
