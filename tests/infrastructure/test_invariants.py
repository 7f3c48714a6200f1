"""Invariants of every deployment, checked on the template. test_parity.py verifies that Terraform deploys the same.

To add an invariant, add a function that yields each affected resource and whether the invariant holds for it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from infrastructure.conftest import CHOSEN
from infrastructure.test_variables import CERTIFICATE, KEY
from support.repository.cloudformation import Template, arn, parameters_of, queue_url
from support.repository.documented_commands import RUNBOOK
from support.repository.markdown import anchors_of

Properties = Mapping[str, Any]
Checks = Iterator[tuple[str, bool]]

# CloudWatch's limit for alarms with periods of less than an hour.
DAY_SECONDS = 24 * 60 * 60

# X-Ray's actions apply to all resources.
ACTIONS_WITHOUT_RESOURCE = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}

INVARIANTS: dict[str, Callable[["System"], Checks]] = {}


class System:
    """A template's resources, resolved, by type and logical ID."""

    def __init__(self, resources: Mapping[str, Properties]) -> None:
        self._resources = resources

    def of(self, kind: str) -> dict[str, Properties]:
        """Return the properties of the resources of a type, such as SQS::Queue."""
        return {id_: each["Properties"] for id_, each in self._resources.items() if each["Type"] == f"AWS::{kind}"}

    def queue(self, queue_arn: str | None) -> Properties | None:
        """Return the queue with this ARN, or None."""
        return next((each for each in self.of("SQS::Queue").values() if queue_arn_of(each) == queue_arn), None)

    def mappings_of_queues(self) -> Iterator[tuple[str, Properties, Properties, Properties]]:
        """Yield the ID of each queue's mapping, the mapping, the queue and the function."""
        functions = {each["FunctionName"]: each for each in self.of("Lambda::Function").values()}
        for id_, mapping in self.of("Lambda::EventSourceMapping").items():
            if queue := self.queue(mapping["EventSourceArn"]):
                yield id_, mapping, queue, functions[mapping["FunctionName"].split(":")[6]]

    def queues_with_dead_letters(self) -> Iterator[tuple[str, Properties, Properties]]:
        """Yield the ID of each queue with a redrive policy, the queue and its dead-letter queue."""
        for id_, queue in self.of("SQS::Queue").items():
            if policy := queue.get("RedrivePolicy"):
                yield id_, queue, self.queue(policy["deadLetterTargetArn"]) or {}

    def dead_letter_queues(self) -> set[str]:
        """Return the names of the queues that hold failed messages."""
        arns = {each.get("RedrivePolicy", {}).get("deadLetterTargetArn") for each in self.of("SQS::Queue").values()}
        arns |= {failure_destination(each) for each in self.of("Lambda::EventSourceMapping").values()}
        return {each["QueueName"] for each in self.of("SQS::Queue").values() if queue_arn_of(each) in arns}

    def resource_policy(self, kind: str, holders: str, holder: str) -> list[Properties]:
        """Return the statements of the resource policy of a queue or topic."""
        policies = [policy for policy in self.of(kind).values() if holder in policy[holders]]
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def permissions(self) -> Iterator[tuple[str, Properties]]:
        """Yield each statement of each function's role."""
        for id_, role in self.of("IAM::Role").items():
            for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
                yield f"{statement['Sid']} of {id_}", statement


def queue_arn_of(queue: Properties) -> str:
    return arn("sqs", queue["QueueName"])


def failure_destination(mapping: Properties) -> str | None:
    destination: str | None = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return destination


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def metrics_of(alarm: Properties) -> list[tuple[str, str]]:
    """Return namespace and name of each metric of an alarm."""
    metrics = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
    return [(each["Namespace"], each["MetricName"]) for each in metrics or [alarm]]


def is_dead_letter_alarm(alarm: Properties) -> bool:
    return ("AWS/SQS", "ApproximateNumberOfMessagesVisible") in metrics_of(alarm)


def is_raised_by_any_message(alarm: Properties, queue: str) -> bool:
    return (
        is_dead_letter_alarm(alarm)
        and alarm["Dimensions"] == [{"Name": "QueueName", "Value": queue}]
        and (alarm["Statistic"], alarm["Threshold"], alarm["TreatMissingData"]) == ("Maximum", 0, "ignore")
    )


