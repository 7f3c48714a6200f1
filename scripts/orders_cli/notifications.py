"""Failed notifications, and how to repeat them.

An entry of the notifications' dead-letter queue holds no order, only a position in the table's stream, which keeps
records for a day. The orders are in the table, so each can be notified again by its id at any time. The deployed
notification function does it, with its own role and log: it gets the event that the stream would send.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from orders_cli.dead_letters import DeadLetter, Kind, Reason, receives, sent_at
from orders_cli.errors import OperatorError, error_code
from orders_cli.queue import Message

# As in the event source mapping.
BATCH_SIZE = 10

_ALIAS = "live"
_EXPIRED = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})
_EMPTY_PAGES = 5

Item = Mapping[str, Any]
"""An order in DynamoDB's notation."""


class ExpiredError(Exception):
    """The stream no longer holds these records."""


@dataclass(frozen=True)
class Position:
    """Consecutive records in one shard of a table's stream."""

    stream_arn: str
    shard_id: str
    first: str
    last: str


def failed_notification(message: Message) -> DeadLetter:
    """Return the letter of an SQS message, received with its system attributes.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    details: dict[str, Any] = {"notifications": None}
    try:
        entry = json.loads(message["Body"])
        info = entry["DDBStreamBatchInfo"]
        names = ("streamArn", "shardId", "startSequenceNumber", "endSequenceNumber")
        position = Position(*(_text(info[name]) for name in names))
        first, last = info["approximateArrivalOfFirstRecord"], info["approximateArrivalOfLastRecord"]
        details = {
            "notifications": int(info["batchSize"]),
            "stored_between": f"{first} and {last}",
            "shard_id": position.shard_id,
            "first_record": position.first,
            "last_record": position.last,
            "stream_arn": position.stream_arn,
        }
        reason = Reason(_condition(entry), Kind.REFUSED)
    except (ValueError, KeyError, TypeError, AttributeError):
        reason = Reason("not an entry of Lambda's", Kind.UNREADABLE)
    return DeadLetter(message["MessageId"], None, sent_at(message), receives(message), reason, details)


def position_of(letter: DeadLetter) -> Position | None:
    """Return which records a letter stands for, None if it is not one of Lambda's."""
    details = letter.details or {}
    if "stream_arn" not in details:
        return None
    return Position(details["stream_arn"], details["shard_id"], details["first_record"], details["last_record"])


def _text(value: Any) -> str:
    # A sequence number keeps its leading zeros.
    if not isinstance(value, str):
        raise TypeError
    return value


def _condition(entry: Mapping[str, Any]) -> str:
    condition = entry["requestContext"]["condition"]
    function_error = (entry.get("responseContext") or {}).get("functionError")
    return f"{condition}, {function_error}" if function_error else str(condition)


class OrderStream:
    """The table's stream."""

    def __init__(self, dynamodb_streams: Any) -> None:
        self._streams = dynamodb_streams

    def new_orders(self, position: Position) -> list[Item]:
        """Return the orders inserted by these records; raise ExpiredError if any record is gone."""
        try:
            iterator = self._streams.get_shard_iterator(
                StreamArn=position.stream_arn,
                ShardId=position.shard_id,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=position.first,
            )["ShardIterator"]
            return self._read(iterator, int(position.last))
        except (ParamValidationError, ValueError) as error:
            raise ExpiredError from error  # not a position of any stream
        except ClientError as error:
            if error_code(error) in _EXPIRED:
                raise ExpiredError from error
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
        raise ExpiredError


class Notifier:
    """Sends notifications of stored orders by the deployed notification function."""

    def __init__(self, function_client: Any, function_name: str) -> None:
        self._client = function_client
        self._function_name = function_name

    def notify(self, items: Sequence[Item]) -> None:
        """Send the notifications of orders, given as their items; raise OperatorError unless all are sent."""
        for start in range(0, len(items), BATCH_SIZE):
            self._notify(items[start : start + BATCH_SIZE])

    def _notify(self, items: Sequence[Item]) -> None:
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
                f"The function {self._function_name} could not send every notification. Look for notification_failed "
                "in its log, fix the cause and run this again; subscribers may receive some twice."
            )
