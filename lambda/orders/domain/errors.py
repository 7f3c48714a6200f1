"""Errors that this package raises on purpose. Their texts never quote a request or an order."""

from collections.abc import Sequence
from dataclasses import dataclass


class OrdersError(Exception):
    """Base of every error that this package raises on purpose."""


class DocumentUnreadableError(OrdersError):
    """A request body is not one strict JSON document in UTF-8.

    `code` is the problem code of the API (``INVALID_JSON``, …), `detail` one sentence for the client.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Violation:
    """One broken rule: a JSON Pointer (RFC 6901) to the place, and the rule in words."""

    pointer: str
    detail: str


class OrderInvalidError(OrdersError):
    """A JSON document is not an order. `violations` has at most 20 of the `total` broken rules, sorted by pointer."""

    def __init__(self, violations: Sequence[Violation], total: int) -> None:
        super().__init__(f"{total} violations")
        self.violations = tuple(violations)
        self.total = total


class IdempotencyKeyInvalidError(OrdersError):
    """An Idempotency-Key is not 1 to 255 visible ASCII characters."""


class CustomerMismatchError(OrdersError):
    """An order is for another customer than the one in the request's token."""


class MessageUnreadableError(OrdersError):
    """A queue message does not carry a submitted order; the text says why."""


class MessageVersionUnknownError(MessageUnreadableError):
    """A queue message was written by a later version of this code. It is an order nevertheless.

    The text is always REASON, by which the `orders` command recognizes it in the log.
    """

    REASON = "the message is of a version that this code does not read"

    def __init__(self) -> None:
        super().__init__(self.REASON)


class QueueUnavailableError(OrdersError):
    """The queue rejected an order or did not answer in time: it may have been accepted or not."""


class StoreUnavailableError(OrdersError):
    """The table rejected a request or did not answer in time: what it holds is unknown."""


class TopicUnavailableError(OrdersError):
    """The topic rejected an announcement or did not answer in time."""


class BatchFailedError(OrdersError):
    """Nothing of a batch was processed. Raised instead of the original error, whose text may quote an order.

    Lambda logs the text of an error that a handler raises; the event log has the original error's type and place.
    """
