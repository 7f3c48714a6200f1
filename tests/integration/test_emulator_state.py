"""The emulator saves its state when it stops and loads it when it starts, or reports that it cannot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local_stack.aws import AwsConnection, new_credentials
from local_stack.emulator import running_emulator, start_of_unsaved_run
from local_stack.machine import LocalStackError, RunLock, free_port
from local_stack.processes import Process


@contextmanager
def emulator(directory: Path) -> Iterator[tuple[AwsConnection, Process]]:
    connection = AwsConnection(f"http://127.0.0.1:{free_port()}", "us-east-1", new_credentials())
    with (
        RunLock(directory) as lock,
        running_emulator(directory, connection, directory / "emulator.log", lock) as process,
    ):
        yield connection, process


def put(aws: AwsConnection, order_id: str) -> None:
    aws.client("dynamodb").put_item(TableName="orders", Item={"order_id": {"S": order_id}})


def stream_records(aws: AwsConnection) -> list[Any]:
    """Return the records of the table's stream, oldest first."""
    arn = aws.client("dynamodb").describe_table(TableName="orders")["Table"]["LatestStreamArn"]
    streams = aws.client("dynamodbstreams")
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
    return [record["dynamodb"] for record in records]


def test_state_is_kept_and_failures_to_save_or_load_it_are_reported(tmp_path: Path) -> None:
    with emulator(tmp_path) as (aws, process):
        aws.client("sqs").create_queue(QueueName="orders")
        aws.client("dynamodb").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        put(aws, "before")
    assert process.exit_status == 0
    assert start_of_unsaved_run(tmp_path) is None

    state = tmp_path / "state" / "sqs.json"
    saved = state.read_text()
    with emulator(tmp_path) as (aws, process):
        assert len(aws.client("sqs").list_queues()["QueueUrls"]) == 1
        put(aws, "after")
        records = stream_records(aws)
        # Saving fails, because a directory has the file's name.
        state.unlink()
        state.mkdir()
    assert [record["Keys"]["order_id"]["S"] for record in records] == ["before", "after"]
    assert records[0]["SequenceNumber"] < records[1]["SequenceNumber"]
    assert process.exit_status == 1
    assert "failed to save sqs" in process.end_of_output()
    assert start_of_unsaved_run(tmp_path) is not None

    state.rmdir()
    state.write_text(saved[:-20])
    with (
        pytest.raises(LocalStackError, match=r"sqs\.json cannot be read: .* Repair it, or move .*state away"),
        emulator(tmp_path),
    ):
        pass
    assert state.read_text() == saved[:-20]
