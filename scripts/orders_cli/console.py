"""How the tool speaks: data on standard output, everything else on standard error.

On a terminal with colour and tables; into a pipe or a file as plain lines, and never shortened.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

# How often a long step says how far it is where lines cannot be overwritten.
_LOG_SECONDS = 10

Advance = Callable[[int], None]
"""Says that so many more are done."""


def say(sentence: str) -> None:
    """Tell the person something that is no data."""
    click.echo(f"orders: {printable(sentence)}", err=True)


def print_json(document: Any) -> None:
    """Print one JSON document, indented."""
    click.echo(json.dumps(document, indent=2))


def print_json_line(document: Mapping[str, Any]) -> None:
    """Print one JSON document on one line."""
    click.echo(json.dumps(document))


def print_line(text: str) -> None:
    """Print one line of data."""
    click.echo(printable(text))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their column names: a table on a terminal, else columns padded with spaces.

    A cell of None is empty. Nothing in a cell can move the cursor or colour the screen.
    """
    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(*columns)
        for row in cells:
            # Text and not str, which rich would read as its own markup.
            table.add_row(*map(Text, row))
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for row in [list(columns), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values under each other, without those that are None."""
    shown = {name: value for name, value in fields.items() if value is not None}
    width = max(map(len, shown))
    for name, value in shown.items():
        click.echo(f"{name.ljust(width)}  {printable(str(value))}")


def printable(text: str) -> str:
    """Return `text` with everything escaped that would not show as itself: a log or message may hold anything."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Advance]:
    """Show how far something is, out of `total` where that is known: a bar, or a line every ten seconds."""
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        # What goes into a pipe or a file goes on doing so.
        to_terminal = sys.stdout.isatty()
        console = Console(stderr=True)
        with RichProgress(*columns, console=console, transient=True, redirect_stdout=to_terminal) as bar:
            task = bar.add_task(what, total=total)
            yield lambda number: bar.advance(task, number)
        return
    done, next_line = 0, time.monotonic() + _LOG_SECONDS

    def advance(number: int) -> None:
        nonlocal done, next_line
        done += number
        if time.monotonic() >= next_line:
            next_line += _LOG_SECONDS
            say(f"{what}: {done}{'' if total is None else f' of {total}'}")

    yield advance


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
