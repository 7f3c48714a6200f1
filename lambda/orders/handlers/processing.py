"""Order processing: messages of the queue become items of the table."""

import logging
import os
from collections.abc import Mapping
from typing import Any

from orders import cold_start
from orders.adapters.clients import make_client
from orders.adapters.clock import utc_now
from orders.adapters.dynamodb import DynamoDbOrderTable
from orders.adapters.event_log import log_event, log_failure
from orders.domain.errors import MessageUnreadableError
from orders.domain.message import read_message
from orders.domain.order import SubmittedOrder
from orders.usecases.processing import Outcome, QueueMessage, Result, process_messages

_store = DynamoDbOrderTable(make_client("dynamodb"), os.environ["ORDERS_TABLE_NAME"])
cold_start.end()

_LEVELS = {
    Result.STORED: logging.INFO,
    Result.DUPLICATE: logging.INFO,
    Result.CONFLICT: logging.ERROR,
    Result.FAILED: logging.ERROR,
}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Store the orders of one batch of the SQS event source and report each message that is not settled.

    Returns ``{"batchItemFailures": [{"itemIdentifier": message id}, …]}`` as the mapping's
    ReportBatchItemFailures expects it: SQS delivers exactly those again, and after five receives moves
    them to the dead-letter queue. A message counts as failed until its order is known to be stored, so
    that an error nobody foresaw loses nothing. Where such an error left the whole batch undone it is
    raised, which fails the batch all the same and lets the function's error metric and alarm know.

    Every message that is not settled has an event of its own in the log, order_failed or
    order_conflict, so that whoever finds it in the dead-letter queue also finds the reason.
    """
    receives = {
        record["messageId"]: int(record["attributes"]["ApproximateReceiveCount"]) for record in event["Records"]
    }
    unsettled = dict.fromkeys(receives)
    outcomes = []
    try:
        messages = [QueueMessage(record["messageId"], record["body"]) for record in event["Records"]]
        for outcome in process_messages(messages, now=utc_now(), store=_store):
            if outcome.settled:
                del unsettled[outcome.message_id]
            outcomes.append(outcome)
    except Exception as error:
        log_failure("request_failed", error, messages=len(unsettled))
        explained = {outcome.message_id for outcome in outcomes}
        for record in event["Records"]:
            if record["messageId"] not in explained:
                _log_undone(record, error)
        if len(unsettled) == len(receives):
            raise
    finally:
        # Only now: whatever becomes of a line of the log, what is stored is settled.
        for outcome in outcomes:
            _log(outcome, receives[outcome.message_id])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in unsettled]}


def _log(outcome: Outcome, receives: int) -> None:
    log_event(
        outcome.result.value,
        _LEVELS[outcome.result],
        **_ids(outcome.submitted),
        message_id=outcome.message_id,
        receives=receives,
        reason=outcome.reason,
    )


def _log_undone(record: Mapping[str, Any], error: Exception) -> None:
    try:
        submitted = read_message(record["body"])
    except MessageUnreadableError:
        submitted = None
    log_failure(
        "order_failed",
        error,
        **_ids(submitted),
        message_id=record["messageId"],
        receives=int(record["attributes"]["ApproximateReceiveCount"]),
    )


def _ids(submitted: SubmittedOrder | None) -> dict[str, str]:
    return {} if submitted is None else {"order_id": submitted.order_id, "request_id": submitted.request_id}
