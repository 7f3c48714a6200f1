"""The backend as the invariants see it, in words of the design, read from the CloudFormation template."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.repository.cloudformation import arn, queue_url

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Statement:
    """One statement of a policy; what may be one or many is always many."""

    name: str
    effect: str
    principal: Any
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Document

    @classmethod
    def all_of(cls, owner: str, policy: str | Document) -> tuple["Statement", ...]:
        """Return the statements of a policy document; `owner` is told in their names."""
        document = json.loads(policy) if isinstance(policy, str) else policy
        return tuple(
            cls(
                name=f"{statement['Sid']} of {owner}",
                effect=statement["Effect"],
                principal=statement.get("Principal"),
                actions=_many(statement["Action"]),
                resources=_many(statement["Resource"]),
                condition=statement.get("Condition", {}),
            )
            for statement in document["Statement"]
        )


@dataclass(frozen=True)
class Table:
    name: str
    is_encrypted: bool
    is_recoverable: bool


@dataclass(frozen=True)
class Queue:
    name: str
    arn: str
    visibility_timeout_seconds: int
    retention_seconds: int
    is_encrypted: bool
    policy: tuple[Statement, ...]
    receives: int | None = None
    dead_letter_arn: str | None = None
    admitted_sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topic:
    name: str
    arn: str
    policy: tuple[Statement, ...]
    subscribers: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    name: str
    timeout_seconds: int
    reserved_concurrency: int | None
    log_group: str


@dataclass(frozen=True)
class EventSource:
    """An event source mapping."""

    name: str
    source_arn: str
    function: str
    """Name of the function that it invokes."""
    responses: tuple[str, ...]
    maximum_concurrency: int | None
    failures_arn: str | None
    retries: int | None


@dataclass(frozen=True)
class LogGroup:
    name: str
    retention_days: int | None


@dataclass(frozen=True)
class Route:
    key: str
    authorization: str
    customer_claim: str | None
    """The claim that the route's function compares with the customer."""


@dataclass(frozen=True)
class Api:
    name: str
    has_default_endpoint: bool
    domains: tuple[tuple[str, str], ...]
    """TLS version and IP address type of each."""


@dataclass(frozen=True)
class Throttle:
    """The limits of an API's stage, or of one of its routes that has its own."""

    name: str
    rate_limit: float
    burst_limit: float


@dataclass(frozen=True)
class Alarm:
    name: str
    metrics: tuple[tuple[str, str], ...]
    """Namespace and name of each."""
    expression: str | None
    dimensions: Mapping[str, str]
    statistic: str
    comparison: str
    threshold: float
    period_seconds: int
    periods: int
    missing_data: str
    description: str
    topics: tuple[str, ...]


@dataclass(frozen=True)
class MetricFilter:
    log_group: str
    pattern: str
    metric: tuple[str, str]
    """Namespace and name."""
    dimensions: Mapping[str, str]
    """The field of the event that each takes its value from."""
    default: str | None


@dataclass(frozen=True)
class System:
    tables: tuple[Table, ...]
    queues: tuple[Queue, ...]
    topics: tuple[Topic, ...]
    functions: tuple[Function, ...]
    event_sources: tuple[EventSource, ...]
    log_groups: tuple[LogGroup, ...]
    apis: tuple[Api, ...]
    routes: tuple[Route, ...]
    throttles: tuple[Throttle, ...]
    alarms: tuple[Alarm, ...]
    metric_filters: tuple[MetricFilter, ...]
    permissions: tuple[Statement, ...] = field(repr=False)
    """What the functions' roles may do."""

    def queue(self, arn: str | None) -> Queue | None:
        """Return the queue with this ARN, None where the system has none."""
        return next((queue for queue in self.queues if queue.arn == arn), None)

    def function(self, name: str) -> Function:
        """Return the function with this name."""
        return next(function for function in self.functions if function.name == name)

    def received_queues(self) -> Iterable[tuple[EventSource, Queue]]:
        """Return each mapping that receives from a queue, with the queue."""
        for source in self.event_sources:
            if queue := self.queue(source.source_arn):
                yield source, queue

    def dead_letter_queues(self) -> tuple[Queue, ...]:
        """Return the queues that hold what failed for good."""
        arns = {queue.dead_letter_arn for queue in self.queues}
        arns |= {source.failures_arn for source in self.event_sources}
        return tuple(queue for queue in self.queues if queue.arn in arns)


