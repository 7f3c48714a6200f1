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
    """One broken rule: a JSON Pointer (RFC 6901) to the invalid value, and the rule in words."""

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
    """The order's customer is not the customer in the request's token."""


class MessageUnreadableError(OrdersError):
    """A queue message does not contain a submitted order. The error's text is the reason."""


class MessageVersionUnknownError(MessageUnreadableError):
    """A queue message was written by a later version of this code. It contains an order.

    The text is always REASON: the `orders` command recognizes it in the log.
    """

    REASON = "the message is of a version that this code does not read"

    def __init__(self) -> None:
        super().__init__(self.REASON)


class QueueUnavailableError(OrdersError):
    """The queue rejected an order or did not respond in time. The order may have been accepted."""


class StoreUnavailableError(OrdersError):
    """The table rejected a request or did not respond in time."""


class TopicUnavailableError(OrdersError):
    """The topic rejected an announcement or did not respond in time."""


class BatchFailedError(OrdersError):
    """No record of a batch was processed. Replaces the original error, whose text may quote an order.

    Lambda logs the text of an error that a handler raises. The event log has the original error's type and line.
    """
