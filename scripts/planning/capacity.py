"""The deployed pipeline as a model that advances in steps: API, submission, queue, processing, table, notification.

A step takes 0.1 s for runs of minutes and grows with the run. Within a step, orders are only counted, because no
modelled limit reacts faster. The model is deterministic.

Not modelled: Lambda's backoff after failed invocations, client retries, errors of the functions, network latency, and
idle environments that Lambda reclaims.
"""

import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from planning.settings import Settings, gathered_orders, window_wait_seconds

_MAX_ARRIVAL_STEPS = 3_000
_MAX_DRAIN_STEPS = 150_000
# Shorter waits are noise, not the effect of a limit.
_NOTABLE_WAIT_SECONDS = 1.0


class Limit(Enum):
    """A limit: its effect, and the setting or quota that raises it. They are sorted by the path of an order."""

    API_ROUTE = "the API's throttle is reached: 429", "api_throttling_rate_limit"
    API_ACCOUNT = "the account's API quota is used up: 429", "API Gateway quota: throttle rate (L-8A5B8E43)"
    LAMBDA_RAMP = (
        "submission cannot start environments fast enough: 503",
        "no setting: 1,000 at once, then 100 per second",
    )
    SUBMISSION_RESERVED = "submission's reserved concurrency is used up: 503", "submission_reserved_concurrency"
    LAMBDA_ACCOUNT = (
        "the account's concurrency, or its 10 requests per second per unit, is used up: 503",
        "Lambda quota: concurrent executions (L-B99A9384)",
    )
    MAPPING_RAMP = "orders wait while the mapping adds 300 batches per minute", "provisioned pollers"
    MAPPING_CONCURRENCY = "orders wait for the mapping's concurrency", "processing_maximum_concurrency"
    QUEUE_IN_FLIGHT = "120,000 messages are in flight and the queue delivers no more", "SQS quota: in-flight messages"
    TABLE_WARMTH = (
        "more than twice the table's earlier peak is rejected; each rejection uses up a receive",
        "the table's warm throughput, in write units per second",
    )
    TABLE_QUOTA = (
        "the account's write quota for a table rejects orders; each rejection uses up a receive",
        "DynamoDB quota: table-level write throughput",
    )
    STREAM_SHARDS = (
        "announcements wait: one concurrent batch per shard of the stream",
        "notification_parallelization_factor",
    )

    def __init__(self, effect: str, raised_by: str) -> None:
        self.effect, self.raised_by = effect, raised_by


@dataclass
class SimulationResult:
    """The result of one run. Numbers are orders unless the name has a unit."""

    offered: int = 0
    accepted: int = 0
    throttled_429: int = 0
    rejected_503: int = 0
    stored: int = 0
    dead_lettered: int = 0
    peak_backlog: int = 0  # in the queue, visible or in flight
    oldest_order_seconds: float = 0.0
    drain_seconds: float | None = None  # from the last arrival; None if the run ended first
    wait_p50_seconds: float = 0.0
    wait_p99_seconds: float = 0.0
    orders_per_batch: float = 0.0
    announced: int = 0
    announcements_failed: int = 0
    limits: dict[Limit, float] = field(default_factory=dict)  # seconds until each was first met, in that order


class TokenBucket:
    """Admits `burst` at once and `rate` per second in the long run.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens = float(burst)

    def available(self, seconds: float) -> int:
        return int(self._tokens + self.rate * seconds + 1e-9)

    def admit(self, wanted: int, seconds: float) -> int:
        admitted = min(wanted, self.available(seconds))
        self._tokens = min(self.burst, self._tokens + self.rate * seconds - admitted)
        return admitted


class OnDemandTable:
    """Write capacity of an on-demand table: twice the previous peak at once, more only after 30 minutes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.capacity = min(float(settings.table_warm_write_units), settings.table_write_units_per_second)
        self.bucket = TokenBucket(self.capacity, self.capacity)
        self._peak = 0.0

    @property
    def partitions(self) -> int:
        """The partitions that the capacity needs; the stream has one shard for each."""
        return max(1, math.ceil(self.capacity / self._settings.partition_write_units_per_second))

    def write(self, units: int, seconds: float) -> int:
        written = self.bucket.admit(units, seconds)
        self._peak = max(self._peak, min(written / seconds, self.capacity))
        return written

    def warm_up(self) -> None:
        """Raise the capacity to twice the peak so far; called every `table_doubling_seconds`."""
        self.capacity = max(self.capacity, min(2 * self._peak, self._settings.table_write_units_per_second))
        self.bucket.rate = self.bucket.burst = self.capacity


