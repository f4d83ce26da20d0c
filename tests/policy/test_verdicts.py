"""The verdict of a request under given policies, the side to blame and the statements that decide."""

from __future__ import annotations

import pytest

from awsudo_py.policy.verdicts import evaluate
from tests.policy.cases import DOCUMENTED, MADE, Case


@pytest.mark.parametrize("case", DOCUMENTED + MADE, ids=lambda case: case.id)
def test_the_verdict_is_the_one_that_the_documents_give(case: Case) -> None:
    """Each case gets its verdict and names the side to blame."""
    verdict = evaluate(case.request, case.policies)

    assert f"{verdict.outcome.value} {verdict.blame.value}" == case.expected, case.rule