def denies_insecure_transport(policy: list[Properties], action: str, resource: str) -> bool:
    return {
        **{"Sid": "DenyInsecureTransport", "Effect": "Deny", "Principal": "*", "Action": action},
        **{"Resource": resource, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    } in policy


@cache
def sections_of_the_runbook() -> frozenset[str]:
    """Return the anchor of each heading."""
    return frozenset(anchors_of(RUNBOOK))


def links_its_section(alarm: str, description: str) -> bool:
    """Return whether an alarm's description ends in a link to its section of the runbook."""
    link = re.search(r"[.] Runbook: [^ #]+#([a-z0-9-]+)$", description)
    if link is None or link[1] not in sections_of_the_runbook():
        return False
    is_new_dead_letter = bool(re.search(r"-dead-letter-(even|odd)-minute$", alarm)) and link[1] == "orders-dlq"
    return is_new_dead_letter or alarm.endswith("-" + link[1].removeprefix("function-"))


def invariant(sentence: str) -> Callable[[Callable[[System], Checks]], None]:
    def add(checks: Callable[[System], Checks]) -> None:
        INVARIANTS[sentence] = checks

    return add


@invariant("the visibility timeout is at least six times the function's timeout, and 20 s longer with a batch window")
def _(system: System) -> Checks:
    for id_, mapping, queue, function in system.mappings_of_queues():
        batching = 20 if int(mapping["MaximumBatchingWindowInSeconds"]) else 0
        yield id_, int(queue["VisibilityTimeout"]) >= 6 * int(function["Timeout"]) + batching


@invariant("a message moves to a dead-letter queue after exactly five receives")
def _(system: System) -> Checks:
    for id_, _, queue, _ in system.mappings_of_queues():
        policy = queue.get("RedrivePolicy", {})
        exists = system.queue(policy.get("deadLetterTargetArn")) is not None
        yield id_, exists and policy["maxReceiveCount"] == 5


@invariant("a dead-letter queue retains messages longer than their source queue")
def _(system: System) -> Checks:
    for id_, queue, dead_letters in system.queues_with_dead_letters():
        yield id_, dead_letters.get("MessageRetentionPeriod", 0) > queue["MessageRetentionPeriod"]


@invariant("a dead-letter queue accepts messages from its source queue only")
def _(system: System) -> Checks:
    for id_, queue, dead_letters in system.queues_with_dead_letters():
        sources = dead_letters.get("RedriveAllowPolicy", {}).get("sourceQueueArns")
        yield id_, sources == [queue_arn_of(queue)]


@invariant("every queue denies insecure transport")
def _(system: System) -> Checks:
    for id_, queue in system.of("SQS::Queue").items():
        policy = system.resource_policy("SQS::QueuePolicy", "Queues", queue_url(queue["QueueName"]))
        yield id_, denies_insecure_transport(policy, "sqs:*", queue_arn_of(queue))


@invariant("every topic denies insecure transport")
def _(system: System) -> Checks:
    for id_, topic in system.of("SNS::Topic").items():
        topic_arn = arn("sns", topic["TopicName"])
        policy = system.resource_policy("SNS::TopicPolicy", "Topics", topic_arn)
        yield id_, denies_insecure_transport(policy, "sns:Publish", topic_arn)


@invariant("a topic accepts this account's alarms only")
def _(system: System) -> Checks:
    for id_, policy in system.of("SNS::TopicPolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Sid"] == "AcceptAlarmsOfThisAccount" or statement["Effect"] == "Allow":
                is_alarms = statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
                condition = statement["Condition"].get("StringEquals", {})
                yield id_, is_alarms and condition.keys() == {"aws:SourceAccount"}


@invariant("every queue is encrypted")
def _(system: System) -> Checks:
    for id_, queue in system.of("SQS::Queue").items():
        yield id_, bool(queue.get("SqsManagedSseEnabled") or queue.get("KmsMasterKeyId"))


@invariant("every table is encrypted")
def _(system: System) -> Checks:
    for id_, table in system.of("DynamoDB::Table").items():
        yield id_, table.get("SSESpecification", {}).get("SSEEnabled", False)


@invariant("every table has point-in-time recovery")
def _(system: System) -> Checks:
    for id_, table in system.of("DynamoDB::Table").items():
        yield id_, table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False)


@invariant("every event source mapping reports batch item failures")
def _(system: System) -> Checks:
    for id_, mapping in system.of("Lambda::EventSourceMapping").items():
        yield id_, mapping.get("FunctionResponseTypes") == ["ReportBatchItemFailures"]


@invariant("the concurrency of a queue's mapping is limited")
def _(system: System) -> Checks:
    for id_, mapping, _, _ in system.mappings_of_queues():
        yield id_, "MaximumConcurrency" in mapping.get("ScalingConfig", {})


