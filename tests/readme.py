"""The README's commands: python tests/readme.py HEADING prints those below a heading that .ci/run tests."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).parents[1] / "README.md"
_FENCE = re.compile(r"(?P<marked><!-- tested by \.ci/run -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)


class Block(NamedTuple):
    """One fenced block; by_ci: whether .ci/run tests it, since it installs things."""

    heading: str
    language: str
    text: str
    by_ci: bool


def blocks() -> list[Block]:
    """The README's fenced blocks, in order."""
    found = []
    for section in re.split(r"(?m)^(?=#+ )", README.read_text(encoding="utf-8")):
        heading = section.partition("\n")[0].lstrip("# ")
        fences = _FENCE.finditer(section)
        found += [Block(heading, fence["language"], fence["text"], bool(fence["marked"])) for fence in fences]
    return found


if __name__ == "__main__":
    print("".join(block.text for block in blocks() if block.heading == sys.argv[1] and block.by_ci))
