"""Which seeds are run, and with how many orders each: by variables of the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from faults.errors import CampaignError

_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")

_MOST_ORDERS = 100_000


@dataclass(frozen=True)
class Choice:
    """The choices for one campaign; the defaults are those of `make fault-test`."""

    seeds: tuple[int, ...] = tuple(range(1, 31))
    orders: int = 400
    """How many orders are attempted with each seed."""

    @property
    def is_whole(self) -> bool:
        """Whether this is the campaign that the promises are measured by, or more."""
        return set(self.seeds) >= set(Choice.seeds) and self.orders >= Choice.orders

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Choice":
        """Read SEEDS and ORDERS; unset and empty mean the default."""
        seeds, orders = environment.get("SEEDS"), environment.get("ORDERS")
        return cls(_seeds(seeds) if seeds else cls.seeds, _orders(orders) if orders else cls.orders)


def _seeds(text: str) -> tuple[int, ...]:
    seeds: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last - first >= 10_000:
            raise CampaignError(
                f"SEEDS={text} names no seeds: give numbers and ranges, such as SEEDS=17 or SEEDS=1-30,99."
            )
        seeds += range(first, last + 1)
    return tuple(dict.fromkeys(seeds))


def _orders(text: str) -> int:
    # Plain digits only: int() would also take "٤٠٠" and "4_00".
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:7]) <= _MOST_ORDERS):
        raise CampaignError(
            f"ORDERS={text} is no number of orders for a seed: give 1 to {_MOST_ORDERS}, such as ORDERS=400."
        )
    return int(text)
