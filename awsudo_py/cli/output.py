"""Shows a table: the one place that knows rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from awsudo_py.terminal import escape

if TYPE_CHECKING:
    from collections.abc import Sequence


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, whole: Sequence[str] = ()) -> None:
    """Write a table to stdout. On a terminal it is as wide as that; else each row is a line, whatever its length.

    whole: the columns that are not broken, as long as others can be.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        # Text, not str: what looks like markup in a name is a name
        table.add_row(*(Text(escape(cell)) for cell in row))
    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = 10_000
        console.width = console.measure(table).maximum
    console.print(table)
