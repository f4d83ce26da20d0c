"""Tests of the policy room: documents, conditions, verdicts."""
