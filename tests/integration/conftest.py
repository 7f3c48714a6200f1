"""AWS in process (moto), and the handlers as a function would import them there."""

import gc
import importlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

Import = Callable[[str], ModuleType]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put moto in AWS's place, with nothing of the machine's own settings in sight."""
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
    """Import a handler module anew, with the function's environment, and return it."""

    def import_anew(name: str, **environment: str) -> ModuleType:
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        module = importlib.import_module(f"orders.handlers.{name}")
        anew = importlib.reload(module)
        # The handler has frozen all that is there, as it is to; here that is also what other tests have left behind.
        gc.unfreeze()
        return anew

    return import_anew
