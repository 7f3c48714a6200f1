"""`python -m planning calibrate`: holds the capacity model against the local stack, at small scale.

Starts a local stack of its own, measures how long a batch takes while small backlogs drain, and lets the model
foretell how long larger ones take. The local engine has no ramps and no quotas, so that only the queue, its places
and its batches are compared; and what sends orders meanwhile would take the processors that process them, so that
none come in. Takes about a minute; the machine should have nothing else to do.
"""

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from planning.arrivals import Arrivals
from planning.deployment import Deployment
from planning.durations import Durations
from planning.errors import PlanningError
from planning.needed_packages import require_needed_packages
from planning.pipeline import simulate
from planning.plan import Plan
from planning.quotas import Quotas

_REPOSITORY = Path(__file__).resolve().parents[2]

TOLERANCE = 0.20
_STEP_SECONDS = 0.1
_PAUSE_SECONDS = 0.02
_DEADLINE_SECONDS = 300


@dataclass(frozen=True)
class Comparison:
    """A backlog's drain time as it was measured, and as the model foretold it."""

    what: str
    measured_seconds: float
    model_seconds: float

    @property
    def difference(self) -> float:
        """The model's error, as a part of what was measured."""
        return self.model_seconds / self.measured_seconds - 1


class _LocalQueue:
    """The orders queue of a local stack, with its consumer switched on and off."""

    def __init__(self, stack: Any) -> None:
        self._sqs = stack.client("sqs")
        self._lambda = stack.client("lambda")
        self._url = stack.outputs["orders_queue_url"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        mappings = self._lambda.list_event_source_mappings()["EventSourceMappings"]
        [mapping] = [mapping for mapping in mappings if mapping["EventSourceArn"] == arn]
        # Announcing shares this machine's processors, but not those of AWS: it is left out.
        for other in mappings:
            if other is not mapping:
                self._lambda.update_event_source_mapping(UUID=other["UUID"], Enabled=False)
        self._mapping = mapping["UUID"]
        self.places: int = mapping["ScalingConfig"]["MaximumConcurrency"]
        self.batch_size: int = mapping["BatchSize"]

    def send(self, count: int) -> None:
        """Put so many orders into the queue."""
        for start in range(0, count, 10):
            entries = [{"Id": str(place), "MessageBody": _message()} for place in range(min(10, count - start))]
            self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)

    def waiting(self) -> int:
        """Return how many are in the queue, visible or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return sum(int(value) for value in attributes.values())

    def switch(self, is_on: bool) -> None:
        """Switch the consumer on or off."""
        self._lambda.update_event_source_mapping(UUID=self._mapping, Enabled=is_on)

    def drain(self, count: int) -> float:
        """Let `count` orders gather, then drain them; return the seconds from when the consumer begins."""
        self.switch(False)
        self.send(count)
        self.switch(True)
        full = self.waiting()
        started = time.monotonic()
        deadline = started + _DEADLINE_SECONDS
        while left := self.waiting():
            if time.monotonic() > deadline:
                raise PlanningError(f"The local stack has not drained {count} orders within {_DEADLINE_SECONDS} s.")
            if left >= full:  # the consumer has not begun yet
                started = time.monotonic()
            time.sleep(_PAUSE_SECONDS)
        return time.monotonic() - started


def _message() -> str:
    from orders.domain.message import write_message
    from orders.domain.order import Order, SubmittedOrder
    from orders.domain.order_id import RANDOM_BYTES, random_order_id

    order = Order("calibration", "Banana", 1, "2025-04-25")
    order_id = random_order_id(os.urandom(RANDOM_BYTES))
    return write_message(SubmittedOrder(order_id, order, "2025-04-25T10:00:00.000Z", "calibration"))


def compare_with(stack: Any, orders: int) -> tuple[float, list[Comparison]]:
    """Return a batch's measured seconds on a running local stack, and the model against two larger backlogs."""
    queue = _LocalQueue(stack)
    full = queue.places * queue.batch_size
    queue.drain(full)  # starts the workers
    half = max(2 * full, orders // 2)

    def cycle() -> float:
        return queue.drain(half) * full / half

    # Measured before and after each backlog: the machine is not equally fast all the time.
    cycles, comparisons = [cycle()], []
    for count in (orders, 2 * orders):
        measured = queue.drain(count)
        cycles.append(cycle())
        foretold = _foretold(queue, (cycles[-2] + cycles[-1]) / 2, count)
        comparisons.append(Comparison(f"{count:,} orders", measured, foretold))
    return sum(cycles) / len(cycles), comparisons


def _foretold(queue: _LocalQueue, cycle_seconds: float, orders: int) -> float:
    import numpy as np

    deployment = Deployment(processing_maximum_concurrency=queue.places, processing_batch_size=queue.batch_size)
    plan = Plan(
        deployment,
        replace(Quotas(), mapping_first_batches=queue.places),
        Durations(processing_seconds=cycle_seconds, mapping_overhead_seconds=0),
    )
    arrivals = Arrivals("none", _STEP_SECONDS, np.zeros(1, dtype=np.int64))
    record = simulate(arrivals, plan, queued=orders)
    return (record.settled_step + 1) * _STEP_SECONDS


@click.command()
@click.option("--orders", type=click.IntRange(min=400), default=2000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def calibrate(orders: int, as_json: bool) -> None:
    """Compare the model with the local stack: drain times, at most 20 % apart."""
    require_needed_packages()
    sys.path[:0] = [str(_REPOSITORY / "lambda"), str(_REPOSITORY / "scripts")]
    from local_stack import LocalStack, Settings
    from local_stack.ports import free_port

    with tempfile.TemporaryDirectory(prefix="orders-calibration-") as directory:
        settings = Settings(storefront_port=free_port(), aws_port=free_port(), local_directory=Path(directory))
        click.echo("Starting a local stack", err=True)
        with LocalStack(settings) as stack:
            click.echo("Measuring", err=True)
            cycle, comparisons = compare_with(stack, orders)
    if as_json:
        rows = [{**vars(each), "difference": each.difference} for each in comparisons]
        click.echo(json.dumps({"batch_seconds": cycle, "comparisons": rows}, indent=2))
    else:
        click.echo(f"a batch of ten takes {cycle:.3f} s")
        for each in comparisons:
            click.echo(
                f"{each.what}: measured {each.measured_seconds:.1f} s, model {each.model_seconds:.1f} s, "
                f"{each.difference:+.0%}"
            )
    if any(abs(each.difference) > TOLERANCE for each in comparisons):
        raise PlanningError(f"The model is more than {TOLERANCE:.0%} off: is the machine busy?")
