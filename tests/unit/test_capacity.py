"""Compare `orders-plan capacity` with results computed by hand and with a simulation of each batch."""

import heapq
import json
import math
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from planning.__main__ import planning
from planning.capacity import (
    Arrivals,
    Limit,
    OnDemandTable,
    Outcome,
    TokenBucket,
    constant,
    duration,
    flash_sale,
    simulate,
)
from planning.settings import Settings

# No limits apply except those under test.
OPEN = Settings(
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
# Concurrent batches × orders / cycle: ten batches of ten orders every 50 ms.
CAPACITY = 10 * 10 / 0.05


def evenly(*stretches: tuple[int, float], step: float = 0.1) -> Arrivals:
    """Return arrivals with a rate and a number of seconds for each stretch."""
    counts = [round(rate * step) for rate, seconds in stretches for _ in range(round(seconds / step))]
    return Arrivals("evenly", step, counts)


def first_limit(outcome: Outcome) -> Limit:
    return next(iter(outcome.limits))


# --- Arrivals


def test_constant_arrivals_have_the_rate_and_a_step_for_the_length() -> None:
    assert sum(constant(100, 600).counts) == 60_000
    assert sum(constant(0.3, 600).counts) == 180
    assert [constant(1, seconds).step_seconds for seconds in (60, 3600, 86_400, 30 * 86_400)] == [0.1, 2, 30, 60]


def test_flash_sale_starts_at_once_and_fades() -> None:
    arrivals = flash_sale(10, 1000, 120)

    def rate(start: float) -> float:
        first, steps = round(start / arrivals.step_seconds), round(10 / arrivals.step_seconds)
        return sum(arrivals.counts[first : first + steps]) / 10

    assert [rate(45), rate(60), rate(169)] == [10, 1000, 1000]
    assert rate(235) == pytest.approx(500, rel=0.1)
    assert arrivals.peak_rate == 1000


def test_duration_has_the_two_largest_units() -> None:
    seconds = [0, 0.4, 45, 119, 120, 5400, 187_200]
    assert [duration(each) for each in seconds] == ["0 s", "0.4 s", "45 s", "119 s", "2 min", "1 h 30 min", "2 d 4 h"]


# --- API and submission


def test_token_bucket_admits_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=500, burst=1000)
    assert [bucket.admit(5000, 1) for _ in range(3)] == [1500, 500, 500]
    assert bucket.admit(0, 60) == 0
    assert bucket.admit(5000, 1) == 1500


def test_api_throttles_above_burst_and_rate() -> None:
    outcome = simulate(
        evenly((1000, 10)), replace(OPEN, api_throttling_rate_limit=500, api_throttling_burst_limit=1000)
    )
    # Of 10,000 orders, 10 s × 500 and the burst of 1,000 are accepted. The burst is used up after two seconds.
    assert (outcome.accepted, outcome.throttled_429) == (6000, 4000)
    assert outcome.limits[Limit.API_ROUTE] == pytest.approx(2, abs=0.11)


def test_account_quota_counts_status_requests() -> None:
    outcome = simulate(evenly((1000, 10)), replace(OPEN, api_requests_per_second=1000, api_burst_requests=0))
    assert outcome.accepted == 5000
    assert Limit.API_ACCOUNT in outcome.limits


def test_cold_starts_are_limited_by_lambdas_ramp() -> None:
    outcome = simulate(evenly((5000, 3)), replace(OPEN, lambda_new_environments_at_once=1000))
    # A cold start takes six steps with 500 requests each. 500, 500, 30 and then 10 environments start per step:
    # 1,060 requests are served. Afterwards 500 warm environments suffice.
    assert outcome.refused_503 == 6 * 500 - 1060
    assert first_limit(outcome) is Limit.LAMBDA_RAMP


def test_submission_is_limited_by_its_reserved_concurrency() -> None:
    outcome = simulate(evenly((500, 10)), replace(OPEN, submission_reserved_concurrency=10))
    # Lambda admits ten requests per second and unit of concurrency, and serves them once environments are warm.
    assert 900 < outcome.accepted <= 1000
    assert first_limit(outcome) is Limit.SUBMISSION_RESERVED


# --- Queue, processing and table


def test_no_order_waits_below_capacity() -> None:
    outcome = simulate(evenly((900, 60)), OPEN)
    assert outcome.stored == outcome.accepted == 54_000
    assert (outcome.peak_backlog, outcome.limits) == (0, {})


