"""The queue of submitted orders on Amazon SQS, and the topic of announcements on Amazon SNS."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from orders.domain.errors import QueueUnavailableError, TopicUnavailableError

if TYPE_CHECKING:  # Only notification needs this module; importing it would slow down submission's cold start.
    from orders.domain.announcement import Announcement

_BATCH_SIZE = 10  # The limit of PublishBatch.


class SqsOrderQueue:
    """Sends messages to one SQS queue."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, message: str) -> None:
        """Put one message on the queue; raises QueueUnavailableError unless SQS has confirmed it."""
        try:
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=message)
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailableError from error


class SnsAnnouncementTopic:
    """Publishes announcements to one SNS topic."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, announcements: "Iterable[Announcement]") -> Iterator[None]:
        """Publish in the given order, yielding once for each announcement that SNS accepted.

        Raises TopicUnavailableError at the first announcement that SNS did not accept.
        """
        remaining = iter(announcements)
        while batch := list(islice(remaining, _BATCH_SIZE)):
            entries = [_entry(position, announcement) for position, announcement in enumerate(batch)]
            try:
                response = self._client.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=entries)
            except (ClientError, BotoCoreError) as error:
                raise TopicUnavailableError from error
            accepted = {success["Id"] for success in response.get("Successful", [])}
            for entry in entries:
                if entry["Id"] not in accepted:
                    raise TopicUnavailableError
                yield


def _entry(position: int, announcement: "Announcement") -> dict[str, Any]:
    return {
        "Id": str(position),
        "Subject": announcement.subject,
        # E-mail gets the text, every other protocol the JSON document.
        "MessageStructure": "json",
        "Message": json.dumps({"default": announcement.document, "email": announcement.text}),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in announcement.attributes.items()
        },
    }
