"""DynamoDB tables, where ministack 1.5.33 differs.

- A PartiQL INSERT is a normal write: DynamoDB validates the item's numbers and index keys, and adds a record to the
  table's stream. ministack does neither. Here an INSERT is a PutItem with the condition that the key is new.
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.insert.html
- A stream keeps its records for 24 hours. ministack saves only the number of records that a function has read. After a
  restart the function would skip that many new records, and their orders would never be announced.
  https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
"""

import copy
import json
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import dynamodb

_get_state = dynamodb.get_state
_load_persisted_state = dynamodb.load_persisted_state


def patch() -> None:
    """Check inserts, and save streams with their tables."""
    dynamodb._partiql_insert = _insert
    dynamodb.get_state = _state_with_streams
    dynamodb.load_persisted_state = _load_with_streams


def _insert(table: dict[str, Any], parsed: dict[str, Any]) -> Any:
    item = parsed["item"]
    if set(item) == {"M"}:
        item = item["M"]
    response = dynamodb._put_item(
        {
            "TableName": table["TableName"],
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": table["pk_name"]},
        }
    )
    status, _, body = response
    if status == 200:
        return json_response({"Items": []})
    if "ConditionalCheckFailedException" in json.loads(body)["__type"]:
        return error_response_json("DuplicateItemException", "Duplicate primary key exists in table", 400)
    return response


def _state_with_streams() -> dict[str, Any]:
    return {
        **_get_state(),
        "stream_records": copy.deepcopy(dynamodb._stream_records),
        "stream_trimmed": copy.deepcopy(dynamodb._stream_trimmed),
        "stream_sequence": dynamodb._stream_seq_counter,
    }


def _load_with_streams(state: dict[str, Any]) -> None:
    # Load the stream before the table, because a function starts to read the stream once the table exists.
    dynamodb._stream_records.update(state.get("stream_records", {}))
    dynamodb._stream_trimmed.update(state.get("stream_trimmed", {}))
    dynamodb._stream_seq_counter = state.get("stream_sequence", 0)
    _load_persisted_state(state)
