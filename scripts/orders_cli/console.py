"""Output: data on standard output, everything else on standard error.

A table that does not fit the terminal is printed with one field per line. Long sentences wrap; ids do not. In a pipe
or a file every row is one line.
"""

import itertools
import json
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import click

_GAP = "  "

Advance = Callable[[int], None]
"""Reports the number of newly completed items."""


def discard_output() -> None:
    """Send the rest of standard output to the null device. Otherwise Python fails again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write(text: str) -> None:
    """Write text to standard output. If that was closed, end the command, unless it changes something."""
    try:
        click.echo(text, nl=False)
    except BrokenPipeError:
        discard_output()
        context = click.get_current_context()
        if "dry_run" not in context.params:
            context.exit(128 + signal.SIGPIPE)


def report(sentence: str) -> None:
    # A closed terminal must not prevent the command's clean-up.
    with suppress(OSError):
        click.echo(f"orders: {printable(sentence)}", err=True)


def print_json(document: Any, *, indent: int | None = None) -> None:
    write(json.dumps(document, indent=indent) + "\n")


def print_line(text: str) -> None:
    write(printable(text) + "\n")


def print_fields(fields: Mapping[str, object]) -> None:
    shown = [(name, printable(str(value))) for name, value in fields.items() if value is not None]
    write("\n".join(_vertical(shown, _terminal_columns())) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    write("\n".join(table_lines(columns, cells, _terminal_columns())) + "\n")


def _terminal_columns() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return a table as lines of at most `width` characters, unless a word is longer."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    if width is not None and sum(widths) + len(_GAP) * (len(columns) - 1) > width:
        records = [_vertical(list(zip(columns, row, strict=True)), width) for row in rows]
        return [line for record in records for line in [*record, ""]]
    return [
        _GAP.join(cell.ljust(room) for cell, room in zip(row, widths, strict=True)).rstrip() for row in [columns, *rows]
    ]


def _vertical(fields: Sequence[tuple[str, str]], width: int | None) -> list[str]:
    wrapper = textwrap.TextWrapper(width or sys.maxsize, break_long_words=False, break_on_hyphens=False)
    wrapper.subsequent_indent = _GAP
    indent = max(len(name) for name, _ in fields) + len(_GAP)
    return [line for name, value in fields for line in wrapper.wrap(f"{name.ljust(indent)}{value}")]


def printable(text: str) -> str:
    """Return `text` with control characters escaped: a log or a message may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@contextmanager
def progress(label: str, total: int | None, *, is_shown: bool = True) -> Iterator[Advance]:
    """Show a progress bar on a terminal that can redraw a line."""
    hidden = not (is_shown and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown"))
    # Without a total, click requires an iterable and reads only its length.
    unknown = itertools.repeat(None) if total is None else None
    with click.progressbar(unknown, total, label, hidden=hidden, show_pos=True, file=sys.stderr) as bar:
        yield bar.update


def counted(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