@dataclass
class _Group:
    """Orders accepted in the same step and received equally often."""

    since: int
    receives: int
    count: int


class _Backlog:
    """Groups of waiting orders, oldest first. SQS does not guarantee this order, but delivers in it on average."""

    def __init__(self) -> None:
        self._fresh: deque[_Group] = deque()
        self._returned: deque[_Group] = deque()
        self.count = 0

    def add(self, since: int, count: int) -> None:
        if count:
            self._fresh.append(_Group(since, 0, count))
            self.count += count

    def put_back(self, group: _Group) -> None:
        self._returned.append(group)
        self.count += group.count

    def take(self, count: int) -> list[_Group]:
        taken = []
        for groups in (self._returned, self._fresh):
            while groups and count > 0:
                group, part = groups[0], min(groups[0].count, count)
                taken.append(_Group(group.since, group.receives + 1, part))
                group.count -= part
                count -= part
                self.count -= part
                if not group.count:
                    groups.popleft()
        return taken

    def oldest(self) -> int | None:
        return min((groups[0].since for groups in (self._returned, self._fresh) if groups), default=None)

    def oldest_fresh(self) -> int | None:
        return self._fresh[0].since if self._fresh else None

    def drop_older_than(self, step: int) -> int:
        dropped = 0
        while self._fresh and self._fresh[0].since < step:
            dropped += self._fresh.popleft().count
        self.count -= dropped
        return dropped


def simulate(rate: float, seconds: float, settings: Settings) -> SimulationResult:
    """Send `rate` orders per second for `seconds`, and run the model until no order waits."""
    return _Simulation(rate, seconds, settings).run()


