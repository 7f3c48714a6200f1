"""The invariants hold for the template and, because test_parity.py proves both equal, for Terraform."""

from collections.abc import Mapping
from typing import Any

import pytest

from infrastructure.invariants import INVARIANTS, violations
from infrastructure.system import from_template
from support.repository.cloudformation import Template

EMAIL = {"NotificationEmail": "operations@example.com"}
TOKENS = {"JwtIssuer": "https://login.example.com", "JwtAudience": "shop"}
DOMAIN = {
    "ApiDomainName": "api.example.com",
    "ApiCertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
}
# Everything that a deployment can have, as deployed_twice has it.
EVERYTHING = {
    **EMAIL,
    "NoOrdersAlarmMinutes": "60",
    "CompletedOrderEmail": "sales@example.com",
    "AlertsHttpsEndpoint": "https://events.example.com/sns",
    **TOKENS,
    **DOMAIN,
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
    TOKENS,
    DOMAIN,
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


# One or more changes of the template that break each invariant; None removes the value.
BREAKS: dict[str, list[tuple[str, Any]]] = {
    "a received order is hidden for six times the timeout of the function that works on it": [
        ("OrdersQueue/VisibilityTimeout", 179),
        ("ProcessingFunction/Timeout", 31),
    ],
    "what was received exactly five times goes to a dead-letter queue": [
        ("OrdersQueue/RedrivePolicy/maxReceiveCount", 4),
        ("OrdersQueue/RedrivePolicy", None),
    ],
    "a dead-letter queue keeps a message for longer than the queue that it comes from": [
        ("OrdersDlq/MessageRetentionPeriod", 345600),
    ],
    "a dead-letter queue takes messages from its own queue only": [
        ("OrdersDlq/RedriveAllowPolicy", None),
    ],
    "every queue refuses what does not come by TLS": [
        ("OrdersDlqPolicy/Queues", [{"Ref": "OrdersQueue"}]),
        ("OrdersDlqPolicy/PolicyDocument/Statement/0/Resource", {"Fn::GetAtt": ["OrdersQueue", "Arn"]}),
        ("OrdersQueuePolicy/PolicyDocument/Statement/0/Condition/Bool", {"aws:SecureTransport": "true"}),
    ],
    "every topic refuses what does not come by TLS": [
        ("AlertsTopicPolicy/PolicyDocument/Statement/1/Effect", "Allow"),
    ],
    "a topic admits this account's alarms only": [
        ("AlertsTopicPolicy/PolicyDocument/Statement/0/Condition", {}),
    ],
    "every queue is encrypted": [
        ("NotificationsDlq/SqsManagedSseEnabled", False),
    ],
    "every table is encrypted": [
        ("OrdersTable/SSESpecification", None),
    ],
    "every table can be brought back to any moment": [
        ("OrdersTable/PointInTimeRecoverySpecification", None),
    ],
    "every function that works on a batch reports which of its items failed": [
        ("StoredOrdersMapping/FunctionResponseTypes", None),
        ("OrdersMapping/FunctionResponseTypes", []),
    ],
    "what is received from a queue is worked on by a limited number of executions": [
        ("OrdersMapping/ScalingConfig", None),
    ],
    "no more executions work on a queue than are reserved": [
        ("ProcessingFunction/ReservedConcurrentExecutions", 2),
    ],
    "what a stream's function fails at for good is kept in a queue": [
        ("StoredOrdersMapping/DestinationConfig", None),
        ("StoredOrdersMapping/MaximumRetryAttempts", -1),
    ],
    "every dead-letter queue has an alarm on its visible messages": [
        ("NotificationsDlqAlarm/MetricName", "NumberOfMessagesSent"),
        ("OrdersDlqAlarm/Threshold", 1),
    ],
    "every alarm on visible messages watches a dead-letter queue that exists": [
        ("OrdersDlqAlarm/Dimensions/0/Value", "orders-dead"),
    ],
    "every alarm reaches a subscriber": [
        ("StatusErrorsAlarm/AlarmActions", None),
        ("AlertsEmail/TopicArn", {"Ref": "OrderCompletedTopic"}),
    ],
    "every alarm ends in a link to its section of the runbook": [
        ("OrdersDlqAlarm/AlarmDescription", "It failed. Runbook: docs/runbook.md#notifications-dlq"),
        ("StatusErrorsAlarm/AlarmDescription", "It failed. Runbook: docs/runbook.md#errors"),
    ],
    "an alarm looks back over a day at most": [
        ("ApiSlowAlarm/EvaluationPeriods", 1441),
        ("ApiSlowAlarm/EvaluationPeriods", 0),
    ],
    "missing data is a failure where something is expected, and nowhere else": [
        ("OrdersWaitingAlarm/TreatMissingData", "breaching"),
        ("NoOrdersAlarm/TreatMissingData", "notBreaching"),
    ],
    "every alarm on a metric of the log watches one that is counted": [
        ("ProcessingFailingAlarm/MetricName", "OrdersLost"),
        ("NoOrdersAlarm/Namespace", "order-processing/prod"),
        ("OrdersAcceptedMetric/MetricTransformations/0/Dimensions", [{"Key": "Code", "Value": "$.code"}]),
    ],
    "every metric of the log is counted where a function logs": [
        ("OrdersStoredMetric/LogGroupName", {"Ref": "AccessLog"}),
    ],
    "a metric without dimensions is zero where nothing is counted; one with them cannot be": [
        ("OrdersAcceptedMetric/MetricTransformations/0/DefaultValue", None),
        ("OrdersRefusedByCodeMetric/MetricTransformations/0/DefaultValue", 0),
    ],
    "a function compares the customer exactly if its route requires a token": [
        ("SubmissionFunction/Environment/Variables/JWT_CUSTOMER_CLAIM", None),
        ("StatusRoute/AuthorizationType", "NONE"),
    ],
    "an API has either its default endpoint or a domain with TLS 1.2 over IPv4 and IPv6": [
        ("OrdersApi/DisableExecuteApiEndpoint", False),
        ("OrdersDomain/DomainNameConfigurations/0/SecurityPolicy", "TLS_1_0"),
        ("OrdersDomain/DomainNameConfigurations/0/IpAddressType", "ipv4"),
    ],
    "no throttle stops all requests": [
        ("DefaultStage/DefaultRouteSettings/ThrottlingRateLimit", 0),
        ("DefaultStage/DefaultRouteSettings/ThrottlingBurstLimit", 0),
        ("DefaultStage/RouteSettings", {"POST /orders": {"ThrottlingRateLimit": 0, "ThrottlingBurstLimit": 5}}),
    ],
    "no reservation stops a function": [
        ("StatusFunction/ReservedConcurrentExecutions", 0),
    ],
    "a function may do exactly what is listed": [
        ("SubmissionRole/Policies/0/PolicyDocument/Statement/0/Action", "sqs:*"),
    ],
    "a function may use exactly what is listed, as far as AWS can tell it apart": [
        ("SubmissionRole/Policies/0/PolicyDocument/Statement/0/Resource", "*"),
    ],
    "every log is kept for a limited time": [
        ("AccessLog/RetentionInDays", None),
    ],
    "every function writes to a log of the system": [
        ("NotificationFunction/LoggingConfig", None),
    ],
}


def test_every_invariant_is_broken_once() -> None:
    assert list(BREAKS) == [invariant.sentence for invariant in INVARIANTS]


@pytest.mark.parametrize(
    ("sentence", "path", "value"),
    [(sentence, *change) for sentence, changes in BREAKS.items() for change in changes],
)
def test_broken_invariant_is_reported(template: Template, sentence: str, path: str, value: Any) -> None:
    resource, _, place = path.partition("/")
    resources = template.changed(f"{resource}/Properties/{place}", value).resources(**EVERYTHING)
    assert sentence in {broken for broken, _ in violations(from_template(resources))}


def test_an_invariant_that_has_lost_its_subject_is_noticed(template: Template) -> None:
    resources = template.resources(**EMAIL)
    del resources["DefaultStage"]
    assert dict(violations(from_template(resources))) == {
        "no throttle stops all requests": "there is nothing left that it could hold for"
    }
