"""Writes to stdout: text, JSON, and tables that fit the terminal.

1. Text from outside is escaped before it is written.
2. Colour is for terminals only, and never where NO_COLOR is set or TERM is dumb (https://no-color.org).
3. A terminal gets no line longer than it is wide; a pipe gets every row whole.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from awsudo_py.display import coloured, escape, plain_glyphs, styled
from awsudo_py.errors import AwsudoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: A column is not shortened to less than this; it is left out instead.
_NARROWEST = 8
_GAP = "  "


class Column(NamedTuple):
    """A column of a table.

    yields: which columns are shortened if the table is too wide: those with the highest number first, 0 never.
    right: whether its cells are numbers, which are aligned right.
    """

    title: str
    yields: int = 0
    right: bool = False


class Cell(NamedTuple):
    """A cell with a style of terminal.STYLES."""

    text: str
    style: str = ""


class Span(NamedTuple):
    """The last cell of a row that has fewer cells than there are columns: it takes the rest of the line."""

    text: str
    style: str = ""


def write(text: str) -> None:
    """Write to stdout, as bytes, so that a secret survives every locale. Raises AwsudoError if it is closed."""
    if sys.stdout is None:
        raise AwsudoError("cannot write to stdout: it is closed")
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def write_json(value: Any) -> None:
    """Write a value as JSON, indented."""
    import json

    write(json.dumps(value, indent=2) + "\n")


def refuse_terminal(what: str, *, force: bool, hint: str) -> None:
    """Refuse to print secrets to a terminal. hint: what to do instead. Raises AwsudoError."""
    if on_terminal() and not force:
        raise AwsudoError(f"this would print {what} on the terminal", hint=f"{hint}; or add --force")


def with_tilde(text: str) -> str:
    """The text with ~ for the home directory."""
    home = os.path.expanduser("~")
    return "~" if text == home else text.replace(home + os.sep, "~" + os.sep) if len(home) > 1 else text


def on_terminal() -> bool:
    """Whether a person reads stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def terminal_width() -> int | None:
    """How many columns a line on stdout may have; None for a pipe, where there is no limit."""
    if not on_terminal():
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def glyph(name: str) -> str:
    """A glyph by its name in GLYPHS, in the form that stdout can show."""
    return GLYPHS[name][plain_glyphs(sys.stdout, os.environ)]


#: Each with its form for dumb terminals and locales that are not UTF-8.
GLYPHS = {
    "ok": ("✓", "ok"),
    "bad": ("✗", "x"),
    "warning": ("!", "!"),
    "more": ("…", "..."),
    "tee": ("├─ ", "|- "),
    "last": ("└─ ", "`- "),
    "bar": ("│  ", "|  "),
    "arrow": ("→", "->"),
    "block": ("█", "#"),
}


def write_table(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell | Span]]) -> None:
    """Write a table without borders to stdout; see the rules above."""
    colour = coloured(sys.stdout, os.environ)
    lines = table_lines(columns, list(rows), width=terminal_width(), colour=colour, more=glyph("more"))
    write("".join(f"{line}\n" for line in lines))


def table_lines(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | Cell | Span]],
    *,
    width: int | None,
    colour: bool,
    more: str = "…",
) -> list[str]:
    """A table's lines: the titles, then the rows, as wide as `width` lets them be (None: without limit)."""
    titles: list[str | Cell | Span] = [Cell(column.title, "bold") for column in columns]
    table = [[_cell(cell) for cell in row] for row in (titles, *rows)]
    measure = len if all(text.isascii() for row in table for text, _ in row) else display_width
    widths = [0] * len(columns)
    filled = set()
    for number, row in enumerate(table):
        for at, (text, _) in enumerate(row):
            if at == len(row) - 1 < len(columns) - 1:
                break  # it spans the rest of the line
            size = measure(text)
            if size > widths[at]:
                widths[at] = size
            if number and text:
                filled.add(at)
    # a column in which no row has anything says nothing
    visible = [at for at in range(len(columns)) if at in filled or not rows]
    if width is not None:
        visible = _fitted(columns, widths, visible, width)
    lines = []
    for row in table:
        spans = row[-1] if len(row) < len(columns) else None
        cells = [(row[at], widths[at], columns[at].right) for at in visible if at < len(row) - (spans is not None)]
        if spans is not None:
            used = sum(size for _, size, _ in cells) + len(_GAP) * len(cells)
            cells.append((spans, max(width - used, _NARROWEST) if width is not None else len(spans.text), False))
        lines.append(_line(cells, colour, more, measure))
    return lines


def _cell(cell: str | Cell | Span) -> Cell:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return Cell(escape(text), style)


def _fitted(columns: Sequence[Column], widths: list[int], visible: list[int], width: int) -> list[int]:
    """Which columns are shown, their widths made to fit: the least important is shortened first, then left out."""

    def excess() -> int:
        return sum(widths[at] for at in visible) + len(_GAP) * (len(visible) - 1) - width

    for at in sorted((at for at in visible if columns[at].yields), key=lambda at: -columns[at].yields):
        over = excess()
        if over <= 0:
            break
        if widths[at] - over >= max(_NARROWEST, len(columns[at].title)):
            widths[at] -= over
        else:
            visible = [each for each in visible if each != at]
    return visible


def _line(cells: Sequence[tuple[Cell, int, bool]], colour: bool, more: str, measure: Callable[[str], int]) -> str:
    written = []
    for (text, style), width, right in cells:
        size = measure(text)
        if size > width:
            text, size = _cut(text, width, more)
        pad = " " * (width - size)
        text = styled(text, style) if colour and style else text
        written.append(pad + text if right else text + pad)
    return _GAP.join(written).rstrip()


def _cut(text: str, width: int, more: str) -> tuple[str, int]:
    """The text's beginning in so many columns, and how many it takes."""
    text = text[:width]
    while text and display_width(text) > width - len(more):
        text = text[:-1]
    return text + more, display_width(text) + len(more)


def display_width(text: str) -> int:
    """How many columns of a terminal a text takes (Unicode Standard Annex 11)."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
