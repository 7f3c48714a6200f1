"""The longest time that the functions wait for AWS, computed from their clients' settings."""

from orders.adapters.clients import CLIENT_LIMITS

# The connect timeout applies to each address of an endpoint. Allow for one address that accepts no connection, and for a
# second one that accepts the request and does not respond.
_ADDRESSES = 2


def longest_call_seconds() -> float:
    """Return how long the SDK of a function can take for one call, including retries and pauses."""
    retries = CLIENT_LIMITS.retries
    assert retries["mode"] == "standard"
    # The longest that botocore pauses before each retry (ExponentialBackoff in botocore/retries/standard.py).
    pauses = [2**number for number in range(retries["total_max_attempts"] - 1)]
    seconds = _ADDRESSES * CLIENT_LIMITS.connect_timeout + CLIENT_LIMITS.read_timeout
    return float(retries["total_max_attempts"] * seconds + sum(pauses))
