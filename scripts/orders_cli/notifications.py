"""Failed notifications, and how to repeat them.

An entry of the notifications' dead-letter queue holds no order, only a position in the table's stream, which keeps
records for a day. The orders are in the table, so each can be notified again by its id at any time. The deployed
notification function does it, with its own role and log: it gets the event that the stream would send.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from orders_cli.dead_letters import DeadLetter, Kind, Reason, receives, sent_at
from orders_cli.errors import OperatorError, error_code
from orders_cli.queue import Message
from orders_cli.system import System

# As in the event source mapping.
BATCH_SIZE = 10

_ALIAS = "live"
_EXPIRED = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})
_EMPTY_PAGES = 5

Item = Mapping[str, Any]
"""An order in DynamoDB's notation."""


class ExpiredError(Exception): ...


def failed_notification(message: Message) -> DeadLetter:
    """Return the letter of an SQS message, received with its system attributes.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    details: dict[str, Any] = {"notifications": None}
    try:
        entry = json.loads(message["Body"])
        info = entry["DDBStreamBatchInfo"]
        first, last = info["approximateArrivalOfFirstRecord"], info["approximateArrivalOfLastRecord"]
        details = {
            "notifications": int(info["batchSize"]),
            "stored_between": f"{first} and {last}",
            "shard_id": _text(info["shardId"]),
            "first_record": _text(info["startSequenceNumber"]),
            "last_record": _text(info["endSequenceNumber"]),
            "stream_arn": _text(info["streamArn"]),
        }
        reason = Reason(_condition(entry), Kind.REFUSED)
    except (ValueError, KeyError, TypeError, AttributeError):
        reason = Reason("not an entry of Lambda's", Kind.UNREADABLE)
    return DeadLetter(message["MessageId"], None, sent_at(message), receives(message), reason, details)


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
    def __init__(self, dynamodb_streams: Any) -> None:
        self._streams = dynamodb_streams

    def new_orders(self, letter: DeadLetter) -> list[Item]:
        """Return the orders inserted by a letter's records; raise ExpiredError if any record is gone."""
        details = letter.details or {}
        if "stream_arn" not in details:
            raise ExpiredError
        try:
            iterator = self._streams.get_shard_iterator(
                StreamArn=details["stream_arn"],
                ShardId=details["shard_id"],
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=details["first_record"],
            )["ShardIterator"]
            return self._read(iterator, int(details["last_record"]))
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
    def __init__(self, system: System) -> None:
        self._client = system.client("lambda")
        self._function_name = system.function_name("notification")

    def notify(self, items: Sequence[Item]) -> None:
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
