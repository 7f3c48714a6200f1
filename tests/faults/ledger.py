"""Compare the requests and responses of a seed's clients with the final state of the system."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import MessageUnreadableError
from orders.domain.message import read_message
from orders.domain.order import Order, ProcessedOrder

Identified = tuple[str, Order]
"""An order with its id."""


class Acceptance(Enum):
    """The result of a request, as its client sees it. After several requests, the first of these values applies."""

    ACKNOWLEDGED = "202"
    INDETERMINATE = "no response, or 5xx"
    REJECTED = "4xx"


@dataclass(frozen=True)
class Request:
    """A client's request; `order_id` is set if it was acknowledged."""

    order: Order
    key: str | None
    acceptance: Acceptance
    order_id: str | None = None


@dataclass(frozen=True)
class Findings:
    """The state of the system after the faults, when no message is in flight."""

    rows: Sequence[ProcessedOrder] = ()
    dead_letters: Sequence[str] = ()
    announced: Mapping[str, int] = field(default_factory=dict)
    """How often each order id was announced."""
    given_up: AbstractSet[str] = frozenset()
    """The order ids that the notifications' dead-letter queue refers to."""


COUNTS = {
    "attempted": "",
    "acknowledged": "got 202",
    "indeterminate": "got 5xx or no response",
    "rejected": "got 4xx",
    "stored": "",
    "in_dlq": "left after the redrive of all orders that can be stored",
    "announced": "",
    "announced_twice": "allowed: announcements are made at least once",
    "announcement_given_up": "in the notifications' dead-letter queue",
    "lost": "must be 0: acknowledged, and neither stored nor in the dead-letter queue",
    "duplicated": "must be 0: one order in two rows, or a row with other content",
    "unexpected": "must be 0: never sent, or rejected",
    "denied": "must be 0: acknowledged, then 404 from the API",
    "never_announced": "must be 0",
}
"""The numbers of orders that a seed counts, and their meanings."""


@dataclass(frozen=True)
class Counts:
    """The numbers of COUNTS, and a sentence for each broken promise."""

    numbers: Counter[str] = field(default_factory=Counter)
    failures: tuple[str, ...] = ()


@dataclass
class Ledger:
    """The requests and messages that a seed sent. Several threads append to the lists."""

    requests: list[Request] = field(default_factory=list)
    poison: list[str] = field(default_factory=list)
    """Invalid bodies sent to the queue; each must end in the dead-letter queue."""
    denied: list[str] = field(default_factory=list)
    """Acknowledged order ids for which the API returned 404."""

    def count(self, findings: Findings) -> Counts:
        """Compare with `findings`, which must hold only data of this ledger's seed."""
        requests: dict[Order, list[Request]] = defaultdict(list)
        for request in self.requests:
            requests[request.order].append(request)
        stored = {row.order_id: row.order for row in findings.rows}
        dead, unreadable = _read(findings.dead_letters)
        failures = {
            "lost": [*self._lost(stored, dead, unreadable)],
            "duplicated": [*_duplicated(requests, findings.rows)],
            "unexpected": [
                *_unexpected(requests, stored, dead),
                *(f"order {id_} was announced and is not stored" for id_ in findings.announced.keys() - stored.keys()),
                *(f"the dead letter {body[:40]!r} was never sent" for body in set(unreadable) - set(self.poison)),
            ],
            "denied": [f"order {order_id} was acknowledged, then not found" for order_id in self.denied],
            "never_announced": [
                f"order {order_id} is stored"
                for order_id in stored.keys() - findings.announced.keys() - findings.given_up
            ],
        }
        numbers = Counter(
            attempted=len(requests),
            stored=len(stored),
            in_dlq=len(findings.dead_letters),
            announced=len(findings.announced),
            announced_twice=sum(count > 1 for count in findings.announced.values()),
            announcement_given_up=len(findings.given_up - findings.announced.keys()),
            **{kind: len(texts) for kind, texts in failures.items()},
        )
        numbers.update(_acceptance(each).name.lower() for each in requests.values())
        sentences = (f"{kind}: {text}" for kind, texts in failures.items() for text in sorted(texts))
        return Counts(numbers, tuple(sentences))

    def _lost(self, stored: Mapping[str, Order], dead: set[Identified], unreadable: list[str]) -> Iterator[str]:
        """Report acknowledged orders that are neither stored nor dead-lettered with their content."""
        for order_id, order in {(each.order_id, each.order) for each in self.requests if each.order_id}:
            if stored.get(order_id) != order and (order_id, order) not in dead:
                yield f"order {order_id} of {order.customer_id} is neither stored nor dead-lettered"
        for body in (Counter(self.poison) - Counter(unreadable)).elements():
            yield f"the invalid message {body[:40]!r} is not in the dead-letter queue"


def _duplicated(requests: Mapping[Order, Sequence[Request]], rows: Sequence[ProcessedOrder]) -> Iterator[str]:
    """Report surplus rows, and rows whose content was not sent."""
    for order_id, count in Counter(row.order_id for row in rows).items():
        if count > 1:
            yield f"{count} rows have the id {order_id}"
    customers = {order.customer_id for order in requests}
    ids: dict[Order, set[str]] = defaultdict(set)
    for row in rows:
        ids[row.order].add(row.order_id)
    for order, order_ids in ids.items():
        if order in requests:
            # One row with a key, otherwise one per possibly successful request.
            acknowledged = {each.order_id for each in requests[order]} & order_ids
            unknown = sum(each.acceptance is Acceptance.INDETERMINATE for each in requests[order])
            most = 1 if any(each.key for each in requests[order]) else len(acknowledged) + unknown
            if len(order_ids) > most:
                yield f"{len(order_ids)} rows hold one order of {order.customer_id}, at most {most} allowed"
        elif order.customer_id in customers:
            yield f"rows {sorted(order_ids)} of {order.customer_id} hold an order that was not sent"


def _unexpected(
    requests: Mapping[Order, Sequence[Request]], stored: Mapping[str, Order], dead: set[Identified]
) -> Iterator[str]:
    """Report orders that were never sent or were rejected."""
    customers = {order.customer_id for order in requests}
    for order_id, order in [*stored.items(), *dead]:
        if order.customer_id not in customers:
            yield f"order {order_id} was never sent"
        elif order in requests and _acceptance(requests[order]) is Acceptance.REJECTED:
            yield f"order {order_id} of {order.customer_id} was rejected"
    for order_id, order in dead:
        if stored.get(order_id, order) != order:
            yield f"order {order_id} is dead-lettered because another order has its id"


def _acceptance(requests: Iterable[Request]) -> Acceptance:
    acceptances = {request.acceptance for request in requests}
    return next(each for each in Acceptance if each in acceptances)


def _read(bodies: Iterable[str]) -> tuple[set[Identified], list[str]]:
    """Divide message bodies into orders and unreadable ones."""
    orders, unreadable = set(), []
    for body in bodies:
        try:
            submitted = read_message(body, ORDER_RULES)
        except MessageUnreadableError:
            unreadable.append(body)
        else:
            orders.add((submitted.order_id, submitted.order))
    return orders, unreadable


def customer_of(body: str) -> str | None:
    """Return the customer id of a queue message, or None if it has none."""
    try:
        return str(json.loads(body)["order"]["customer_id"])
    except (ValueError, KeyError, TypeError):
        return None
