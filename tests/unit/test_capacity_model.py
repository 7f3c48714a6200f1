"""The capacity model against results that can be computed by hand, and against a simulation of each batch."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import simpy

from planning.arrivals import Arrivals, constant
from planning.deployment import Deployment
from planning.durations import Durations
from planning.limits import Limit
from planning.on_demand_table import OnDemandTable
from planning.outcome import outcome
from planning.pipeline import simulate
from planning.plan import Load, Plan
from planning.quotas import Quotas
from planning.token_bucket import TokenBucket

# Places × orders / cycle: ten places of ten orders each 50 ms.
CAPACITY = 10 * 10 / 0.05

# What is not looked at in a test does not come into play in it.
WIDE_OPEN = Quotas(
    api_requests_per_second=1e9,
    api_burst_requests=10**9,
    lambda_concurrency=10**6,
    lambda_new_environments_at_once=10**6,
    table_write_units_per_second=1e9,
    topic_messages_per_second=1e9,
)
OPEN_API = Deployment(
    api_throttling_rate_limit=1e9,
    api_throttling_burst_limit=10**9,
    table_warm_write_units=10**6,
    processing_maximum_concurrency=10,
    completed_order_email="none",
)


def evenly(*stretches: tuple[int, float], step: float = 0.1) -> Arrivals:
    """Orders at even distances: for each stretch its rate and its seconds."""
    counts = [round(rate * step) for rate, seconds in stretches for _ in range(round(seconds / step))]
    return Arrivals("evenly", step, np.array(counts, dtype=np.int64))


def plan(deployment: Deployment = OPEN_API, quotas: Quotas = WIDE_OPEN, **more: Any) -> Plan:
    return Plan(deployment, quotas, **more)


def test_a_token_bucket_admits_its_burst_at_once_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=500, burst=1000)
    assert [bucket.admit(5000, 1) for _ in range(3)] == [1500, 500, 500]
    assert bucket.admit(0, 60) == 0
    assert bucket.admit(5000, 1) == 1500  # full again, and not fuller


def test_the_api_refuses_what_exceeds_its_burst_and_rate() -> None:
    deployment = replace(OPEN_API, api_throttling_rate_limit=500, api_throttling_burst_limit=1000)
    record = simulate(evenly((1000, 10)), plan(deployment))
    # 10 s × 500 and the burst of 1000 are admitted; of 10,000.
    assert sum(record.accepted) == 6000
    assert record.throttled == 4000
    # The bucket of 1000 loses 500 a second.
    assert record.limit_hits()[0].limit is Limit.API_ROUTE
    assert record.limit_hits()[0].seconds == pytest.approx(2, abs=0.11)


def test_the_accounts_bucket_counts_status_requests_too() -> None:
    quotas = replace(WIDE_OPEN, api_requests_per_second=1000, api_burst_requests=0)
    record = simulate(evenly((1000, 10)), plan(quotas=quotas, load=Load(status_requests_per_order=1)))
    assert sum(record.accepted) == 5000
    assert Limit.API_ACCOUNT in record.hits


def test_below_capacity_no_order_waits() -> None:
    record = simulate(evenly((900, 60)), plan())
    assert sum(record.stored) == sum(record.accepted) == 54_000
    assert max(record.waiting) == 0
    assert record.limit_hits() == []


def test_above_capacity_the_backlog_grows_by_the_difference() -> None:
    record = simulate(evenly((3000, 100)), plan())
    # In the first second the mapping grows from five places to ten, so that it stores 1,500 instead of 2,000.
    assert max(record.waiting) == pytest.approx((3000 - CAPACITY) * 100 + 500, rel=0.01)
    assert record.limit_hits()[0].limit in {Limit.MAPPING_CONCURRENCY, Limit.STREAM_SHARDS}


def test_a_backlog_drains_in_backlog_over_capacity_less_arrivals() -> None:
    record = simulate(evenly((3000, 100), (500, 200)), plan())
    backlog = record.waiting[999]
    empty = next(step for step in range(1000, len(record.waiting)) if record.waiting[step] == 0)
    assert (empty - 1000) * 0.1 == pytest.approx(backlog / (CAPACITY - 500), rel=0.01)


def test_what_waits_is_the_rate_times_the_wait() -> None:
    """Little's law, over the whole run: L = λ W."""
    record = simulate(evenly((3000, 100), (500, 200)), plan())
    waited_steps = sum(wait * orders for wait, orders in record.waits.items())
    assert sum(record.waiting) == pytest.approx(waited_steps, rel=1e-9)
    result = outcome(evenly((3000, 100), (500, 200)), record)
    assert result.oldest_order_seconds == pytest.approx(record.waiting[999] / CAPACITY, rel=0.02)


