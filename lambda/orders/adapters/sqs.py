"""The queue of submitted orders, on Amazon SQS."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orders.domain.errors import QueueUnavailableError
from orders.domain.message import write_message
from orders.domain.order import SubmittedOrder


class SqsOrderQueue:
    """Sends submitted orders to one SQS queue."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, submitted: SubmittedOrder) -> None:
        """Put one order on the queue; raises QueueUnavailableError unless SQS has confirmed it."""
        try:
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=write_message(submitted))
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailableError from error
