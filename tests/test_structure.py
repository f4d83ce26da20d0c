"""The rooms as a test: which room may use which, and which room may know which third-party library."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

import awsudo_py

ROOT = Path(awsudo_py.__file__).parent
#: The floors, from the top. A module may import from floors below its own, and from its own room.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("__init__", "__main__"),
    ("cli",),
    ("demo", "api", "doctor", "fleet", "serve"),
    ("recording", "targets"),
    ("session_for",),
    ("context",),
    ("shell",),
    ("replay", "keys", "signin"),
    ("renewal",),
    ("sessions", "aws"),
    ("policy", "resolve"),
    ("child_environment", "files", "terminal", "child", "model", "grammar", "html_page", "installation"),
    ("moments", "prompt", "child_supervision"),
    ("display", "child_errors"),
    ("fingerprint", "aws_credentials", "durations", "errors"),
)
#: Third-party library → the rooms that may know it.
LIBRARIES = {
    "botocore": {"api", "aws"},
    "boto3": {"api"},
    "click": {"cli", "shell"},
    "keyring": {"keys"},
    "rich": {"cli", "shell", "fleet"},
}


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def _imports(path: Path) -> set[str]:
    """All that a module imports at run time, inside functions too; imports for types only do not count."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.If) and isinstance(inner.test, ast.Name) and inner.test.id == "TYPE_CHECKING":
                continue
            if isinstance(inner, ast.Import):
                found.update(alias.name for alias in inner.names)
            if isinstance(inner, ast.ImportFrom) and inner.module == "awsudo_py":
                found.update(f"awsudo_py.{alias.name}" for alias in inner.names if alias.name != "__version__")
            elif isinstance(inner, ast.ImportFrom):
                found.add(inner.module or "")
            visit(inner)

    visit(_tree(path))
    return found


def _room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


MODULES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py"))}
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def test_every_module_is_in_a_known_room() -> None:
    """A new room says in FLOORS where it stands."""
    assert {_room(path) for path in MODULES.values()} <= set(FLOOR_OF)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_uses_only_the_floors_below(module: str) -> None:
    """Imports go down: no room reaches for one above it or beside it."""
    room = _room(MODULES[module])
    used = {name.split(".")[1] for name in _imports(MODULES[module]) if name.startswith("awsudo_py.")}

    assert {other for other in used if other != room and FLOOR_OF[other] <= FLOOR_OF[room]} == set()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_library_is_known_to_its_rooms_only(module: str) -> None:
    """Each third-party library has its rooms; botocore is known to one."""
    known = {name.partition(".")[0] for name in _imports(MODULES[module])} & set(LIBRARIES)

    assert {library for library in known if _room(MODULES[module]) not in LIBRARIES[library]} == set()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_states_its_responsibility_in_one_sentence(module: str) -> None:
    """A module opens with its responsibility; the __init__ of a room holds nothing else."""
    tree = _tree(MODULES[module])
    docstring = ast.get_docstring(tree)

    assert docstring and docstring.splitlines()[0].endswith(".")
    assert module == "__init__.py" or not module.endswith("__init__.py") or len(tree.body) == 1


def test_each_exception_from_the_lint_rules_has_its_reason() -> None:
    """`noqa` names its rule, and why."""
    bare = [
        f"{path.relative_to(ROOT.parent)}:{number}"
        for path in sorted([*ROOT.rglob("*.py"), *(ROOT.parent / "tests").glob("**/test_*.py")])
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"#\s*noqa(?!: [A-Z]+\d+(, [A-Z]+\d+)* (\(|- ).)", line)
    ]

    assert bare == []