def each_batch(arrivals: Arrivals, places: int, size: int, cycle: float) -> tuple[float, int]:
    """Simulate each batch by itself; return when the last one ends, and the most that waited."""
    env = simpy.Environment()
    waiting: list[float] = []
    most = 0
    last = 0.0
    arrived = env.event()

    def arrive() -> Iterator[Any]:
        nonlocal most, arrived
        for count in arrivals.counts:
            for _ in range(count):
                yield env.timeout(arrivals.step_seconds / count)
                waiting.append(env.now)
                most = max(most, len(waiting))
                event, arrived = arrived, env.event()
                event.succeed()
            if not count:
                yield env.timeout(arrivals.step_seconds)

    def poll() -> Iterator[Any]:
        nonlocal last
        while True:
            while not waiting:
                yield arrived
            del waiting[:size]
            yield env.timeout(cycle)
            last = env.now

    env.process(arrive())  # type: ignore[arg-type]
    for _ in range(places):
        env.process(poll())  # type: ignore[arg-type]
    env.run(until=10_000)
    return last, most


@pytest.mark.parametrize(("rate", "cycle"), [(300, 0.2), (150, 0.2), (900, 0.1)])
def test_the_model_agrees_with_a_simulation_of_each_batch(rate: int, cycle: float) -> None:
    arrivals = constant(rate, 20, seed=3)
    deployment = replace(OPEN_API, processing_maximum_concurrency=5)
    durations = Durations(processing_seconds=cycle, mapping_overhead_seconds=0)
    record = simulate(arrivals, plan(deployment, durations=durations))
    ended, most = each_batch(arrivals, places=5, size=10, cycle=cycle)
    assert record.settled_step * 0.1 == pytest.approx(ended, rel=0.05, abs=cycle + 0.1)
    # Waits of less than a cycle, while all pollers happen to be busy, are beneath the model.
    assert max(record.waiting) == pytest.approx(most, rel=0.05, abs=rate * (cycle + 0.1))


def test_the_mapping_grows_by_300_places_a_minute() -> None:
    deployment = replace(OPEN_API, processing_maximum_concurrency=605)
    record = simulate(evenly((0, 1)), plan(deployment, durations=Durations(processing_seconds=10)), queued=10**5)
    assert record.places[0] == pytest.approx(5 + 0.5)
    assert record.places[600] == pytest.approx(305, abs=1)
    assert max(record.places) <= 605
    assert record.limit_hits()[0].limit is Limit.MAPPING_RAMP


def test_free_pollers_take_single_orders_and_busy_ones_full_batches() -> None:
    single = simulate(evenly((50, 60)), plan())
    assert sum(single.stored) / single.batches == pytest.approx(1)
    full = simulate(evenly((3000, 60)), plan())
    assert sum(full.stored) / full.batches == pytest.approx(10, rel=0.01)
    gathered = simulate(evenly((50, 60)), plan(replace(OPEN_API, processing_batching_window_seconds=1)))
    assert sum(gathered.stored) / gathered.batches == pytest.approx(10, rel=0.05)


def test_an_order_that_is_refused_five_times_is_a_dead_letter_after_five_visibility_timeouts() -> None:
    record = simulate(evenly((0, 1), step=1), plan(replace(OPEN_API, table_warm_write_units=0)), queued=50)
    assert record.dead_lettered == 50
    assert record.receives_used_up == 5 * 50
    assert record.settled_step == 5 * 180
    assert record.limit_hits()[0].limit is Limit.TABLE_WARMTH


def test_a_new_table_takes_4000_writes_a_second_and_twice_its_peak_after_half_an_hour() -> None:
    table = OnDemandTable(Deployment().table_warm_write_units, Quotas())
    assert [table.write(10_000, 1) for _ in range(2)] == [8000, 4000]  # the bucket of a second is full at first
    table.warm_up()
    assert table.capacity == 8000
    table.warm_up()
    assert table.capacity == 8000  # its peak was 4,000
    assert table.write(10_000, 1) == 8000


def test_a_table_never_takes_more_than_the_accounts_quota() -> None:
    table = OnDemandTable(30_000, Quotas())
    table.write(10**6, 1)
    table.warm_up()
    assert table.capacity == 40_000
    assert table.is_at_quota
    assert table.partitions == 40


def test_one_customers_orders_beyond_a_partition_use_up_receives() -> None:
    record = simulate(evenly((1500, 10)), plan(load=Load(hottest_customer_share=1)))
    # 1,000 a second and one second's burst of the 15,000 are written at once.
    assert record.receives_used_up >= 15_000 - 10 * 1000 - 1000
    assert record.limit_hits()[0].limit is Limit.INDEX_PARTITION
    assert sum(record.stored) == 15_000


def test_cold_starts_are_bound_by_lambdas_ramp() -> None:
    quotas = replace(WIDE_OPEN, lambda_new_environments_at_once=1000)
    record = simulate(evenly((5000, 3)), plan(quotas=quotas))
    # A cold start takes 0.6 s, that is six steps with 500 requests each. Environments may be made 500, 500, 30
    # and then 10 a step: 1,060 requests are served. After that 500 warm ones are enough.
    assert record.refused == 6 * 500 - 1060
    assert record.limit_hits()[0].limit is Limit.LAMBDA_RAMP


