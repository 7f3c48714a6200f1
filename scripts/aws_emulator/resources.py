"""Resources that ministack 1.5.33 creates or deletes differently from AWS.

CloudFormation:
- Creating a table or queue whose name exists fails; ministack replaces the existing one and its contents.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
- An HTTP API gets the CORS settings of its template; ministack stores them under names that it does not read.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-apigatewayv2-api-cors.html
- `ScalingConfig.MaximumConcurrency` is an integer. CloudFormation converts a parameter's text by the resource's schema;
  ministack keeps the text, and its poller of the queue fails on it.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-lambda-eventsourcemapping-scalingconfig.html

Calls of the Terraform provider:
- DeleteRouteSettings deletes the throttle of one route; ministack deletes the stage.
  https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename-routesettings-routekey.html
- Subscribe with ReturnSubscriptionArn returns an ARN before the subscription is confirmed; ministack does not.
  https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import apigateway, dynamodb, sns, sqs
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

Properties = Mapping[str, Any]

_ROUTE_SETTINGS = re.compile(r"/v2/apis/(?P<api>[^/]+)/stages/(?P<stage>[^/]+)/routesettings/(?P<route>.+)")

_handle_request = apigateway.handle_request
_subscribe = sns._subscribe


def patch() -> None:
    """Create and delete these resources as AWS does."""
    _reject_existing_name("AWS::DynamoDB::Table", "TableName", lambda name: name in dynamodb._tables)
    _reject_existing_name("AWS::SQS::Queue", "QueueName", lambda name: name in sqs._queue_name_to_url)
    _convert_property("AWS::ApiGatewayV2::Api", "CorsConfiguration", _lower_camel_case)
    _convert_property("AWS::Lambda::EventSourceMapping", "ScalingConfig", _integers)
    apigateway.handle_request = _handle
    sns._subscribe = _subscribe_with_arn


def _reject_existing_name(kind: str, name: str, exists: Callable[[str], bool]) -> None:
    handler = _RESOURCE_HANDLERS[kind]
    create = handler["create"]

    def create_new(logical_id: str, properties: Properties, stack: str) -> Any:
        if (given := properties.get(name)) and exists(given):
            raise ValueError(f"Resource of type '{kind}' with identifier '{given}' already exists.")
        return create(logical_id, properties, stack)

    handler["create"] = create_new


def _convert_property(kind: str, name: str, convert: Callable[[Properties], Properties]) -> None:
    handler = _RESOURCE_HANDLERS[kind]
    create, update = handler["create"], handler["update"]

    def converted(properties: Properties) -> Properties:
        return {**properties, name: convert(properties[name])} if properties.get(name) else properties

    handler["create"] = lambda logical_id, new, *more: create(logical_id, converted(new), *more)
    handler["update"] = lambda physical_id, old, new, *more: update(physical_id, converted(old), converted(new), *more)


def _lower_camel_case(cors: Properties) -> Properties:
    return {name[0].lower() + name[1:]: value for name, value in cors.items()}


def _integers(scaling: Properties) -> Properties:
    return {name: int(value) for name, value in scaling.items()}


async def _handle(method: str, path: str, *more: Any) -> Any:
    if method == "DELETE" and (match := _ROUTE_SETTINGS.fullmatch(path)):
        settings = apigateway._stages.get(match["api"], {}).get(match["stage"], {}).get("routeSettings", {})
        if settings.pop(match["route"], None) is None:
            return apigateway._apigw_error("NotFoundException", f"Unable to find route {match['route']}", 404)
        return 204, {}, b""
    return await _handle_request(method, path, *more)


def _subscribe_with_arn(params: Any) -> Any:
    status, headers, body = _subscribe(params)
    if status == 200 and sns._p(params, "ReturnSubscriptionArn") == "true":
        topic, _ = sns._get_topic(sns._p(params, "TopicArn"))
        key = (sns._p(params, "Protocol"), sns._p(params, "Endpoint"))
        [arn] = [each["arn"] for each in topic["subscriptions"] if (each["protocol"], each["endpoint"]) == key]
        body = body.replace(b"pending confirmation", arn.encode())
    return status, headers, body
