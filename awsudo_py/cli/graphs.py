"""Draws targets as a graph."""


def graph(form: str, found: object, everything: object = ()) -> str:
    """x."""
    return ""
