"""The emulator isolates, retries and discards a failing stream record as Lambda does."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.deployment.emulator import Emulator, running_emulator
from support.waiting import wait_for

HANDLER = """
def handler(event, context):
    sent = [(record["dynamodb"]["Keys"]["order_id"]["S"], record["dynamodb"]["SequenceNumber"]) for record in event["Records"]]
    print("sent:" + ",".join(order_id for order_id, _ in sent))
    return {"batchItemFailures": [{"itemIdentifier": number} for order_id, number in sent if order_id == "bad"]}
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Emulator]:
    with running_emulator(tmp_path, "eu-west-1") as emulator:
        yield emulator


def test_failing_stream_record_is_isolated_retried_and_discarded(services: Emulator) -> None:
    dynamodb, sqs, functions = services.client("dynamodb"), services.client("sqs"), services.client("lambda")
    stream_arn = dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]["LatestStreamArn"]
    for order_id in ("1", "2", "bad", "4"):
        dynamodb.put_item(TableName="orders", Item={"order_id": {"S": order_id}})
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = services.client("iam").create_role(
        RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("reader.py", HANDLER)
    functions.create_function(
        FunctionName="reader",
        Runtime="python3.13",
        Handler="reader.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )
    services.client("logs").create_log_group(logGroupName="/aws/lambda/reader")
    queue_url = sqs.create_queue(QueueName="discarded")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions.create_event_source_mapping(
        FunctionName="reader",
        EventSourceArn=stream_arn,
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": queue_arn}},
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=2,
    )

    def batches_sent() -> list[str]:
        events = services.client("logs").filter_log_events(logGroupName="/aws/lambda/reader")["events"]
        return re.findall(r"sent:(\S+)", "\n".join(event["message"] for event in events))

    wait_for("the record after the bad one", lambda: "4" in batches_sent())
    # The batch is split at the checkpoint, then bisected. The bad record is retried twice on its own.
    assert batches_sent() == ["1,2,bad,4", "bad,4", "bad", "bad", "bad", "4"]
    [message] = wait_for("the failure", lambda: sqs.receive_message(QueueUrl=queue_url).get("Messages"))
    failure = json.loads(message["Body"])
    assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert failure["DDBStreamBatchInfo"]["batchSize"] == 1
