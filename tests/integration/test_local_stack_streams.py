"""A table's stream in the emulator: it goes on after a new start, and after a function failed on it."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_stack.aws import AwsConnection
from support.deployment.emulator import running_emulator
from support.waiting import wait_for


@contextmanager
def emulator(directory: Path) -> Iterator[AwsConnection]:
    with running_emulator(directory, "us-east-1") as running:
        yield running.connection


def stream_records(aws: AwsConnection) -> list[Any]:
    """Return the records of the table's stream, oldest first."""
    arn = aws.client("dynamodb").describe_table(TableName="orders")["Table"]["LatestStreamArn"]
    streams = aws.client("dynamodbstreams")
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    return list(streams.get_records(ShardIterator=start["ShardIterator"])["Records"])


def put(aws: AwsConnection, order_id: str) -> None:
    aws.client("dynamodb").put_item(TableName="orders", Item={"order_id": {"S": order_id}})


def table_with_stream(aws: AwsConnection) -> None:
    aws.client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )


def test_a_stream_goes_on_after_a_new_start(tmp_path: Path) -> None:
    with emulator(tmp_path) as aws:
        table_with_stream(aws)
        put(aws, "before")
    with emulator(tmp_path) as aws:
        put(aws, "after")
        records = [record["dynamodb"] for record in stream_records(aws)]
    assert [record["Keys"]["order_id"]["S"] for record in records] == ["before", "after"]
    assert records[0]["SequenceNumber"] < records[1]["SequenceNumber"]


HANDLER = """
def handler(event, context):
    sent = [(record["dynamodb"]["Keys"]["order_id"]["S"], record["dynamodb"]["SequenceNumber"]) for record in event["Records"]]
    print("sent:" + ",".join(order_id for order_id, _ in sent))
    return {"batchItemFailures": [{"itemIdentifier": number} for order_id, number in sent if order_id == "bad"]}
"""


def mapped_function(aws: AwsConnection, **mapping: Any) -> str:
    """Let a function that fails for the order "bad" read the table's stream; return its dead-letter queue's URL."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = aws.client("iam").create_role(
        RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("reader.py", HANDLER)
    functions = aws.client("lambda")
    functions.create_function(
        FunctionName="reader",
        Runtime="python3.13",
        Handler="reader.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/reader")
    sqs = aws.client("sqs")
    queue_url = sqs.create_queue(QueueName="given-up")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions.create_event_source_mapping(
        FunctionName="reader",
        EventSourceArn=aws.client("dynamodb").describe_table(TableName="orders")["Table"]["LatestStreamArn"],
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": queue_arn}},
        **mapping,
    )
    return str(queue_url)


def batches_sent(aws: AwsConnection) -> list[str]:
    """Return the batches that the function got, oldest first."""
    events = aws.client("logs").filter_log_events(logGroupName="/aws/lambda/reader")["events"]
    return re.findall(r"sent:(\S+)", "\n".join(event["message"] for event in events))


def test_a_record_that_fails_is_retried_given_up_and_holds_back_nothing(tmp_path: Path) -> None:
    with emulator(tmp_path) as aws:
        table_with_stream(aws)
        for order_id in ("1", "2", "bad", "4"):
            put(aws, order_id)
        queue_url = mapped_function(aws, BisectBatchOnFunctionError=True, MaximumRetryAttempts=2)

        wait_for("the record behind the bad one", lambda: "4" in batches_sent(aws))
        given_up = wait_for(
            "what was given up", lambda: aws.client("sqs").receive_message(QueueUrl=queue_url).get("Messages")
        )

        # At its checkpoint, then in two, then the bad one by itself with two retries.
        assert batches_sent(aws) == ["1,2,bad,4", "bad,4", "bad", "bad", "bad", "4"]
        [message] = given_up
        failure = json.loads(message["Body"])
        assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert failure["DDBStreamBatchInfo"]["batchSize"] == 1
        bad = stream_records(aws)[2]["dynamodb"]["SequenceNumber"]
        assert failure["DDBStreamBatchInfo"]["startSequenceNumber"] == bad
