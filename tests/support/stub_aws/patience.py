"""How long the functions wait for AWS at most, computed from their own clients' settings."""

from typing import Any

import boto3
from botocore.retries.standard import ExponentialBackoff, RetryContext

from orders.adapters.clients import CLIENT_LIMITS

# The time to connect counts for each address that an endpoint's name stands for: allow for a dead one before the one
# that takes the request and stays silent.
_ADDRESSES = 2


def longest_call_seconds() -> float:
    """Return how long one call of a function can take before the SDK gives up, its retries and pauses included."""
    client: Any = boto3.client("sqs", region_name="eu-central-1", config=CLIENT_LIMITS)
    config = client.meta.config
    tries = config.retries["total_max_attempts"]
    assert config.retries["mode"] == "standard"
    longest_pause = ExponentialBackoff(random=lambda: 1.0)  # of what chance shortens
    pauses = [longest_pause.delay_amount(RetryContext(attempt_number=number)) for number in range(1, tries)]
    return float(tries * (_ADDRESSES * config.connect_timeout + config.read_timeout) + sum(pauses))
