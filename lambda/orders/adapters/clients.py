"""AWS clients as every adapter gets them."""

from typing import Any

import boto3
from botocore.config import Config

CLIENT_LIMITS = Config(
    connect_timeout=1,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 2},
)
"""How long a call may take: two tries of at most (1 + 4) s and one back-off of at most 1 s.

So there is an answer, or a refusal that the function can still put into words, within 11 s, and within
13 s where the first address of the service is dead. Functions that a client waits for have a timeout of
15 s, and API Gateway gives up after 30 s; tests compute both sides. Whatever fails behind the queue is
tried again by the queue or the stream.
"""


def make_client(service: str) -> Any:
    """Return a client of an AWS service, with time limits that fit inside a function's timeout.

    Region, credentials and endpoint come from the environment, as Lambda sets it.
    """
    return boto3.client(service, config=CLIENT_LIMITS)