def test_submission_is_bound_by_its_reserved_concurrency() -> None:
    deployment = replace(OPEN_API, submission_reserved_concurrency=10)
    record = simulate(evenly((500, 10)), plan(deployment))
    # Ten executions of 25 ms are 400 a second, but Lambda lets through ten times the concurrency only.
    assert sum(record.accepted[100:]) == 0
    assert sum(record.accepted[20:90]) == 7 * 100
    assert record.limit_hits()[0].limit is Limit.SUBMISSION_RESERVED


def test_a_mapping_without_any_execution_uses_up_all_receives() -> None:
    deployment = replace(OPEN_API, processing_reserved_concurrency=0)
    record = simulate(evenly((0, 1), step=1), plan(deployment), queued=50)
    assert record.dead_lettered == 50
    assert sum(record.stored) == 0
    assert Limit.PROCESSING_STARVED in record.hits


def test_a_mapping_with_few_executions_loses_nothing_while_each_gets_its_turn_in_time() -> None:
    deployment = replace(OPEN_API, processing_reserved_concurrency=2)
    record = simulate(evenly((0, 1)), plan(deployment), queued=5000)
    # Ten pollers share two executions: each waits 0.2 s in the mean, and has 180 s.
    assert record.dead_lettered == 0
    assert sum(record.stored) == 5000
    assert record.settled_step * 0.1 == pytest.approx(5000 / (2 * 10 / 0.05), rel=0.02)


def test_pollers_that_wait_too_long_for_an_execution_use_up_receives() -> None:
    deployment = replace(OPEN_API, processing_reserved_concurrency=2)
    durations = Durations(processing_seconds=60, mapping_overhead_seconds=0)
    record = simulate(evenly((0, 1), step=1), plan(deployment, durations=durations), queued=2000)
    drained = next(step for step, waiting in enumerate(record.waiting) if waiting == 0)
    # Eight of ten pollers wait for one of two executions: 8 / 2 × 60 s in the mean, of which exp(-180 / 240) are
    # over the 180 s; each of those drops ten orders.
    assert record.receives_used_up == pytest.approx(8 * 10 * drained / 180 * math.exp(-180 / 240), rel=0.1)


def test_a_queue_hands_out_no_more_than_its_in_flight_quota() -> None:
    quotas = replace(WIDE_OPEN, queue_in_flight_messages=1000)
    deployment = replace(OPEN_API, table_warm_write_units=0)
    record = simulate(evenly((0, 1), step=1), plan(deployment, quotas), queued=3000)
    assert Limit.QUEUE_IN_FLIGHT in record.hits
    # A thousand at a time, each hidden for 180 s and five times.
    assert record.settled_step == pytest.approx(3 * 5 * 180, abs=20)


def test_orders_expire_in_a_queue_that_nobody_drains() -> None:
    deployment = replace(OPEN_API, processing_reserved_concurrency=0, queue_retention_seconds=100)
    record = simulate(evenly((10, 10), step=1), plan(deployment))
    assert record.expired > 0
    assert record.expired + record.dead_lettered == 100


def test_announcements_wait_for_the_streams_shards() -> None:
    deployment = replace(OPEN_API, table_warm_write_units=4000)
    record = simulate(evenly((1500, 100)), plan(deployment))
    # Four shards, ten in a batch, 40 ms each: a thousand a second of 1,500.
    assert max(record.announcements_waiting) == pytest.approx(500 * 100, rel=0.03)
    assert record.limit_hits()[0].limit is Limit.STREAM_SHARDS
    faster = simulate(evenly((1500, 100)), plan(replace(deployment, notification_parallelization_factor=2)))
    assert max(faster.announcements_waiting) < 200


def test_announcements_older_than_the_mapping_allows_are_given_up() -> None:
    deployment = replace(OPEN_API, table_warm_write_units=4000, notification_maximum_age_seconds=20)
    record = simulate(evenly((1500, 100)), plan(deployment))
    assert record.announcements_given_up > 0
    assert record.announced + record.announcements_given_up == 150_000


def test_more_than_ten_emails_a_second_end_the_subscription() -> None:
    mailed = replace(OPEN_API, completed_order_email=None)
    assert Limit.TOPIC_EMAIL not in simulate(evenly((10, 60)), plan(mailed)).hits
    assert Limit.TOPIC_EMAIL in simulate(evenly((20, 60)), plan(mailed)).hits
    assert Limit.TOPIC_EMAIL not in simulate(evenly((20, 60)), plan()).hits


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> tuple[dict[int, int], dict[str, Any]]:
        arrivals = constant(2500, 60, seed)
        record = simulate(arrivals, plan(load=Load(hottest_customer_share=0.6)), seed=seed)
        return record.waits, outcome(arrivals, record).to_document()

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_an_hour_at_10000_orders_a_second_is_36_million_and_all_are_accounted_for() -> None:
    arrivals = constant(10_000, 3600, seed=1)
    record = simulate(arrivals, Plan())
    assert arrivals.orders == pytest.approx(36_000_000, rel=0.001)
    assert sum(record.stored) + record.throttled + record.refused == arrivals.orders