@invariant("a queue's mapping uses at most the function's reserved concurrency")
def _(system: System) -> Checks:
    for id_, mapping, _, function in system.mappings_of_queues():
        reserved = function.get("ReservedConcurrentExecutions")
        maximum = mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 1000)
        yield id_, reserved is None or int(maximum) <= int(reserved)


@invariant("a stream's mapping limits retries and sends failed records to a queue")
def _(system: System) -> Checks:
    for id_, mapping in system.of("Lambda::EventSourceMapping").items():
        if "/stream/" in mapping["EventSourceArn"]:
            has_destination = system.queue(failure_destination(mapping)) is not None
            yield id_, has_destination and mapping.get("MaximumRetryAttempts", -1) != -1


@invariant("every dead-letter queue has an alarm on its visible messages")
def _(system: System) -> Checks:
    for queue in system.dead_letter_queues():
        yield queue, any(is_raised_by_any_message(alarm, queue) for alarm in system.of("CloudWatch::Alarm").values())


@invariant("every alarm on visible messages monitors an existing dead-letter queue")
def _(system: System) -> Checks:
    for id_, alarm in system.of("CloudWatch::Alarm").items():
        if is_dead_letter_alarm(alarm):
            yield id_, any(is_raised_by_any_message(alarm, queue) for queue in system.dead_letter_queues())


@invariant("every alarm notifies a topic with an e-mail subscription")
def _(system: System) -> Checks:
    subscriptions = system.of("SNS::Subscription").values()
    mailed = {each["TopicArn"] for each in subscriptions if each["Protocol"] == "email"}
    for id_, alarm in system.of("CloudWatch::Alarm").items():
        topics = alarm.get("AlarmActions", [])
        yield id_, bool(topics) and mailed.issuperset(topics)


@invariant("every alarm names the first check and ends in a link to its section of the runbook")
def _(system: System) -> Checks:
    for id_, alarm in system.of("CloudWatch::Alarm").items():
        description = alarm["AlarmDescription"]
        names_a_check = " Look first " in description and "order-processing-" in description
        yield id_, names_a_check and links_its_section(alarm["AlarmName"], description)


@invariant("every alarm notifies when it ends, except those of single events")
def _(system: System) -> Checks:
    for id_, alarm in system.of("CloudWatch::Alarm").items():
        is_event = re.search("alerts-undelivered|dead-letter-(even|odd)-minute", alarm["AlarmName"])
        yield id_, alarm.get("OKActions", []) == ([] if is_event else alarm["AlarmActions"])


@invariant("an alarm evaluates at most one day")
def _(system: System) -> Checks:
    for id_, alarm in system.of("CloudWatch::Alarm").items():
        period = alarm.get("Period") or alarm["Metrics"][0]["MetricStat"]["Period"]
        yield id_, 0 < int(period) * int(alarm["EvaluationPeriods"]) <= DAY_SECONDS


@invariant("missing data breaches only alarms on too few events")
def _(system: System) -> Checks:
    for id_, alarm in system.of("CloudWatch::Alarm").items():
        expects_events = alarm["ComparisonOperator"].startswith("LessThan")
        yield id_, expects_events == (alarm["TreatMissingData"] == "breaching")


@invariant("every alarm on a log metric has a metric filter")
def _(system: System) -> Checks:
    filters = [each["MetricTransformations"][0] for each in system.of("Logs::MetricFilter").values()]
    counted = {(each["MetricNamespace"], each["MetricName"]) for each in filters}
    for id_, alarm in system.of("CloudWatch::Alarm").items():
        if not metrics_of(alarm)[0][0].startswith("AWS/"):
            yield id_, counted.issuperset(metrics_of(alarm))


@invariant("every log metric is counted in a function's log group")
def _(system: System) -> Checks:
    logs = {each.get("LoggingConfig", {}).get("LogGroup") for each in system.of("Lambda::Function").values()}
    for id_, metric_filter in system.of("Logs::MetricFilter").items():
        yield id_, metric_filter["LogGroupName"] in logs


# A default value is billed in hours without a matching event.
@invariant("only the dead-letter metric, whose alarms need zeros, has a default value")
def _(system: System) -> Checks:
    for id_, metric_filter in system.of("Logs::MetricFilter").items():
        [metric] = metric_filter["MetricTransformations"]
        yield id_, metric.get("DefaultValue") == (0 if metric["MetricName"] == "OrdersDeadLettered" else None)


