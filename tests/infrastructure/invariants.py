"""What must hold of every deployment, stated once for Terraform and CloudFormation.

To add an invariant, add an entry. A sentence says what holds, `of` finds what it holds for, `holds` decides about one of
these.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from infrastructure.system import Alarm, MetricFilter, Queue, Statement, System, Topic
from support.repository.documented_commands import RUNBOOK
from support.repository.markdown import anchors_of

VISIBLE_MESSAGES = ("AWS/SQS", "ApproximateNumberOfMessagesVisible")

# How far CloudWatch looks back for an alarm with periods of less than an hour.
DAY_SECONDS = 24 * 60 * 60

# X-Ray knows no resource.
ACTIONS_WITHOUT_RESOURCE = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


@dataclass(frozen=True)
class Invariant:
    """A sentence, and how to tell whether it is true of a system."""

    sentence: str
    of: Callable[[System], Iterable[Any]]
    holds: Callable[[Any, System], bool]


def refuses_plain_http(holder: Queue | Topic, action: str) -> bool:
    """Whether the holder's own policy denies `action` on itself to everybody who does not come by TLS."""
    return any(
        (each.effect, each.principal, each.actions, each.resources) == ("Deny", "*", (action,), (holder.arn,))
        and each.condition == {"Bool": {"aws:SecureTransport": "false"}}
        for each in holder.policy
    )


def watches(alarm: Alarm, queue: Queue) -> bool:
    """Whether the alarm goes off as soon as a message is visible in the queue, and only then."""
    return (
        alarm.metrics == (VISIBLE_MESSAGES,)
        and alarm.dimensions == {"QueueName": queue.name}
        and (alarm.statistic, alarm.threshold, alarm.missing_data) == ("Maximum", 0, "ignore")
    )


def is_heard_of(alarm: Alarm, system: System) -> bool:
    """Whether the alarm notifies a topic, and every topic that it notifies sends e-mails."""
    heard = {topic.arn for topic in system.topics if not all(each.startswith("https:") for each in topic.subscribers)}
    return bool(alarm.topics) and heard.issuperset(alarm.topics)


@cache
def sections_of_the_runbook() -> frozenset[str]:
    """Return the anchor of each of the runbook's headings."""
    return frozenset(anchors_of(RUNBOOK))


def leads_to_its_section(alarm: str, description: str) -> bool:
    """Whether an alarm's text ends in a link to the section about it, and the runbook has that."""
    link = re.search(r"[.] Runbook: [^ #]+#([a-z0-9-]+)$", description)
    if link is None or link[1] not in sections_of_the_runbook():
        return False
    is_new_dead_letter = bool(re.search(r"-dead-letter-(even|odd)-minute$", alarm)) and link[1] == "orders-dlq"
    return is_new_dead_letter or alarm.endswith("-" + link[1].removeprefix("function-"))


def is_counted(alarm: Alarm, filters: Iterable[MetricFilter]) -> bool:
    """Whether filters count into every metric of the log that the alarm watches."""
    counted = {each.metric for each in filters if not each.dimensions}
    return counted.issuperset(metric for metric in alarm.metrics if not metric[0].startswith("AWS/"))


def names_its_resources(statement: Statement) -> bool:
    """Whether the statement is about certain resources, as far as its actions know any."""
    return "*" not in statement.resources or ACTIONS_WITHOUT_RESOURCE.issuperset(statement.actions)


