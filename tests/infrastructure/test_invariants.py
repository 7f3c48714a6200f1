"""The invariants hold of both descriptions of the backend, and each is noticed when it is broken in one of them."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from infrastructure.conftest import DeployedTwice
from infrastructure.invariants import INVARIANTS, violations
from infrastructure.system import from_plan, from_template
from repository.cloudformation import Template

EMAIL = {"NotificationEmail": "operations@example.com"}
# Everything that a deployment can have, as deployed_twice has it.
EVERYTHING = {
    **EMAIL,
    "NoOrdersAlarmMinutes": "60",
    "CompletedOrderEmail": "sales@example.com",
    "AlertsHttpsEndpoint": "https://events.example.com/sns",
}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

# What a stack may be made of, as far as a choice could break something.
CHOICES: list[dict[str, str]] = [
    {},
    {"Environment": "prod", "KmsKeyArn": KEY},
    {"ProcessingTimeoutSeconds": "2", "ProcessingMaximumConcurrency": "2"},
    {"ProcessingTimeoutSeconds": "900", "ProcessingMaximumConcurrency": "1000"},
    {"ProcessingConcurrencyReserved": "true", "SubmissionReservedConcurrency": "1"},
    {"ProcessingConcurrencyReserved": "true", "ProcessingMaximumConcurrency": "1000"},
    {"ApiThrottlingRateLimit": "1", "ApiThrottlingBurstLimit": "1", "LogRetentionDays": "1"},
    {"NoOrdersAlarmMinutes": "1440", "LatencyAlarmThresholdMs": "100", "RunbookUrl": "https://wiki.example.com/run"},
    {"SubmissionThrottlingRateLimit": "1", "StatusThrottlingBurstLimit": "1"},
]


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.read()


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_the_template_keeps_every_invariant(template: Template, choices: Mapping[str, str]) -> None:
    assert list(violations(from_template(template.resources(**EMAIL, **choices)))) == []


@pytest.mark.parametrize("seconds", Template.read().document["Parameters"]["ProcessingTimeoutSeconds"]["AllowedValues"])
def test_an_order_is_hidden_for_exactly_six_timeouts_whichever_is_chosen(template: Template, seconds: int) -> None:
    resources = template.resources(**EMAIL, ProcessingTimeoutSeconds=str(seconds))
    assert int(resources["ProcessingFunction"]["Properties"]["Timeout"]) == seconds
    assert resources["OrdersQueue"]["Properties"]["VisibilityTimeout"] == 6 * seconds
    # Otherwise the alarms would return to OK between two deliveries of a failing order.
    for alarm, deliveries in (("ProcessingFailingAlarm", 2), ("ProcessingErrorsAlarm", 1)):
        assert 60 * resources[alarm]["Properties"]["EvaluationPeriods"] >= 60 + deliveries * 6 * seconds


def test_as_many_batches_of_a_shard_are_announced_at_once_as_were_chosen(template: Template) -> None:
    for chosen, factor in (({}, 1), ({"NotificationParallelizationFactor": "10"}, 10)):
        mapping = template.resources(**EMAIL, **chosen)["StoredOrdersMapping"]["Properties"]
        assert int(mapping["ParallelizationFactor"]) == factor


def test_the_plan_keeps_every_invariant(deployed_twice: DeployedTwice) -> None:
    assert list(violations(from_plan(deployed_twice.plan.resources))) == []


@dataclass(frozen=True)
class Break:
    """A change of one value in the template, and the same in the plan; None removes the value."""

    sentence: str
    in_template: tuple[str, Any]
    in_plan: tuple[str, Any]

    def __str__(self) -> str:
        return f"{self.sentence} ({self.in_template[0]})"


SUBMISSION_ROLE = "SubmissionRole/Properties/Policies/0/PolicyDocument/Statement/0"
SUBMISSION_POLICY = "module.submission.aws_iam_role_policy.this policy Statement 0"
PROCESSING = "module.processing.aws_lambda_function.this"
ALARM = "module.monitoring.aws_cloudwatch_metric_alarm.this"
METRIC = "module.monitoring.aws_cloudwatch_log_metric_filter.this"

BREAKS = [
    Break(
        "a received order is hidden for six times the timeout of the function that works on it",
        ("OrdersQueue/Properties/VisibilityTimeout", 179),
        ("aws_sqs_queue.orders visibility_timeout_seconds", 179),
    ),
    Break(
        "a received order is hidden for six times the timeout of the function that works on it",
        ("ProcessingFunction/Properties/Timeout", 31),
        (f"{PROCESSING} timeout", 31),
    ),
    Break(
        "what was received exactly five times goes to a dead-letter queue",
        ("OrdersQueue/Properties/RedrivePolicy/maxReceiveCount", 4),
        ("aws_sqs_queue.orders redrive_policy maxReceiveCount", 4),
    ),
    Break(
        "what was received exactly five times goes to a dead-letter queue",
        ("OrdersQueue/Properties/RedrivePolicy", None),
        ("aws_sqs_queue.orders redrive_policy", None),
    ),
    Break(
        "a dead-letter queue keeps a message for longer than the queue that it comes from",
        ("OrdersDlq/Properties/MessageRetentionPeriod", 4 * 24 * 60 * 60),
        ("aws_sqs_queue.orders_dlq message_retention_seconds", 4 * 24 * 60 * 60),
    ),
    Break(
        "a dead-letter queue takes messages from its own queue only",
        ("OrdersDlq/Properties/RedriveAllowPolicy", None),
        ("aws_sqs_queue.orders_dlq redrive_allow_policy", None),
    ),
    Break(
        "every queue refuses what does not come by TLS",
        ("OrdersDlqPolicy/Properties/Queues", [{"Ref": "OrdersQueue"}]),
        ("aws_sqs_queue.orders_dlq policy", None),
    ),
    Break(
        "every queue refuses what does not come by TLS",
        (
            "OrdersDlqPolicy/Properties/PolicyDocument/Statement/0/Resource",
            {"Fn::GetAtt": ["OrdersQueue", "Arn"]},
        ),
        ("aws_sqs_queue.orders_dlq policy Statement 0 Resource", "arn:aws:sqs:eu-west-1:1:another"),
    ),
    Break(
        "every queue refuses what does not come by TLS",
        ("OrdersQueuePolicy/Properties/PolicyDocument/Statement/0/Condition/Bool", {"aws:SecureTransport": "true"}),
        ("aws_sqs_queue.orders policy Statement 0 Condition Bool", {"aws:SecureTransport": "true"}),
    ),
    Break(
        "every topic refuses what does not come by TLS",
        ("AlertsTopicPolicy/Properties/PolicyDocument/Statement/1/Effect", "Allow"),
        ("aws_sns_topic_policy.alerts policy Statement 1 Effect", "Allow"),
    ),
    Break(
        "every queue is encrypted",
        ("NotificationsDlq/Properties/SqsManagedSseEnabled", False),
        ("aws_sqs_queue.notifications_dlq sqs_managed_sse_enabled", False),
    ),
    Break(
        "every table is encrypted",
        ("OrdersTable/Properties/SSESpecification", None),
        ("aws_dynamodb_table.orders server_side_encryption", []),
    ),
    Break(
        "every table can be brought back to any moment",
        ("OrdersTable/Properties/PointInTimeRecoverySpecification", None),
        ("aws_dynamodb_table.orders point_in_time_recovery 0 enabled", False),
    ),
    Break(
        "every function that works on a batch reports which of its items failed",
        ("StoredOrdersMapping/Properties/FunctionResponseTypes", None),
        ("aws_lambda_event_source_mapping.stored_orders function_response_types", None),
    ),
    Break(
        "every function that works on a batch reports which of its items failed",
        ("OrdersMapping/Properties/FunctionResponseTypes", []),
        ("aws_lambda_event_source_mapping.orders function_response_types", []),
    ),
    Break(
        "what is received from a queue is worked on by a limited number of executions",
        ("OrdersMapping/Properties/ScalingConfig", None),
        ("aws_lambda_event_source_mapping.orders scaling_config", []),
    ),
    Break(
        "no more executions work on a queue than are reserved",
        ("ProcessingFunction/Properties/ReservedConcurrentExecutions", 2),
        (f"{PROCESSING} reserved_concurrent_executions", 2),
    ),
    Break(
        "what a stream's function fails at for good is kept in a queue",
        ("StoredOrdersMapping/Properties/DestinationConfig", None),
        ("aws_lambda_event_source_mapping.stored_orders destination_config", []),
    ),
    Break(
        "what a stream's function fails at for good is kept in a queue",
        ("StoredOrdersMapping/Properties/MaximumRetryAttempts", -1),
        ("aws_lambda_event_source_mapping.stored_orders maximum_retry_attempts", -1),
    ),
    Break(
        "every dead-letter queue has an alarm on its visible messages",
        ("NotificationsDlqAlarm/Properties/MetricName", "NumberOfMessagesSent"),
        (
            f'{ALARM}["notifications-dlq"] metric_name',
            "NumberOfMessagesSent",
        ),
    ),
    Break(
        "every dead-letter queue has an alarm on its visible messages",
        ("OrdersDlqAlarm/Properties/Threshold", 1),
        (f'{ALARM}["orders-dlq"] threshold', 1),
    ),
    Break(
        "every alarm on visible messages watches a dead-letter queue that exists",
        ("OrdersDlqAlarm/Properties/Dimensions/0/Value", "orders-dead"),
        (f'{ALARM}["orders-dlq"] dimensions QueueName', "orders-dead"),
    ),
    Break(
        "every alarm reaches a subscriber",
        ("StatusErrorsAlarm/Properties/AlarmActions", None),
        (f'{ALARM}["status-errors"] alarm_actions', []),
    ),
    Break(
        "every alarm reaches a subscriber",
        ("AlertsEmail/Properties/TopicArn", {"Ref": "OrderCompletedTopic"}),
        ("aws_sns_topic_subscription.alerts_email topic_arn", "arn:aws:sns:eu-west-1:1:another"),
    ),
    Break(
        "every alarm ends in a link to its section of the runbook",
        ("OrdersDlqAlarm/Properties/AlarmDescription", "It failed. Runbook: docs/runbook.md#notifications-dlq"),
        (f'{ALARM}["orders-dlq"] alarm_description', "It failed. Runbook: docs/runbook.md#notifications-dlq"),
    ),
    Break(
        "every alarm ends in a link to its section of the runbook",
        ("StatusErrorsAlarm/Properties/AlarmDescription", "It failed. Runbook: docs/runbook.md#errors"),
        (
            f'{ALARM}["status-errors"] alarm_description',
            "It failed. Runbook: docs/runbook.md#errors",
        ),
    ),
    Break(
        "an alarm looks back over a day at most",
        ("ApiSlowAlarm/Properties/EvaluationPeriods", 1441),
        (f'{ALARM}["api-slow"] evaluation_periods', 1441),
    ),
    Break(
        "an alarm looks back over a day at most",
        ("ApiSlowAlarm/Properties/EvaluationPeriods", 0),
        (f'{ALARM}["api-slow"] evaluation_periods', 0),
    ),
    Break(
        "missing data is a failure where something is expected, and nowhere else",
        ("OrdersWaitingAlarm/Properties/TreatMissingData", "breaching"),
        (f'{ALARM}["orders-waiting"] treat_missing_data', "breaching"),
    ),
    Break(
        "missing data is a failure where something is expected, and nowhere else",
        ("NoOrdersAlarm/Properties/TreatMissingData", "notBreaching"),
        (f'{ALARM}["no-orders"] treat_missing_data', "notBreaching"),
    ),
    Break(
        "every alarm on a metric of the log watches one that is counted",
        ("ProcessingFailingAlarm/Properties/MetricName", "OrdersLost"),
        (f'{ALARM}["processing-failing"] metric_name', "OrdersLost"),
    ),
    Break(
        "every alarm on a metric of the log watches one that is counted",
        ("NoOrdersAlarm/Properties/Namespace", "order-processing/prod"),
        (f'{ALARM}["no-orders"] namespace', "order-processing/prod"),
    ),
    Break(
        "every alarm on a metric of the log watches one that is counted",
        ("OrdersAcceptedMetric/Properties/MetricTransformations/0/Dimensions", [{"Key": "Code", "Value": "$.code"}]),
        (f'{METRIC}["OrdersAccepted"] metric_transformation 0 dimensions', {"Code": "$.code"}),
    ),
    Break(
        "every metric of the log is counted where a function logs",
        ("OrdersStoredMetric/Properties/LogGroupName", {"Ref": "AccessLog"}),
        (f'{METRIC}["OrdersStored"] log_group_name', "/aws/vendedlogs/apigateway/orders"),
    ),
    Break(
        "a metric without dimensions is zero where nothing is counted; one with them cannot be",
        ("OrdersAcceptedMetric/Properties/MetricTransformations/0/DefaultValue", None),
        (f'{METRIC}["OrdersAccepted"] metric_transformation 0 default_value', ""),
    ),
    Break(
        "a metric without dimensions is zero where nothing is counted; one with them cannot be",
        ("OrdersRefusedByCodeMetric/Properties/MetricTransformations/0/DefaultValue", 0),
        (f'{METRIC}["OrdersRefusedByCode"] metric_transformation 0 default_value', "0"),
    ),
    Break(
        "no throttle stops all requests",
        ("DefaultStage/Properties/DefaultRouteSettings/ThrottlingRateLimit", 0),
        ("aws_apigatewayv2_stage.default default_route_settings 0 throttling_rate_limit", 0),
    ),
    Break(
        "no throttle stops all requests",
        ("DefaultStage/Properties/DefaultRouteSettings/ThrottlingBurstLimit", 0),
        ("aws_apigatewayv2_stage.default default_route_settings 0 throttling_burst_limit", 0),
    ),
    Break(
        "no throttle stops all requests",
        (
            "DefaultStage/Properties/RouteSettings",
            {"POST /orders": {"ThrottlingRateLimit": 0, "ThrottlingBurstLimit": 5}},
        ),
        (
            "aws_apigatewayv2_stage.default route_settings",
            [{"route_key": "POST /orders", "throttling_rate_limit": 0, "throttling_burst_limit": 5}],
        ),
    ),
    Break(
        "no reservation stops a function",
        ("StatusFunction/Properties/ReservedConcurrentExecutions", 0),
        ("module.status.aws_lambda_function.this reserved_concurrent_executions", 0),
    ),
    Break(
        "a function may do exactly what is listed",
        (f"{SUBMISSION_ROLE}/Action", "sqs:*"),
        (f"{SUBMISSION_POLICY} Action", ["sqs:Send*"]),
    ),
    Break(
        "a function may use exactly what is listed, as far as AWS can tell it apart",
        (f"{SUBMISSION_ROLE}/Resource", "*"),
        (f"{SUBMISSION_POLICY} Resource", "*"),
    ),
    Break(
        "every log is kept for a limited time",
        ("AccessLog/Properties/RetentionInDays", None),
        ("aws_cloudwatch_log_group.access retention_in_days", 0),
    ),
    Break(
        "every function writes to a log of the system",
        ("NotificationFunction/Properties/LoggingConfig", None),
        ("module.notification.aws_lambda_function.this logging_config 0 log_group", "/aws/lambda/another"),
    ),
]


def test_every_invariant_is_broken_once() -> None:
    assert {each.sentence for each in BREAKS} == {invariant.sentence for invariant in INVARIANTS}


@pytest.mark.parametrize("broken", BREAKS, ids=str)
def test_a_template_that_breaks_an_invariant_is_noticed(template: Template, broken: Break) -> None:
    resources = template.changed(*broken.in_template).resources(**EVERYTHING)
    noticed = {sentence for sentence, _ in violations(from_template(resources))}
    assert broken.sentence in noticed


@pytest.mark.parametrize("broken", BREAKS, ids=str)
def test_a_plan_that_breaks_an_invariant_is_noticed(deployed_twice: DeployedTwice, broken: Break) -> None:
    path, value = broken.in_plan
    resources = _changed(deployed_twice.plan.resources, path.split(" "), value)
    noticed = {sentence for sentence, _ in violations(from_plan(resources))}
    assert broken.sentence in noticed


def test_an_invariant_that_has_lost_its_subject_is_noticed(template: Template) -> None:
    resources = template.resources(**EMAIL)
    del resources["DefaultStage"]
    assert dict(violations(from_template(resources))) == {
        "no throttle stops all requests": "there is nothing left that it could hold for"
    }


def _changed(value: Any, path: list[str], new: Any) -> Any:
    """Return a copy of `value` with `new` at `path`, which leads into JSON documents too."""
    if not path:
        return new
    if isinstance(value, str):
        return json.dumps(_changed(json.loads(value), path, new))
    step, *rest = path
    changed = copy.copy(value)
    if isinstance(value, list):
        changed[int(step)] = _changed(value[int(step)], rest, new)
    else:
        changed[step] = _changed(value[step], rest, new)
    return changed