def from_template(resources: Mapping[str, Document]) -> System:
    """Read the system from a template's resources, resolved, by logical id."""

    def all_of(kind: str) -> Iterable[tuple[str, Any]]:
        for name, resource in resources.items():
            if resource["Type"] == kind:
                yield name, resource["Properties"]

    def policy_of(kind: str, holders: str, holder: str) -> tuple[Statement, ...]:
        return tuple(
            statement
            for name, policy in all_of(kind)
            if holder in policy[holders]
            for statement in Statement.all_of(name, policy["PolicyDocument"])
        )

    def queue(properties: Any) -> Queue:
        redrive = properties.get("RedrivePolicy", {})
        return Queue(
            name=properties["QueueName"],
            arn=arn("sqs", properties["QueueName"]),
            visibility_timeout_seconds=int(properties.get("VisibilityTimeout", 30)),
            retention_seconds=int(properties.get("MessageRetentionPeriod", 4 * 24 * 60 * 60)),
            is_encrypted=bool(properties.get("SqsManagedSseEnabled") or properties.get("KmsMasterKeyId")),
            policy=policy_of("AWS::SQS::QueuePolicy", "Queues", queue_url(properties["QueueName"])),
            receives=redrive.get("maxReceiveCount"),
            dead_letter_arn=redrive.get("deadLetterTargetArn"),
            admitted_sources=_many(properties.get("RedriveAllowPolicy", {}).get("sourceQueueArns")),
        )

    return System(
        tables=tuple(
            Table(
                name=table["TableName"],
                is_encrypted=table.get("SSESpecification", {}).get("SSEEnabled", False),
                is_recoverable=table.get("PointInTimeRecoverySpecification", {}).get(
                    "PointInTimeRecoveryEnabled", False
                ),
            )
            for _, table in all_of("AWS::DynamoDB::Table")
        ),
        queues=tuple(queue(properties) for _, properties in all_of("AWS::SQS::Queue")),
        topics=tuple(
            Topic(
                name=topic["TopicName"],
                arn=arn("sns", topic["TopicName"]),
                policy=policy_of("AWS::SNS::TopicPolicy", "Topics", arn("sns", topic["TopicName"])),
                subscribers=tuple(
                    subscription["Endpoint"]
                    for _, subscription in all_of("AWS::SNS::Subscription")
                    if subscription["TopicArn"] == arn("sns", topic["TopicName"])
                ),
            )
            for _, topic in all_of("AWS::SNS::Topic")
        ),
        functions=tuple(
            Function(
                name=function["FunctionName"],
                timeout_seconds=int(function["Timeout"]),
                reserved_concurrency=_number(function.get("ReservedConcurrentExecutions")),
                log_group=function.get("LoggingConfig", {}).get("LogGroup", ""),
            )
            for _, function in all_of("AWS::Lambda::Function")
        ),
        event_sources=tuple(
            EventSource(
                name=name,
                source_arn=mapping["EventSourceArn"],
                function=_function_name(mapping["FunctionName"]),
                responses=_many(mapping.get("FunctionResponseTypes")),
                maximum_concurrency=_number(mapping.get("ScalingConfig", {}).get("MaximumConcurrency")),
                failures_arn=mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
                retries=mapping.get("MaximumRetryAttempts"),
            )
            for name, mapping in all_of("AWS::Lambda::EventSourceMapping")
        ),
        log_groups=tuple(
            LogGroup(name=group["LogGroupName"], retention_days=_number(group.get("RetentionInDays")))
            for _, group in all_of("AWS::Logs::LogGroup")
        ),
        throttles=tuple(
            Throttle(
                name=f"{name} {route}",
                rate_limit=float(settings.get("ThrottlingRateLimit", 0)),
                burst_limit=float(settings.get("ThrottlingBurstLimit", 0)),
            )
            for name, stage in all_of("AWS::ApiGatewayV2::Stage")
            for route, settings in {
                "by default": stage.get("DefaultRouteSettings", {}),
                **stage.get("RouteSettings", {}),
            }.items()
        ),
        apis=tuple(
            Api(
                name,
                not api.get("DisableExecuteApiEndpoint"),
                tuple(
                    (configuration["SecurityPolicy"], configuration["IpAddressType"])
                    for _, domain in all_of("AWS::ApiGatewayV2::DomainName")
                    for configuration in domain["DomainNameConfigurations"]
                ),
            )
            for name, api in all_of("AWS::ApiGatewayV2::Api")
        ),
        routes=tuple(
            Route(
                route["RouteKey"],
                route["AuthorizationType"],
                resources[name.replace("Route", "Function")]["Properties"]["Environment"]["Variables"].get(
                    "JWT_CUSTOMER_CLAIM"
                ),
            )
            for name, route in all_of("AWS::ApiGatewayV2::Route")
        ),
        alarms=tuple(
            Alarm(
                name=alarm["AlarmName"],
                metrics=tuple(
                    (metric["Namespace"], metric["MetricName"])
                    for metric in [q["MetricStat"]["Metric"] for q in alarm.get("Metrics", []) if "MetricStat" in q]
                    or [alarm]
                ),
                expression=next((q["Expression"] for q in alarm.get("Metrics", []) if "Expression" in q), None),
                dimensions={each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])},
                statistic=alarm.get("Statistic") or alarm.get("ExtendedStatistic", "Sum"),
                comparison=alarm["ComparisonOperator"],
                threshold=float(alarm["Threshold"]),
                period_seconds=int(
                    alarm["Period"] if "Period" in alarm else alarm["Metrics"][0]["MetricStat"]["Period"]
                ),
                periods=int(alarm["EvaluationPeriods"]),
                missing_data=alarm["TreatMissingData"],
                description=alarm["AlarmDescription"],
                topics=_many(alarm.get("AlarmActions")),
            )
            for _, alarm in all_of("AWS::CloudWatch::Alarm")
        ),
        metric_filters=tuple(
            MetricFilter(
                log_group=properties["LogGroupName"],
                pattern=properties["FilterPattern"],
                metric=(transformation["MetricNamespace"], transformation["MetricName"]),
                dimensions={each["Key"]: each["Value"] for each in transformation.get("Dimensions", [])},
                default=_text(transformation.get("DefaultValue")),
            )
            for _, properties in all_of("AWS::Logs::MetricFilter")
            for transformation in properties["MetricTransformations"]
        ),
        permissions=tuple(
            statement
            for _, role in all_of("AWS::IAM::Role")
            for policy in role["Policies"]
            for statement in Statement.all_of(policy["PolicyName"], policy["PolicyDocument"])
        ),
    )


def _many(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _function_name(arn: str) -> str:
    return arn.split(":")[6]
