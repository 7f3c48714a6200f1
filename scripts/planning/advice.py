"""Which setting to change, one after the other, until a load passes: the way to `orders-plan capacity --advise`."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from planning.arrivals import Arrivals
from planning.limits import Limit, LimitHit
from planning.outcome import Outcome, outcome
from planning.pipeline import simulate
from planning.plan import Plan

_MARGIN = 1.2
_MOST_CHANGES = 12

# Bounds that variables.tf or AWS sets.
_MOST_ROUTE_RATE = 10_000
_MOST_ROUTE_BURST = 5_000
_MOST_MAPPING_CONCURRENCY = 1_000
_MOST_PARALLELIZATION = 10


@dataclass(frozen=True)
class Change:
    """One setting of the deployment, or one quota of the account, at another value."""

    setting: str
    value: int | str
    is_quota: bool = False

    def applied_to(self, plan: Plan) -> Plan:
        """Return the plan with this change."""
        new: dict[str, Any] = {self.setting: self.value}
        if self.is_quota:
            return replace(plan, quotas=replace(plan.quotas, **new))
        return replace(plan, deployment=replace(plan.deployment, **new))


@dataclass(frozen=True)
class Stage:
    """A run, the limit that it met first of those that can be moved, and what moves it."""

    outcome: Outcome
    hit: LimitHit | None
    changes: tuple[Change, ...]


def advise(arrivals: Arrivals, plan: Plan, seed: int) -> Iterator[Stage]:
    """Run, change what the first movable limit asks for, and run again, until there is none."""
    for _ in range(_MOST_CHANGES):
        record = simulate(arrivals, plan, seed=seed)
        result = outcome(arrivals, record)
        hit, changes = next(
            ((hit, changes) for hit in result.limits if (changes := _remedy(hit.limit, arrivals, plan))), (None, ())
        )
        yield Stage(result, hit, changes)
        if not changes:
            return
        for change in changes:
            plan = change.applied_to(plan)


def _remedy(limit: Limit, arrivals: Arrivals, plan: Plan) -> tuple[Change, ...]:
    """Return what moves a limit out of the way of the arrivals' peak; nothing where nothing does, or has already."""
    remedy = _REMEDIES.get(limit)
    changes = remedy(arrivals.peak_rate, plan) if remedy else ()
    return tuple(
        change
        for change in changes
        if getattr(plan.quotas if change.is_quota else plan.deployment, change.setting) != change.value
    )


def _above(value: float) -> int:
    """Return a round number with some room above `value`."""
    wanted = value * _MARGIN
    unit = int(10 ** max(0, math.floor(math.log10(max(wanted, 1))) - 1))
    return math.ceil(wanted / unit) * unit


def _route(rate: float, plan: Plan) -> tuple[Change, ...]:
    burst = min(_MOST_ROUTE_BURST, max(plan.deployment.api_throttling_burst_limit, _above(rate)))
    return (
        Change("api_throttling_rate_limit", min(_MOST_ROUTE_RATE, _above(rate))),
        Change("api_throttling_burst_limit", burst),
    )


def _account(rate: float, plan: Plan) -> tuple[Change, ...]:
    return (Change("api_requests_per_second", _above(rate * (1 + plan.load.status_requests_per_order)), True),)


def _concurrency(rate: float, plan: Plan) -> tuple[Change, ...]:
    """Return the account's concurrency: what all functions need, and a tenth of the requests a second."""
    statuses = rate * plan.load.status_requests_per_order
    starting = rate * (plan.durations.cold_start_seconds + plan.durations.submission_seconds)
    needed = starting + statuses * plan.durations.status_seconds + plan.deployment.processing_maximum_concurrency
    by_requests = (rate + statuses) / plan.quotas.lambda_requests_per_second_per_concurrency
    return (Change("lambda_concurrency", max(plan.quotas.lambda_concurrency, _above(max(needed, by_requests))), True),)


def _mapping(rate: float, plan: Plan) -> tuple[Change, ...]:
    needed = _above(rate * plan.durations.processing_cycle_seconds / plan.deployment.processing_batch_size)
    current = plan.deployment.processing_maximum_concurrency
    return (Change("processing_maximum_concurrency", min(_MOST_MAPPING_CONCURRENCY, max(current, needed))),)


def _warmth(rate: float, plan: Plan) -> tuple[Change, ...]:
    return (Change("table_warm_write_units", min(int(plan.quotas.table_write_units_per_second), _above(rate))),)


def _shards(rate: float, plan: Plan) -> tuple[Change, ...]:
    shards = max(1, plan.deployment.table_warm_write_units // int(plan.quotas.partition_write_units_per_second))
    batches = rate * plan.durations.notification_seconds / plan.deployment.notification_batch_size
    return (
        Change(
            "notification_parallelization_factor", min(_MOST_PARALLELIZATION, math.ceil(batches * _MARGIN / shards))
        ),
    )


_REMEDIES: dict[Limit, Callable[[float, Plan], tuple[Change, ...]]] = {
    Limit.API_ROUTE: _route,
    Limit.API_ACCOUNT: _account,
    Limit.LAMBDA_REQUESTS: _concurrency,
    Limit.LAMBDA_ACCOUNT: _concurrency,
    Limit.SUBMISSION_RESERVED: lambda rate, plan: (
        Change(
            "submission_reserved_concurrency",
            _above(rate * (plan.durations.cold_start_seconds + plan.durations.submission_seconds)),
        ),
    ),
    Limit.MAPPING_CONCURRENCY: _mapping,
    Limit.PROCESSING_STARVED: lambda _, plan: (
        Change("processing_reserved_concurrency", plan.deployment.processing_maximum_concurrency),
    ),
    Limit.TABLE_WARMTH: _warmth,
    Limit.TABLE_QUOTA: lambda rate, _: (Change("table_write_units_per_second", _above(rate), True),),
    Limit.STREAM_SHARDS: _shards,
    Limit.TOPIC_RATE: lambda rate, _: (Change("topic_messages_per_second", _above(rate), True),),
    Limit.TOPIC_EMAIL: lambda _rate, _plan: (Change("completed_order_email", "none"),),
}
