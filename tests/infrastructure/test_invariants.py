"""The invariants hold for the template. They also hold for Terraform, because test_parity.py compares both."""

from collections.abc import Mapping
from typing import Any

import pytest

from infrastructure.conftest import CHOSEN
from infrastructure.invariants import INVARIANTS, violations
from support.repository.cloudformation import Template, parameters_of

EMAIL = {"NotificationEmail": "operations@example.com"}
TOKENS = {"JwtIssuer": "https://login.example.com", "JwtAudience": "shop"}
DOMAIN = {
    "ApiDomainName": "api.example.com",
    "ApiCertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

# Parameters that could violate an invariant.
CHOICES: list[dict[str, str]] = [
    {},
    {"Environment": "prod", "KmsKeyArn": KEY},
    {"ProcessingTimeoutSeconds": "2", "ProcessingMaximumConcurrency": "2", "ProcessingBatchWindowSeconds": "20"},
    {"ProcessingTimeoutSeconds": "900", "ProcessingMaximumConcurrency": "1000"},
    {"ProcessingConcurrencyReserved": "true", "SubmissionReservedConcurrency": "1"},
    {"ProcessingConcurrencyReserved": "true", "ProcessingMaximumConcurrency": "1000"},
    {"ApiThrottlingRateLimit": "1", "ApiThrottlingBurstLimit": "1", "LogRetentionDays": "1"},
    {"NoOrdersAlarmMinutes": "1440", "LatencyAlarmThresholdMs": "100", "RunbookUrl": "https://wiki.example.com/run"},
    {"SubmissionThrottlingRateLimit": "1", "StatusThrottlingBurstLimit": "1"},
    TOKENS,
    DOMAIN,
    parameters_of(CHOSEN),
]


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.read()


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_template_satisfies_every_invariant(template: Template, choices: Mapping[str, str]) -> None:
    assert list(violations(template.resources(**{**EMAIL, **choices}))) == []


@pytest.mark.parametrize("seconds", Template.read().document["Parameters"]["ProcessingTimeoutSeconds"]["AllowedValues"])
@pytest.mark.parametrize(("window", "gathering"), [(0, 0), (1, 20)])
def test_visibility_timeout_is_six_times_every_allowed_timeout(
    template: Template, seconds: int, window: int, gathering: int
) -> None:
    resources = template.resources(
        **EMAIL, ProcessingTimeoutSeconds=str(seconds), ProcessingBatchWindowSeconds=str(window)
    )
    assert int(resources["ProcessingFunction"]["Properties"]["Timeout"]) == seconds
    visibility_timeout = 6 * seconds + gathering
    assert resources["OrdersQueue"]["Properties"]["VisibilityTimeout"] == visibility_timeout
    # A shorter alarm would return to OK between two deliveries of a failing order.
    for alarm, deliveries in (("ProcessingFailingAlarm", 2), ("ProcessingErrorsAlarm", 1)):
        assert 60 * resources[alarm]["Properties"]["EvaluationPeriods"] >= 60 + deliveries * visibility_timeout


# Template changes that violate each invariant. The value None removes the property.
VIOLATIONS: dict[str, list[tuple[str, Any]]] = {
    "the visibility timeout is at least six times the function's timeout, and 20 s longer with a batch window": [
        ("OrdersMapping/MaximumBatchingWindowInSeconds", 1),
        ("OrdersQueue/VisibilityTimeout", 179),
        ("ProcessingFunction/Timeout", 31),
    ],
    "a message moves to a dead-letter queue after exactly five receives": [
        ("OrdersQueue/RedrivePolicy/maxReceiveCount", 4),
        ("OrdersQueue/RedrivePolicy", None),
    ],
    "a dead-letter queue retains messages longer than their source queue": [
        ("OrdersDlq/MessageRetentionPeriod", 345600),
    ],
    "a dead-letter queue accepts messages from its source queue only": [
        ("OrdersDlq/RedriveAllowPolicy", None),
    ],
    "every queue denies insecure transport": [
        ("OrdersDlqPolicy/Queues", [{"Ref": "OrdersQueue"}]),
        ("OrdersDlqPolicy/PolicyDocument/Statement/0/Resource", {"Fn::GetAtt": ["OrdersQueue", "Arn"]}),
        ("OrdersQueuePolicy/PolicyDocument/Statement/0/Condition/Bool", {"aws:SecureTransport": "true"}),
    ],
    "every topic denies insecure transport": [
        ("AlertsTopicPolicy/PolicyDocument/Statement/1/Effect", "Allow"),
    ],
    "a topic accepts this account's alarms only": [
        ("AlertsTopicPolicy/PolicyDocument/Statement/0/Condition", {}),
    ],
    "every queue is encrypted": [
        ("NotificationsDlq/SqsManagedSseEnabled", False),
    ],
    "every table is encrypted": [
        ("OrdersTable/SSESpecification", None),
    ],
    "every table has point-in-time recovery": [
        ("OrdersTable/PointInTimeRecoverySpecification", None),
    ],
    "every event source mapping reports batch item failures": [
        ("StoredOrdersMapping/FunctionResponseTypes", None),
        ("OrdersMapping/FunctionResponseTypes", []),
    ],
    "the concurrency of a queue's mapping is limited": [
        ("OrdersMapping/ScalingConfig", None),
    ],
    "a queue's mapping uses at most the function's reserved concurrency": [
        ("ProcessingFunction/ReservedConcurrentExecutions", 2),
    ],
    "a stream's mapping stops retrying and keeps failed records in a queue": [
        ("StoredOrdersMapping/DestinationConfig", None),
        ("StoredOrdersMapping/MaximumRetryAttempts", -1),
    ],
    "every dead-letter queue has an alarm on its visible messages": [
        ("NotificationsDlqAlarm/MetricName", "NumberOfMessagesSent"),
        ("OrdersDlqAlarm/Threshold", 1),
    ],
    "every alarm on visible messages watches an existing dead-letter queue": [
        ("OrdersDlqAlarm/Dimensions/0/Value", "orders-dead"),
    ],
    "every alarm notifies a topic with an e-mail subscription": [
        ("StatusErrorsAlarm/AlarmActions", None),
        ("AlertsEmail/TopicArn", {"Ref": "OrderCompletedTopic"}),
    ],
    "every alarm ends in a link to its section of the runbook": [
        ("OrdersDlqAlarm/AlarmDescription", "It failed. Runbook: docs/runbook.md#notifications-dlq"),
        ("StatusErrorsAlarm/AlarmDescription", "It failed. Runbook: docs/runbook.md#errors"),
    ],
    "an alarm evaluates at most one day": [
        ("ApiSlowAlarm/EvaluationPeriods", 1441),
        ("ApiSlowAlarm/EvaluationPeriods", 0),
    ],
    "missing data breaches only alarms on too few events": [
        ("OrdersWaitingAlarm/TreatMissingData", "breaching"),
        ("NoOrdersAlarm/TreatMissingData", "notBreaching"),
    ],
    "every alarm on a log metric has a metric filter": [
        ("ProcessingFailingAlarm/MetricName", "OrdersLost"),
        ("NoOrdersAlarm/Namespace", "order-processing/prod"),
    ],
    "every log metric is counted in a function's log group": [
        ("OrdersStoredMetric/LogGroupName", {"Ref": "AccessLog"}),
    ],
    "only the metric of dead letters, whose alarms need zeros, is billed in hours without an event": [
        ("OrdersDeadLetteredMetric/MetricTransformations/0/DefaultValue", None),
        ("OrdersAcceptedMetric/MetricTransformations/0/DefaultValue", 0),
    ],
    "a function compares the customer if and only if its route requires a token": [
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
    "a role allows no action wildcard": [
        ("SubmissionRole/Policies/0/PolicyDocument/Statement/0/Action", "sqs:*"),
    ],
    "a role allows no resource wildcard if the actions support resources": [
        ("SubmissionRole/Policies/0/PolicyDocument/Statement/0/Resource", "*"),
    ],
    "every log group has a retention period": [
        ("AccessLog/RetentionInDays", None),
    ],
    "every function writes to a log group of the system": [
        ("NotificationFunction/LoggingConfig", None),
    ],
}


def test_every_invariant_has_a_tested_violation() -> None:
    assert list(VIOLATIONS) == list(INVARIANTS)


@pytest.mark.parametrize(
    ("sentence", "path", "value"),
    [(sentence, *change) for sentence, changes in VIOLATIONS.items() for change in changes],
)
def test_violated_invariant_is_reported(template: Template, sentence: str, path: str, value: Any) -> None:
    resource, _, place = path.partition("/")
    changed = template.changed(f"{resource}/Properties/{place}", value)
    resources = changed.resources(**EMAIL, **TOKENS, **DOMAIN, NoOrdersAlarmMinutes="60")
    assert sentence in {violated for violated, _ in violations(resources)}


def test_invariant_is_reported_when_no_resource_is_affected(template: Template) -> None:
    resources = template.resources(**EMAIL)
    del resources["DefaultStage"]
    assert list(violations(resources)) == [("no throttle stops all requests", "nothing")]
