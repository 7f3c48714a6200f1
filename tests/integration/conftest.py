"""AWS in process (moto), and handlers imported as in a function."""

import gc
import importlib
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace AWS with moto, isolated from this machine's AWS settings."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield


@pytest.fixture
def queue_url(aws: None) -> str:
    return str(boto3.client("sqs").create_queue(QueueName="orders")["QueueUrl"])


@pytest.fixture
def table_name(aws: None) -> str:
    boto3.client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "orders"


@pytest.fixture
def topic_arn(aws: None) -> str:
    return str(boto3.client("sns").create_topic(Name="order-completed")["TopicArn"])


@pytest.fixture
def import_handler(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that reloads a handler module with the given environment variables."""

    def import_again(name: str, **environment: str) -> ModuleType:
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        module = importlib.import_module(f"orders.handlers.{name}")
        reloaded = importlib.reload(module)
        # The handler froze all objects, including those of other tests.
        gc.unfreeze()
        return reloaded

    return import_again


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that returns the event and these fields of each log record since its last call."""

    def take(*fields: str) -> list[tuple[Any, ...]]:
        records = [vars(record) for record in caplog.records]
        caplog.clear()
        assert not re.search("secret|Banana", str(records)), "the log has content of an order or of an error"
        return [tuple(record.get(field) for field in ("message", *fields)) for record in records]

    return take
