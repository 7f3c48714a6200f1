"""Compare the requests and responses of a seed's clients with the final state of the system."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import MessageUnreadableError
from orders.domain.message import read_message
from orders.domain.order import Order, ProcessedOrder


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
    given_up: frozenset[str] = frozenset()
    """The order ids that the notifications' dead-letter queue refers to."""


@dataclass(frozen=True)
class Counts:
    """The numbers of orders of a seed, and a sentence for each broken promise."""

    attempted: int = 0
    acknowledged: int = 0
    indeterminate: int = 0
    rejected: int = 0
    stored: int = 0
    in_dlq: int = 0
    announced: int = 0
    announced_twice: int = 0  # allowed: announcements are made at least once
    announcement_given_up: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    denied: int = 0
    never_announced: int = 0
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
        return _Comparison(self, findings).counts()


class _Comparison:
    def __init__(self, ledger: Ledger, findings: Findings) -> None:
        self._ledger = ledger
        self._findings = findings
        self._requests: dict[Order, list[Request]] = defaultdict(list)
        for request in ledger.requests:
            self._requests[request.order].append(request)
        self._customers = {order.customer_id for order in self._requests}
        self._stored = {row.order_id: row.order for row in findings.rows}
        self._dead, self._unreadable = _read(findings.dead_letters)

    def counts(self) -> Counts:
        lost, duplicated, unexpected = list(self._lost()), list(self._duplicated()), list(self._unexpected())
        denied = [f"denied: order {id_} was acknowledged, then not found" for id_ in self._ledger.denied]
        announced, given_up = self._findings.announced, self._findings.given_up
        unannounced = sorted(self._stored.keys() - announced.keys() - given_up)
        never_announced = [f"never announced: order {order_id} is stored" for order_id in unannounced]
        acceptances = Counter(map(_acceptance, self._requests.values()))
        return Counts(
            attempted=len(self._requests),
            acknowledged=acceptances[Acceptance.ACKNOWLEDGED],
            indeterminate=acceptances[Acceptance.INDETERMINATE],
            rejected=acceptances[Acceptance.REJECTED],
            stored=len(self._stored),
            in_dlq=len(self._findings.dead_letters),
            announced=len(announced),
            announced_twice=sum(count > 1 for count in announced.values()),
            announcement_given_up=len(given_up - announced.keys()),
            lost=len(lost),
            duplicated=len(duplicated),
            unexpected=len(unexpected),
            denied=len(denied),
            never_announced=len(never_announced),
            failures=(*lost, *duplicated, *unexpected, *denied, *never_announced),
        )

    def _lost(self) -> Iterator[str]:
        """Report acknowledged orders that are neither stored nor dead-lettered with their content."""
        acknowledged = {(r.order_id, r.order) for r in self._ledger.requests if r.acceptance is Acceptance.ACKNOWLEDGED}
        for order_id, order in sorted(acknowledged, key=str):
            if self._stored.get(order_id or "") != order and (order_id, order) not in self._dead:
                yield f"lost: order {order_id} of {order.customer_id} was acknowledged, and is neither stored nor dead-lettered"
        for body in (Counter(self._ledger.poison) - Counter(self._unreadable)).elements():
            yield f"lost: the invalid message {body[:40]!r} is not in the dead-letter queue"

    def _duplicated(self) -> Iterator[str]:
        """Report surplus rows, and rows whose content was not sent."""
        for order_id, count in Counter(row.order_id for row in self._findings.rows).items():
            if count > 1:
                yield f"duplicated: {count} rows have the id {order_id}"
        ids: dict[Order, set[str]] = defaultdict(set)
        for order_id, order in self._stored.items():
            ids[order].add(order_id)
            if order not in self._requests and order.customer_id in self._customers:
                yield f"duplicated: row {order_id} of {order.customer_id} holds an order that was not sent"
        for order, order_ids in ids.items():
            if order in self._requests and len(order_ids) > (most := self._most_rows(order, order_ids)):
                yield f"duplicated: {len(order_ids)} rows hold one order of {order.customer_id}, at most {most} allowed"

    def _most_rows(self, order: Order, order_ids: set[str]) -> int:
        """Return how many rows an order may have: one with a key, otherwise one per possibly successful request."""
        requests = self._requests[order]
        if any(request.key for request in requests):
            return 1
        acknowledged = {request.order_id for request in requests} & order_ids
        return len(acknowledged) + sum(request.acceptance is Acceptance.INDETERMINATE for request in requests)

    def _unexpected(self) -> Iterator[str]:
        """Report orders that were never sent or were rejected."""
        for order_id, order in [*self._stored.items(), *self._dead]:
            if order.customer_id not in self._customers:
                yield f"unexpected: order {order_id} was never sent"
            elif order in self._requests and _acceptance(self._requests[order]) is Acceptance.REJECTED:
                yield f"unexpected: order {order_id} of {order.customer_id} was rejected"
        for order_id, order in self._dead:
            if self._stored.get(order_id, order) != order:
                yield f"unexpected: order {order_id} is dead-lettered because another order has its id"
        for order_id in sorted(self._findings.announced.keys() - self._stored.keys()):
            yield f"unexpected: order {order_id} was announced and is not stored"
        for body in sorted(set(self._unreadable) - set(self._ledger.poison)):
            yield f"unexpected: the dead letter {body[:40]!r} was never sent"


def _acceptance(requests: Iterable[Request]) -> Acceptance:
    acceptances = {request.acceptance for request in requests}
    return next(each for each in Acceptance if each in acceptances)


def _read(bodies: Iterable[str]) -> tuple[set[tuple[str, Order]], list[str]]:
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
