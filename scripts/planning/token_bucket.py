"""The token bucket by which API Gateway throttles, and by which other limits are counted here."""


class TokenBucket:
    """Admits up to `burst` at once and `rate` a second in the long run.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)

    def available(self, seconds: float) -> int:
        """Return how many could be admitted over the next `seconds`."""
        return int(self._tokens + self.rate * seconds + 1e-9)

    def admit(self, wanted: int, seconds: float) -> int:
        """Return how many of `wanted`, spread evenly over the next `seconds`, are admitted."""
        admitted = min(wanted, self.available(seconds))
        self._tokens = min(self.burst, self._tokens + self.rate * seconds - admitted)
        return admitted
