"""`make bench` compares a measurement with its baseline and its target."""

import pytest

from bench import __main__ as program
from bench.measurement import Measurement, compare, markdown_table


def measurement(ratio: float, *, more_is_better: bool = False) -> Measurement:
    return Measurement("cold start", "ms", 1234.5, 10, "boto3", ratio, 1.1, more_is_better)


def test_ratio_is_the_median_over_pairs() -> None:
    compared = compare("start", "ms", [11, 110, 12], [10, 100, 10], "boto3", target=1.1)

    assert (compared.value, compared.baseline) == (12, 10)
    assert compared.ratio == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("compared", "is_met"),
    [
        (measurement(1.1), True),
        (measurement(1.11), False),
        (measurement(1.1, more_is_better=True), True),
        (measurement(1.09, more_is_better=True), False),
    ],
)
def test_target_is_met_at_its_exact_value(compared: Measurement, is_met: bool) -> None:
    assert compared.is_met is is_met


def test_table_marks_missed_targets() -> None:
    assert markdown_table([measurement(1.2345)]).splitlines()[2:] == [
        "| cold start | 1,234 ms | 10 ms, boto3 | 1.23 | ≤ 1.1, **missed** |"
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [([], 1, "\nmake bench: targets missed: cold start\n"), (["--quick"], 0, "")],
)
def test_only_a_full_run_checks_targets_and_writes_the_table(
    arguments: list[str], status: int, error: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[str] = []
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(program, "measure", lambda _: iter([measurement(2)]))
    monkeypatch.setattr("pathlib.Path.write_text", lambda path, text, encoding: written.append(text))

    assert program.main() == status
    assert capsys.readouterr().err == error
    assert len(written) == status
