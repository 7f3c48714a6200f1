"""How much of everything a month of orders uses: the load, and what one order is in bytes."""

import json
import math
from dataclasses import dataclass

from planning.deployment import Deployment
from planning.durations import Durations
from planning.measurement import Measurement
from planning.quotas import Quotas

HOURS_IN_A_MONTH = 730  # 365 days / 12, as AWS's own calculator has it
SECONDS_IN_A_MONTH = HOURS_IN_A_MONTH * 3600

# `python -m planning measure`; a test runs it and compares.
MEASURED = Measurement(
    message_bytes=228,
    item_bytes=176,
    announcement_bytes=626,
    answer_bytes=187,
    submission_log_bytes=190,
    status_log_bytes=187,
    processing_log_bytes=257,
    notification_log_bytes=156,
)

# What Lambda adds to each of a function's own lines in the JSON format:
# https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
_REQUEST_ID_FIELD = ', "requestId": "79b4f56e-95b1-4643-9700-2807f4e68189"'

# The lines that Lambda itself writes of an invocation at system_log_level INFO, with values of usual length:
# https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
_INVOCATION_LINES = (
    {
        "time": "2026-11-25T10:00:00.123Z",
        "type": "platform.start",
        "record": {"requestId": "79b4f56e-95b1-4643-9700-2807f4e68189", "functionArn": "order", "version": "12"},
    },
    {
        "time": "2026-11-25T10:00:00.148Z",
        "type": "platform.report",
        "record": {
            "requestId": "79b4f56e-95b1-4643-9700-2807f4e68189",
            "metrics": {"durationMs": 24.573, "billedDurationMs": 25, "memorySizeMB": 1024, "maxMemoryUsedMB": 98},
            "tracing": {
                "spanId": "54565fb41ac79632",
                "type": "X-Amzn-Trace-Id",
                "value": "Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1",
            },
            "status": "success",
        },
    },
)

# The API's access log, by the format in main.tf, with values of usual length.
ACCESS_LOG_LINE = {
    "request_id": "JKJaXmPLvHcESHA=",
    "time": "25/Nov/2026:10:00:00 +0000",
    "source_ip": "203.0.113.123",
    "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
    "Safari/537.36",
    "method": "POST",
    "path": "/orders",
    "route": "POST /orders",
    "status": "202",
    "response_bytes": "86",
    "response_latency_ms": "32",
    "function_latency_ms": "29",
    "function_status": "200",
    "function_error": "-",
    "error": "-",
}


def _bytes(line: object) -> int:
    return len(json.dumps(line, separators=(",", ":")).encode())


INVOCATION_LOG_BYTES = sum(map(_bytes, _INVOCATION_LINES))
ACCESS_LOG_BYTES = _bytes(ACCESS_LOG_LINE)
OWN_LINE_EXTRA_BYTES = len(_REQUEST_ID_FIELD)

# What DynamoDB adds to an item for its storage, in the table and in an index each:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
STORED_ITEM_EXTRA_BYTES = 100


@dataclass(frozen=True)
class Workload:
    """A month's load; orders come evenly over it, the dearest way for batches and traces."""

    name: str
    orders: int
    gets_per_order: float = 1
    # None: as full as the mapping makes it at this rate.
    batch_fill: float | None = None
    # Orders are never deleted: the table holds those of so many months.
    months_kept: int = 12
    visits_per_order: float = 20  # of a hundred visitors, five order
    # AWS: "cold starts typically occur in under 1% of invocations",
    # https://aws.amazon.com/blogs/compute/operating-lambda-performance-optimization-part-1/
    cold_start_share: float = 0.01

    @property
    def orders_per_second(self) -> float:
        """The mean over the month."""
        return self.orders / SECONDS_IN_A_MONTH

    def processing_fill(self, deployment: Deployment, durations: Durations, quotas: Quotas) -> float:
        """Return how many orders a batch of processing holds in the mean.

        A free poller takes what is there, so a batch holds more than one order only where they come faster than
        the mapping's first five places take them one by one, or where a batching window gathers them.
        """
        if self.batch_fill is not None:
            return min(self.batch_fill, float(deployment.processing_batch_size))
        gathering = max(durations.processing_cycle_seconds, deployment.processing_batching_window_seconds)
        places = min(quotas.mapping_first_batches, deployment.processing_maximum_concurrency)
        return min(max(1.0, self.orders_per_second * gathering / places), float(deployment.processing_batch_size))

    def notification_fill(self, deployment: Deployment, quotas: Quotas) -> float:
        """Return how many orders a batch of notification holds in the mean: what a shard got between two polls."""
        if self.batch_fill is not None:
            return min(self.batch_fill, float(deployment.notification_batch_size))
        shards = deployment.table_warm_write_units / quotas.partition_write_units_per_second
        between_polls = self.orders_per_second / shards / quotas.stream_polls_per_second
        return min(max(1.0, between_polls), float(deployment.notification_batch_size))


PROFILES = {
    "idle": Workload("idle", 0),
    "small-shop": Workload("small-shop", 10_000),
    "million-a-month": Workload("million-a-month", 1_000_000),
    "million-a-day": Workload("million-a-day", 365 * 1_000_000 // 12),
}


def sampled_traces(invocations: float) -> float:
    """Return how many of a month's invocations of a function X-Ray records.

    Lambda samples the first request of each second and 5 % of the others, which cannot be changed
    (https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html). Invocations come independently.
    """
    rate = invocations / SECONDS_IN_A_MONTH
    first_of_a_second = 1 - math.exp(-rate)
    return (first_of_a_second + 0.05 * (rate - first_of_a_second)) * SECONDS_IN_A_MONTH


def empty_receives(orders: float, places: int, wait_seconds: int = 20) -> float:
    """Return how many of the pollers' receives find nothing in a month: each ends when the wait is over.

    Lambda polls with the longest wait, also where the queue is idle
    (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html). Orders come independently.
    """
    none_in_the_wait = math.exp(-orders / SECONDS_IN_A_MONTH * wait_seconds / places)
    return places * SECONDS_IN_A_MONTH / wait_seconds * none_in_the_wait
