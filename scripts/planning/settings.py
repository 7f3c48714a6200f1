"""The numbers that decide how much a deployment takes: its settings, AWS's quotas, and the functions' durations.

Quotas were read on 2026-11-25 from stored copies of AWS's pages. They are an established account's defaults in
us-east-1; an account's own are in its Service Quotas console.

Durations were not measured on AWS. Each is the sum of CPU time and latency:

- CPU time was measured on a 2-core machine with stubbed AWS responses: submission and status 0.7 ms, processing 1.3 ms
  and notification 1.9 ms for ten orders. It is scaled by each function's memory / 1,769 MB
  (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
- AWS documents single-digit milliseconds for DynamoDB and tens of milliseconds for SQS. SNS is assumed to equal SQS.

Replace the durations with the Duration metric of your own functions.
"""

from dataclasses import dataclass, field
from typing import Any

from click import ClickException

_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg"
_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
_API_GATEWAY = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
_SQS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"


class PlanningError(ClickException):
    """The plan cannot be computed; the text says why and what to do."""


def _from(source: str, default: Any) -> Any:
    return field(default=default, metadata={"source": source})


def _variable(default: Any) -> Any:
    return _from("terraform-backend/variables.tf", default)


def _design(default: Any) -> Any:
    return _from("terraform-backend/main.tf", default)


def _assumed(default: Any) -> Any:
    return _from("assumed, see settings.py", default)


@dataclass(frozen=True)
class Settings:
    """All inputs of the capacity model besides the arrivals; each field's metadata names its source."""

    # Variables of terraform-backend. None means null there.
    api_throttling_rate_limit: float = _variable(500.0)
    api_throttling_burst_limit: int = _variable(1000)
    submission_reserved_concurrency: int | None = _variable(None)
    processing_maximum_concurrency: int = _variable(3)
    processing_reserved_concurrency: int | None = _variable(None)
    processing_timeout_seconds: int = _variable(30)
    notification_parallelization_factor: int = _variable(1)
    completed_order_email: str | None = _variable(None)

    # Constants of the design.
    processing_batch_size: int = _design(10)
    visibility_timeout_factor: int = _design(6)
    maximum_receives: int = _design(5)
    notification_batch_size: int = _design(10)
    notification_maximum_age_seconds: int = _design(60 * 60)

    # Left at AWS's defaults by the design.
    processing_batching_window_seconds: float = _from(f"{_LAMBDA}/services-sqs-configure.html", 0.0)
    table_warm_write_units: int = _from(f"{_DYNAMODB}/on-demand-capacity-mode.html", 4_000)

    # Quotas. The API's bucket is shared by all APIs of the account in the region.
    api_requests_per_second: float = _from(f"{_API_GATEWAY}/limits.html", 10_000.0)
    api_burst_requests: int = _from(f"{_API_GATEWAY}/limits.html", 5_000)
    lambda_concurrency: int = _from(f"{_LAMBDA}/gettingstarted-limits.html", 1_000)
    # A function gains 1,000 environments every 10 s, refilled continuously; unused ones do not add up.
    lambda_new_environments_per_second: float = _from(f"{_LAMBDA}/scaling-behavior.html", 100.0)
    lambda_new_environments_at_once: int = _from(f"{_LAMBDA}/scaling-behavior.html", 1_000)
    lambda_requests_per_second_per_concurrency: int = _from(f"{_LAMBDA}/lambda-concurrency.html", 10)
    # A queue's mapping starts with five concurrent batches and returns to five when traffic is low.
    mapping_first_batches: int = _from(f"{_LAMBDA}/services-sqs-scaling.html", 5)
    mapping_new_batches_per_minute: float = _from(f"{_LAMBDA}/services-sqs-scaling.html", 300.0)
    queue_in_flight_messages: int = _from(f"{_SQS}/quotas-queues.html", 120_000)
    # An on-demand table takes twice its previous peak at once, and more only after 30 minutes.
    table_write_units_per_second: float = _from(f"{_DYNAMODB}/on-demand-capacity-mode-max-throughput.html", 40_000.0)
    table_doubling_seconds: int = _from(f"{_DYNAMODB}/on-demand-capacity-mode.html", 30 * 60)
    partition_write_units_per_second: float = _from(f"{_DYNAMODB}/warm-throughput-scenarios.html", 1_000.0)
    # An idle shard of the stream is polled four times per second.
    stream_polls_per_second: float = _from(f"{_LAMBDA}/with-ddb.html", 4.0)
    # Beyond this rate SNS deactivates an e-mail subscription.
    topic_emails_per_second: float = _from("https://repost.aws/knowledge-center/sns-email-subscription-disabled", 10.0)

    # Durations of one invocation; processing and notification with a full batch.
    submission_seconds: float = _assumed(0.025)
    status_seconds: float = _assumed(0.012)
    processing_seconds: float = _assumed(0.030)
    notification_seconds: float = _assumed(0.040)
    # Receive, hand over and delete one batch: not billed, but the poller is busy.
    mapping_overhead_seconds: float = _assumed(0.020)
    cold_start_seconds: float = _assumed(0.6)
    # The share of a batch's duration that does not grow with the orders in it.
    batch_base_share: float = _assumed(0.5)

    # Load that depends on the orders.
    status_requests_per_order: float = _assumed(1.0)
    hottest_customer_share: float = _assumed(0.0)

    @property
    def visibility_timeout_seconds(self) -> int:
        """How long a received message is hidden, in seconds."""
        return self.visibility_timeout_factor * self.processing_timeout_seconds

    @property
    def processing_cycle_seconds(self) -> float:
        """Seconds from one receive of a poller to its next."""
        return self.processing_seconds + self.mapping_overhead_seconds

    @property
    def orders_are_mailed(self) -> bool:
        """Whether an e-mail address is subscribed to completed orders."""
        return self.completed_order_email not in (None, "none")

    def batch_seconds(self, full_seconds: float, orders: float, size: int = 10) -> float:
        """Return the duration of a batch of `orders`, where a full batch of `size` takes `full_seconds`."""
        return full_seconds * (self.batch_base_share + (1 - self.batch_base_share) * min(1.0, orders / size))
