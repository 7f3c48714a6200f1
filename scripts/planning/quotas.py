"""AWS's documented limits that an order meets on its way, each with the page that states it.

Read on 2026-11-25 from stored copies of these pages, which may be some months older. The values are an
established account's defaults in us-east-1; an account's own are in its Service Quotas console, and a
new account's concurrency is lower until AWS has seen it used.
"""

from dataclasses import dataclass

_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg"
_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"


@dataclass(frozen=True)
class Quotas:
    """The limits; SOURCES says where each is documented."""

    # Token bucket over all APIs of the account in the region; some regions have a quarter of it.
    api_requests_per_second: float = 10_000
    api_burst_requests: int = 5_000

    # Executions at the same time, all functions of the account in the region together.
    lambda_concurrency: int = 1_000
    # A function's environments grow by 1,000 each 10 s, "refilled continuously"; what is unused does not add up.
    lambda_new_environments_per_second: float = 100
    lambda_new_environments_at_once: int = 1_000
    # Requests a second, for each unit of concurrency that a function may use.
    lambda_requests_per_second_per_concurrency: int = 10

    # A standard queue's mapping starts with five batches at a time and adds up to 300 a minute. Low traffic
    # takes it back to five, and with a maximum concurrency set never to the two that AWS may otherwise choose.
    mapping_first_batches: int = 5
    mapping_new_batches_per_minute: float = 300

    # Received and neither deleted nor visible again.
    queue_in_flight_messages: int = 120_000

    # On demand: double the previous peak at once, a higher one only after half an hour.
    table_write_units_per_second: float = 40_000
    table_doubling_seconds: int = 30 * 60
    partition_write_units_per_second: float = 1_000

    # Batches that the stream's mapping hands out: one at a time for each shard, a shard for each partition;
    # an idle shard is asked four times a second.
    stream_polls_per_second: float = 4

    topic_messages_per_second: float = 30_000
    # Beyond it SNS deactivates the subscription, and a person has to confirm it again.
    topic_emails_per_second: float = 10


SOURCES = {
    "api_requests_per_second": "https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html",
    "api_burst_requests": "https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html",
    "lambda_concurrency": f"{_LAMBDA}/gettingstarted-limits.html",
    "lambda_new_environments_per_second": f"{_LAMBDA}/scaling-behavior.html",
    "lambda_new_environments_at_once": f"{_LAMBDA}/scaling-behavior.html",
    "lambda_requests_per_second_per_concurrency": f"{_LAMBDA}/lambda-concurrency.html",
    "mapping_first_batches": f"{_LAMBDA}/services-sqs-scaling.html",
    "mapping_new_batches_per_minute": f"{_LAMBDA}/services-sqs-scaling.html",
    "queue_in_flight_messages": (
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html"
    ),
    "table_write_units_per_second": f"{_DYNAMODB}/on-demand-capacity-mode-max-throughput.html",
    "table_doubling_seconds": f"{_DYNAMODB}/on-demand-capacity-mode.html",
    "partition_write_units_per_second": f"{_DYNAMODB}/warm-throughput-scenarios.html",
    "stream_polls_per_second": f"{_LAMBDA}/with-ddb.html",
    "topic_messages_per_second": "https://docs.aws.amazon.com/general/latest/gr/sns.html",
    "topic_emails_per_second": "https://repost.aws/knowledge-center/sns-email-subscription-disabled",
}