def test_backlog_grows_above_capacity_and_drains_below_it() -> None:
    outcome = simulate(evenly((3000, 100), (500, 200)), OPEN)
    # In the first second the mapping scales from five batches to ten and stores 1,500 instead of 2,000.
    assert outcome.peak_backlog == pytest.approx((3000 - CAPACITY) * 100 + 500, rel=0.01)
    assert outcome.oldest_order_seconds == pytest.approx(outcome.peak_backlog / CAPACITY, rel=0.02)
    empty = next(step for step in range(1000, len(outcome.backlog)) if outcome.backlog[step] == 0)
    assert (empty - 1000) * 0.1 == pytest.approx(outcome.backlog[999] / (CAPACITY - 500), rel=0.01)
    assert first_limit(outcome) in {Limit.MAPPING_CONCURRENCY, Limit.STREAM_SHARDS}


def each_batch(arrivals: Arrivals, concurrency: int, size: int, cycle: float) -> tuple[float, int]:
    """Simulate each batch separately; return when the last one ends, and the largest backlog."""
    times = [
        (step + place / count) * arrivals.step_seconds
        for step, count in enumerate(arrivals.counts)
        for place in range(count)
    ]
    free = [0.0] * concurrency
    taken, most, ended = 0, 0, 0.0
    while taken < len(times):
        start = max(heapq.heappop(free), times[taken])
        waiting = sum(1 for time in times[taken : taken + 100_000] if time <= start)
        most = max(most, waiting)
        taken += min(size, waiting)
        ended = start + cycle
        heapq.heappush(free, ended)
    return ended, most


@pytest.mark.parametrize(("rate", "cycle"), [(300, 0.2), (150, 0.2), (900, 0.1)])
def test_model_agrees_with_a_simulation_of_each_batch(rate: int, cycle: float) -> None:
    arrivals = constant(rate, 20)
    settings = replace(OPEN, processing_maximum_concurrency=5, processing_seconds=cycle, mapping_overhead_seconds=0)
    outcome = simulate(arrivals, settings)
    ended, most = each_batch(arrivals, concurrency=5, size=10, cycle=cycle)
    assert outcome.drain_seconds is not None
    assert 20 + outcome.drain_seconds == pytest.approx(ended, rel=0.05, abs=cycle + 0.1)
    # The model ignores waits shorter than a cycle.
    assert outcome.peak_backlog == pytest.approx(most, rel=0.05, abs=rate * (cycle + 0.1))


def test_mapping_adds_300_batches_per_minute() -> None:
    settings = replace(OPEN, processing_maximum_concurrency=605, processing_seconds=10)
    outcome = simulate(evenly((0, 1)), settings, queued=10**5)
    # After 600 steps 305 batches run: 5 + 5 per second. Batches of ten take 10.02 s.
    drained = outcome.backlog[0] - outcome.backlog[600]
    assert drained == pytest.approx(10 * sum(5 + 0.5 * step for step in range(600)) * 0.1 / 10.02, rel=0.05)
    assert first_limit(outcome) is Limit.MAPPING_RAMP


def test_batches_are_full_only_with_a_backlog_or_a_batching_window() -> None:
    assert simulate(evenly((50, 60)), OPEN).orders_per_batch == pytest.approx(1)
    assert simulate(evenly((3000, 60)), OPEN).orders_per_batch == pytest.approx(10, rel=0.01)
    gathered = simulate(evenly((50, 60)), replace(OPEN, processing_batching_window_seconds=1))
    assert gathered.orders_per_batch == pytest.approx(10, rel=0.05)


def test_order_becomes_a_dead_letter_after_five_visibility_timeouts() -> None:
    outcome = simulate(evenly((0, 1), step=1), replace(OPEN, table_warm_write_units=0), queued=50)
    assert (outcome.dead_lettered, outcome.receives_used_up, outcome.drain_seconds) == (50, 5 * 50, 5 * 180)
    assert first_limit(outcome) is Limit.TABLE_WARMTH


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


def test_orders_of_one_customer_are_limited_by_a_partition() -> None:
    outcome = simulate(evenly((1500, 10)), replace(OPEN, hottest_customer_share=1))
    # Of 15,000, the first writes are 1,000 per second and a burst of one second.
    assert outcome.receives_used_up >= 15_000 - 10 * 1000 - 1000
    assert first_limit(outcome) is Limit.INDEX_PARTITION
    assert outcome.stored == 15_000


def test_mapping_without_executions_uses_up_all_receives() -> None:
    outcome = simulate(evenly((0, 1), step=1), replace(OPEN, processing_reserved_concurrency=0), queued=50)
    assert (outcome.dead_lettered, outcome.stored) == (50, 0)
    assert Limit.PROCESSING_STARVED in outcome.limits


def test_mapping_with_few_executions_loses_nothing_if_waits_are_short() -> None:
    outcome = simulate(evenly((0, 1)), replace(OPEN, processing_reserved_concurrency=2), queued=5000)
    # Ten pollers share two executions: each waits 0.2 s on average and has 180 s.
    assert (outcome.dead_lettered, outcome.stored) == (0, 5000)
    assert outcome.drain_seconds == pytest.approx(5000 / (2 * 10 / 0.05), rel=0.1)


