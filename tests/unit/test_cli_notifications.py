"""Failed notifications: queue entries, stream positions, and the invocation that sends them again."""

import io
import json
from typing import Any
from unittest import mock

import pytest

from orders_cli.dead_letters import Kind, Reason
from orders_cli.errors import OperatorError
from orders_cli.notifications import failed_notification, new_orders, notify
from support.stub_aws.sqs import aws_error

FIRST = "800000000003126276362"
# From the example for a DynamoDB stream in Lambda's documentation.
ENTRY: dict[str, Any] = {
    "requestContext": {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 1},
    "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    "DDBStreamBatchInfo": {
        "shardId": "shardId-00000001573689847184-864758bb",
        "startSequenceNumber": FIRST,
        "endSequenceNumber": "800000000003126276364",
        "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
        "approximateArrivalOfLastRecord": "2019-11-14T00:13:20Z",
        "batchSize": 2,
        "streamArn": "arn:aws:dynamodb:us-east-2:123456789012:table/mytable/stream/2019-11-14T00:04:06.388",
    },
}
ATTRIBUTES = {"SentTimestamp": "1745575200000", "ApproximateReceiveCount": "1"}
LETTER = failed_notification({"MessageId": "m1", "Body": json.dumps(ENTRY), "Attributes": ATTRIBUTES})


def test_entry_has_a_reason_and_a_stream_position() -> None:
    assert LETTER.reason == Reason("RetryAttemptsExhausted, Unhandled", Kind.REFUSED)
    document = LETTER.document()
    assert (document["first_record"], document["notifications"]) == (FIRST, 2)
    assert document["stored_between"] == "2019-11-14T00:13:19Z and 2019-11-14T00:13:20Z"


def streams_with(*pages: list[int]) -> mock.Mock:
    """Return a stream with pages of records. A number is the end of a sequence number; a negative one is a MODIFY."""
    responses = [
        {
            "Records": [
                {
                    "eventName": "INSERT" if digits > 0 else "MODIFY",
                    "dynamodb": {"SequenceNumber": f"{FIRST[:-3]}{abs(digits)}", "NewImage": digits},
                }
                for digits in page
            ],
            "NextShardIterator": "next",
        }
        for page in pages
    ]
    return mock.MagicMock(**{"get_records.side_effect": responses})


def test_stream_read_returns_only_the_orders_of_the_entry() -> None:
    streams = streams_with([362], [], [-363, 364, 365])
    found: Any = new_orders(streams, LETTER)
    assert found == [362, 364]
    assert streams.get_shard_iterator.call_args.kwargs["SequenceNumber"] == FIRST


@pytest.mark.parametrize(
    "streams",
    [
        streams_with([362], [], [], [], [], [], []),
        mock.Mock(**{"get_shard_iterator.side_effect": aws_error("TrimmedDataAccessException")}),
        mock.Mock(**{"get_shard_iterator.side_effect": aws_error("ResourceNotFoundException")}),
    ],
    ids=["partly", "trimmed", "another stream"],
)
def test_position_is_expired_when_the_stream_lacks_it(streams: mock.Mock) -> None:
    assert new_orders(streams, LETTER) is None


@pytest.mark.parametrize(
    "response",
    [
        {"Payload": b'{"batchItemFailures": [{"itemIdentifier": "0"}]}'},
        {"Payload": b'{"errorMessage": "secret"}', "FunctionError": "Unhandled"},
        {"Payload": b"null"},
        {"Payload": b"{}"},
    ],
    ids=["some failed", "error", "nothing", "something else"],
)
def test_notify_fails_unless_the_function_reports_success(response: dict[str, Any]) -> None:
    system = mock.Mock()
    system.client().invoke.return_value = {**response, "Payload": io.BytesIO(response["Payload"])}
    with pytest.raises(OperatorError, match="Search its log for notification_failed") as failure:
        notify(system, [{}])
    assert "secret" not in str(failure.value)
