"""Announcements that failed: what an entry says, what the stream still knows, and who announces again."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from orders_cli.dead_letters import Kind, Reason
from orders_cli.errors import OperatorError
from orders_cli.notifications import ExpiredError, Notifier, OrderStream, failed_notification
from orders_cli.system import System
from support.stub_aws.sqs import refusal

# As Lambda's documentation shows it, for a DynamoDB stream.
ENTRY: dict[str, Any] = {
    "requestContext": {
        "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
        "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:my-function",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 1,
    },
    "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    "version": "1.0",
    "timestamp": "2019-11-14T00:13:49.717Z",
    "DDBStreamBatchInfo": {
        "shardId": "shardId-00000001573689847184-864758bb",
        "startSequenceNumber": "800000000003126276362",
        "endSequenceNumber": "800000000003126276364",
        "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
        "approximateArrivalOfLastRecord": "2019-11-14T00:13:20Z",
        "batchSize": 2,
        "streamArn": "arn:aws:dynamodb:us-east-2:123456789012:table/mytable/stream/2019-11-14T00:04:06.388",
    },
}


def message(body: str) -> dict[str, Any]:
    return {
        "MessageId": "m1",
        "Body": body,
        "Attributes": {"SentTimestamp": "1745575200000", "ApproximateReceiveCount": "1"},
    }


def test_entry_of_lambda_has_reason_and_position() -> None:
    letter = failed_notification(message(json.dumps(ENTRY)))
    assert letter.reason == Reason("RetryAttemptsExhausted, Unhandled", Kind.REFUSED)
    assert letter.sent_at == datetime(2025, 4, 25, 10, tzinfo=UTC)
    assert letter.document()["first_record"] == "800000000003126276362"
    assert letter.document()["notifications"] == 2
    assert letter.document()["stored_between"] == "2019-11-14T00:13:19Z and 2019-11-14T00:13:20Z"


@pytest.mark.parametrize("body", ["poison", "[]", "{}", '{"DDBStreamBatchInfo": {"startSequenceNumber": 5}}'])
def test_other_messages_are_not_entries(body: str) -> None:
    letter = failed_notification(message(body))
    assert letter.reason.kind is Kind.UNREADABLE
    with pytest.raises(ExpiredError):
        OrderStream(None).new_orders(letter)


LETTER = failed_notification(message(json.dumps(ENTRY)))


class FakeStreams:
    """One shard, handed out a page at a time."""

    def __init__(self, *pages: list[tuple[str, str]]) -> None:
        self.pages = pages

    def get_shard_iterator(self, **request: Any) -> dict[str, str]:
        assert request == {
            "StreamArn": ENTRY["DDBStreamBatchInfo"]["streamArn"],
            "ShardId": "shardId-00000001573689847184-864758bb",
            "ShardIteratorType": "AT_SEQUENCE_NUMBER",
            "SequenceNumber": "800000000003126276362",
        }
        return {"ShardIterator": "0"}

    def get_records(self, *, ShardIterator: str) -> dict[str, Any]:  # noqa: N803
        number = int(ShardIterator)
        records = [
            {"eventName": kind, "dynamodb": {"SequenceNumber": sequence, "NewImage": {"order_id": {"S": sequence}}}}
            for sequence, kind in self.pages[number]
        ]
        following = {"NextShardIterator": str(number + 1)} if number + 1 < len(self.pages) else {}
        return {"Records": records, **following}


def test_stream_returns_the_orders_of_a_position_only() -> None:
    streams = FakeStreams(
        [("800000000003126276362", "INSERT")],
        [],
        [("800000000003126276363", "MODIFY"), ("800000000003126276364", "INSERT"), ("800000000003126276365", "INSERT")],
    )
    items = OrderStream(streams).new_orders(LETTER)
    assert [item["order_id"]["S"][-3:] for item in items] == ["362", "364"]


def test_partly_expired_position_is_expired() -> None:
    with pytest.raises(ExpiredError):
        OrderStream(FakeStreams([("800000000003126276362", "INSERT")], [], [], [], [], [], [])).new_orders(LETTER)


@pytest.mark.parametrize("code", ["TrimmedDataAccessException", "ResourceNotFoundException"])
def test_trimmed_position_is_expired(code: str) -> None:
    class Trimmed(FakeStreams):
        def get_shard_iterator(self, **_: Any) -> dict[str, str]:
            raise refusal(code, "GetShardIterator")

    with pytest.raises(ExpiredError):
        OrderStream(Trimmed()).new_orders(LETTER)


class FakeFunction:
    """A notification function with one answer for every invocation."""

    def __init__(self, answer: bytes = b'{"batchItemFailures": []}', **more: str) -> None:
        self.answer = answer
        self.more = more
        self.events: list[dict[str, Any]] = []

    def invoke(self, *, FunctionName: str, Qualifier: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert (FunctionName, Qualifier) == ("order-processing-dev-notification", "live")
        self.events.append(json.loads(Payload))
        return {"Payload": io.BytesIO(self.answer), **self.more}


def notifier(function: FakeFunction) -> Notifier:
    outputs = dict.fromkeys(("api_endpoint", "orders_queue_url", "orders_dlq_url", "notifications_dlq_url"), "")
    return Notifier(System("here", {**outputs, "orders_table_name": "order-processing-dev-orders"}, lambda _: function))


def test_orders_are_notified_in_batches_of_ten() -> None:
    function = FakeFunction()
    items = [{"order_id": {"S": str(number)}} for number in range(23)]
    notifier(function).notify(items)
    assert [len(event["Records"]) for event in function.events] == [10, 10, 3]
    records = [record for event in function.events for record in event["Records"]]
    assert {record["eventName"] for record in records} == {"INSERT"}
    assert [record["dynamodb"]["NewImage"] for record in records] == items


@pytest.mark.parametrize(
    "function",
    [
        FakeFunction(b'{"batchItemFailures": [{"itemIdentifier": "0"}]}'),
        FakeFunction(b'{"errorMessage": "secret"}', FunctionError="Unhandled"),
        FakeFunction(b"null"),
        FakeFunction(b"{}"),
    ],
    ids=["some failed", "error", "nothing", "something else"],
)
def test_anything_but_success_is_an_error(function: FakeFunction) -> None:
    with pytest.raises(OperatorError, match="Look for notification_failed in its log") as failure:
        notifier(function).notify([{}])
    assert "secret" not in str(failure.value)
