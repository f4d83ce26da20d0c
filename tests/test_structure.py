"""The module table as a test: which module may import which, and where libraries may be known."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import awsudo_py

ROOT = Path(awsudo_py.__file__).parent
#: Module → the modules of ours that it may import at run time (types aside), and the libraries it may know.
TABLE: dict[str, tuple[set[str], set[str]]] = {
    # what the hit path loads: nothing here may import what is below
    "credentials": (set(), set()),
    "environment": ({"credentials"}, set()),
    "deciding": (set(), set()),
    "stores.records": (set(), set()),
    "stores.file": ({"stores.records"}, set()),
    "stores.sessions": ({"credentials", "stores.records"}, set()),
    "child": ({"errors"}, set()),
    "replay": ({"child", "deciding", "environment", "stores.file", "stores.records", "stores.sessions"}, set()),
    # what a shell runs at every TAB, prompt and start: as light
    "stores.key_names": ({"stores.file"}, set()),
    "completion": ({"completion.candidates", "completion.line", "completion.place"}, set()),
    "completion.candidates": (
        {"completion.profiles", "completion.regions", "history", "role_words", "stores.file"} | {"stores.key_names"},
        set(),
    ),
    "completion.line": (set(), set()),
    "completion.place": ({"commands", "options", "role_words"}, set()),
    "completion.profiles": (set(), set()),
    "completion.regions": (set(), set()),
    "prompt": (set(), set()),
    "scripts": (set(), set()),
    "shell_init": ({"shells"}, set()),
    # values and their rules: no I/O
    "errors": (set(), set()),
    "model": (set(), set()),
    "limits": ({"errors"}, set()),
    "role_words": (set(), set()),
    "roles": ({"errors", "role_words"}, set()),
    "refusals": ({"errors", "model"}, set()),
    "formats": ({"errors", "stores.sessions"}, set()),
    # from words and files to a chain
    "aws_config": ({"errors"}, set()),
    "sources": ({"credentials", "errors", "limits", "model", "roles"}, set()),
    "endpoints": ({"aws_config", "errors", "limits", "model", "roles"}, set()),
    "mfa": ({"errors", "limits", "model"}, set()),
    "shaping": ({"errors", "limits", "model"}, set()),
    "resolve": ({"endpoints", "errors", "limits", "mfa", "model", "role_words", "roles", "shaping", "sources"}, set()),
    "options": (set(), set()),
    "request": ({"errors", "limits", "model", "options", "role_words"}, set()),
    # from a chain to credentials
    "stores.shared": ({"errors", "stores.records", "stores.sessions"}, set()),
    "obtain": ({"limits", "model", "stores.records", "stores.sessions", "stores.shared"}, set()),
    "stores.keychain": ({"errors", "stores.file", "stores.records"}, set()),
    "stores.keys": ({"errors", "stores.file", "stores.key_names", "stores.records", "stores.shared"}, set()),
    "keyrings": ({"errors", "stores.records"}, {"keyring"}),
    "keys": ({"credentials", "errors", "keyrings", "stores.key_names", "stores.keys"}, set()),
    "rotation": ({"credentials", "errors"}, set()),
    "plain": ({"aws_config", "credentials", "errors"}, set()),
    "sts": ({"errors", "limits", "model", "refusals", "sts.client", "sts.sources"}, set()),
    "sts.deadline": (set(), set()),
    "sts.client": ({"credentials", "errors", "refusals", "sts.deadline", "sts.session"}, {"botocore"}),
    "sts.session": ({"aws_config"}, {"botocore"}),
    "sts.sources": ({"credentials", "environment", "errors", "sources", "sts.client"}, {"botocore"}),
    "sts.iam": ({"credentials", "model", "sts.client"}, set()),
    "audit": (set(), set()),
    "history": ({"stores.file"}, set()),
    # the edge
    "terminal": ({"errors"}, set()),
    "tables": ({"terminal"}, {"rich"}),
    "codes": ({"errors", "limits", "model", "terminal"}, set()),
    "shells": (set(), set()),
    "picker": ({"errors", "request", "terminal"}, {"click", "rich"}),
    "rc_files": ({"errors", "shell_init"}, set()),
    "demo": ({"child", "errors", "shells"}, {"boto3", "moto"}),
    "invocation": (
        {
            "aws_config",
            "clearing",
            "codes",
            "credentials",
            "deciding",
            "environment",
            "errors",
            "history",
            "keys",
            "model",
            "obtain",
        }
        | {"picker", "replay", "request", "resolve", "stores.file", "stores.records", "stores.sessions"}
        | {"stores.key_names", "stores.keychain", "stores.shared", "sts"},
        set(),
    ),
    "clearing": ({"errors", "model", "obtain", "stores.records"}, set()),
    "asking": ({"endpoints", "mfa", "model", "resolve", "sources", "sts.client", "sts.iam", "sts.sources"}, set()),
    # the command line: the registry is plain data, a subcommand's module is loaded when it is called
    "commands": ({"options"}, set()),
    "grammar": ({"commands", "errors", "invocation", "options", "request"}, {"click"}),
    "core_dumps": (set(), set()),
    "cli": ({"commands", "commands.run", "core_dumps", "errors", "grammar", "options"}, {"click"}),
    "commands.run": (
        {"child", "commands", "credentials", "environment", "errors", "grammar", "model", "request", "shells"},
        {"click"},
    ),
    "commands.export": ({"environment", "errors", "formats", "grammar", "shells"}, {"click"}),
    "commands.clear": ({"grammar"}, {"click"}),
    "commands.audit": (
        {"audit", "aws_config", "grammar", "stores.key_names", "stores.keys", "terminal"},
        {"click"},
    ),
    "commands.completion": (
        {"commands", "errors", "grammar", "rc_files", "scripts", "shells", "terminal"},
        {"click"},
    ),
    "commands.shell_init": ({"commands", "errors", "grammar", "shell_init"}, {"click"}),
    "commands.prompt": ({"grammar", "prompt"}, set()),
    "commands.demo": ({"demo", "grammar"}, set()),
    "commands.mfa": ({"asking", "errors", "grammar", "model"}, {"click"}),
    "commands.keys": (set(), set()),
    "commands.keys.add": (
        {"asking", "credentials", "errors", "grammar", "model", "plain", "stores.keys", "terminal"},
        {"click"},
    ),
    "commands.keys.list": ({"asking", "credentials", "errors", "grammar", "keyrings", "model", "tables"}, {"click"}),
    "commands.keys.remove": ({"errors", "grammar", "terminal"}, {"click"}),
    "commands.keys.rotate": ({"asking", "errors", "grammar", "model", "plain", "rotation", "terminal"}, {"click"}),
    "commands.keys.export": ({"errors", "grammar"}, {"click"}),
    "__main__": (
        {"cli", "completion", "environment", "errors", "prompt", "replay", "scripts", "shell_init", "terminal"},
        set(),
    ),
    "__init__": (set(), set()),
    "stores": (set(), set()),
}
LIBRARIES = {"boto3", "botocore", "click", "keyring", "moto", "rich"}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _imports(path: Path) -> set[str]:
    """All that a module imports at run time, inside functions too."""
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

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


MODULES = {_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def test_every_module_has_its_line_in_the_table() -> None:
    """A new module says in the table what it may know."""
    assert set(TABLE) == set(MODULES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_line_allows(module: str) -> None:
    """Walls stay where they are: a module reaches for nothing that its line does not name."""
    imported = _imports(MODULES[module])

    ours = {name.removeprefix("awsudo_py.") for name in imported if name.startswith("awsudo_py.")}
    libraries = {name.partition(".")[0] for name in imported} & LIBRARIES

    assert (ours, libraries) == TABLE[module]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_says_in_one_sentence_what_it_is_for(module: str) -> None:
    """A module opens with its responsibility."""
    said = ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))

    assert said and said.splitlines()[0].endswith(".")
