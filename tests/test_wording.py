"""The words of messages, help, docstrings, README and CHANGELOG: plain English, as the AWS documentation writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests import messages

ROOT = Path(__file__).parents[1]
#: What is not written → what is written instead.
BETTER = {
    r"(?<!here )\bis no (?!longer\b)\w+": "is not a …, or: invalid …",
    r"\bas it shall\b": "already set up",
    r"\bis told\b|\btold of\b": "gets, sees",
    r"\bwhat (is|was) (asked|said|told)\b": "the question, the message",
    r"\bheeded\b": "used",
    r"\bnobody took\b": "timed out",
    r"\bsay that you mean\b": "to confirm, pass --yes",
}


def _literals(folder: str) -> Iterator[tuple[str, str]]:
    """Each string literal and docstring of a folder's modules, with its place."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def _texts() -> Iterator[tuple[str, str]]:
    """Each text with its place: the literals of the package, and the lines of the documents."""
    yield from _literals("awsudo_py")
    for name in ("README.md", "CHANGELOG.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md"):
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            yield f"{name}:{number}", line


def test_no_text_has_words_that_its_readers_would_put_otherwise() -> None:
    """The table says what to write instead."""
    found = [
        f"{place}: {match[0]!r}; better: {better}"
        for place, text in _texts()
        for pattern, better in BETTER.items()
        for match in re.finditer(pattern, text)
    ]

    assert found == []


def test_a_wording_that_several_tests_expect_stands_in_one_place() -> None:
    """In tests/messages.py, and in awsudo. The servers have AWS's texts; docstrings end with a period."""
    wordings = {name: text for name, text in vars(messages).items() if name.isupper()}
    ours = "\0".join(text for _, text in _literals("awsudo_py"))
    copies = [
        f"{place}: messages.{name}"
        for place, literal in _literals("tests")
        for name, text in wordings.items()
        if text in literal
        and literal[-1:] != "."
        and not place.startswith(("tests/messages.py:", "tests/servers/", "tests/test_wording.py:"))
    ]

    assert copies == []
    assert [name for name, text in wordings.items() if text not in ours] == []
