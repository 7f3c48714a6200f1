"""`make bench` compares a measurement with its baseline and its target."""

import pytest

from bench import __main__ as program
from bench.measurement import Measurement, compare


def test_ratio_is_the_median_over_pairs() -> None:
    compared = compare("start", "ms", [11, 110, 12], [10, 100, 10], "boto3", target=1.1)
    assert (compared.value, compared.baseline) == (12, 10)
    assert compared.ratio == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("ratio", "more_is_better", "is_met"),
    [(1.1, False, True), (1.11, False, False), (1.1, True, True), (1.09, True, False)],
)
def test_missed_target_fails_a_full_run(
    ratio: float,
    more_is_better: bool,
    is_met: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written: list[str] = []
    measurement = Measurement("cold start", "ms", 1234.5, 10, "boto3", ratio, 1.1, more_is_better)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(program, "measure", lambda _: iter([measurement]))
    monkeypatch.setattr("pathlib.Path.write_text", lambda path, text, encoding: written.append(text))

    monkeypatch.setattr("sys.argv", ["bench", "--quick"])
    assert (program.main(), written) == (0, [])
    monkeypatch.setattr("sys.argv", ["bench"])
    assert program.main() == (0 if is_met else 1)
    [table] = written
    assert ("| cold start | 1,234 ms | 10 ms, boto3 |" in table, "**missed**" in table) == (True, not is_met)
    assert ("targets missed: cold start" in capsys.readouterr().err) is not is_met
