"""That what a table's stream has not told yet is told after a new start."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from free_ports import free_port
from local_stack.aws import AwsConnection
from local_stack.emulator import running_emulator
from local_stack.run_lock import RunLock


@contextmanager
def emulator(directory: Path) -> Iterator[AwsConnection]:
    port = free_port()
    with (
        RunLock(directory) as lock,
        running_emulator(directory / "emulator", port, "us-east-1", directory / "emulator.log", lock),
    ):
        yield AwsConnection(f"http://127.0.0.1:{port}", "us-east-1")


def stream_records(aws: AwsConnection) -> list[Any]:
    """Return the records of the table's stream, oldest first."""
    arn = aws.client("dynamodb").describe_table(TableName="orders")["Table"]["LatestStreamArn"]
    streams = aws.client("dynamodbstreams")
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    return list(streams.get_records(ShardIterator=start["ShardIterator"])["Records"])


def put(aws: AwsConnection, order_id: str) -> None:
    aws.client("dynamodb").put_item(TableName="orders", Item={"order_id": {"S": order_id}})


def test_a_stream_goes_on_after_a_new_start(tmp_path: Path) -> None:
    with emulator(tmp_path) as aws:
        aws.client("dynamodb").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        put(aws, "before")
    with emulator(tmp_path) as aws:
        put(aws, "after")
        records = [record["dynamodb"] for record in stream_records(aws)]
    assert [record["Keys"]["order_id"]["S"] for record in records] == ["before", "after"]
    assert records[0]["SequenceNumber"] < records[1]["SequenceNumber"]
