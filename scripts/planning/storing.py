"""The second station: the queue's mapping and the processing function, until an order is in the table."""

import math

from planning.backlog import Backlog, Group, split
from planning.limits import Limit
from planning.on_demand_table import OnDemandTable
from planning.run import NOTABLE_WAIT_SECONDS, Run
from planning.token_bucket import TokenBucket


class Storing:
    """Receives batches, stores their orders, and gives back to the queue what the table refuses."""

    def __init__(self, run: Run, queue: Backlog, table: OnDemandTable, stream: Backlog) -> None:
        quotas = run.plan.quotas
        self._run = run
        self._queue = queue
        self._table = table
        self._stream = stream
        self._most_places = float(run.plan.deployment.processing_maximum_concurrency)
        self._least_places = min(float(quotas.mapping_first_batches), self._most_places)
        self.places = self._least_places
        self.hidden = 0
        self._batches_owed = 0.0
        self._drops_owed = 0.0
        partition = quotas.partition_write_units_per_second
        self._hot_partition = TokenBucket(partition, partition)
        run.every(quotas.table_doubling_seconds, table.warm_up)

    def act(self) -> None:
        """Store the orders of one step."""
        run = self._run
        retention = run.steps(run.plan.deployment.queue_retention_seconds)
        run.record.expired += self._queue.drop_older_than(run.step - retention)
        reserved = run.plan.deployment.processing_reserved_concurrency
        allowed = run.shared_concurrency(besides="processing") if reserved is None else float(reserved)
        running = min(self.places, allowed)
        received, batches = self._receive(running)
        run.executing["processing"] = batches * run.plan.durations.processing_seconds / run.seconds
        run.record.batches += batches
        self._write(received)
        if allowed < self.places:
            self._drop_throttled(running)
        if run.seconds_since(self._queue.oldest_fresh()) >= NOTABLE_WAIT_SECONDS:
            run.hit(Limit.MAPPING_RAMP if self.places < self._most_places else Limit.MAPPING_CONCURRENCY)
        self._scale()

    def _receive(self, running: float) -> tuple[list[Group], float]:
        """Take the step's batches out of the queue; return their orders and how many batches they are."""
        run, deployment = self._run, self._run.plan.deployment
        size = deployment.processing_batch_size
        cycle = run.plan.durations.processing_cycle_seconds
        self._batches_owed += running * run.seconds / cycle
        wanted = min(int(self._batches_owed) * size, self._queue.count)
        # What is stored leaves the room to others after a cycle; what will be refused keeps it.
        room = max(0, run.plan.quotas.queue_in_flight_messages - self.hidden)
        most = min(int(room * max(1.0, run.seconds / cycle)), room + self._table.available(run.seconds))
        if wanted > most:
            run.hit(Limit.QUEUE_IN_FLIGHT)
        received = self._queue.take(min(wanted, most))
        # A poller that is free takes what is there: batches are only full where more waits, and otherwise as full
        # as there are too few pollers to take each order by itself, or as the batching window gathers.
        count = sum(group.count for group in received)
        batches = count / size
        if self._queue.count == 0:
            gathering = max(cycle, deployment.processing_batching_window_seconds)
            batches = max(batches, min(count, running * run.seconds / gathering))
        self._batches_owed = min(max(0.0, self._batches_owed - batches), running)
        return received, batches

    def _write(self, received: list[Group]) -> None:
        """Store what was received; what the table refuses is hidden until its visibility timeout."""
        run, record = self._run, self._run.record
        count = sum(group.count for group in received)
        hot = round(count * run.plan.load.hottest_customer_share)
        refused_hot = hot - self._hot_partition.admit(hot, run.seconds)
        if refused_hot:
            run.hit(Limit.INDEX_PARTITION)
        written = self._table.write(count - refused_hot, run.seconds)
        if written < count - refused_hot:
            run.hit(Limit.TABLE_QUOTA if self._table.is_at_quota else Limit.TABLE_WARMTH)
        for stored, unstored in split(received, self._chosen(received, count - written)):
            if stored.count:
                wait = run.step - stored.since
                record.waits[wait] = record.waits.get(wait, 0) + stored.count
            if unstored.count:
                self._hide(unstored)
        record.stored.append(written)
        if written:
            self._stream.add(run.step, written)
            record.settled_step = run.step

    def _chosen(self, groups: list[Group], count: int) -> list[int]:
        """Return for each group how many of it chance chooses, `count` in all."""
        if count == 0:
            return [0] * len(groups)
        sizes = [group.count for group in groups]
        chosen: list[int] = self._run.random.multivariate_hypergeometric(sizes, count, method="marginals").tolist()
        return chosen

    def _drop_throttled(self, running: float) -> None:
        """Use up receives of what pollers hold that never get an execution.

        A throttled poller tries its batch again until the visibility timeout and then drops it
        (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html). Who gets the next free
        execution is chance, so that the wait is taken as exponential around its mean.
        """
        run = self._run
        timeout = run.plan.deployment.visibility_timeout_seconds
        starved = self.places - running
        mean_wait = starved / running * run.plan.durations.processing_cycle_seconds if running > 0 else math.inf
        self._drops_owed += starved * run.seconds / timeout * math.exp(-timeout / mean_wait)
        dropped = int(self._drops_owed)
        self._drops_owed -= dropped
        for group in self._queue.take(dropped * run.plan.deployment.processing_batch_size):
            run.hit(Limit.PROCESSING_STARVED)
            self._hide(group)

    def _hide(self, group: Group) -> None:
        self._run.record.receives_used_up += group.count
        self.hidden += group.count
        self._run.later(self._run.plan.deployment.visibility_timeout_seconds, lambda: self._reappear(group))

    def _reappear(self, group: Group) -> None:
        self.hidden -= group.count
        if group.receives < self._run.plan.deployment.maximum_receives:
            self._queue.give_back(group)
        else:
            self._run.record.dead_lettered += group.count
            self._run.record.settled_step = self._run.step

    def _scale(self) -> None:
        change = self._run.plan.quotas.mapping_new_batches_per_minute / 60 * self._run.seconds
        if self._queue.count > 0:
            self.places = min(self._most_places, self.places + change)
        else:
            self.places = max(self._least_places, self.places - change)
