"""What reaches the terminal, a pipe or a spreadsheet does nothing there but be read."""

import csv
import io
from datetime import UTC, datetime, timedelta

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_cli.clock import Moment, utc_now
from orders_cli.console import counted, print_fields, print_table, printable
from orders_cli.csv_text import csv_line


@pytest.mark.parametrize(
    "field",
    ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", '=cmd|"/C calc"!A0', "-"],
)
def test_a_field_that_a_spreadsheet_could_execute_becomes_text(field: str) -> None:
    [[read]] = csv.reader(io.StringIO(csv_line([field]), newline=""))
    assert read == f"'{field}"


@pytest.mark.parametrize("field", ["Banana", "001", "a=b", "", "2025-04-25", 'say "x"', "a,b;c", "two\nlines", 5])
def test_any_other_field_stays_as_it_is(field: object) -> None:
    [[read]] = csv.reader(io.StringIO(csv_line([field]), newline=""))
    assert read == str(field)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1))
def test_whatever_a_record_holds_no_field_of_it_begins_a_formula_and_none_runs_into_another(fields: list[str]) -> None:
    [read] = csv.reader(io.StringIO(csv_line(fields), newline=""))
    assert [field.removeprefix("'") for field in read] == [field.removeprefix("'") for field in fields]
    assert not any(field.startswith(("=", "+", "-", "@", "\t", "\r")) for field in read)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Banana äö 🍌", "Banana äö 🍌"),
        ("\x1b[2J", r"\x1b[2J"),
        ("two\nlines", r"two\nlines"),
        ("back\x08", r"back\x08"),
        ("\u202egnirts", r"\u202egnirts"),
        ("\x9b31m", r"\x9b31m"),
    ],
)
def test_what_would_move_the_cursor_or_turn_the_text_around_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_table_in_a_pipe_is_plain_and_never_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "LONG NAME"), [["x" * 200, None], ["[bold]y[/bold]", "1\x1b[0m"]])
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "A" + " " * 199 + "  LONG NAME",
        "x" * 200,
        "[bold]y[/bold]" + " " * 186 + r"  1\x1b[0m",
    ]


def test_fields_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"a": 1, "bbb": None, "cc": "x\ty"})
    assert capsys.readouterr().out == "a   1\ncc  x\\ty\n"


def test_numbers_have_their_nouns() -> None:
    assert [counted(1, "order"), counted(1200, "order"), counted(0, "entry", "entries")] == [
        "1 order",
        "1,200 orders",
        "0 entries",
    ]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-04-25", datetime(2025, 4, 25, tzinfo=UTC)),
        ("2025-04-25T10:00:00Z", datetime(2025, 4, 25, 10, tzinfo=UTC)),
        ("2025-04-25T10:00:00.123+02:00", datetime(2025, 4, 25, 8, 0, 0, 123000, tzinfo=UTC)),
        ("2025-04-25 10:00", datetime(2025, 4, 25, 10, tzinfo=UTC)),
    ],
)
def test_a_moment_without_an_offset_is_utc(text: str, moment: datetime) -> None:
    assert Moment().convert(text, None, None) == moment


def test_a_moment_may_be_so_long_ago() -> None:
    assert abs(Moment().convert("90m", None, None) - (utc_now() - timedelta(minutes=90))) < timedelta(seconds=10)


@pytest.mark.parametrize(
    "text", ["yesterday", "2025-02-30", "", "-1d", "5y", "٥m", "999999999d", "999999w", "0001-01-01T00:00+14:00"]
)
def test_what_is_no_moment_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no moment: write 2025-04-25"):
        Moment().convert(text, None, None)
