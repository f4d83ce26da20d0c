"""The picture that the README opens with: python -m tests.picture draws it from what the demo prints today."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path

import pexpect

from tests.world import AWSUDO

PICTURE = Path(__file__).parents[1] / ".github" / "demo.svg"
_COLUMNS = 88
#: The part of the story that is drawn: its first title, and the first that is left out.
_FROM, _UNTIL = "Run a command as a role", "A mistake runs nothing, and says what to do"
#: What differs from run to run: times, and how long things took.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d+ ms")
_TITLE = "awsudo demo"


def demo_output(environ: dict[str, str]) -> str:
    """What the demo prints on a terminal, colours included."""
    terminal = pexpect.spawn(
        AWSUDO, ["demo"], env={**environ, "TERM": "xterm-256color"}, encoding="utf-8", dimensions=(100, _COLUMNS)
    )
    text = str(terminal.read()).replace("\r\n", "\n")
    terminal.close()
    assert terminal.exitstatus == 0, text
    return text


def drawn(output: str) -> str:
    """The demo's output as an SVG."""
    from rich.console import Console
    from rich.text import Text

    lines = output.splitlines()
    plain = [Text.from_ansi(line).plain for line in lines]
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("\n".join(lines[plain.index(_FROM) : plain.index(_UNTIL) - 1])))
    svg = console.export_svg(title=_TITLE, unique_id="demo")
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # the reader's own font: nothing is fetched
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def text_of(svg: str) -> list[str]:
    """The words of a picture, line by line, without what differs from run to run."""
    lines: dict[float, str] = {}
    for y, text in re.findall(r'<text class="demo-(?!title)[^>]* y="([\d.]+)"[^>]*>(.*?)</text>', svg):
        lines[float(y)] = lines.get(float(y), "") + html.unescape(text)
    return [_TIME.sub("TIME", " ".join(lines[y].split())) for y in sorted(lines)]


if __name__ == "__main__":
    import tempfile

    from tests.world import World

    with tempfile.TemporaryDirectory() as root:
        PICTURE.write_text(drawn(demo_output(World(Path(root)).environ())), encoding="utf-8")
