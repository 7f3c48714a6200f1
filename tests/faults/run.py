"""Run seeds on one deployment, each from its plan to its result."""

import dataclasses
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults import disruptions
from faults.backend import VISIBILITY_SECONDS, Backend, running_backend
from faults.context import Context
from faults.ledger import Counts, Findings, customer_of
from faults.load import CLIENTS, place_orders
from faults.plan import SeedPlan
from faults.proxy import Proxy
from faults.redrive import all_bodies, redrive
from faults.request_faults import RequestFaults
from local_stack.report import Report
from orders.adapters.order_schema import ORDER_RULES
from orders.domain.message import read_message

# Without faults, a failing message is dead-lettered after five times this duration.
_QUIET_VISIBILITY_SECONDS = 2
_DRAIN_SECONDS = 120
# The queue is drained after this long without messages: longer than an SDK waits before a retry.
_IDLE_SECONDS = 1.5
_ANNOUNCE_SECONDS = 60


@dataclass(frozen=True)
class SeedResult:
    """The result of a seed; `injected` counts each fault type."""

    plan: SeedPlan
    counts: Counts
    injected: Mapping[str, int]
    seconds: float


@contextmanager
def running_fault_test(directory: Path, report: Report) -> Iterator["FaultTest"]:
    """Deploy the backend in `directory`, route its functions through the proxy, and subscribe to announcements."""
    faults = RequestFaults()
    with running_backend(directory, report) as backend, Proxy(backend.connection, faults.respond) as proxy:
        backend.set_endpoint(proxy.url)
        topic_arn = backend.outputs["order_completed_topic_arn"]
        with backend.stack.subscribed_queue(topic_arn, "fault-test") as read:
            test = FaultTest(backend, faults, proxy, read, report)
            try:
                yield test
            finally:
                test.aborted.set()


