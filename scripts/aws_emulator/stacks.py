"""CloudFormation resources that ministack 1.5.33 creates otherwise than AWS.

- A table or queue with a name that is taken fails; ministack replaces the existing one, with all that it holds.
  Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
- `ScalingConfig.MaximumConcurrency` is an integer. CloudFormation converts a parameter's text by the resource's schema;
  ministack keeps the text, and its poller of the queue fails on it.
  Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-lambda-eventsourcemapping-scalingconfig.html
"""

from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import dynamodb, sqs
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

Properties = Mapping[str, Any]
Create = Callable[[str, Properties, str], Any]


def patch_stacks() -> None:
    """Create tables, queues and event source mappings as AWS does."""
    for kind, name, is_taken in (
        ("AWS::DynamoDB::Table", "TableName", lambda table: table in dynamodb._tables),
        ("AWS::SQS::Queue", "QueueName", lambda queue: queue in sqs._queue_name_to_url),
    ):
        handler = _RESOURCE_HANDLERS[kind]
        handler["create"] = _unless_taken(handler["create"], kind, name, is_taken)
    mapping = _RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    create, update = mapping["create"], mapping["update"]
    mapping["create"] = lambda logical_id, new, stack: create(logical_id, _with_numbers(new), stack)
    mapping["update"] = lambda physical_id, old, new, *more: update(
        physical_id, _with_numbers(old), _with_numbers(new), *more
    )


def _unless_taken(create: Create, kind: str, name: str, is_taken: Callable[[str], bool]) -> Create:
    def create_new(logical_id: str, properties: Properties, stack: str) -> Any:
        if (given := properties.get(name)) and is_taken(given):
            raise ValueError(f"Resource of type '{kind}' with identifier '{given}' already exists.")
        return create(logical_id, properties, stack)

    return create_new


def _with_numbers(properties: Properties) -> Properties:
    if scaling := properties.get("ScalingConfig"):
        return {**properties, "ScalingConfig": {name: int(value) for name, value in scaling.items()}}
    return properties
