"""The settings of a deployment that decide how much it takes, with the defaults of terraform-backend."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Deployment:
    """A deployment's settings, under the names of its variables where it has one; None means what null means there.

    A test compares each default that STATED names with what the Terraform files say.
    """

    api_throttling_rate_limit: float = 500
    api_throttling_burst_limit: int = 1000
    submission_reserved_concurrency: int | None = None
    processing_maximum_concurrency: int = 3
    processing_reserved_concurrency: int | None = None
    processing_timeout_seconds: int = 30
    notification_parallelization_factor: int = 1
    completed_order_email: str | None = None  # null takes notification_email, so somebody is subscribed

    # Decisions of the design, which have no variable.
    processing_batch_size: int = 10
    visibility_timeouts: int = 6  # of processing_timeout_seconds
    maximum_receives: int = 5
    queue_retention_seconds: int = 4 * 24 * 60 * 60
    notification_batch_size: int = 10
    notification_maximum_age_seconds: int = 60 * 60

    # Settings of AWS that the design leaves as AWS has them; here to see what they would change.
    processing_batching_window_seconds: float = 0
    table_warm_write_units: int = 4_000

    @property
    def visibility_timeout_seconds(self) -> int:
        """How long a received order is hidden from other receivers."""
        return self.visibility_timeouts * self.processing_timeout_seconds

    @property
    def completion_is_mailed(self) -> bool:
        """Whether an e-mail address hears of every completed order."""
        return self.completed_order_email != "none"


@dataclass(frozen=True)
class Stated:
    """Where a setting is stated: the name in a block (by its first line) of a file of terraform-backend."""

    file: str
    block: str
    name: str


def _variable(name: str) -> Stated:
    return Stated("variables.tf", f'variable "{name}"', "default")


_ORDERS_QUEUE = 'resource "aws_sqs_queue" "orders"'
_ORDERS_MAPPING = 'resource "aws_lambda_event_source_mapping" "orders"'
_STREAM_MAPPING = 'resource "aws_lambda_event_source_mapping" "stored_orders"'

VARIABLES = (
    "api_throttling_rate_limit",
    "api_throttling_burst_limit",
    "submission_reserved_concurrency",
    "processing_maximum_concurrency",
    "processing_reserved_concurrency",
    "processing_timeout_seconds",
    "notification_parallelization_factor",
    "completed_order_email",
)

STATED = {name: _variable(name) for name in VARIABLES} | {
    "processing_batch_size": Stated("main.tf", _ORDERS_MAPPING, "batch_size"),
    "visibility_timeouts": Stated("main.tf", _ORDERS_QUEUE, "visibility_timeout_seconds"),
    "maximum_receives": Stated("main.tf", _ORDERS_QUEUE, "maxReceiveCount"),
    "queue_retention_seconds": Stated("main.tf", _ORDERS_QUEUE, "message_retention_seconds"),
    "notification_batch_size": Stated("main.tf", _STREAM_MAPPING, "batch_size"),
    "notification_maximum_age_seconds": Stated("main.tf", _STREAM_MAPPING, "maximum_record_age_in_seconds"),
}
