"""Compare `orders-plan capacity` with results computed by hand and with a simulation of each batch."""

import heapq
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from planning.__main__ import planning
from planning.capacity import Arrivals, Limit, OnDemandTable, constant, simulate
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


def test_table_accepts_twice_its_peak_after_30_minutes_up_to_its_quota() -> None:
    table = OnDemandTable(Settings())
    assert [table.write(10_000, 1) for _ in range(2)] == [8000, 4000]  # the bucket is full at first
    table.warm_up()
    table.warm_up()
    assert (table.capacity, table.write(10_000, 1)) == (8000, 8000)
    large = OnDemandTable(Settings(table_warm_write_units=30_000))
    large.write(10**6, 1)
    large.warm_up()
    assert (large.capacity, large.partitions) == (40_000, 40)


@pytest.mark.parametrize(
    ("rate", "seconds", "changes", "limit", "expected"),
    [
        # Of 10,000 orders, 10 s × 500 and the burst of 1,000 are accepted.
        (
            1000,
            10,
            {"api_throttling_rate_limit": 500, "api_throttling_burst_limit": 1000},
            Limit.API_ROUTE,
            {"accepted": 6000, "throttled_429": 4000},
        ),
        # Each order's status request counts too.
        (1000, 10, {"api_requests_per_second": 1000, "api_burst_requests": 0}, Limit.API_ACCOUNT, {"accepted": 5000}),
        # A cold start takes six steps with 500 requests each. 500, 500, 30 and then 10 environments start per step:
        # 1,060 requests are served. Afterwards 500 warm environments suffice.
        (5000, 3, {"lambda_new_environments_at_once": 1000}, Limit.LAMBDA_RAMP, {"rejected_503": 6 * 500 - 1060}),
        # Lambda admits ten requests per second and unit of concurrency, after half a second of cold start.
        (500, 10, {"submission_reserved_concurrency": 10}, Limit.SUBMISSION_RESERVED, {"accepted": 950}),
        # Four shards with batches of ten and 40 ms each announce 1,000 of 1,500 orders per second.
        (
            1500,
            100,
            {"table_warm_write_units": 4000},
            Limit.STREAM_SHARDS,
            {"peak_announcements_waiting": pytest.approx(500 * 100, rel=0.03)},
        ),
    ],
)
def test_simulation_reports_the_first_limit(
    rate: int, seconds: int, changes: dict[str, Any], limit: Limit, expected: dict[str, Any]
) -> None:
    result = simulate(constant(rate, seconds), replace(NO_LIMIT, **changes))
    assert next(iter(result.limits)) is limit
    assert {name: getattr(result, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("queued", "changes", "limit", "seconds"),
    [
        # An order is received five times, and hidden for 180 s each time. A batch window adds 20 s.
        (50, {}, Limit.TABLE_WARMTH, 5 * 180),
        (50, {"processing_batch_window_seconds": 1}, Limit.TABLE_WARMTH, 5 * 200),
        # 1,000 messages at a time.
        (3000, {"queue_in_flight_messages": 1000}, Limit.QUEUE_IN_FLIGHT, 3 * 5 * 180),
    ],
)
def test_order_becomes_a_dead_letter_after_five_visibility_timeouts(
    queued: int, changes: dict[str, Any], limit: Limit, seconds: int
) -> None:
    settings = replace(NO_LIMIT, table_warm_write_units=0, **changes)
    result = simulate(Arrivals("none", 1, [0]), settings, queued=queued)
    assert result.dead_lettered == queued
    assert result.drain_seconds == pytest.approx(seconds, abs=20)
    assert limit in result.limits


def simulate_each_batch(arrivals: Arrivals, concurrency: int, size: int, cycle: float) -> tuple[float, int]:
    """Simulate each batch separately; return when the last one ends, and the largest backlog."""
    times = [
        (step + place / count) * arrivals.step_seconds
        for step, count in enumerate(arrivals.counts)
        for place in range(count)
    ]
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
    arrivals = constant(rate, 20)
    settings = replace(NO_LIMIT, processing_maximum_concurrency=5, processing_seconds=cycle, mapping_overhead_seconds=0)
    result = simulate(arrivals, settings)
    ended, most = simulate_each_batch(arrivals, concurrency=5, size=10, cycle=cycle)
    assert result.drain_seconds is not None
    assert 20 + result.drain_seconds == pytest.approx(ended, rel=0.05, abs=cycle + 0.1)
    # The model ignores waits shorter than a cycle.
    assert result.peak_backlog == pytest.approx(most, rel=0.05, abs=rate * (cycle + 0.1))


def test_batches_are_full_only_with_a_backlog_or_a_window() -> None:
    below = simulate(constant(50, 60), NO_LIMIT)
    assert below.orders_per_batch == pytest.approx(1)
    assert (below.stored, below.peak_backlog, below.wait_p99_seconds, below.limits) == (3000, 0, 0, {})
    assert simulate(constant(3000, 60), NO_LIMIT).orders_per_batch == pytest.approx(10, rel=0.01)
    gathered = simulate(constant(10, 60), replace(NO_LIMIT, processing_batch_window_seconds=2))
    # Each of five pollers receives two orders per second. The first waits 2 s, four later ones 1 s on average.
    assert gathered.orders_per_batch == pytest.approx(5, rel=0.05)
    assert gathered.wait_p50_seconds == pytest.approx((2 + 4 * 1) / 5)


def test_old_announcements_are_discarded() -> None:
    settings = replace(NO_LIMIT, table_warm_write_units=4000, notification_maximum_age_seconds=20)
    result = simulate(constant(1500, 100), settings)
    assert result.announcements_failed > 0
    assert result.announced + result.announcements_failed == 150_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--set speed=1", "is not a setting"),
        ("--set api_throttling_rate_limit", "is not a setting"),
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
    result = CliRunner().invoke(planning, ["capacity", "constant", "--rate", "1", *arguments.split()])
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output
