"""The ways in which an order, a message or a store can refuse."""

from collections.abc import Sequence
from dataclasses import dataclass


class OrdersError(Exception):
    """Base of every error that this package raises on purpose."""


class DocumentUnreadableError(OrdersError):
    """A request body is not one strict JSON document in UTF-8.

    `code` is the problem code of the API (``INVALID_JSON``, …), `detail` one sentence for the
    client that repeats nothing of the body.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Violation:
    """One rule that a document breaks: a JSON Pointer (RFC 6901) to the place, and the rule in words."""

    pointer: str
    detail: str


class OrderInvalidError(OrdersError):
    """A JSON document is not an order; `violations` holds every broken rule, one a place."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(f"{len(violations)} violations")
        self.violations = tuple(violations)


class IdempotencyKeyInvalidError(OrdersError):
    """An Idempotency-Key is not 1 to 255 visible ASCII characters."""


class OrderNotFoundError(OrdersError):
    """An order id was never issued by this system."""


class MessageUnreadableError(OrdersError):
    """A queue message does not carry a submitted order; the text says why and repeats nothing of it."""


class MessageVersionUnknownError(MessageUnreadableError):
    """A queue message is of a version that this code does not read, because it was written by later code.

    It is an order all the same. The text is always REASON, by which the operator's tool knows it in the log.
    """

    REASON = "the message is of a version that this code does not read"

    def __init__(self) -> None:
        super().__init__(self.REASON)


class QueueUnavailableError(OrdersError):
    """The queue refused an order or did not answer in time: it may have been accepted or not."""


class StoreUnavailableError(OrdersError):
    """The table refused or did not answer in time: nothing is known of what it holds."""


class TopicUnavailableError(OrdersError):
    """The topic refused or did not answer in time: the orders were not all announced."""
