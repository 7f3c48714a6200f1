"""Where tables are printed to."""

import sys
from typing import Literal

from rich.console import Console
from rich.table import Table

# Of what is piped or kept in a document: the same on every machine.
_WIDTH = 100


def print_table(table: Table) -> None:
    """Print a table, as wide as the terminal where there is one."""
    Console(width=None if sys.stdout.isatty() else _WIDTH, file=sys.stdout).print(table)


def plain_table(*columns: tuple[str, Literal["left", "right"]], has_headings: bool = True) -> Table:
    """Return an empty table without lines; each column is a heading and how it is aligned."""
    table = Table(box=None, pad_edge=False, show_header=has_headings)
    for heading, justify in columns:
        table.add_column(heading, justify=justify, overflow="fold")
    return table