class _Simulation:
    def __init__(self, rate: float, seconds: float, settings: Settings) -> None:
        self.settings, self.result = settings, SimulationResult()
        self.seconds = math.ceil(seconds / _MAX_ARRIVAL_STEPS * 10) / 10
        self._orders_per_step = rate * self.seconds
        self._orders_owed = 0.0
        self._last = max(1, round(seconds / self.seconds)) - 1
        self.step = self.done_step = 0
        self._events = defaultdict[int, list[Callable[[], None]]](list)
        names = ("submission", "processing")
        reserved = {name: getattr(settings, f"{name}_reserved_concurrency") for name in names}
        self._reserved: dict[str, int] = {name: count for name, count in reserved.items() if count is not None}
        # Concurrent executions of each function in its last step.
        self._executing = dict.fromkeys(("submission", "status", "processing", "notification"), 0.0)

        self._route = TokenBucket(settings.api_throttling_rate_limit, settings.api_throttling_burst_limit)
        self._account = TokenBucket(settings.api_requests_per_second, settings.api_burst_requests)
        self._statuses_owed = 0.0
        self._ramp = TokenBucket(settings.lambda_new_environments_per_second, settings.lambda_new_environments_at_once)
        self._warm = self._starting = 0

        self.queue = _Backlog()
        self.concurrency = float(settings.pollers)
        self.in_flight = 0  # received and not stored: hidden until the visibility timeout
        self._batches = self._batches_owed = 0.0
        self._window_wait = 0.0  # seconds that an order of the last step waited for its batch
        self._waits: dict[float, int] = {}  # seconds from accepted to received: orders
        self._table = OnDemandTable(settings)

        self._stream = _Backlog()
        self._announcement_batches_owed = 0.0

    def run(self) -> SimulationResult:
        while True:
            for action in self._events.pop(self.step, ()):
                action()
            if self.step and self.step % self._steps(self.settings.table_doubling_seconds) == 0:
                self._table.warm_up()
            self._accept()
            self._process()
            self._announce()

            result = self.result
            backlog = self.queue.count + self.in_flight
            result.peak_backlog = max(result.peak_backlog, backlog)
            result.oldest_order_seconds = max(result.oldest_order_seconds, self._age(self.queue.oldest()))
            waiting = backlog + self._stream.count
            if self.step >= self._last and (not waiting or self.step > self._last + _MAX_DRAIN_STEPS):
                break
            self.step += 1
        if not waiting:
            result.drain_seconds = max(0, self.done_step - self._last) * self.seconds
        result.wait_p50_seconds, result.wait_p99_seconds = self._wait_percentile(0.5), self._wait_percentile(0.99)
        result.orders_per_batch = result.stored / self._batches if self._batches else 0.0
        return result

    def _steps(self, seconds: float) -> int:
        return max(1, round(seconds / self.seconds))

    def _age(self, since: int | None) -> float:
        return 0.0 if since is None else (self.step - since) * self.seconds

    def _record(self, limit: Limit) -> None:
        self.result.limits.setdefault(limit, self.step * self.seconds)

    def _schedule(self, seconds: float, action: Callable[[], None]) -> None:
        self._events[self.step + self._steps(seconds)].append(action)

    def _shared_concurrency(self, function: str) -> float:
        """Return the account's concurrency that is left for `function`, which has no reserved concurrency."""
        others = sum(count for name, count in self._executing.items() if name not in {function, *self._reserved})
        return max(0.0, self.settings.lambda_concurrency - sum(self._reserved.values()) - others)

    def _wait_percentile(self, share: float) -> float:
        wanted, seen = share * sum(self._waits.values()), 0
        for wait in sorted(self._waits):
            seen += self._waits[wait]
            if seen >= wanted:
                return wait
        return 0.0

    # API Gateway and submission.

    def _accept(self) -> None:
        settings, result, offered = self.settings, self.result, 0
        if self.step <= self._last:
            self._orders_owed += self._orders_per_step
            offered = int(self._orders_owed + 1e-9)
            self._orders_owed -= offered
        admitted, statuses = self._admit(offered)
        accepted = self._submit(admitted, statuses)
        result.offered += offered
        result.throttled_429 += offered - admitted
        result.rejected_503 += admitted - accepted
        result.accepted += accepted
        self.queue.add(self.step, accepted)
        self._executing["status"] = statuses / self.seconds * settings.status_seconds
        self._executing["submission"] = self._starting + accepted / self.seconds * settings.submission_seconds

    def _admit(self, offered: int) -> tuple[int, int]:
        """Return the numbers of orders and of their status requests that the API admits."""
        admitted = self._route.admit(offered, self.seconds)
        if admitted < offered:
            self._record(Limit.API_ROUTE)
        # The status route has its own throttle, with the same limits as POST, but both share the account's quota.
        self._statuses_owed += admitted * self.settings.status_requests_per_order
        statuses = int(self._statuses_owed)
        self._statuses_owed -= statuses
        within_account = self._account.admit(admitted + statuses, self.seconds)
        if within_account < admitted + statuses:
            self._record(Limit.API_ACCOUNT)
            admitted = admitted * within_account // (admitted + statuses)
            statuses = within_account - admitted
        return admitted, statuses

    def _submit(self, requests: int, statuses: int) -> int:
        """Return how many of the step's requests submission handles; Lambda throttles the others."""
        settings, reserved = self.settings, self.settings.submission_reserved_concurrency
        allowed = int(self._shared_concurrency("submission")) if reserved is None else reserved
        served = min(requests, self._requests_allowed(requests, statuses))
        if served < requests:
            self._record(Limit.LAMBDA_ACCOUNT if reserved is None else Limit.SUBMISSION_RESERVED)
        by_warm = int(min(self._warm, allowed) * self.seconds / settings.submission_seconds)
        missing = served - by_warm
        if missing <= 0:
            return served
        # A new environment serves one request after its start, and more in the rest of the step.
        rest = max(0.0, self.seconds - settings.cold_start_seconds - settings.submission_seconds)
        by_new = 1 + rest / settings.submission_seconds
        wanted = math.ceil(missing / by_new)
        room = max(0, allowed - self._warm - self._starting)
        new = self._ramp.admit(min(wanted, room), self.seconds)
        if room < wanted:
            self._record(Limit.LAMBDA_ACCOUNT if reserved is None else Limit.SUBMISSION_RESERVED)
        elif new < wanted:
            self._record(Limit.LAMBDA_RAMP)
        if new:
            self._starting += new
            self._schedule(settings.cold_start_seconds, lambda: self._mark_warm(new))
        return min(served, by_warm + int(new * by_new))

    def _mark_warm(self, count: int) -> None:
        self._starting -= count
        self._warm += count

    def _requests_allowed(self, requests: int, statuses: int) -> int:
        settings, each = self.settings, self.settings.lambda_requests_per_second_per_concurrency
        if settings.submission_reserved_concurrency is not None:
            return int(each * settings.submission_reserved_concurrency * self.seconds)
        shared = settings.lambda_concurrency - (settings.processing_reserved_concurrency or 0)
        most = int(each * max(0, shared) * self.seconds)
        return requests if requests + statuses <= most else requests * most // (requests + statuses)

    # The queue's mapping, processing and the table.

    def _process(self) -> None:
        settings, reserved = self.settings, self.settings.processing_reserved_concurrency
        allowed = self._shared_concurrency("processing") if reserved is None else float(reserved)
        running = min(self.concurrency, allowed)
        received, batches = self._receive(running)
        self._executing["processing"] = batches * settings.processing_seconds / self.seconds
        self._batches += batches
        self._store(received)
        if self._age(self.queue.oldest_fresh()) >= _NOTABLE_WAIT_SECONDS:
            is_scaling = self.concurrency < settings.processing_maximum_concurrency
            self._record(Limit.MAPPING_RAMP if is_scaling else Limit.MAPPING_CONCURRENCY)
        change = settings.mapping_new_batches_per_minute / 60 * self.seconds
        if self.queue.count:
            self.concurrency = min(float(settings.processing_maximum_concurrency), self.concurrency + change)
        else:
            self.concurrency = max(float(settings.pollers), self.concurrency - change)

    def _receive(self, running: float) -> tuple[list[_Group], float]:
        """Return the orders received in this step, and in how many batches."""
        settings, size = self.settings, self.settings.processing_batch_size
        cycle = settings.processing_cycle_seconds
        self._batches_owed += running * self.seconds / cycle
        wanted = min(int(self._batches_owed) * size, self.queue.count)
        # Stored orders free their place in flight after a cycle; rejected ones keep it.
        room = max(0, settings.queue_in_flight_messages - self.in_flight)
        most = min(int(room * max(1.0, self.seconds / cycle)), room + self._table.bucket.available(self.seconds))
        if wanted > most:
            self._record(Limit.QUEUE_IN_FLIGHT)
        received = self.queue.take(min(wanted, most))
        # A free poller takes all visible messages. Batches are full only with a backlog or a window.
        count = sum(group.count for group in received)
        batches, self._window_wait = count / size, 0.0
        if count and not self.queue.count:
            rate, window = count / self.seconds / running, settings.processing_batch_window_seconds
            batches = count / gathered_orders(rate, cycle, window, size)
            self._window_wait = window_wait_seconds(rate, window, size)
        self._batches_owed = min(max(0.0, self._batches_owed - batches), running)
        return received, batches

    def _store(self, received: list[_Group]) -> None:
        count = sum(group.count for group in received)
        written = self._table.write(count, self.seconds)
        if written < count:
            at_quota = self._table.capacity >= self.settings.table_write_units_per_second
            self._record(Limit.TABLE_QUOTA if at_quota else Limit.TABLE_WARMTH)
        rejected, seen = count - written, 0
        for group in received:
            # Rejections spread evenly over the groups: the difference of two rounded running shares.
            before, seen = seen, seen + group.count
            part = rejected * seen // count - rejected * before // count
            stored = group.count - part
            if stored:
                wait = (self.step - group.since) * self.seconds + self._window_wait
                self._waits[wait] = self._waits.get(wait, 0) + stored
            if part:
                self._hide(_Group(group.since, group.receives, part))
        self.result.stored += written
        if written:
            self._stream.add(self.step, written)
            self.done_step = self.step

    def _hide(self, group: _Group) -> None:
        self.in_flight += group.count
        self._schedule(self.settings.visibility_timeout_seconds, lambda: self._reappear(group))

    def _reappear(self, group: _Group) -> None:
        self.in_flight -= group.count
        if group.receives < self.settings.maximum_receives:
            self.queue.put_back(group)
        else:
            self.result.dead_lettered += group.count
            self.done_step = self.step

    # The table's stream and notification.

    def _announce(self) -> None:
        settings = self.settings
        age = self._steps(settings.notification_maximum_age_seconds)
        self.result.announcements_failed += self._stream.drop_older_than(self.step - age)
        size, seconds = settings.notification_batch_size, settings.notification_seconds
        concurrency = self._table.partitions * settings.notification_parallelization_factor
        concurrency = min(concurrency, int(self._shared_concurrency("notification")))
        self._announcement_batches_owed += concurrency * self.seconds / seconds
        batches = min(int(self._announcement_batches_owed), math.ceil(self._stream.count / size))
        self._announcement_batches_owed = min(self._announcement_batches_owed - batches, concurrency)
        self._executing["notification"] = batches * seconds / self.seconds

        announced = min(batches * size, self._stream.count)
        self._stream.take(announced)
        self.result.announced += announced
        if self._age(self._stream.oldest()) >= _NOTABLE_WAIT_SECONDS:
            self._record(Limit.STREAM_SHARDS)