class FaultTest:
    def __init__(
        self, backend: Backend, faults: RequestFaults, proxy: Proxy, read: Callable[[], list[Any]], report: Report
    ) -> None:
        self.backend = backend
        self.aborted = threading.Event()
        """Set to end all threads."""
        self._faults = faults
        self._proxy = proxy
        self._read_announcements = read
        self._report = report
        self._contexts: dict[int, Context] = {}
        self._announced: Counter[str] = Counter()
        self._customers: dict[str, str] = {}  # of each announced order id

    def run(self, plan: SeedPlan) -> SeedResult:
        started = time.monotonic()
        injected_before = Counter(self._faults.injected)
        context = Context(plan, self.backend, self._faults, self._proxy.error_codes, self.aborted)
        self._contexts[plan.seed] = context
        self._place_orders_under_faults(context, injected_before)
        stuck = self._drain_and_redrive(context)
        counts = self._count(context, stuck)
        return SeedResult(plan, counts, self._faults.injected - injected_before, time.monotonic() - started)

    def count_again(self, result: SeedResult) -> SeedResult:
        """Return a seed's result with the current state of the system, to show that no order has changed since."""
        stuck = [failure for failure in result.counts.failures if failure.startswith("stuck")]
        return dataclasses.replace(result, counts=self._count(self._contexts[result.plan.seed], stuck))

    def _place_orders_under_faults(self, context: Context, injected_before: Counter[str]) -> None:
        plan = context.plan
        self._proxy.faults_are_over.clear()
        with (
            ThreadPoolExecutor(CLIENTS, "client") as clients,
            ThreadPoolExecutor(1, "disruption") as disruptor,
            self._faults.active(plan.seed, plan.request_faults),
        ):
            try:
                for disruption, portion in zip(plan.disruptions or ("",), plan.portions(), strict=True):
                    self._report.progress(f"seed {plan.seed}: {disruption or 'placing orders'}")
                    # The disruption starts first, so that it affects orders on a slow machine too.
                    futures = [disruptor.submit(_disrupt, context, disruption)] if disruption else []
                    futures += place_orders(context, portion, clients)
                    for done in as_completed(futures):
                        done.result()

                # Processing and notification lag behind the clients, and their faults must occur too.
                def is_over() -> bool:
                    missing = set(plan.request_faults) - (self._faults.injected - injected_before).keys()
                    return not missing or not (self.backend.messages() or self._unannounced_order_ids(context))

                context.wait_until(is_over, _DRAIN_SECONDS)
            except BaseException:
                self.aborted.set()
                clients.shutdown(wait=False, cancel_futures=True)
                raise
            finally:
                self._proxy.faults_are_over.set()
        while self._faults.late_copies:
            self._faults.late_copies.pop().forward()

    def _drain_and_redrive(self, context: Context) -> list[str]:
        """Drain the queue and redrive dead letters as an operator would; return a failure if that takes too long."""
        backend = self.backend
        backend.set_visibility_timeout(_QUIET_VISIBILITY_SECONDS)
        try:
            self._report.progress(f"seed {context.plan.seed}: draining")
            if not self._is_drained(context):
                return [f"stuck: {backend.messages()} messages stayed in the queue"]
            stored = {row.order_id: row.order for row in backend.rows()}

            def is_wanted(body: str) -> bool:
                # An order whose id is stored with different content would fail again.
                if not context.owns(customer_of(body)):
                    return False
                submitted = read_message(body, ORDER_RULES)
                return stored.get(submitted.order_id, submitted.order) == submitted.order

            outputs = backend.outputs
            moved = redrive(backend.sqs, outputs["orders_dlq_url"], outputs["orders_queue_url"], is_wanted)
            if moved and not self._is_drained(context):
                return [f"stuck: {backend.messages()} messages stayed in the queue after the redrive"]
            return []
        finally:
            backend.set_visibility_timeout(VISIBILITY_SECONDS)

    def _is_drained(self, context: Context) -> bool:
        idle_since = time.monotonic()

        def is_idle() -> bool:
            nonlocal idle_since
            self._receive_announcements()
            if self.backend.messages() or self._proxy.in_flight:
                idle_since = time.monotonic()
            return time.monotonic() - idle_since > _IDLE_SECONDS

        return context.wait_until(is_idle, _DRAIN_SECONDS)

    def _count(self, context: Context, stuck: list[str]) -> Counts:
        self._report.progress(f"seed {context.plan.seed}: counting")
        context.wait_until(lambda: not self._unannounced_order_ids(context), _ANNOUNCE_SECONDS)
        rows = [row for row in self.backend.rows() if self._concerns(context, row.order.customer_id)]
        given_up = self.backend.announcements_given_up()
        letters = all_bodies(self.backend.sqs, self.backend.outputs["orders_dlq_url"])
        counts = context.ledger.count(
            Findings(
                rows,
                [body for body in letters if self._letter_concerns(context, body)],
                {id_: n for id_, n in self._announced.items() if self._concerns(context, self._customers[id_])},
                frozenset(row.order_id for row in rows if row.order_id in given_up),
            )
        )
        return dataclasses.replace(counts, failures=(*stuck, *counts.failures))

    def _unannounced_order_ids(self, context: Context) -> set[str]:
        """Return the stored orders that are neither announced nor given up."""
        self._receive_announcements()
        stored = {row.order_id for row in self.backend.rows() if self._concerns(context, row.order.customer_id)}
        unannounced = stored - self._announced.keys()
        return unannounced - self.backend.announcements_given_up() if unannounced else unannounced

    def _receive_announcements(self) -> None:
        for message in self._read_announcements():
            order = json.loads(message["Message"])
            self._announced[order["order_id"]] += 1
            self._customers[order["order_id"]] = order["customer_id"]

    def _concerns(self, context: Context, customer_id: str | None) -> bool:
        """Return whether a customer counts for this seed. Customers that belong to no seed count for every seed."""
        return context.owns(customer_id) or not any(other.owns(customer_id) for other in self._contexts.values())

    def _letter_concerns(self, context: Context, body: str) -> bool:
        others = [other for other in self._contexts.values() if other is not context]
        return not any(body in other.ledger.poison for other in others) and self._concerns(context, customer_of(body))


def _disrupt(context: Context, name: str) -> None:
    if getattr(disruptions, name)(context):
        context.faults.note(name)
