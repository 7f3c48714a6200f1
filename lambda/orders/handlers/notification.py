"""Order notification: announce new orders in the table's stream."""

import os
from collections.abc import Mapping
from typing import Any

from orders import cold_start
from orders.adapters.clients import make_client
from orders.adapters.dynamodb import read_item
from orders.adapters.event_log import log_event, log_failure
from orders.adapters.messaging import SnsAnnouncementTopic
from orders.domain.announcement import announce
from orders.domain.errors import BatchFailedError

_topic = SnsAnnouncementTopic(make_client("sns"), os.environ["ORDER_COMPLETED_TOPIC_ARN"])
cold_start.freeze_heap()


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Announce the orders of one batch of the table's stream, in stream order.

    Returns ``{"batchItemFailures": […]}`` with the sequence number of the first record that was not announced. Lambda
    retries from there, so later records that were announced are announced twice. If nothing was announced, raises
    BatchFailedError, which the function's error metric counts. The mapping bisects and retries the batch, and sends
    records that still fail to the notifications' dead-letter queue.
    """
    records = [record for record in event["Records"] if record["eventName"] == "INSERT"]
    announced = 0
    try:
        orders = [read_item(record["dynamodb"]["NewImage"]) for record in records]
        for order, _ in zip(orders, _topic.publish(map(announce, orders)), strict=True):
            log_event("order_notified", order_id=order.order_id)
            announced += 1
    except Exception as error:
        log_failure("notification_failed", error, records=len(records), announced=announced)
    # Outside of `except`: otherwise the original error would be the context, and Lambda could log its text.
    if records and not announced:
        raise BatchFailedError("no order was announced; see notification_failed")
    return {
        "batchItemFailures": [
            {"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in records[announced:][:1]
        ]
    }
