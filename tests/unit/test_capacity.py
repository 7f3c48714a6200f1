"""Compare `orders-plan capacity` with results computed by hand and with a simulation of each batch."""

import heapq
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from planning.__main__ import planning
from planning.capacity import Limit, simulate
from planning.settings import Settings

# Settings whose limits are never reached; a test lowers one.
NO_LIMIT = Settings(
    api_throttling_rate_limit=1e9,
    api_throttling_burst_limit=10**9,
    api_requests_per_second=1e9,
    api_burst_requests=10**9,
    lambda_concurrency=10**6,
    lambda_new_environments_at_once=10**6,
    processing_maximum_concurrency=10,
    table_warm_write_units=10**6,
    table_write_units_per_second=1e9,
)


@pytest.mark.parametrize(
    ("rate", "changes", "limit", "accepted"),
    [
        # Each order's status request counts too.
        (1000, {"api_requests_per_second": 1000, "api_burst_requests": 0}, Limit.API_ACCOUNT, 5000),
        # Lambda admits ten requests per second and unit of concurrency, after half a second of cold start.
        (500, {"submission_reserved_concurrency": 10}, Limit.SUBMISSION_RESERVED, 950),
        (1000, {"table_write_units_per_second": 500.0}, Limit.TABLE_QUOTA, 10_000),
    ],
)
def test_simulation_reports_the_first_limit(rate: int, changes: dict[str, Any], limit: Limit, accepted: int) -> None:
    result = simulate(rate, 10, replace(NO_LIMIT, **changes))
    assert next(iter(result.limits)) is limit
    assert result.accepted == accepted


@pytest.mark.parametrize(("window_seconds", "timeout_seconds"), [(0, 180), (1, 200)])
def test_rejected_order_becomes_a_dead_letter_after_five_timeouts(window_seconds: int, timeout_seconds: int) -> None:
    settings = replace(NO_LIMIT, table_warm_write_units=0, processing_batch_window_seconds=window_seconds)
    result = simulate(50, 1, settings)
    assert result.dead_lettered == 50
    assert result.drain_seconds == pytest.approx(5 * timeout_seconds, abs=20)
    assert Limit.TABLE_WARMTH in result.limits


def simulate_each_batch(rate: int, seconds: int, concurrency: int, size: int, cycle: float) -> tuple[float, int]:
    """Simulate each batch separately; return when the last one ends, and the largest backlog."""
    times = [number / rate for number in range(rate * seconds)]
    free = [0.0] * concurrency
    received, most, ended = 0, 0, 0.0
    while received < len(times):
        start = max(heapq.heappop(free), times[received])
        waiting = sum(1 for time in times[received : received + 100_000] if time <= start)
        most = max(most, waiting)
        received += min(size, waiting)
        ended = start + cycle
        heapq.heappush(free, ended)
    return ended, most


@pytest.mark.parametrize(("rate", "cycle"), [(300, 0.2), (150, 0.2), (900, 0.1)])
def test_model_agrees_with_a_simulation_of_each_batch(rate: int, cycle: float) -> None:
    settings = replace(NO_LIMIT, processing_maximum_concurrency=5, processing_seconds=cycle, mapping_overhead_seconds=0)
    result = simulate(rate, 20, settings)
    ended, most = simulate_each_batch(rate, 20, concurrency=5, size=10, cycle=cycle)
    assert result.drain_seconds is not None
    assert 20 + result.drain_seconds == pytest.approx(ended, rel=0.05, abs=cycle + 0.1)
    # The model ignores waits shorter than a cycle.
    assert result.peak_backlog == pytest.approx(most, rel=0.05, abs=rate * (cycle + 0.1))


def test_batches_are_full_only_with_a_backlog_or_a_window() -> None:
    below = simulate(50, 60, NO_LIMIT)
    assert below.orders_per_batch == pytest.approx(1)
    assert (below.stored, below.peak_backlog, below.wait_p99_seconds, below.limits) == (3000, 0, 0, {})
    assert simulate(3000, 60, NO_LIMIT).orders_per_batch == pytest.approx(10, rel=0.01)
    gathered = simulate(10, 60, replace(NO_LIMIT, processing_batch_window_seconds=2))
    # Each of five pollers receives two orders per second. The first waits 2 s, four later ones 1 s on average.
    assert gathered.orders_per_batch == pytest.approx(5, rel=0.05)
    assert gathered.wait_p50_seconds == pytest.approx((2 + 4 * 1) / 5)


def test_old_announcements_are_discarded() -> None:
    settings = replace(NO_LIMIT, table_warm_write_units=4000, notification_maximum_age_seconds=20)
    result = simulate(1500, 100, settings)
    assert result.announcements_failed > 0
    assert result.announced + result.announcements_failed == 150_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--set speed=1", "is not a setting"),
        ("--set api_throttling_rate_limit", "write api_throttling_rate_limit=NUMBER"),
        ("--set processing_maximum_concurrency=many", "must be a whole number"),
        ("--set processing_maximum_concurrency=1", "must be at least 2"),
        ("--set processing_seconds=0", "must not be 0"),
        ("--set processing_seconds=inf", "must not be inf"),
        ("--set processing_reserved_concurrency=2000", "must not exceed lambda_concurrency"),
        ("--for soon", "is not a duration"),
        ("--rate nan", "is not a finite number"),
    ],
)
def test_invalid_value_is_rejected_in_one_sentence(arguments: str, message: str) -> None:
    result = CliRunner().invoke(planning, ["capacity", "--rate", "1", *arguments.split()])
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output
