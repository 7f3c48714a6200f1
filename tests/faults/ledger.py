"""What was asked for, what was answered and what was found afterwards; and the verdict on it."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import MessageUnreadableError
from orders.domain.message import read_message
from orders.domain.order import Order, ProcessedOrder


class Answered(Enum):
    """What a client knows of its order after one request."""

    ACKNOWLEDGED = "acknowledged"
    INDETERMINATE = "indeterminate"  # no answer, or one that says nothing: 5xx
    REFUSED = "refused"  # 4xx: nothing was accepted


@dataclass(frozen=True)
class Request:
    """One HTTP request for `order`; `order_id` is what the answer said if it was acknowledged."""

    order: Order
    key: str | None
    answered: Answered
    order_id: str | None = None


@dataclass(frozen=True)
class Findings:
    """What the system holds after all faults, drained."""

    rows: Sequence[ProcessedOrder] = ()
    """Every item of the table."""
    dead_letters: Sequence[str] = ()
    """The body of every message of the orders' dead-letter queue."""
    announced: Mapping[str, int] = field(default_factory=dict)
    """How often each order id was announced to a subscriber."""
    given_up: frozenset[str] = frozenset()
    """The order ids for which the notifications' dead-letter queue holds a place in the stream."""


@dataclass(frozen=True)
class Verdict:
    """The count, and a sentence for everything that must not be."""

    attempted: int = 0
    acknowledged: int = 0
    indeterminate: int = 0
    refused: int = 0
    stored: int = 0
    in_dlq: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    denied: int = 0
    notified: int = 0
    notified_twice: int = 0
    notification_given_up: int = 0
    never_notified: int = 0
    failures: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        return not self.failures


@dataclass
class Ledger:
    """What one seed asked for. Clients add to it from their threads, which appending to a list allows."""

    requests: list[Request] = field(default_factory=list)
    poison: list[str] = field(default_factory=list)
    """Bodies that are no orders, put straight into the queue: each must be kept for a person."""
    denied: list[str] = field(default_factory=list)
    """Acknowledged order ids to which the API answered 404."""

    def judge(self, findings: Findings) -> Verdict:
        """Return the verdict on `findings`, which hold nothing but what came of this ledger."""
        return _Judgement(self, findings).verdict()


class _Judgement:
    def __init__(self, ledger: Ledger, findings: Findings) -> None:
        self._ledger = ledger
        self._findings = findings
        self._requests: dict[Order, list[Request]] = {}
        for request in ledger.requests:
            self._requests.setdefault(request.order, []).append(request)
        self._stored = {row.order_id: row.order for row in findings.rows}
        self._dead, self._unreadable = _read(findings.dead_letters)

    def verdict(self) -> Verdict:
        lost, duplicated = list(self._lost()), list(self._duplicated())
        unexpected, never = list(self._unexpected()), list(self._never_notified())
        denied = [f"denied: order {order_id} was accepted and then answered with 404" for order_id in self._denied()]
        states = Counter(map(_state, self._requests.values()))
        return Verdict(
            attempted=len(self._requests),
            acknowledged=states[Answered.ACKNOWLEDGED],
            indeterminate=states[Answered.INDETERMINATE],
            refused=states[Answered.REFUSED],
            stored=len(self._stored),
            in_dlq=len(self._findings.dead_letters),
            lost=len(lost),
            duplicated=len(duplicated),
            unexpected=len(unexpected),
            denied=len(denied),
            notified=len(self._findings.announced),
            notified_twice=sum(count > 1 for count in self._findings.announced.values()),
            notification_given_up=len(self._findings.given_up - self._findings.announced.keys()),
            never_notified=len(never),
            failures=(*lost, *duplicated, *unexpected, *denied, *never),
        )

    def _lost(self) -> Iterator[str]:
        """Tell what was acknowledged and is neither stored nor in the dead-letter queue, with what was sent."""
        acknowledged = {(r.order_id, r.order) for r in self._ledger.requests if r.answered is Answered.ACKNOWLEDGED}
        for order_id, order in sorted(acknowledged, key=str):
            if self._stored.get(order_id or "") != order and (order_id, order) not in self._dead:
                yield f"lost: order {order_id} of {order.customer_id} was acknowledged, and is nowhere"
        for number in range(sum((Counter(self._ledger.poison) - Counter(self._unreadable)).values())):
            yield f"lost: message {number + 1} that cannot be read is not in the dead-letter queue"

    def _duplicated(self) -> Iterator[str]:
        """Tell of rows that are one too many, or not what was sent."""
        for order_id, count in Counter(row.order_id for row in self._findings.rows).items():
            if count > 1:
                yield f"duplicated: {count} rows have the id {order_id}"
        ids: dict[Order, set[str]] = defaultdict(set)
        for order_id, order in self._stored.items():
            ids[order].add(order_id)
        for order, order_ids in ids.items():
            if order in self._requests and len(order_ids) > (most := self._most_rows(order, order_ids)):
                yield f"duplicated: {len(order_ids)} rows hold one order of {order.customer_id}, {most} may"
        customers = {order.customer_id for order in self._requests}
        for order_id, order in self._stored.items():
            if order not in self._requests and order.customer_id in customers:
                yield f"duplicated: row {order_id} of {order.customer_id} holds what was not sent"

    def _most_rows(self, order: Order, order_ids: set[str]) -> int:
        """Return how many rows an order may have: one for its key; without one, one for every request."""
        requests = self._requests[order]
        if any(request.key for request in requests):
            return 1
        acknowledged = {request.order_id for request in requests} & order_ids
        return len(acknowledged) + sum(request.answered is Answered.INDETERMINATE for request in requests)

    def _unexpected(self) -> Iterator[str]:
        """Tell what is there though nobody asked for it, or what was refused."""
        customers = {order.customer_id for order in self._requests}
        found = [*self._stored.items(), *((order_id, order) for order_id, order in self._dead)]
        for order_id, order in found:
            if order.customer_id not in customers:
                yield f"unexpected: order {order_id} was never attempted"
            elif order in self._requests and _state(self._requests[order]) is Answered.REFUSED:
                yield f"unexpected: order {order_id} of {order.customer_id} was refused"
        for order_id, order in self._dead:
            if self._stored.get(order_id, order) != order:
                yield f"unexpected: order {order_id} is dead-lettered because another order has its id"
        for order_id in sorted(self._findings.announced.keys() - self._stored.keys()):
            yield f"unexpected: order {order_id} was announced and is not stored"
        if surplus := Counter(self._unreadable).keys() - Counter(self._ledger.poison).keys():
            yield f"unexpected: {len(surplus)} messages in the dead-letter queue that nobody sent"

    def _never_notified(self) -> Iterator[str]:
        silent = self._stored.keys() - self._findings.announced.keys() - self._findings.given_up
        for order_id in sorted(silent):
            yield f"never notified: order {order_id} is stored, and was not announced"

    def _denied(self) -> list[str]:
        return sorted(self._ledger.denied)


def _state(requests: Iterable[Request]) -> Answered:
    """Return what is known of an order after all its requests."""
    answers = {request.answered for request in requests}
    return next(answer for answer in Answered if answer in answers)


def _read(bodies: Iterable[str]) -> tuple[set[tuple[str, Order]], list[str]]:
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
    """Return whose order a queue message carries, or None where it carries none."""
    try:
        return str(json.loads(body)["order"]["customer_id"])
    except (ValueError, KeyError, TypeError):
        return None
