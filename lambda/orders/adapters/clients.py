"""AWS clients with time limits."""

from typing import Any

import boto3
from botocore.config import Config

CLIENT_LIMITS = Config(
    connect_timeout=1,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 2},
)
"""How long a call may take: two tries of at most (1 + 4) s and one back-off of at most 1 s.

So a call ends within 11 s, and within 13 s if the first address of the service does not answer. Functions that a client
waits for time out after 15 s and API Gateway after 30 s; tests compute both. The queue or the stream retries the rest.
"""


def make_client(service: str) -> Any:
    """Return a client of an AWS service, with time limits that fit in a function's timeout.

    Region, credentials and endpoint come from the environment that Lambda sets.
    """
    return boto3.client(service, config=CLIENT_LIMITS)
