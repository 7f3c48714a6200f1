"""Output fits the terminal and has no control characters; moments are parsed as operators type them."""

from datetime import timedelta

import click
import pytest

from orders_cli.console import print_fields, print_table, table_lines
from orders_cli.options import Moment, utc_now

ID = "7b21faa6-d5c4-8a1b-9c3d-0123456789ab"
REASON = "StoreUnavailableError < ClientError(AccessDeniedException)"
COLUMNS = ("COUNT", "REASON", "OLDEST", "EXAMPLE", "WHAT TO DO")
ROW = ["12", REASON, "2025-04-25T10:00:00.000Z", ID, "fix the cause, then redrive"]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 160, 200, None])
def test_tables_never_split_a_word(width: int | None) -> None:
    lines = table_lines(COLUMNS, [ROW, ROW], width)
    words = " ".join(lines).split()
    assert words.count(ID) == words.count("ClientError(AccessDeniedException)") == 2
    assert words.count("redrive") == 2
    longest = max(map(len, lines))
    assert width is None or longest <= max(width, len(ID) + 2)
    assert (len(lines) == 3) == (width is None or width >= 160)


def test_output_in_a_pipe_has_one_line_per_row_and_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "LONG NAME"), [["x" * 200, None], ["[bold]y[/bold]", "1\x1b[0m"]])
    print_fields({"a": 1, "bbb": None, "cc": "x\ty \u202egnirts \x9b31m äö 🍌"})
    assert capsys.readouterr().out.splitlines() == [
        "A" + " " * 199 + "  LONG NAME",
        "x" * 200,
        "[bold]y[/bold]" + " " * 186 + r"  1\x1b[0m",
        "a   1",
        r"cc  x\ty \u202egnirts \x9b31m äö 🍌",
    ]


def test_moment_may_be_relative() -> None:
    assert abs(Moment().convert("90m", None, None) - (utc_now() - timedelta(minutes=90))) < timedelta(seconds=10)


@pytest.mark.parametrize(
    "text", ["yesterday", "2025-02-30", "", "-1d", "5y", "٥m", "999999999d", "999999w", "0001-01-01T00:00+14:00"]
)
def test_invalid_moment_is_rejected_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a moment: write 2025-04-25"):
        Moment().convert(text, None, None)
