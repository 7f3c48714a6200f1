"""Order processing: store the orders of queue messages in the table."""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orders import cold_start
from orders.adapters.clients import make_client
from orders.adapters.dynamodb import DynamoDbOrderTable
from orders.adapters.event_log import log_event, log_failure
from orders.adapters.order_schema import ORDER_RULES
from orders.domain.errors import BatchFailedError
from orders.use_cases.process_messages import Outcome, process_messages

_store = DynamoDbOrderTable(make_client("dynamodb"), os.environ["ORDERS_TABLE_NAME"])
cold_start.freeze_heap()


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Store the orders of one batch of the SQS event source and report each message that is not stored.

    Returns ``{"batchItemFailures": [{"itemIdentifier": message id}, …]}``, the format of ReportBatchItemFailures. SQS
    delivers exactly those messages again and moves them to the dead-letter queue after five receives.
    If no message was stored because of an error, raises BatchFailedError, which the function's error metric counts.

    Logs one event per message. A failed message logs order_failed or order_conflict, with its number of receives.
    """
    # SQS may deliver a message twice in one batch.
    records = {record["messageId"]: record for record in event["Records"]}
    outcomes = process_messages(
        {message_id: record["body"] for message_id, record in records.items()},
        now=datetime.now(UTC),
        rules=ORDER_RULES,
        store=_store,
    )
    for outcome in outcomes:
        _log(outcome, receives=int(records[outcome.message_id]["attributes"]["ApproximateReceiveCount"]))
    failed = [outcome for outcome in outcomes if not outcome.stored]
    errors = [outcome.error for outcome in failed if outcome.error]
    if errors and len(failed) == len(outcomes):
        log_failure("request_failed", errors[0], messages=len(failed))
        raise BatchFailedError(f"none of {len(failed)} messages was stored; see order_failed")
    return {"batchItemFailures": [{"itemIdentifier": outcome.message_id} for outcome in failed]}


def _log(outcome: Outcome, *, receives: int) -> None:
    ids: dict[str, str | int | None] = {"message_id": outcome.message_id, "receives": receives}
    if outcome.submitted:
        ids |= {"order_id": outcome.submitted.order_id, "request_id": outcome.submitted.request_id}
    if outcome.error:
        log_failure(outcome.result.value, outcome.error, **ids)
    else:
        level = logging.INFO if outcome.stored else logging.ERROR
        log_event(outcome.result.value, level, **ids, reason=outcome.reason)
