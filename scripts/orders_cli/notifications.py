"""Failed notifications, and how to repeat them.

An entry of the notifications' dead-letter queue holds no order, only a position in the table's stream, which keeps
records for a day. The orders are in the table, so a notification can be repeated by order id at any time. The deployed
notification function sends it, with its own role and log: it receives the event that the stream would send.
"""

import json
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from orders_cli.dead_letters import DeadLetter, Kind, Reason, letter_of
from orders_cli.errors import OperatorError, error_code
from orders_cli.queue import Message
from orders_cli.system import System
from orders_cli.table import Item

# As in the event source mapping.
BATCH_SIZE = 10

_EXPIRED = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})
_EMPTY_PAGES = 5


def failed_notification(message: Message) -> DeadLetter:
    """Return the dead letter of an SQS message that Lambda sent about a batch of records.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    try:
        entry = json.loads(message["Body"])
        info = entry["DDBStreamBatchInfo"]
        details = {
            "notifications": int(info["batchSize"]),
            "stored_between": f"{info['approximateArrivalOfFirstRecord']} and {info['approximateArrivalOfLastRecord']}",
            "shard_id": info["shardId"],
            "first_record": info["startSequenceNumber"],
            "last_record": info["endSequenceNumber"],
            "stream_arn": info["streamArn"],
        }
        function_error = (entry.get("responseContext") or {}).get("functionError")
        text = ", ".join(filter(None, (entry["requestContext"]["condition"], function_error)))
        return letter_of(message, Reason(text, Kind.REFUSED), details=details)
    except (ValueError, KeyError, TypeError, AttributeError):
        return letter_of(message, Reason("not written by Lambda", Kind.UNREADABLE), details={"notifications": None})


def new_orders(dynamodb_streams: Any, letter: DeadLetter) -> list[Item] | None:
    """Return the orders that the records of a dead letter inserted, or None if the stream does not hold all records."""
    details, items, empty_pages = letter.details or {}, [], 0
    try:
        position = {"StreamArn": details["stream_arn"], "ShardId": details["shard_id"]}
        position |= {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": details["first_record"]}
        iterator, last = dynamodb_streams.get_shard_iterator(**position)["ShardIterator"], int(details["last_record"])
        while iterator and empty_pages < _EMPTY_PAGES:
            response = dynamodb_streams.get_records(ShardIterator=iterator)
            for record in response["Records"]:
                number = int(record["dynamodb"]["SequenceNumber"])
                if number <= last and record["eventName"] == "INSERT":
                    items.append(record["dynamodb"]["NewImage"])
                if number >= last:
                    return items
            empty_pages += not response["Records"]
            iterator = response.get("NextShardIterator")
    except (KeyError, ParamValidationError, ValueError):
        pass  # not a position of any stream
    except ClientError as error:
        if error_code(error) not in _EXPIRED:
            raise
    return None


def notify(system: System, items: Sequence[Item]) -> None:
    """Invoke the notification function for at most BATCH_SIZE orders."""
    function_name = system.function_name("notification")
    records = [
        {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": str(number)}}
        for number, item in enumerate(items)
    ]
    payload = json.dumps({"Records": records}).encode()
    response = system.client("lambda").invoke(FunctionName=function_name, Qualifier="live", Payload=payload)
    result = json.loads(response["Payload"].read() or b"null")
    if "FunctionError" in response or not isinstance(result, dict) or result.get("batchItemFailures") != []:
        raise OperatorError(
            f"The function {function_name} could not send every notification. Search its log for notification_failed, "
            "fix the cause and run this again; subscribers may receive some twice."
        )
