"""Execute PartiQL inserts as DynamoDB does, where ministack 1.5.33 differs.

On AWS an INSERT is a write like any other: the item's numbers and index keys are checked, and the table's stream has a
record of it. ministack does none of this. Here it becomes ministack's PutItem, on the condition that the key is new.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.insert.html
"""

import json
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import dynamodb


def patch_partiql() -> None:
    """Replace ministack's way of carrying out an INSERT."""
    dynamodb._partiql_insert = _insert


def _insert(table: dict[str, Any], parsed: dict[str, Any]) -> Any:
    item = parsed["item"]
    if set(item) == {"M"}:
        item = item["M"]
    answer = dynamodb._put_item(
        {
            "TableName": table["TableName"],
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": table["pk_name"]},
        }
    )
    status, _, body = answer
    if status == 200:
        return json_response({"Items": []})
    if "ConditionalCheckFailedException" in json.loads(body)["__type"]:
        return error_response_json("DuplicateItemException", "Duplicate primary key exists in table", 400)
    return answer
