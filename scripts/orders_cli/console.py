"""Output: data on standard output, everything else on standard error.

Tables fit the terminal: long sentences fold, ids never do, and a narrow terminal gets one field per line. In a pipe or
a file every row is one line.
"""

import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

_LOG_SECONDS = 10
_GAP = "  "

Advance = Callable[[int], None]
"""Reports that this many more are done."""


class ReaderGoneError(Exception): ...


class _Reader:
    """Whether a command stops when the reader of standard output is gone; one that changes something goes on."""

    is_needed = True


def require_reader(is_needed: bool) -> None:
    _Reader.is_needed = is_needed


def discard_output() -> None:
    """Send what is still written to standard output nowhere: Python would fail on it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write(text: str) -> None:
    """Write text to standard output; raise ReaderGoneError where nobody reads it and the command needs a reader."""
    try:
        click.echo(text, nl=False)
    except BrokenPipeError:
        discard_output()
        if _Reader.is_needed:
            raise ReaderGoneError from None


def say(sentence: str) -> None:
    # A closed terminal must not keep the command from its clean-up.
    with suppress(OSError):
        click.echo(f"orders: {printable(sentence)}", err=True)


def print_json(document: Any, *, indent: int | None = None) -> None:
    write(json.dumps(document, indent=indent) + "\n")


def print_line(text: str) -> None:
    write(printable(text) + "\n")


def print_fields(fields: Mapping[str, object]) -> None:
    shown = {name: printable(str(value)) for name, value in fields.items() if value is not None}
    write("\n".join(_vertical(list(shown.items()), terminal_columns())) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    write("\n".join(table_lines(columns, cells, terminal_columns())) + "\n")


def terminal_columns() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return a table as lines of at most `width` characters where its words allow that."""
    by_column = list(zip(columns, *rows, strict=True))
    widths = [max(map(len, column)) for column in by_column]
    if width is not None:
        shortest = [max(len(word) for cell in column for word in (cell.split(" "))) for column in by_column]
        room = width - len(_GAP) * (len(columns) - 1)
        if sum(shortest) > room:
            records = [_vertical(list(zip(columns, row, strict=True)), width) for row in rows]
            return [line for record in records for line in [*record, ""]]
        while sum(widths) > room:
            # The widest column that can still fold gives way.
            widest = max(
                (place for place in range(len(widths)) if widths[place] > shortest[place]), key=lambda p: widths[p]
            )
            widths[widest] -= 1
    lines = []
    for row in [columns, *rows]:
        folded = [_fold(cell, room) for cell, room in zip(row, widths, strict=True)]
        for line in range(max(map(len, folded))):
            parts = [cell[line] if line < len(cell) else "" for cell in folded]
            lines.append(_GAP.join(part.ljust(room) for part, room in zip(parts, widths, strict=True)).rstrip())
    return lines


def _vertical(fields: Sequence[tuple[str, str]], width: int | None) -> list[str]:
    names = max(len(name) for name, _ in fields) + len(_GAP)
    lines = []
    for name, value in fields:
        room = 10**9 if width is None else width - names
        if max(map(len, value.split(" "))) <= room:
            first, *more = _fold(value, room)
            lines += [f"{name.ljust(names)}{first}".rstrip(), *[" " * names + line for line in more]]
        else:
            lines += [name, *[_GAP + line for line in _fold(value, (width or room) - len(_GAP))]]
    return lines


def _fold(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]


def printable(text: str) -> str:
    """Return `text` with control characters escaped: a log or a message may hold anything."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Advance]:
    if is_smart(sys.stderr):
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        # Only a terminal's standard output may be redirected through the bar.
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


def is_smart(stream: Any) -> bool:
    return bool(stream.isatty()) and os.environ.get("TERM") not in ("dumb", "unknown")


def counted(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
