"""Entries of the notifications' dead-letter queue, with positions in the table's stream."""

from typing import Any

from support.deployment.stack import DeployedStack


def failed_notification(stack: DeployedStack, order_id: str) -> dict[str, Any]:
    """Return the message that Lambda sends to the notifications' dead-letter queue when one order fails."""
    streams = stack.client("dynamodbstreams")
    table = stack.client("dynamodb").describe_table(TableName=stack.outputs["orders_table_name"])["Table"]
    position = {"StreamArn": table["LatestStreamArn"]}
    [*_, shard] = streams.describe_stream(**position)["StreamDescription"]["Shards"]
    position["ShardId"] = shard["ShardId"]
    page = {
        "NextShardIterator": streams.get_shard_iterator(**position, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    }
    numbers: list[str] = []
    while not numbers:
        page = streams.get_records(ShardIterator=page["NextShardIterator"])
        records = [record["dynamodb"] for record in page["Records"]]
        numbers = [each["SequenceNumber"] for each in records if each["Keys"]["order_id"]["S"] == order_id]
    info = {"streamArn": position["StreamArn"], "shardId": position["ShardId"], "batchSize": 1}
    info |= {"startSequenceNumber": numbers[0], "endSequenceNumber": numbers[0]}
    info |= dict.fromkeys(("approximateArrivalOfFirstRecord", "approximateArrivalOfLastRecord"), "2025-04-25T10:00:00Z")
    return {
        "requestContext": {"condition": "RetryAttemptsExhausted"},
        "responseContext": {"functionError": "Unhandled"},
        "DDBStreamBatchInfo": info,
    }
