"""The map for contributors: it names files and rooms that exist, and no room is missing from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import awsudo_py

ROOT = Path(__file__).parents[1]
MAP = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROOMS = sorted(path.parent.name for path in Path(awsudo_py.__file__).parent.glob("*/__init__.py"))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"[\w.]+/[\w./]*\w", MAP))))
def test_a_file_that_the_map_names_exists(path: str) -> None:
    """Who follows the map finds the file."""
    assert path.startswith(".venv/") or (ROOT / path).exists() or (ROOT / "awsudo_py" / path).exists()


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_on_the_map(room: str) -> None:
    """A new room is drawn in."""
    assert re.search(rf"\b{room}/", MAP)
