"""The token bucket by which API Gateway throttles, and by which other limits are counted here."""


class TokenBucket:
    """Admits up to `burst` at once and `rate` a second in the long run.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)

    def admit(self, wanted: int, seconds: float) -> int:
        """Return how many of `wanted`, spread evenly over the next `seconds`, are admitted."""
        available = self._tokens + self.rate * seconds
        admitted = min(wanted, int(available + 1e-9))
        self._tokens = min(self.burst, available - admitted)
        return admitted
