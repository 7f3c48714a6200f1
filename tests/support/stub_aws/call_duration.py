"""The longest time that the functions wait for AWS, computed from their clients' settings."""

from typing import Any

import boto3
from botocore.retries.standard import ExponentialBackoff, RetryContext

from orders.adapters.clients import CLIENT_LIMITS

# The connect timeout applies to each address of an endpoint. Allow for one address that accepts no connection, and for a
# second one that accepts the request and does not respond.
_ADDRESSES = 2


def longest_call_seconds() -> float:
    """Return how long the SDK of a function can take for one call, including retries and pauses."""
    client: Any = boto3.client("sqs", region_name="eu-central-1", config=CLIENT_LIMITS)
    config = client.meta.config
    tries = config.retries["total_max_attempts"]
    assert config.retries["mode"] == "standard"
    longest_pause = ExponentialBackoff(random=lambda: 1.0)
    pauses = [longest_pause.delay_amount(RetryContext(attempt_number=number)) for number in range(1, tries)]
    return float(tries * (_ADDRESSES * config.connect_timeout + config.read_timeout) + sum(pauses))
