"""The deployed pipeline as a discrete-event model: API, submission, queue, processing, table, stream, notification.

Each station is a process of simpy that acts once a step, and whatever comes back later (a failed order after the
visibility timeout, an environment after its cold start, a warmer table after half an hour) is an event of its own.
Within a step orders are numbers and not objects: 10,000 a second for an hour are 36 million, of which nobody asks
for a single one, and no limit modelled here reacts within a step. A step is 0.1 s for runs of some minutes and grows
with the run (`arrivals.py`). A test compares the model with a simulation of each single batch where that is feasible.

Not modelled: Lambda's backing off when invocations fail, retries by clients that were refused, errors of the
functions, latency of the network, and environments that Lambda takes away when idle.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from planning.arrivals import Arrivals
from planning.backlog import Backlog, Group, split
from planning.deployment import Deployment
from planning.durations import Durations
from planning.limits import Limit, LimitHit
from planning.on_demand_table import OnDemandTable
from planning.quotas import Quotas
from planning.token_bucket import TokenBucket

if TYPE_CHECKING:
    import simpy

# A run that has not drained so many steps after the last arrival is cut off.
MOST_STEPS_TO_DRAIN = 150_000

# Shorter waits are noise of the arrivals and no limit of anything.
_NOTABLE_WAIT_SECONDS = 1.0


@dataclass(frozen=True)
class Load:
    """What goes along with the orders."""

    status_requests_per_order: float = 1
    # The part of all orders that the busiest customer places; 0 spreads them over many.
    hottest_customer_share: float = 0


@dataclass
class Record:
    """What happened, step by step and in sum. Times are in steps, numbers are orders."""

    step_seconds: float
    offered: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)  # in the queue, visible or hidden
    oldest_seconds: list[float] = field(default_factory=list)
    places: list[float] = field(default_factory=list)  # of the mapping
    announcements_waiting: list[int] = field(default_factory=list)

    throttled: int = 0  # 429
    refused: int = 0  # 503, by Lambda
    dead_lettered: int = 0
    expired: int = 0
    announced: int = 0
    announcements_given_up: int = 0
    receives_used_up: int = 0  # deliveries that did not store their order
    batches: int = 0
    waits: dict[int, int] = field(default_factory=dict)  # steps from accepted to stored: orders
    settled_step: int = 0
    drained: bool = False
    hits: dict[Limit, int] = field(default_factory=dict)

    def limit_hits(self) -> list[LimitHit]:
        """Return the limits that were met, the first one first."""
        hits = [LimitHit(limit, step * self.step_seconds) for limit, step in self.hits.items()]
        order = list(Limit)
        return sorted(hits, key=lambda hit: (hit.seconds, order.index(hit.limit)))


def simulate(
    arrivals: Arrivals,
    deployment: Deployment,
    quotas: Quotas,
    durations: Durations,
    load: Load,
    *,
    seed: int = 1,
    queued: int = 0,
) -> Record:
    """Run the model until everything is settled and return what happened; the same arguments give the same.

    `queued` orders are in the queue already when it begins.
    """
    pipeline = _Pipeline(arrivals, deployment, quotas, durations, load, seed, queued)
    return pipeline.run()


class _Pipeline:
    def __init__(
        self,
        arrivals: Arrivals,
        deployment: Deployment,
        quotas: Quotas,
        durations: Durations,
        load: Load,
        seed: int,
        queued: int,
    ) -> None:
        import numpy as np
        import simpy

        self.arrivals = arrivals
        self.deployment = deployment
        self.quotas = quotas
        self.durations = durations
        self.load = load
        self.seconds = arrivals.step_seconds
        self.random = np.random.default_rng(seed)
        self.env = simpy.Environment()  # its time is in steps
        self.record = Record(self.seconds)

        self.route = TokenBucket(deployment.api_throttling_rate_limit, deployment.api_throttling_burst_limit)
        self.account = TokenBucket(quotas.api_requests_per_second, quotas.api_burst_requests)
        self.ramp = TokenBucket(quotas.lambda_new_environments_per_second, quotas.lambda_new_environments_at_once)
        self.warm_environments = 0
        self.cold_environments = 0
        self.statuses_owed = 0.0
        self.executing = {"status": 0.0, "processing": 0.0, "notification": 0.0}

        self.queue = Backlog()
        self.queue.add(0, queued)
        self.hidden = 0
        self.places = float(min(quotas.mapping_first_batches, deployment.processing_maximum_concurrency))
        self.batches_owed = 0.0
        self.drops_owed = 0.0
        self.table = OnDemandTable(deployment.table_warm_write_units, quotas)
        self.hot_partition = TokenBucket(
            quotas.partition_write_units_per_second, quotas.partition_write_units_per_second
        )
        self.stream = Backlog()
        self.announcements_owed = 0.0
        self.topic = TokenBucket(quotas.topic_messages_per_second, quotas.topic_messages_per_second)
        self.email = TokenBucket(quotas.topic_emails_per_second, quotas.topic_emails_per_second)

    def run(self) -> Record:
        self.env.process(self._each_step(self._take_orders))
        self.env.process(self._each_step(self._store_orders))
        self.env.process(self._each_step(self._announce_orders))
        self.env.process(self._warm_table())
        self.env.run(until=self.env.process(self._watch()))
        return self.record

    @property
    def step(self) -> int:
        """The present, in steps."""
        return int(self.env.now)

    def _each_step(self, act: Callable[[], None]) -> "Iterator[simpy.Event]":
        while True:
            act()
            yield self.env.timeout(1)

    def _hit(self, limit: Limit) -> None:
        self.record.hits.setdefault(limit, self.step)

    def _steps(self, seconds: float) -> int:
        return max(1, math.ceil(seconds / self.seconds - 1e-9))

    # --- API and submission -----------------------------------------------------------------------------------

    def _take_orders(self) -> None:
        is_over = self.step >= len(self.arrivals.counts)
        offered = 0 if is_over else int(self.arrivals.counts[self.step])
        admitted = self.route.admit(offered, self.seconds)
        if admitted < offered:
            self._hit(Limit.API_ROUTE)

        # GET requests have a route's throttle of their own, as high as that of the orders, but share the account's.
        self.statuses_owed += admitted * self.load.status_requests_per_order
        statuses = int(self.statuses_owed)
        self.statuses_owed -= statuses
        within_account = self.account.admit(admitted + statuses, self.seconds)
        if within_account < admitted + statuses:
            self._hit(Limit.API_ACCOUNT)
            admitted = admitted * within_account // (admitted + statuses)
            statuses = within_account - admitted
        self.executing["status"] = statuses / self.seconds * self.durations.status_seconds

        accepted = self._submit(admitted, statuses)
        self.record.throttled += offered - admitted
        self.record.refused += admitted - accepted
        self.queue.add(self.step, accepted)
        self.record.offered.append(offered)
        self.record.accepted.append(accepted)

    def _submit(self, requests: int, statuses: int) -> int:
        """Return how many of the step's requests submission takes; the others Lambda refuses."""
        reserved = self.deployment.submission_reserved_concurrency
        allowed = int(self._shared_concurrency(besides="submission")) if reserved is None else reserved
        served = min(requests, self._let_through(requests, statuses, reserved))
        if served < requests:
            self._hit(Limit.LAMBDA_REQUESTS if reserved is None else Limit.SUBMISSION_RESERVED)
        by_warm = int(min(self.warm_environments, allowed) * self.seconds / self.durations.submission_seconds)
        missing = served - by_warm
        if missing <= 0:
            return served
        # A new environment serves one request when it has started, and others in what is left of the step.
        left = max(0.0, self.seconds - self.durations.cold_start_seconds - self.durations.submission_seconds)
        by_new = 1 + left / self.durations.submission_seconds
        wanted = math.ceil(missing / by_new)
        room = max(0, allowed - self.warm_environments - self.cold_environments)
        new = self.ramp.admit(min(wanted, room), self.seconds)
        if room < wanted:
            self._hit(Limit.LAMBDA_ACCOUNT if reserved is None else Limit.SUBMISSION_RESERVED)
        elif new < wanted:
            self._hit(Limit.LAMBDA_RAMP)
        if new:
            self.cold_environments += new
            self.env.process(self._start_environments(new))
        return min(served, by_warm + int(new * by_new))

    def _let_through(self, requests: int, statuses: int, reserved: int | None) -> int:
        """Return how many requests Lambda lets through to submission, by their number alone."""
        each = self.quotas.lambda_requests_per_second_per_concurrency
        if reserved is not None:
            return int(each * reserved * self.seconds)
        # The functions without a reservation share the account's number, each by what it asks for.
        shared = self.quotas.lambda_concurrency - (self.deployment.processing_reserved_concurrency or 0)
        most = int(each * max(0, shared) * self.seconds)
        return requests if requests + statuses <= most else requests * most // (requests + statuses)

    def _start_environments(self, count: int) -> "Iterator[simpy.Event]":
        yield self.env.timeout(self._steps(self.durations.cold_start_seconds))
        self.cold_environments -= count
        self.warm_environments += count

    def _shared_concurrency(self, besides: str) -> float:
        """Return what is left of the account's concurrency for a function that shares it."""
        left = float(self.quotas.lambda_concurrency)
        for function, reserved in (
            ("submission", self.deployment.submission_reserved_concurrency),
            ("processing", self.deployment.processing_reserved_concurrency),
            ("status", None),
            ("notification", None),
        ):
            if function == besides:
                continue
            if reserved is not None:
                left -= reserved
            elif function == "submission":
                left -= self._submission_executions()
            else:
                left -= self.executing[function]
        return max(0.0, left)

    def _submission_executions(self) -> float:
        accepted = self.record.accepted[-1] if self.record.accepted else 0
        return self.cold_environments + accepted / self.seconds * self.durations.submission_seconds

    # --- Queue, mapping and processing ------------------------------------------------------------------------

    def _store_orders(self) -> None:
        self.record.expired += self.queue.drop_older_than(
            self.step - self._steps(self.deployment.queue_retention_seconds)
        )
        waiting = self.queue.count
        reserved = self.deployment.processing_reserved_concurrency
        allowed = self._shared_concurrency(besides="processing") if reserved is None else float(reserved)
        running = min(self.places, allowed)
        received, batches = self._receive(running)
        self.executing["processing"] = batches * self.durations.processing_seconds / self.seconds
        self.record.batches += batches
        self._write(received)
        if allowed < self.places:
            self._drop_throttled(running)
        self._scale_mapping(waiting)

    def _receive(self, running: float) -> tuple[list[Group], int]:
        """Take the step's batches out of the queue."""
        size = self.deployment.processing_batch_size
        cycle = self.durations.processing_cycle_seconds
        self.batches_owed += running * self.seconds / cycle
        full = min(int(self.batches_owed), -(-self.queue.count // size))
        room = max(0, self.quotas.queue_in_flight_messages - self.hidden)
        # What is in flight turns over once a cycle, so a step may receive so often the room that there is.
        most = int(room * max(1.0, self.seconds / cycle))
        if min(full * size, self.queue.count) > most:
            self._hit(Limit.QUEUE_IN_FLIGHT)
        received = self.queue.take(min(full * size, most))
        # A poller that is free takes what is there: batches are only as full as there are too few pollers
        # to take each order by itself, or as the batching window gathers.
        count = sum(group.count for group in received)
        gathering = max(cycle, self.deployment.processing_batching_window_seconds)
        free = max(1, round(running * self.seconds / gathering))
        batches = max(-(-count // size), min(count, free))
        self.batches_owed = min(max(0.0, self.batches_owed - batches), running)
        return received, batches

    def _write(self, received: list[Group]) -> None:
        """Store what was received; what the table refuses is hidden until its visibility timeout."""
        count = sum(group.count for group in received)
        if count == 0:
            self.record.stored.append(0)
            return
        hot = round(count * self.load.hottest_customer_share)
        refused_hot = hot - self.hot_partition.admit(hot, self.seconds)
        if refused_hot:
            self._hit(Limit.INDEX_PARTITION)
        written = self.table.write(count - refused_hot, self.seconds)
        if written < count - refused_hot:
            self._hit(Limit.TABLE_QUOTA if self.table.is_at_quota else Limit.TABLE_WARMTH)
        failed = count - written
        share = [0] * len(received)
        if failed:
            share = self.random.multivariate_hypergeometric(
                [group.count for group in received], failed, method="marginals"
            ).tolist()
        for stored, unstored in split(received, share):
            if stored.count:
                wait = self.step - stored.since
                self.record.waits[wait] = self.record.waits.get(wait, 0) + stored.count
            if unstored.count:
                self._hide(unstored)
        self.record.stored.append(written)
        self.stream.add(self.step, written)
        if written:
            self.record.settled_step = self.step

    def _drop_throttled(self, running: float) -> None:
        """Use up receives of what pollers hold that never get an execution.

        A throttled poller tries its batch again until the visibility timeout and then drops it
        (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html). Who gets the next free
        execution is chance, so that the wait is taken as exponential around its mean.
        """
        timeout = self.deployment.visibility_timeout_seconds
        starved = self.places - running
        mean_wait = starved / running * self.durations.processing_cycle_seconds if running > 0 else math.inf
        chance = math.exp(-timeout / mean_wait) if mean_wait > 0 else 0.0
        if self.queue.count == 0 or chance < 1e-9:
            return
        self.drops_owed += starved * self.seconds / timeout * chance
        dropped = int(self.drops_owed)
        self.drops_owed -= dropped
        for group in self.queue.take(dropped * self.deployment.processing_batch_size):
            self._hit(Limit.PROCESSING_STARVED)
            self._hide(group)

    def _hide(self, group: Group) -> None:
        self.record.receives_used_up += group.count
        self.hidden += group.count
        self.env.process(self._reappear(group))

    def _reappear(self, group: Group) -> "Iterator[simpy.Event]":
        yield self.env.timeout(self._steps(self.deployment.visibility_timeout_seconds))
        self.hidden -= group.count
        if group.receives >= self.deployment.maximum_receives:
            self.record.dead_lettered += group.count
            self.record.settled_step = self.step
        else:
            self.queue.give_back(group)

    def _scale_mapping(self, waiting_before: int) -> None:
        most = float(self.deployment.processing_maximum_concurrency)
        least = min(float(self.quotas.mapping_first_batches), most)
        change = self.quotas.mapping_new_batches_per_minute / 60 * self.seconds
        oldest = self.queue.oldest()
        is_backlog = oldest is not None and (self.step - oldest) * self.seconds >= _NOTABLE_WAIT_SECONDS
        if is_backlog and waiting_before:
            self._hit(Limit.MAPPING_RAMP if self.places < most else Limit.MAPPING_CONCURRENCY)
        if self.queue.count > 0:
            self.places = min(most, self.places + change)
        else:
            self.places = max(least, self.places - change)

    def _warm_table(self) -> "Iterator[simpy.Event]":
        while True:
            yield self.env.timeout(self._steps(self.quotas.table_doubling_seconds))
            self.table.warm_up()

    # --- Stream and notification ------------------------------------------------------------------------------

    def _announce_orders(self) -> None:
        self.record.announcements_given_up += self.stream.drop_older_than(
            self.step - self._steps(self.deployment.notification_maximum_age_seconds)
        )
        size = self.deployment.notification_batch_size
        at_once = self.table.partitions * self.deployment.notification_parallelization_factor
        at_once = min(at_once, int(self._shared_concurrency(besides="notification")))
        self.announcements_owed += at_once * self.seconds / self.durations.notification_seconds
        batches = min(int(self.announcements_owed), -(-self.stream.count // size))
        wanted = min(batches * size, self.stream.count)
        taken = self.topic.admit(wanted, self.seconds)
        if taken < wanted:
            self._hit(Limit.TOPIC_RATE)
        self.announcements_owed = min(max(0.0, self.announcements_owed - batches), at_once)
        self.stream.take(taken)
        self.executing["notification"] = batches * self.durations.notification_seconds / self.seconds
        self.record.announced += taken
        oldest = self.stream.oldest()
        if oldest is not None and (self.step - oldest) * self.seconds >= _NOTABLE_WAIT_SECONDS:
            self._hit(Limit.STREAM_SHARDS)
        if self.deployment.completion_is_mailed and self.email.admit(taken, self.seconds) < taken:
            self._hit(Limit.TOPIC_EMAIL)

    # --- The end of a step ------------------------------------------------------------------------------------

    def _watch(self) -> "Iterator[simpy.Event]":
        while True:
            record = self.record
            record.waiting.append(self.queue.count + self.hidden)
            record.places.append(self.places)
            record.announcements_waiting.append(self.stream.count)
            oldest = self.queue.oldest()
            record.oldest_seconds.append(0.0 if oldest is None else (self.step - oldest) * self.seconds)
            ended = self.step >= len(self.arrivals.counts) - 1
            if ended and not (self.queue.count or self.hidden or self.stream.count):
                record.drained = True
                return
            if self.step >= len(self.arrivals.counts) + MOST_STEPS_TO_DRAIN:
                return
            yield self.env.timeout(1)
