"""The limits that an order can meet, what happens at each, and what moves it."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Explanation:
    """What a limit does to orders, and what moves it."""

    text: str
    setting: str  # the variable of terraform-backend where there is one
    is_variable: bool = True


class Limit(Enum):
    """A limit, in the order in which an order meets them."""

    API_ROUTE = Explanation("the API's own throttle answers 429", "api_throttling_rate_limit")
    API_ACCOUNT = Explanation(
        "the account's API quota answers 429", "API Gateway quota: throttle rate (L-8A5B8E43)", False
    )
    LAMBDA_RAMP = Explanation(
        "submission cannot start environments fast enough and refuses", "none: 1,000 at once, then 100 a second", False
    )
    SUBMISSION_RESERVED = Explanation(
        "submission's reserved concurrency is used up and it refuses", "submission_reserved_concurrency"
    )
    LAMBDA_REQUESTS = Explanation(
        "Lambda's requests a second (10 for each unit of concurrency) are used up and submission refuses",
        "Lambda quota: concurrent executions (L-B99A9384)",
        False,
    )
    LAMBDA_ACCOUNT = Explanation(
        "the account's concurrency is used up and submission refuses",
        "Lambda quota: concurrent executions (L-B99A9384)",
        False,
    )
    MAPPING_RAMP = Explanation(
        "orders wait while the mapping adds its 300 places a minute", "none, but provisioned pollers", False
    )
    MAPPING_CONCURRENCY = Explanation("orders wait for one of the mapping's places", "processing_maximum_concurrency")
    PROCESSING_STARVED = Explanation(
        "the mapping has more places than processing may run, so deliveries are throttled and use up receives",
        "processing_reserved_concurrency",
    )
    QUEUE_IN_FLIGHT = Explanation(
        "120,000 orders are received and not settled, and the queue hands out no more",
        "SQS quota: in-flight messages",
        False,
    )
    INDEX_PARTITION = Explanation(
        "one customer's orders exceed a partition of the index by_customer, whose throttle refuses the writes",
        "the index's key: add a suffix to customer_id",
        False,
    )
    TABLE_WARMTH = Explanation(
        "more than twice the table's earlier peak is refused; each refused order uses up a receive",
        "the table's warm throughput: write units a second",
        False,
    )
    TABLE_QUOTA = Explanation(
        "the account's write quota for a table refuses orders, and each uses up a receive",
        "DynamoDB quota: table-level write throughput",
        False,
    )
    STREAM_SHARDS = Explanation(
        "announcements wait: one batch at a time for each shard of the stream",
        "notification_parallelization_factor",
    )
    TOPIC_RATE = Explanation("SNS refuses announcements, which are tried again", "SNS quota: publish rate", False)
    TOPIC_EMAIL = Explanation(
        "over ten e-mails a second SNS deactivates the address that hears of completed orders", "completed_order_email"
    )


@dataclass(frozen=True)
class LimitHit:
    """That a limit was met: the second after the first arrival at which it first was."""

    limit: Limit
    seconds: float
