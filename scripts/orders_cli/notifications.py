"""Announcements that failed, and announcing again.

An entry of the notifications' dead-letter queue holds no order, only a place in the table's stream: shard, first and
last record. The stream forgets after a day. The orders themselves are in the table, so each can be announced again at
any time by its id.

Announcing again is done by the deployed notification function itself, with its own role and into its own log: it gets
what the stream would hand it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from orders_cli.errors import OperatorError, error_code
from orders_cli.queue import Message

# As the event source mapping has it.
BATCH_SIZE = 10

_ALIAS = "live"
_FORGOTTEN = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})
_EMPTY_PAGES = 5

Item = Mapping[str, Any]
"""An order as DynamoDB writes it."""


class ForgottenError(Exception):
    """The stream does not hold these records any more."""


@dataclass(frozen=True)
class Place:
    """Records of a table's stream that follow each other in one shard."""

    stream_arn: str
    shard_id: str
    first: str
    last: str


@dataclass(frozen=True)
class FailedNotification:
    """One entry; `place` is None, with all else unknown, where it is not one of Lambda's.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """

    message_id: str
    sent_at: datetime
    reason: str
    place: Place | None = None
    records: int | None = None
    first_stored_at: str | None = None
    last_stored_at: str | None = None


def failed_notification(message: Message) -> FailedNotification:
    """Return what an SQS message, received with its system attributes, says."""
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    try:
        entry = json.loads(message["Body"])
        info = entry["DDBStreamBatchInfo"]
        # The numbers as they stand: they may begin with zeros.
        place = Place(
            *(_text(info[name]) for name in ("streamArn", "shardId", "startSequenceNumber", "endSequenceNumber"))
        )
        return FailedNotification(
            message["MessageId"],
            sent_at,
            _reason(entry),
            place,
            int(info["batchSize"]),
            str(info["approximateArrivalOfFirstRecord"]),
            str(info["approximateArrivalOfLastRecord"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return FailedNotification(message["MessageId"], sent_at, "it is no entry of Lambda's")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _reason(entry: Mapping[str, Any]) -> str:
    condition = entry["requestContext"]["condition"]
    function_error = (entry.get("responseContext") or {}).get("functionError")
    return f"{condition}, {function_error}" if function_error else str(condition)


class OrderStream:
    """The table's stream."""

    def __init__(self, dynamodb_streams: Any) -> None:
        self._streams = dynamodb_streams

    def new_orders(self, place: Place) -> list[Item]:
        """Return the orders that were new in these records; raise ForgottenError where any is not held any more."""
        try:
            iterator = self._streams.get_shard_iterator(
                StreamArn=place.stream_arn,
                ShardId=place.shard_id,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=place.first,
            )["ShardIterator"]
            return self._read(iterator, int(place.last))
        except (ParamValidationError, ValueError) as error:
            raise ForgottenError from error  # no place of any stream
        except ClientError as error:
            if error_code(error) in _FORGOTTEN:
                raise ForgottenError from error
            raise

    def _read(self, iterator: str | None, last: int) -> list[Item]:
        items: list[Item] = []
        empty_pages = 0
        while iterator is not None and empty_pages < _EMPTY_PAGES:
            answer = self._streams.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                number = int(record["dynamodb"]["SequenceNumber"])
                if number <= last and record["eventName"] == "INSERT":
                    items.append(record["dynamodb"]["NewImage"])
                if number >= last:
                    return items
            empty_pages += not answer["Records"]
            iterator = answer.get("NextShardIterator")
        raise ForgottenError


class Notifier:
    """Announces stored orders by the deployed notification function."""

    def __init__(self, function_client: Any, function_name: str) -> None:
        self._client = function_client
        self._function_name = function_name

    def announce(self, items: Sequence[Item]) -> None:
        """Announce orders, given as their items; raise OperatorError unless all of them are announced."""
        for start in range(0, len(items), BATCH_SIZE):
            self._announce(items[start : start + BATCH_SIZE])

    def _announce(self, items: Sequence[Item]) -> None:
        records = [
            {
                "eventSource": "aws:dynamodb",
                "eventName": "INSERT",
                "dynamodb": {"NewImage": item, "SequenceNumber": str(number)},
            }
            for number, item in enumerate(items)
        ]
        answer = self._client.invoke(
            FunctionName=self._function_name, Qualifier=_ALIAS, Payload=json.dumps({"Records": records}).encode()
        )
        result = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer or not isinstance(result, dict) or result.get("batchItemFailures") != []:
            raise OperatorError(
                f"The function {self._function_name} could not announce all of them: read its log for "
                "notification_failed, repair the cause and run this again. Subscribers may hear of some twice."
            )
