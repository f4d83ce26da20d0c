"""Servers that stand in for AWS in the tests."""