def test_pollers_that_wait_too_long_use_up_receives() -> None:
    settings = replace(OPEN, processing_reserved_concurrency=2, processing_seconds=60, mapping_overhead_seconds=0)
    outcome = simulate(evenly((0, 1), step=1), settings, queued=2000)
    drained = next(step for step, waiting in enumerate(outcome.backlog) if waiting == 0)
    # Eight of ten pollers wait 8 / 2 × 60 s on average; exp(-180 / 240) of these waits exceed 180 s.
    assert outcome.receives_used_up == pytest.approx(8 * 10 * drained / 180 * math.exp(-180 / 240), rel=0.1)


def test_queue_delivers_no_more_than_its_in_flight_quota() -> None:
    settings = replace(OPEN, queue_in_flight_messages=1000, table_warm_write_units=0)
    outcome = simulate(evenly((0, 1), step=1), settings, queued=3000)
    assert Limit.QUEUE_IN_FLIGHT in outcome.limits
    # A thousand at a time, each hidden for 180 s, five times.
    assert outcome.drain_seconds == pytest.approx(3 * 5 * 180, abs=20)


# --- Notification


def test_announcements_wait_for_the_shards_of_the_stream() -> None:
    settings = replace(OPEN, table_warm_write_units=4000)
    outcome = simulate(evenly((1500, 100)), settings)
    # Four shards with batches of ten and 40 ms each announce 1,000 of 1,500 orders per second.
    assert outcome.peak_announcements_waiting == pytest.approx(500 * 100, rel=0.03)
    assert first_limit(outcome) is Limit.STREAM_SHARDS
    faster = simulate(evenly((1500, 100)), replace(settings, notification_parallelization_factor=2))
    assert faster.peak_announcements_waiting < 200


def test_old_announcements_are_given_up() -> None:
    settings = replace(OPEN, table_warm_write_units=4000, notification_maximum_age_seconds=20)
    outcome = simulate(evenly((1500, 100)), settings)
    assert outcome.announcements_given_up > 0
    assert outcome.announced + outcome.announcements_given_up == 150_000


def test_more_than_ten_e_mails_per_second_exceed_the_limit() -> None:
    mailed = replace(OPEN, completed_order_email="sales@example.com")
    assert Limit.TOPIC_EMAIL not in simulate(evenly((10, 60)), mailed).limits
    assert Limit.TOPIC_EMAIL in simulate(evenly((20, 60)), mailed).limits
    assert Limit.TOPIC_EMAIL not in simulate(evenly((20, 60)), OPEN).limits


def test_all_orders_of_an_hour_at_10000_per_second_are_accounted_for() -> None:
    outcome = simulate(constant(10_000, 3600), Settings())
    assert outcome.stored + outcome.throttled_429 + outcome.refused_503 == outcome.offered == 36_000_000


# --- The command


def run(*arguments: str) -> Result:
    return CliRunner().invoke(planning, ["capacity", *arguments])


def test_settings_change_by_name() -> None:
    arguments = ("constant", "--rate", "1000", "--for", "1min", "--json")
    before = json.loads(run(*arguments).output)
    assert before["throttled_429"] > 0
    assert "api_route" in before["limits"]
    after = json.loads(run(*arguments, "--set", "api_throttling_rate_limit=2000").output)
    assert after["throttled_429"] == 0


def test_advice_raises_limits_until_nothing_is_rejected() -> None:
    email = ("--set", "completed_order_email=sales@example.com")
    rounds = json.loads(run("constant", "--rate", "3000", "--for", "2min", *email, "--advise", "--json").output)
    changes = {name: value for each in rounds for name, value in each["changes"].items()}
    assert changes["api_throttling_rate_limit"] >= 3000
    assert changes["processing_maximum_concurrency"] >= 15
    assert changes["completed_order_email"] == "none"
    assert rounds[-1]["changes"] == {}
    assert (rounds[-1]["throttled_429"], rounds[-1]["drain_seconds"] < 1) == (0, True)


def test_settings_are_listed_with_their_sources() -> None:
    assert "https://docs.aws.amazon.com/" in run("settings").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "speed=1"], "is not a setting"),
        (["--set", "api_throttling_rate_limit"], "is not a setting"),
        (["--set", "processing_maximum_concurrency=many"], "must be a whole number"),
        (["--set", "processing_maximum_concurrency=1"], "must be at least 2"),
        (["--set", "processing_seconds=0"], "must not be 0"),
        (["--set", "processing_seconds=inf"], "must not be inf"),
        (["--set", "processing_reserved_concurrency=2000"], "must not exceed lambda_concurrency"),
        (["--for", "soon"], "is not a duration"),
    ],
)
def test_invalid_value_is_rejected_in_one_sentence(arguments: list[str], message: str) -> None:
    result = run("constant", "--rate", "1", *arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output
