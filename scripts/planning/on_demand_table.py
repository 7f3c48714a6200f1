"""How many writes an on-demand table takes: double its previous peak, and a higher one only after half an hour."""

from planning.quotas import Quotas
from planning.token_bucket import TokenBucket


class OnDemandTable:
    """The table's write throughput. Its index takes as many writes of its own, so it is no limit apart.

    AWS says that double the previous peak is always taken and that more may be throttled unless the growth is
    spread over half an hour (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html).
    In practice partitions often split sooner; this is the promise, not the hope.
    """

    def __init__(self, warm_write_units: int, quotas: Quotas) -> None:
        self._quotas = quotas
        self.capacity = min(float(warm_write_units), quotas.table_write_units_per_second)
        self._bucket = TokenBucket(self.capacity, self.capacity)
        self._peak = 0.0

    @property
    def is_at_quota(self) -> bool:
        """Whether the account's quota is what bounds it."""
        return self.capacity >= self._quotas.table_write_units_per_second

    @property
    def partitions(self) -> int:
        """Parts that the table must consist of to have its capacity; the stream has a shard for each."""
        return max(1, -(-int(self.capacity) // int(self._quotas.partition_write_units_per_second)))

    def available(self, seconds: float) -> int:
        """Return how many units could be written within the next `seconds`."""
        return self._bucket.available(seconds)

    def write(self, units: int, seconds: float) -> int:
        """Return how many of `units` are written within the next `seconds`."""
        written = self._bucket.admit(units, seconds)
        self._peak = max(self._peak, min(written / seconds, self.capacity))
        return written

    def warm_up(self) -> None:
        """Count what was reached so far as the previous peak; to be called each `table_doubling_seconds`."""
        self.capacity = max(self.capacity, min(2 * self._peak, self._quotas.table_write_units_per_second))
        self._bucket.rate = self._bucket.burst = self.capacity
