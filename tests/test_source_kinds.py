"""The table of source kinds: each row is whole, and nothing else in the package tells kinds apart."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import awsudo_py
from awsudo_py.aws import fetchers
from awsudo_py.credentials import Credentials
from awsudo_py.model import Source
from awsudo_py.resolve.source_kinds import KINDS, SourceKind, gives_session, inputs_taken, is_chaining, renew

PACKAGE = Path(awsudo_py.__file__).parent
KEYS, SESSION = Credentials("AKIA", "secret", None), Credentials("ASIA", "secret", "token")


@pytest.mark.parametrize(("name", "kind"), KINDS.items(), ids=KINDS)
def test_each_kind_of_source_is_whole(name: str, kind: SourceKind) -> None:
    """A row names a function that gets its credentials, or the record holds them; its facts do not contradict."""
    source = Source(name, "my corp", "a file", credentials=None if kind.fetch else KEYS)

    assert callable(getattr(fetchers, kind.fetch)) if kind.fetch else kind.gives == "the token shows"
    assert kind.noun and renew(source)
    assert bool(kind.services) <= bool(kind.giver)
    # an identity that only the call shows cannot be looked up before it
    assert not (kind.known_by_call and (kind.cached or kind.replayable))
    assert kind.gives != "the call shows" or kind.known_by_call
    assert "my corp" not in renew(source) or "'my corp'" in renew(source)


def test_each_function_that_gets_credentials_belongs_to_a_kind() -> None:
    """Nothing is left over: a kind that goes takes its function along."""
    functions = {
        name
        for name, function in inspect.getmembers(fetchers, inspect.isfunction)
        if list(inspect.signature(function).parameters) == ["aws", "source", "session_name"] and name != "fetch"
    }

    assert functions == {kind.fetch for kind in KINDS.values() if kind.fetch}


def test_each_kind_that_the_resolver_makes_has_a_row() -> None:
    """`Source("kind", …)` names a row, and each row is made somewhere."""
    made = set()
    for path in (PACKAGE / "resolve").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Source":
                made |= {each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)}
    looked_up = {"instance", "container"}  # by the word of credential_source

    assert made | looked_up == set(KINDS)


def test_no_other_room_tells_kinds_apart() -> None:
    """A module that compared `.kind`, or looked it up, would be one more place to change for a new kind."""
    looking = [
        f"{path.relative_to(PACKAGE)}: {ast.unparse(node)}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare | ast.Subscript) and path.parent.name != "resolve"
        if "source.kind" in ast.unparse(node) or "what.kind" in ast.unparse(node)
    ]

    assert looking == []


@pytest.mark.parametrize(
    ("source", "session", "chaining"),
    [
        (Source("keys", credentials=KEYS), False, False),
        (Source("keys", credentials=SESSION), True, True),
        (Source("environment", credentials=KEYS), False, False),
        (Source("environment", credentials=SESSION), True, True),
        (Source("keyring"), False, False),
        (Source("sso"), True, True),
        (Source("web-identity"), True, True),
        (Source("login"), True, True),
        (Source("process"), None, False),
        (Source("container"), True, False),
        (Source("instance"), True, False),
    ],
    ids=lambda value: value.kind if isinstance(value, Source) else "",
)
def test_what_a_source_gives_and_whether_a_role_from_it_is_chained(
    source: Source, session: bool | None, chaining: bool
) -> None:
    """Keys or a session, as the token or the kind shows; the role of a machine is no chaining to STS."""
    assert gives_session(source) is session
    assert is_chaining(source) is chaining
    takes_keys_inputs = ("duration", "mfa_serial")
    assert (inputs_taken(source) == takes_keys_inputs) == (not session)
