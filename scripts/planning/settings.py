"""The inputs of the capacity model: the deployment's settings, AWS's quotas, and the functions' durations.

Quotas were read on 2026-11-25 from stored copies of AWS's pages, which are named below. They are an established
account's defaults in us-east-1; an account's own are in its Service Quotas console.

Durations were not measured on AWS: replace them with the Duration metric of your own functions. Each is the sum of:

- CPU time was measured on a 2-core machine with stubbed AWS responses: submission and status 0.7 ms, processing 1.3 ms
  and notification 1.9 ms for ten orders. It is scaled by each function's memory / 1,769 MB
  (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
- AWS documents single-digit milliseconds for DynamoDB and tens of milliseconds for SQS. SNS is assumed to equal SQS.
"""

from dataclasses import dataclass

from click import ClickException


class PlanningError(ClickException):
    """The plan cannot be computed; the message states the reason and the fix."""


@dataclass(frozen=True)
class Settings:
    """All inputs of the capacity model besides the arrivals."""

    # Variables of terraform-backend. None means null there.
    api_throttling_rate_limit: float = 500.0
    api_throttling_burst_limit: int = 1000
    submission_reserved_concurrency: int | None = None
    processing_maximum_concurrency: int = 3
    processing_batch_window_seconds: int = 0
    processing_reserved_concurrency: int | None = None
    processing_timeout_seconds: int = 30
    notification_parallelization_factor: int = 1

    # Constants of terraform-backend/main.tf.
    processing_batch_size: int = 10
    visibility_timeout_factor: int = 6
    maximum_receives: int = 5
    notification_batch_size: int = 10
    notification_batch_window_seconds: int = 5
    notification_maximum_age_seconds: int = 60 * 60

    # https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    # All APIs of the account in the region share them.
    api_requests_per_second: float = 10_000.0
    api_burst_requests: int = 5_000

    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    lambda_concurrency: int = 1_000
    # https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html: a function gains 1,000 environments in 10 s,
    # refilled continuously; unused ones do not add up.
    lambda_new_environments_per_second: float = 100.0
    lambda_new_environments_at_once: int = 1_000
    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
    lambda_requests_per_second_per_concurrency: int = 10
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html: a queue's mapping starts with five
    # concurrent batches and returns to five when traffic is low.
    mapping_first_batches: int = 5
    mapping_new_batches_per_minute: float = 300.0
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html: an idle shard is polled four times per second.
    stream_polls_per_second: float = 4.0

    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
    queue_in_flight_messages: int = 120_000

    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html: an on-demand table
    # handles twice its previous peak at once, more only after 30 minutes. on-demand-capacity-mode-max-throughput.html
    # has the quota of a table, warm-throughput-scenarios.html that of a partition.
    table_warm_write_units: int = 4_000
    table_doubling_seconds: int = 30 * 60
    table_write_units_per_second: float = 40_000.0
    partition_write_units_per_second: float = 1_000.0

    # Assumed durations of one invocation; processing and notification with a full batch.
    submission_seconds: float = 0.025
    status_seconds: float = 0.012
    processing_seconds: float = 0.030
    notification_seconds: float = 0.040
    # Receive, hand over and delete one batch: not billed, but the poller is busy.
    mapping_overhead_seconds: float = 0.020
    cold_start_seconds: float = 0.6
    # The share of a batch's duration that does not grow with the orders in it.
    batch_base_share: float = 0.5

    status_requests_per_order: float = 1.0

    @property
    def visibility_timeout_seconds(self) -> int:
        """Seconds for which a received message is hidden."""
        gathering = 20 if self.processing_batch_window_seconds else 0
        return self.visibility_timeout_factor * self.processing_timeout_seconds + gathering

    @property
    def processing_cycle_seconds(self) -> float:
        """Seconds from one receive of a poller to its next."""
        return self.processing_seconds + self.mapping_overhead_seconds

    @property
    def pollers(self) -> int:
        """Pollers of the queue while there is no backlog."""
        return min(self.mapping_first_batches, self.processing_maximum_concurrency)

    def batch_seconds(self, full_seconds: float, orders: float, size: int = 10) -> float:
        """Return the duration of a batch of `orders`, where a full batch of `size` takes `full_seconds`."""
        return full_seconds * (self.batch_base_share + (1 - self.batch_base_share) * min(1.0, orders / size))


def gathered_orders(rate: float, busy_seconds: float, window_seconds: float, size: int) -> float:
    """Return the mean batch of a poller that receives `rate` orders per second.

    Without a window, the batch is the orders that arrived while the poller was busy. A window starts with the first.
    """
    during_window = rate * window_seconds
    return min(max(1 + during_window, rate * busy_seconds + during_window), float(size))


def window_wait_seconds(rate: float, window_seconds: float, size: int) -> float:
    """Return the mean wait of an order for its batch: the first waits until the window ends or the batch is full."""
    if not window_seconds:
        return 0.0
    first = min(window_seconds, (size - 1) / rate if rate else window_seconds)
    later = min(rate * first, size - 1.0)
    return first * (1 + later / 2) / (1 + later)