@invariant("a function checks the customer's claim if and only if its route requires a token")
def _(system: System) -> Checks:
    for id_, route in system.of("ApiGatewayV2::Route").items():
        function = system.of("Lambda::Function")[id_.replace("Route", "Function")]
        checks_claim = "JWT_CUSTOMER_CLAIM" in function["Environment"]["Variables"]
        yield id_, checks_claim == (route["AuthorizationType"] == "JWT")


@invariant("an API has either its default endpoint or a domain with TLS 1.2 over IPv4 and IPv6")
def _(system: System) -> Checks:
    domains = [each["DomainNameConfigurations"][0] for each in system.of("ApiGatewayV2::DomainName").values()]
    is_secure = all((each["SecurityPolicy"], each["IpAddressType"]) == ("TLS_1_2", "dualstack") for each in domains)
    for id_, api in system.of("ApiGatewayV2::Api").items():
        yield id_, bool(api.get("DisableExecuteApiEndpoint")) == bool(domains) and is_secure


@invariant("every throttling limit is at least 1")
def _(system: System) -> Checks:
    for id_, stage in system.of("ApiGatewayV2::Stage").items():
        for settings in (stage["DefaultRouteSettings"], *stage["RouteSettings"].values()):
            limits = (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"])
            yield id_, all(float(limit) >= 1 for limit in limits)


@invariant("no function has a reserved concurrency of 0")
def _(system: System) -> Checks:
    for id_, function in system.of("Lambda::Function").items():
        yield id_, function.get("ReservedConcurrentExecutions") != 0


@invariant("a role allows no action wildcard")
def _(system: System) -> Checks:
    for name, statement in system.permissions():
        yield name, not any("*" in action for action in as_list(statement["Action"]))


@invariant("a role allows no resource wildcard if the actions support resources")
def _(system: System) -> Checks:
    for name, statement in system.permissions():
        has_none = ACTIONS_WITHOUT_RESOURCE.issuperset(as_list(statement["Action"]))
        yield name, has_none or "*" not in as_list(statement["Resource"])


@invariant("every log group has a retention period")
def _(system: System) -> Checks:
    for id_, log in system.of("Logs::LogGroup").items():
        yield id_, "RetentionInDays" in log


@invariant("every function writes to a log group of the system")
def _(system: System) -> Checks:
    logs = {each["LogGroupName"] for each in system.of("Logs::LogGroup").values()}
    for id_, function in system.of("Lambda::Function").items():
        yield id_, function.get("LoggingConfig", {}).get("LogGroup") in logs


def violations(resources: Mapping[str, Properties]) -> Iterator[tuple[str, str]]:
    """Yield each violated invariant with the resource, or with "nothing" if no resource is affected."""
    system = System(resources)
    for sentence, checks in INVARIANTS.items():
        found = list(checks(system))
        yield from ((sentence, subject) for subject, holds in found or [("nothing", False)] if not holds)


EMAIL = {"NotificationEmail": "operations@example.com"}
TOKENS = {"JwtIssuer": "https://login.example.com", "JwtAudience": "shop"}
DOMAIN = {"ApiDomainName": "api.example.com", "ApiCertificateArn": CERTIFICATE}

# Parameter values that could violate an invariant.
PARAMETERS: list[dict[str, str]] = [
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


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_template_satisfies_every_invariant(template: Template, parameters: Mapping[str, str]) -> None:
    assert list(violations(template.resources(**{**EMAIL, **parameters}))) == []


@pytest.mark.parametrize("seconds", Template.read().document["Parameters"]["ProcessingTimeoutSeconds"]["AllowedValues"])
@pytest.mark.parametrize(("window", "batching"), [(0, 0), (1, 20)])
def test_visibility_timeout_is_six_times_every_allowed_timeout(
    template: Template, seconds: int, window: int, batching: int
) -> None:
    resources = template.resources(
        **EMAIL, ProcessingTimeoutSeconds=str(seconds), ProcessingBatchWindowSeconds=str(window)
    )
    assert int(resources["ProcessingFunction"]["Properties"]["Timeout"]) == seconds
    visibility_timeout = 6 * seconds + batching
    assert resources["OrdersQueue"]["Properties"]["VisibilityTimeout"] == visibility_timeout
    # With a shorter evaluation range, the alarm would return to OK between two deliveries of a failing order.
    for alarm, deliveries in (("ProcessingFailingAlarm", 2), ("ProcessingErrorsAlarm", 1)):
        assert 60 * resources[alarm]["Properties"]["EvaluationPeriods"] >= 60 + deliveries * visibility_timeout
