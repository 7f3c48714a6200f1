"""Order notification: orders that are new in the table's stream are announced."""

import os
from collections.abc import Mapping
from typing import Any

from orders import cold_start
from orders.adapters.clients import make_client
from orders.adapters.dynamodb import read_item
from orders.adapters.event_log import log_event, log_failure
from orders.adapters.sns import SnsCompletionTopic
from orders.usecases.notification import announce_orders

_topic = SnsCompletionTopic(make_client("sns"), os.environ["ORDER_COMPLETED_TOPIC_ARN"])
cold_start.end()


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Announce the orders of one batch of the table's stream, in its order.

    Returns ``{"batchItemFailures": […]}`` with the sequence number of the first record that is not
    announced: Lambda tries again from there. Where that is the very first record nothing was done,
    and the error is raised instead, so that the function's error metric and alarm see it; the mapping
    then bisects and retries the batch and hands what still fails to the notifications' dead-letter
    queue.
    """
    records = [record for record in event["Records"] if record["eventName"] == "INSERT"]
    announced = 0
    try:
        orders = [read_item(record["dynamodb"]["NewImage"]) for record in records]
        for processed in announce_orders(orders, topic=_topic):
            log_event("order_notified", order_id=processed.order_id)
            announced += 1
    except Exception as error:
        log_failure("notification_failed", error, records=len(records), announced=announced)
        if announced == 0:
            raise
    return {
        "batchItemFailures": [
            {"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in records[announced:][:1]
        ]
    }
