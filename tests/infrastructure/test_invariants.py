"""Invariants of every deployment, checked on the template. test_parity.py verifies that Terraform deploys the same."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from infrastructure.conftest import CHOSEN
from infrastructure.test_variables import CERTIFICATE, KEY
from support.documented_commands import RUNBOOK
from support.repository.cloudformation import Template, arn, parameters_of, queue_url
from support.repository.markdown import anchors_of

Properties = Mapping[str, Any]
Checks = Iterator[tuple[str, bool]]

# CloudWatch's limit for alarms with periods of less than an hour.
DAY_SECONDS = 24 * 60 * 60

# X-Ray's actions apply to all resources.
ACTIONS_WITHOUT_RESOURCE = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


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

    def names(self, kind: str, property_: str) -> Iterator[tuple[str, str]]:
        """Yield the ID and the name of each resource of a type."""
        return ((id_, each[property_]) for id_, each in self.of(kind).items())

    def denies_insecure_transport(self, kind: str, holders: str, holder: str, action: str, resource: str) -> bool:
        """Return whether the resource policy of a queue or topic has the statement."""
        policies = [policy for policy in self.of(kind).values() if holder in policy[holders]]
        return {
            **{"Sid": "DenyInsecureTransport", "Effect": "Deny", "Principal": "*", "Action": action},
            **{"Resource": resource, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        } in [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

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


def is_secure(domain: Properties) -> bool:
    [configuration] = domain["DomainNameConfigurations"]
    return (configuration["SecurityPolicy"], configuration["IpAddressType"]) == ("TLS_1_2", "dualstack")


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


def each(kind: str, holds: Callable[[Properties], bool]) -> Callable[[System], Checks]:
    """Return the checks of a condition on each resource of a type."""
    return lambda system: ((id_, holds(properties)) for id_, properties in system.of(kind).items())


# By sentence: each affected resource, and whether the invariant holds for it.
INVARIANTS: dict[str, Callable[[System], Checks]] = {
    # Queues, topics and the table
    "the visibility timeout is at least six times the function's timeout, and 20 s longer with a batch window": lambda s: (
        (id_, int(queue["VisibilityTimeout"]) >= 6 * int(function["Timeout"]) + batching)
        for id_, mapping, queue, function in s.mappings_of_queues()
        for batching in [20 if int(mapping["MaximumBatchingWindowInSeconds"]) else 0]
    ),
    "a message moves to a dead-letter queue after exactly five receives": lambda s: (
        (id_, s.queue(policy.get("deadLetterTargetArn")) is not None and policy["maxReceiveCount"] == 5)
        for id_, _, queue, _ in s.mappings_of_queues()
        for policy in [queue.get("RedrivePolicy", {})]
    ),
    "a dead-letter queue retains messages longer than their source queue": lambda s: (
        (id_, dead_letters.get("MessageRetentionPeriod", 0) > queue["MessageRetentionPeriod"])
        for id_, queue, dead_letters in s.queues_with_dead_letters()
    ),
    "a dead-letter queue accepts messages from its source queue only": lambda s: (
        (id_, dead_letters.get("RedriveAllowPolicy", {}).get("sourceQueueArns") == [queue_arn_of(queue)])
        for id_, queue, dead_letters in s.queues_with_dead_letters()
    ),
    "every queue denies insecure transport": lambda s: (
        (id_, s.denies_insecure_transport("SQS::QueuePolicy", "Queues", queue_url(name), "sqs:*", arn("sqs", name)))
        for id_, name in s.names("SQS::Queue", "QueueName")
    ),
    "every topic denies insecure transport": lambda s: (
        (id_, s.denies_insecure_transport("SNS::TopicPolicy", "Topics", topic, "sns:Publish", topic))
        for id_, name in s.names("SNS::Topic", "TopicName")
        for topic in [arn("sns", name)]
    ),
    "a topic accepts this account's alarms only": lambda s: (
        (id_, statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"} and conditions == {"aws:SourceAccount"})
        for id_, policy in s.of("SNS::TopicPolicy").items()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Sid"] == "AcceptAlarmsOfThisAccount" or statement["Effect"] == "Allow"
        for conditions in [statement["Condition"].get("StringEquals", {}).keys()]
    ),
    "every queue is encrypted": each(
        "SQS::Queue", lambda queue: bool(queue.get("SqsManagedSseEnabled") or queue.get("KmsMasterKeyId"))
    ),
    "every table is encrypted": each(
        "DynamoDB::Table", lambda table: table.get("SSESpecification", {}).get("SSEEnabled", False)
    ),
    "every table has point-in-time recovery": each(
        "DynamoDB::Table",
        lambda table: table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False),
    ),
    # Functions and their event source mappings
    "every event source mapping reports batch item failures": each(
        "Lambda::EventSourceMapping",
        lambda mapping: mapping.get("FunctionResponseTypes") == ["ReportBatchItemFailures"],
    ),
    "the concurrency of a queue's mapping is limited": lambda s: (
        (id_, "MaximumConcurrency" in mapping.get("ScalingConfig", {})) for id_, mapping, _, _ in s.mappings_of_queues()
    ),
    "a queue's mapping uses at most the function's reserved concurrency": lambda s: (
        (
            id_,
            reserved is None or int(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 1000)) <= int(reserved),
        )
        for id_, mapping, _, function in s.mappings_of_queues()
        for reserved in [function.get("ReservedConcurrentExecutions")]
    ),
    "a stream's mapping limits retries and sends failed records to a queue": lambda s: (
        (id_, s.queue(failure_destination(mapping)) is not None and mapping.get("MaximumRetryAttempts", -1) != -1)
        for id_, mapping in s.of("Lambda::EventSourceMapping").items()
        if "/stream/" in mapping["EventSourceArn"]
    ),
    "no function has a reserved concurrency of 0": each(
        "Lambda::Function", lambda function: function.get("ReservedConcurrentExecutions") != 0
    ),
    "every function writes to a log group of the system": lambda s: (
        (
            id_,
            function.get("LoggingConfig", {}).get("LogGroup")
            in dict(s.names("Logs::LogGroup", "LogGroupName")).values(),
        )
        for id_, function in s.of("Lambda::Function").items()
    ),
    "every log group has a retention period": each("Logs::LogGroup", lambda log: "RetentionInDays" in log),
    "a role allows no action wildcard": lambda s: (
        (name, not any("*" in action for action in as_list(statement["Action"]))) for name, statement in s.permissions()
    ),
    "a role allows no resource wildcard if the actions support resources": lambda s: (
        (
            name,
            ACTIONS_WITHOUT_RESOURCE.issuperset(as_list(allowed["Action"])) or "*" not in as_list(allowed["Resource"]),
        )
        for name, allowed in s.permissions()
    ),
    # The API
    "a function checks the customer's claim if and only if its route requires a token": lambda s: (
        (id_, ("JWT_CUSTOMER_CLAIM" in function["Environment"]["Variables"]) == (route["AuthorizationType"] == "JWT"))
        for id_, route in s.of("ApiGatewayV2::Route").items()
        for function in [s.of("Lambda::Function")[id_.replace("Route", "Function")]]
    ),
    "an API has either its default endpoint or a domain with TLS 1.2 over IPv4 and IPv6": lambda s: (
        (id_, bool(api.get("DisableExecuteApiEndpoint")) == bool(domains) and all(domains))
        for id_, api in s.of("ApiGatewayV2::Api").items()
        for domains in [[is_secure(domain) for domain in s.of("ApiGatewayV2::DomainName").values()]]
    ),
    "every throttling limit is at least 1": each(
        "ApiGatewayV2::Stage",
        lambda stage: all(
            float(settings[f"Throttling{limit}Limit"]) >= 1
            for settings in (stage["DefaultRouteSettings"], *stage["RouteSettings"].values())
            for limit in ("Rate", "Burst")
        ),
    ),
    # Alarms and metrics
    "every dead-letter queue has an alarm on its visible messages": lambda s: (
        (queue, any(is_raised_by_any_message(alarm, queue) for alarm in s.of("CloudWatch::Alarm").values()))
        for queue in s.dead_letter_queues()
    ),
    "every alarm on visible messages monitors an existing dead-letter queue": lambda s: (
        (id_, any(is_raised_by_any_message(alarm, queue) for queue in s.dead_letter_queues()))
        for id_, alarm in s.of("CloudWatch::Alarm").items()
        if is_dead_letter_alarm(alarm)
    ),
    "every alarm notifies a topic with an e-mail subscription": lambda s: (
        (id_, bool(topics) and mailed.issuperset(topics))
        for mailed in [{each["TopicArn"] for each in s.of("SNS::Subscription").values() if each["Protocol"] == "email"}]
        for id_, alarm in s.of("CloudWatch::Alarm").items()
        for topics in [alarm.get("AlarmActions", [])]
    ),
    "every alarm names the first check and ends in a link to its section of the runbook": each(
        "CloudWatch::Alarm",
        lambda alarm: (
            all(words in alarm["AlarmDescription"] for words in (" Look first ", "order-processing-"))
            and links_its_section(alarm["AlarmName"], alarm["AlarmDescription"])
        ),
    ),
    "every alarm notifies when it ends, except those of single events": each(
        "CloudWatch::Alarm",
        lambda alarm: (
            alarm.get("OKActions", [])
            == ([] if re.search("alerts-undelivered|-(even|odd)-minute", alarm["AlarmName"]) else alarm["AlarmActions"])
        ),
    ),
    "an alarm evaluates at most one day": each(
        "CloudWatch::Alarm",
        lambda alarm: (
            0
            < int(alarm.get("Period") or alarm["Metrics"][0]["MetricStat"]["Period"]) * int(alarm["EvaluationPeriods"])
            <= DAY_SECONDS
        ),
    ),
    "missing data breaches only alarms on too few events": each(
        "CloudWatch::Alarm",
        lambda alarm: alarm["ComparisonOperator"].startswith("LessThan") == (alarm["TreatMissingData"] == "breaching"),
    ),
    "every alarm on a log metric has a metric filter": lambda s: (
        (id_, counted.issuperset(metrics_of(alarm)))
        for transformations in [[each["MetricTransformations"][0] for each in s.of("Logs::MetricFilter").values()]]
        for counted in [{(each["MetricNamespace"], each["MetricName"]) for each in transformations}]
        for id_, alarm in s.of("CloudWatch::Alarm").items()
        if not metrics_of(alarm)[0][0].startswith("AWS/")
    ),
    "every log metric is counted in a function's log group": lambda s: (
        (id_, each["LogGroupName"] in logs)
        for logs in [{f.get("LoggingConfig", {}).get("LogGroup") for f in s.of("Lambda::Function").values()}]
        for id_, each in s.of("Logs::MetricFilter").items()
    ),
    # A default value is billed in hours without a matching event.
    "only the dead-letter metric, whose alarms need zeros, has a default value": lambda s: (
        (id_, metric.get("DefaultValue") == (0 if metric["MetricName"] == "OrdersDeadLettered" else None))
        for id_, each in s.of("Logs::MetricFilter").items()
        for metric in each["MetricTransformations"]
    ),
}


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
