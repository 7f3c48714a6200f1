"""The topic on which completed orders are announced, on Amazon SNS."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orders.domain.completion import Announcement
from orders.domain.errors import TopicUnavailableError

# PublishBatch takes 10 entries.
_BATCH_SIZE = 10


class SnsCompletionTopic:
    """Publishes announcements to one SNS topic."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, announcements: Iterable[Announcement]) -> Iterator[None]:
        """Publish in the given order, yielding once for each announcement that SNS took.

        Raises TopicUnavailableError at the first one that it did not take.
        """
        remaining = iter(announcements)
        while batch := list(islice(remaining, _BATCH_SIZE)):
            entries = [_entry(position, announcement) for position, announcement in enumerate(batch)]
            try:
                answer = self._client.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=entries)
            except (ClientError, BotoCoreError) as error:
                raise TopicUnavailableError from error
            taken = {success["Id"] for success in answer.get("Successful", [])}
            for entry in entries:
                if entry["Id"] not in taken:
                    raise TopicUnavailableError
                yield


def _entry(position: int, announcement: Announcement) -> dict[str, Any]:
    return {
        "Id": str(position),
        "Subject": announcement.subject,
        # One message, two readings: e-mail gets the text, every other protocol the JSON document.
        "MessageStructure": "json",
        "Message": json.dumps({"default": announcement.document, "email": announcement.text}),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in announcement.attributes.items()
        },
    }