INVARIANTS = [
    Invariant(
        "a received order is hidden for six times the timeout of the function that works on it",
        lambda system: system.received_queues(),
        lambda pair, system: (
            pair[1].visibility_timeout_seconds >= 6 * system.function(pair[0].function).timeout_seconds
        ),
    ),
    Invariant(
        "what was received exactly five times goes to a dead-letter queue",
        lambda system: system.received_queues(),
        lambda pair, system: pair[1].receives == 5 and system.queue(pair[1].dead_letter_arn) is not None,
    ),
    Invariant(
        "a dead-letter queue keeps a message for longer than the queue that it comes from",
        lambda system: [queue for queue in system.queues if queue.dead_letter_arn],
        lambda queue, system: (
            (dead_letters := system.queue(queue.dead_letter_arn)) is not None
            and dead_letters.retention_seconds > queue.retention_seconds
        ),
    ),
    Invariant(
        "a dead-letter queue takes messages from its own queue only",
        lambda system: [queue for queue in system.queues if queue.dead_letter_arn],
        lambda queue, system: (
            (dead_letters := system.queue(queue.dead_letter_arn)) is not None
            and dead_letters.admitted_sources == (queue.arn,)
        ),
    ),
    Invariant(
        "every queue refuses what does not come by TLS",
        lambda system: system.queues,
        lambda queue, system: refuses_plain_http(queue, "sqs:*"),
    ),
    Invariant(
        "every topic refuses what does not come by TLS",
        lambda system: system.topics,
        lambda topic, system: refuses_plain_http(topic, "sns:Publish"),
    ),
    Invariant(
        "a topic admits this account's alarms only",
        lambda system: [each for topic in system.topics for each in topic.policy if each.effect == "Allow"],
        lambda statement, system: (
            statement.principal == {"Service": "cloudwatch.amazonaws.com"}
            and statement.condition.get("StringEquals", {}).keys() == {"aws:SourceAccount"}
        ),
    ),
    Invariant(
        "every queue is encrypted",
        lambda system: system.queues,
        lambda queue, system: queue.is_encrypted,
    ),
    Invariant(
        "every table is encrypted",
        lambda system: system.tables,
        lambda table, system: table.is_encrypted,
    ),
    Invariant(
        "every table can be brought back to any moment",
        lambda system: system.tables,
        lambda table, system: table.is_recoverable,
    ),
    Invariant(
        "every function that works on a batch reports which of its items failed",
        lambda system: system.event_sources,
        lambda source, system: source.responses == ("ReportBatchItemFailures",),
    ),
    Invariant(
        "what is received from a queue is worked on by a limited number of executions",
        lambda system: system.received_queues(),
        lambda pair, system: pair[0].maximum_concurrency is not None,
    ),
    Invariant(
        "no more executions work on a queue than are reserved",
        lambda system: system.received_queues(),
        lambda pair, system: (
            (reserved := system.function(pair[0].function).reserved_concurrency) is None
            or (pair[0].maximum_concurrency or 1000) <= reserved
        ),
    ),
    Invariant(
        "what a stream's function fails at for good is kept in a queue",
        lambda system: [source for source in system.event_sources if "/stream/" in source.source_arn],
        lambda source, system: system.queue(source.failures_arn) is not None and source.retries not in (None, -1),
    ),
    Invariant(
        "every dead-letter queue has an alarm on its visible messages",
        lambda system: system.dead_letter_queues(),
        lambda queue, system: any(watches(alarm, queue) for alarm in system.alarms),
    ),
    Invariant(
        "every alarm on visible messages watches a dead-letter queue that exists",
        lambda system: [alarm for alarm in system.alarms if VISIBLE_MESSAGES in alarm.metrics],
        lambda alarm, system: any(watches(alarm, queue) for queue in system.dead_letter_queues()),
    ),
    Invariant(
        "every alarm reaches a subscriber",
        lambda system: system.alarms,
        is_heard_of,
    ),
    Invariant(
        "every alarm ends in a link to its section of the runbook",
        lambda system: system.alarms,
        lambda alarm, system: leads_to_its_section(alarm.name, alarm.description),
    ),
    Invariant(
        "an alarm looks back over a day at most",
        lambda system: system.alarms,
        lambda alarm, system: 0 < alarm.period_seconds * alarm.periods <= DAY_SECONDS,
    ),
    Invariant(
        "missing data is a failure where something is expected, and nowhere else",
        lambda system: system.alarms,
        lambda alarm, system: alarm.comparison.startswith("LessThan") == (alarm.missing_data == "breaching"),
    ),
    Invariant(
        "every alarm on a metric of the log watches one that is counted",
        lambda system: [alarm for alarm in system.alarms if not alarm.metrics[0][0].startswith("AWS/")],
        lambda alarm, system: is_counted(alarm, system.metric_filters),
    ),
    Invariant(
        "every metric of the log is counted where a function logs",
        lambda system: system.metric_filters,
        lambda each, system: each.log_group in {function.log_group for function in system.functions},
    ),
    Invariant(
        "a metric without dimensions is zero where nothing is counted; one with them cannot be",
        lambda system: system.metric_filters,
        lambda each, system: each.default == (None if each.dimensions else "0"),
    ),
    Invariant(
        "a function compares the customer exactly if its route requires a token",
        lambda system: system.routes,
        lambda route, system: (route.authorization == "JWT") == (route.customer_claim is not None),
    ),
    Invariant(
        "an API has either its default endpoint or a domain with TLS 1.2 over IPv4 and IPv6",
        lambda system: system.apis,
        lambda api, system: (
            api.has_default_endpoint != bool(api.domains) and set(api.domains) <= {("TLS_1_2", "dualstack")}
        ),
    ),
    Invariant(
        "no throttle stops all requests",
        lambda system: system.throttles,
        lambda throttle, system: throttle.rate_limit >= 1 and throttle.burst_limit >= 1,
    ),
    Invariant(
        "no reservation stops a function",
        lambda system: system.functions,
        lambda function, system: function.reserved_concurrency != 0,
    ),
    Invariant(
        "a function may do exactly what is listed",
        lambda system: system.permissions,
        lambda statement, system: not any("*" in action for action in statement.actions),
    ),
    Invariant(
        "a function may use exactly what is listed, as far as AWS can tell it apart",
        lambda system: system.permissions,
        lambda statement, system: names_its_resources(statement),
    ),
    Invariant(
        "every log is kept for a limited time",
        lambda system: system.log_groups,
        lambda group, system: group.retention_days is not None,
    ),
    Invariant(
        "every function writes to a log of the system",
        lambda system: system.functions,
        lambda function, system: function.log_group in {group.name for group in system.log_groups},
    ),
]


def violations(system: System) -> Iterator[tuple[str, str]]:
    """Yield the sentence of each invariant that does not hold, with what it does not hold for."""
    for invariant in INVARIANTS:
        subjects = list(invariant.of(system))
        if not subjects:
            yield invariant.sentence, "there is nothing left that it could hold for"
        for subject in subjects:
            if not invariant.holds(subject, system):
                yield invariant.sentence, str(subject)
