"""Arrival profiles: as many orders as asked for, when they are asked for."""

from pathlib import Path

import pytest

from planning.arrivals import constant, daily, duration, flash_sale, recorded
from planning.errors import PlanningError


def test_a_constant_rate_has_so_many_orders() -> None:
    arrivals = constant(100, 600, seed=1)
    assert len(arrivals.counts) * arrivals.step_seconds == pytest.approx(600)
    assert arrivals.orders == pytest.approx(60_000, rel=0.02)


def test_longer_runs_have_longer_steps() -> None:
    assert constant(1, 60, 1).step_seconds == 0.1
    assert constant(1, 3600, 1).step_seconds == 2
    assert constant(1, 86_400, 1).step_seconds == 30
    assert constant(1, 30 * 86_400, 1).step_seconds == 60


def test_a_day_has_its_peak_in_the_evening() -> None:
    arrivals = daily(864_000, 1.8, seed=1)
    assert arrivals.orders == pytest.approx(864_000, rel=0.01)
    an_hour = round(3600 / arrivals.step_seconds)
    evening, morning = (
        arrivals.counts[round(hour * 3600 / arrivals.step_seconds) :][:an_hour].sum() / 3600 for hour in (17.5, 5.5)
    )
    assert evening == pytest.approx(18, rel=0.05)
    assert morning == pytest.approx(2, rel=0.15)


def test_a_sale_starts_at_once_and_fades() -> None:
    arrivals = flash_sale(10, 1000, 120, seed=1)

    def rate(start: float) -> float:
        first = round(start / arrivals.step_seconds)
        steps = round(10 / arrivals.step_seconds)
        return float(arrivals.counts[first : first + steps].sum()) / 10

    assert rate(45) == pytest.approx(10, rel=0.5)
    assert rate(60) == pytest.approx(1000, rel=0.05)
    assert rate(169) == pytest.approx(1000, rel=0.05)
    assert rate(235) == pytest.approx(500, rel=0.1)
    assert arrivals.peak_rate == pytest.approx(1000, rel=0.15)


@pytest.mark.parametrize(
    "text",
    [
        "1764147600\n1764147601.5\n1764147601.6\n",
        "2025-11-26T09:00:00Z\n2025-11-26T09:00:01.5Z\n2025-11-26T10:00:01.6+01:00\n",
        "timestamp,order_id\n2025-11-26T09:00:00,a\n2025-11-26T09:00:01.5,b\n2025-11-26T09:00:01.6,c\n\n",
    ],
)
def test_recorded_moments_are_counted_from_the_first_one(tmp_path: Path, text: str) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(text)
    arrivals = recorded(file)
    assert arrivals.orders == 3
    assert arrivals.counts.nonzero()[0].tolist() in ([0, 15, 16], [0, 15])


@pytest.mark.parametrize("text", ["", "timestamp\n", "1\nyesterday\n", "\x00\n"])
def test_a_file_without_moments_is_refused_with_what_to_do(tmp_path: Path, text: str) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(text)
    with pytest.raises(PlanningError, match=r"Unix seconds or ISO 8601|one moment a line"):
        recorded(file)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanningError, match="cannot be read as text"):
        recorded(file)


def test_times_read_as_a_person_says_them() -> None:
    assert [duration(seconds) for seconds in (0, 3.26, 45, 119, 120, 3600, 5400, 100_000)] == [
        "0 s",
        "3.3 s",
        "45 s",
        "119 s",
        "2 min",
        "1 h",
        "1 h 30 min",
        "1 d 3 h",
    ]
