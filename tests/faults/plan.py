"""Read SEEDS and ORDERS, and derive the orders and faults of a seed."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from faults.fault_types import DISRUPTIONS, REDRIVES, REQUEST_FAULTS
from orders.domain.order import Order

_PRODUCTS = ("Banana", "Apple", "Blood orange", "Passion fruit", "Kiwi")
_FIRST_DAY = date(2025, 1, 1)
_REQUEST_FAULTS_PER_SEED = 6
_DISRUPTIONS_PER_SEED = 2


class FaultTestError(Exception):
    """The test cannot run; the text says what to do."""


@dataclass(frozen=True)
class Config:
    seeds: tuple[int, ...] = tuple(range(1, 31))
    orders: int = 400

    @property
    def is_full(self) -> bool:
        """Whether this includes all seeds and orders of the default."""
        return set(self.seeds) >= set(Config.seeds) and self.orders >= Config.orders

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Config":
        """Read SEEDS and ORDERS; raise FaultTestError if one is invalid."""
        seeds, orders = environment.get("SEEDS") or "1-30", environment.get("ORDERS") or "400"
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", seeds)
        numbers = range(int(match[1]), int(match[2] or match[1]) + 1) if match else ()
        if not numbers:
            raise FaultTestError(
                f"SEEDS={seeds} is not valid: give a number or a range, such as SEEDS=17 or SEEDS=1-30."
            )
        if not re.fullmatch(r"[1-9][0-9]{0,4}", orders):
            raise FaultTestError(f"ORDERS={orders} is not valid: give 1 to 99999, such as ORDERS=400.")
        return cls(tuple(numbers), int(orders))


@dataclass(frozen=True)
class ClientOrder:
    """An order that a client places with at most `tries` requests; `is_doubled` adds a second click."""

    order: Order
    key: str | None
    tries: int
    is_doubled: bool = False


@dataclass(frozen=True)
class SeedPlan:
    """The orders of a seed, its request faults (all the time) and its disruptions (one after the other)."""

    seed: int
    client_orders: tuple[ClientOrder, ...]
    request_faults: tuple[str, ...]
    disruptions: tuple[str, ...] = ()

    @property
    def fault_types(self) -> frozenset[str]:
        return frozenset((*self.request_faults, *self.disruptions))

    def portions(self) -> list[tuple[ClientOrder, ...]]:
        """Divide the orders into one portion per disruption."""
        count = max(1, len(self.disruptions))
        return [self.client_orders[start::count] for start in range(count)]


def make_plan(seed: int, orders: int) -> SeedPlan:
    """Return the plan of a seed, always the same."""
    rng = random.Random(f"plan {seed}")
    disruptions = rng.sample(sorted(DISRUPTIONS), _DISRUPTIONS_PER_SEED)
    # Two redrives in one seed would compete for the same dead letters.
    while len(REDRIVES.intersection(disruptions)) > 1:
        disruptions = rng.sample(sorted(DISRUPTIONS), _DISRUPTIONS_PER_SEED)
    request_faults = rng.sample(sorted(REQUEST_FAULTS), _REQUEST_FAULTS_PER_SEED)
    client_orders = make_client_orders(seed, orders, reuse_keys="key_reused" in disruptions)
    return SeedPlan(seed, client_orders, tuple(request_faults), tuple(disruptions))


def make_client_orders(seed: int, orders: int, *, reuse_keys: bool = False) -> tuple[ClientOrder, ...]:
    """Return a seed's orders. Each has its own customer, so each row can be traced to its order."""
    rng = random.Random(f"orders {seed}")
    made = []
    for number in range(orders):
        order = Order(
            customer_id=f"{customer_prefix(seed)}{number}",
            product_id=rng.choice(_PRODUCTS),
            quantity=rng.randint(1, 9999),
            order_date=str(_FIRST_DAY + timedelta(days=rng.randrange(365))),
        )
        key = None if rng.random() < 0.2 else f"{rng.getrandbits(128):032x}"
        tries = 1 if key is None and rng.random() < 0.5 else 5
        # Two clicks without a key would be two orders.
        made.append(ClientOrder(order, key, tries, is_doubled=key is not None and rng.random() < 0.03))
    for number in range(0, orders, 50):  # invalid orders
        made[number] = ClientOrder(replace(made[number].order, quantity=0), None, 1)
    if reuse_keys:
        for first in [each for each in made[1::25] if each.key][:4]:
            made.append(replace(first, order=replace(first.order, quantity=first.order.quantity % 9999 + 1)))
    return tuple(made)


def customer_prefix(seed: int) -> str:
    return f"s{seed}-"
