"""The notification handler on moto: messages to subscribers, and retries of stream records."""

import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import boto3
import pytest

from orders.domain.announcement import announce
from orders.domain.errors import BatchFailedError
from support.deployment.subscription import subscribed_queue
from support.sample_orders import processed
from support.stub_aws.events import stream_event
from support.stub_aws.sqs import failed_calls

Logged = Callable[..., list[tuple[Any, ...]]]
Subscriber = Callable[[], list[Any]]


@pytest.fixture(scope="module")
def topic_arn(shared_aws: None) -> str:
    return str(boto3.client("sns").create_topic(Name="order-completed")["TopicArn"])


@pytest.fixture(scope="module")
def notification(import_handler: Callable[..., ModuleType], topic_arn: str) -> ModuleType:
    return import_handler("notification", ORDER_COMPLETED_TOPIC_ARN=topic_arn)


@pytest.fixture
def subscriber(topic_arn: str) -> Iterator[Subscriber]:
    with subscribed_queue(boto3.client, topic_arn, "subscriber") as read:
        yield read


def test_each_new_order_is_announced_once_and_no_change(notification: ModuleType, subscriber: Subscriber) -> None:
    orders = [processed(str(number)) for number in range(25)]
    changes = [stream_event(processed("old"), event_name=name) for name in ("MODIFY", "REMOVE")]
    added = stream_event(*orders)

    for event in (*changes, {"Records": [record for each in (*changes, added) for record in each["Records"]]}):
        assert notification.handler(event, None) == {"batchItemFailures": []}
    assert sorted(message["Subject"] for message in subscriber()) == sorted(
        f"Order {order.order_id} completed" for order in orders
    )


def test_announcement_has_json_attributes_and_an_email_text(
    notification: ModuleType, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = notification._topic._client
    spy = Mock(wraps=client.publish_batch)
    monkeypatch.setattr(client, "publish_batch", spy)
    notification.handler(stream_event(processed()), None)

    [message] = subscriber()
    assert json.loads(message["Message"]) == processed().to_document()
    assert message["MessageAttributes"] == {
        "customer_id": {"Type": "String", "Value": "001"},
        "product_id": {"Type": "String", "Value": "Banana"},
    }
    [entry] = spy.call_args.kwargs["PublishBatchRequestEntries"]
    assert entry["MessageStructure"] == "json"
    assert json.loads(entry["Message"])["email"] == announce(processed()).text


def test_stream_retries_from_the_first_order_that_sns_rejects(
    notification: ModuleType, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    rejected = {"Successful": [{"Id": place} for place in "013"], "Failed": [{"Id": "2", "Code": "x"}]}
    publish = Mock(return_value=rejected)
    monkeypatch.setattr(notification._topic._client, "publish_batch", publish)

    response = notification.handler(stream_event(*[processed(key) for key in "abcd"]), None)

    entries = publish.call_args.kwargs["PublishBatchRequestEntries"]
    assert [(each["Id"], each["Subject"]) for each in entries] == [
        (str(place), announce(processed(key)).subject) for place, key in enumerate("abcd")
    ]
    assert response == {"batchItemFailures": [{"itemIdentifier": "102"}]}
    assert logged("order_id", "records", "announced") == [
        ("order_notified", processed("a").order_id, None, None),
        ("order_notified", processed("b").order_id, None, None),
        ("notification_failed", None, 4, 2),
    ]


@pytest.mark.parametrize(("error", "name"), failed_calls("TopicUnavailableError"))
def test_function_fails_when_nothing_is_announced(
    notification: ModuleType, monkeypatch: pytest.MonkeyPatch, logged: Logged, error: Exception, name: str
) -> None:
    monkeypatch.setattr(notification._topic._client, "publish_batch", Mock(side_effect=error))

    with pytest.raises(BatchFailedError) as raised:
        notification.handler(stream_event(processed()), None)
    assert logged("error") == [("notification_failed", name)]
    assert (raised.value.__cause__, raised.value.__context__) == (None, None), "Lambda may log the text of a cause"
    assert str(raised.value) == "no order was announced; see notification_failed"


def test_batch_is_not_announced_when_a_record_is_invalid(notification: ModuleType, subscriber: Subscriber) -> None:
    event = stream_event(processed("a"), processed("b"))
    del event["Records"][1]["dynamodb"]["NewImage"]["quantity"]

    with pytest.raises(BatchFailedError):
        notification.handler(event, None)
    assert subscriber() == []
