"""The queues' metrics, which SQS sends to CloudWatch and the emulator does not."""

import time
from typing import Any

from local_stack.alarms import Alarms

NAMESPACE = "AWS/SQS"
VISIBLE_MESSAGES = "ApproximateNumberOfMessagesVisible"

# SQS sends a value a minute. Three times as often here, so that every minute has one on a busy machine.
_REPEAT_SECONDS = 20


class QueueMetrics:
    """Puts the number of visible messages of every queue that an alarm watches: the dead-letter queues."""

    def __init__(self, sqs: Any, cloudwatch: Any, alarms: Alarms) -> None:
        self._sqs = sqs
        self._cloudwatch = cloudwatch
        self._alarms = alarms
        self._last: dict[str, int] = {}
        self._last_put = float("-inf")

    def put(self) -> None:
        """Put the numbers when one has changed, and regularly otherwise."""
        visible = {name: number for name in self._watched() if (number := self._visible(name)) is not None}
        now = time.monotonic()
        if not visible or (visible == self._last and now < self._last_put + _REPEAT_SECONDS):
            return
        self._cloudwatch.put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": VISIBLE_MESSAGES,
                    "Dimensions": [{"Name": "QueueName", "Value": name}],
                    "Unit": "Count",
                    "Value": number,
                }
                for name, number in visible.items()
            ],
        )
        self._last, self._last_put = visible, now

    def _watched(self) -> list[str]:
        return [
            dimension["Value"]
            for alarm in self._alarms.definitions()
            if (alarm.get("Namespace"), alarm.get("MetricName")) == (NAMESPACE, VISIBLE_MESSAGES)
            for dimension in alarm["Dimensions"]
            if dimension["Name"] == "QueueName"
        ]

    def _visible(self, queue_name: str) -> int | None:
        # An alarm can name a queue that does not exist. Then there is no metric, as on AWS.
        try:
            url = self._sqs.get_queue_url(QueueName=queue_name)["QueueUrl"]
        except self._sqs.exceptions.QueueDoesNotExist:
            return None
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])
