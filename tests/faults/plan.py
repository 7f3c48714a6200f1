"""What a seed means: which orders are placed, and which kinds of faults happen meanwhile."""

import random
from dataclasses import dataclass
from datetime import date, timedelta

from faults.kinds import DISRUPTIONS, KEY_REUSED, REDRIVES, WIRE_FAULTS
from orders.domain.order import Order

_PRODUCTS = ("Banana", "Apple", "Blood orange", "Passion fruit", "Kiwi")
_FIRST_DAY = date(2025, 1, 1)

_WIRE_FAULTS_A_SEED = 6
_DISRUPTIONS_A_SEED = 2


@dataclass(frozen=True)
class Submission:
    """An order that one client wants, with its Idempotency-Key if it has one.

    `tries` is how often the client sends it at most; `doubled` is a second click at the same moment.
    """

    order: Order
    key: str | None
    tries: int
    doubled: bool = False


@dataclass(frozen=True)
class Plan:
    """The orders of a seed, and its faults: on the wire all the time, disruptions one after the other."""

    seed: int
    orders: int
    """The number that was asked for; reused keys and refused orders come to it."""
    submissions: tuple[Submission, ...]
    wire_faults: tuple[str, ...]
    disruptions: tuple[str, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """All kinds of faults that this seed is to inject."""
        return frozenset((*self.wire_faults, *self.disruptions))

    def portions(self) -> list[list[Submission]]:
        """Return the orders in one portion for each disruption."""
        count = max(1, len(self.disruptions))
        return [list(self.submissions[start::count]) for start in range(count)]


def make_plan(seed: int, orders: int) -> Plan:
    """Return what `seed` means with so many orders; always the same."""
    chance = random.Random(f"plan {seed}")
    disruptions = chance.sample(sorted(DISRUPTIONS), _DISRUPTIONS_A_SEED)
    # A redrive makes its own dead letters; two in one seed would take them from each other.
    while len(REDRIVES.intersection(disruptions)) > 1:
        disruptions = chance.sample(sorted(DISRUPTIONS), _DISRUPTIONS_A_SEED)
    wire_faults = chance.sample(sorted(WIRE_FAULTS), _WIRE_FAULTS_A_SEED)
    return Plan(
        seed,
        orders,
        submissions(seed, orders, reuse_keys=KEY_REUSED in disruptions),
        tuple(wire_faults),
        tuple(disruptions),
    )


def submissions(seed: int, orders: int, *, reuse_keys: bool) -> tuple[Submission, ...]:
    """Return a seed's orders, each of a customer of its own so that every row can be told from every other.

    With `reuse_keys` some customers use their key for a second order.
    """
    chance = random.Random(f"orders {seed}")
    made = []
    for number in range(orders):
        order = Order(
            customer_id=f"{customer_prefix(seed)}{number}",
            product_id=chance.choice(_PRODUCTS),
            quantity=chance.randint(1, 9999),
            order_date=str(_FIRST_DAY + timedelta(days=chance.randrange(365))),
        )
        key = None if chance.random() < 0.2 else f"{chance.getrandbits(128):032x}"
        tries = 1 if key is None and chance.random() < 0.5 else 5
        made.append(Submission(order, key, tries, doubled=key is not None and chance.random() < 0.03))
    # Some break the rules, and must be refused whatever else goes wrong.
    for number in range(0, orders, 50):
        made[number] = Submission(_changed(made[number].order, quantity=0), None, 1)
    if reuse_keys:
        first = [submission for submission in made[1::25] if submission.key]
        made += [Submission(_changed(s.order, s.order.quantity % 9999 + 1), s.key, s.tries) for s in first[:4]]
    return tuple(made)


def customer_prefix(seed: int) -> str:
    """Return how the id of every customer of a seed begins."""
    return f"s{seed}-"


def _changed(order: Order, quantity: int) -> Order:
    return Order(order.customer_id, order.product_id, quantity, order.order_date)
