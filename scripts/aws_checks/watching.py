"""Whether alarms, metrics and traces work as CloudWatch and X-Ray evaluate them."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aws_checks.check import Outcome, Progress, failed, not_tried, proven
from aws_checks.deployment import FUNCTIONS, Deployment

# A queue's metrics come within a minute or two, and the alarm looks at each minute.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
ALARM_SECONDS: Final = 6 * 60
_POLL_SECONDS = 5

_DAY = timedelta(days=1)

EVENTS: Final = {
    "submission": ("order_accepted", "order_refused", "request_failed"),
    "processing": ("order_stored", "order_duplicate", "order_conflict", "order_failed", "request_failed"),
    "status": ("request_failed",),
    "notification": ("order_notified", "notification_failed"),
}
"""What each function logs about an order or a failure and a metric filter counts."""


def alarm_rings_for_its_own_queue(deployment: Deployment, progress: Progress) -> Outcome:
    """Put a message into the orders' dead-letter queue, see its alarm and no other go off, and take it out again."""
    ringing, silent = f"{deployment.prefix}-orders-dlq", f"{deployment.prefix}-notifications-dlq"
    sqs, url = deployment.client("sqs"), deployment.outputs["orders_dlq_url"]
    if waiting := _messages(sqs, url):
        return not_tried(f"the dead-letter queue holds {waiting} messages; look at those first")
    if (before := _states(deployment, ringing, silent)) != {ringing: "OK", silent: "OK"}:
        return not_tried(f"the alarms were not OK to begin with: {before}")
    body = f"verify-aws {uuid.uuid4()}: a drill, taken out again by itself"
    sqs.send_message(QueueUrl=url, MessageBody=body)
    try:
        rang = _wait_for_alarm(deployment, ringing, progress)
        other = _states(deployment, silent)[silent]
    finally:
        left = _take_out(sqs, url, body)
    if not rang:
        return failed(f"{ringing} did not go off within {ALARM_SECONDS} s of a message{left}")
    if other == "ALARM":
        return failed(f"{silent} went off for a message in another queue{left}")
    return proven(f"{ringing} went off, {silent} did not{left or ', and the message is taken out again'}")


def _wait_for_alarm(deployment: Deployment, alarm: str, progress: Progress) -> bool:
    start = time.monotonic()
    while (passed := time.monotonic() - start) < ALARM_SECONDS:
        if _states(deployment, alarm)[alarm] == "ALARM":
            return True
        progress(f"waiting for {alarm}, {passed:.0f} s of {ALARM_SECONDS}")
        time.sleep(_POLL_SECONDS)
    return False


def _messages(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes.get(name, 0)) for name in names)


def _take_out(sqs: Any, url: str, body: str) -> str:
    """Delete the message with this body; return what to say where it was not found."""
    for _ in range(5):
        for message in sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=5, WaitTimeSeconds=2
        ).get("Messages", []):
            if message["Body"] == body:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                return ""
    return f"; its message could not be taken out again, delete it by hand: {body}"


def _states(deployment: Deployment, *names: str) -> dict[str, str]:
    described = deployment.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in described}


def alarms_are_calm_without_traffic(deployment: Deployment, progress: Progress) -> Outcome:
    """Look whether any alarm says that it lacks data."""
    pages = deployment.client("cloudwatch").get_paginator("describe_alarms")
    alarms = [alarm for page in pages.paginate(AlarmNamePrefix=deployment.prefix) for alarm in page["MetricAlarms"]]
    if not alarms:
        return failed(f"there is no alarm whose name begins with {deployment.prefix}")
    lacking = [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "INSUFFICIENT_DATA"]
    if lacking:
        return failed(f"{', '.join(lacking)} lack data; right after a deployment, wait ten minutes and look again")
    return proven(f"none of {len(alarms)} alarms lacks data")


def alarms_reach_their_topic(deployment: Deployment, progress: Progress) -> Outcome:
    """Look in the alarms' history whether every notification went out."""
    pages = deployment.client("cloudwatch").get_paginator("describe_alarm_history")
    history = [
        item
        for page in pages.paginate(HistoryItemType="Action")
        for item in page["AlarmHistoryItems"]
        if item["AlarmName"].startswith(deployment.prefix)
    ]
    if not history:
        return not_tried("no alarm has notified anybody yet; agree to `alarms` and run this again")
    bad = [item["HistorySummary"] for item in history if "Failed" in item["HistorySummary"]]
    if bad:
        return failed(f"{len(bad)} of {len(history)} notifications failed: {bad[0]}")
    return proven(f"all {len(history)} notifications in the history went out")


def alerts_are_confirmed(deployment: Deployment, progress: Progress) -> Outcome:
    """Look whether somebody followed the link in the first e-mail."""
    listed = deployment.client("sns").list_subscriptions_by_topic(TopicArn=deployment.outputs["alerts_topic_arn"])
    emails = [each for each in listed["Subscriptions"] if each["Protocol"] == "email"]
    if deployment.endpoint_url:
        return not_tried("an emulator sends no e-mail that could be confirmed")
    if not emails:
        return failed("nobody is subscribed to the alerts by e-mail")
    pending = [each["Endpoint"] for each in emails if not each["SubscriptionArn"].startswith("arn:")]
    if pending:
        return failed(f"{', '.join(pending)} has not followed the link in the e-mail from AWS")
    return proven(f"{', '.join(each['Endpoint'] for each in emails)} gets the alerts")


def metric_filters_count_each_event(deployment: Deployment, progress: Progress) -> Outcome:
    """Let CloudWatch evaluate the deployed patterns over events as the functions log them."""
    logs = deployment.client("logs")
    for function, events in EVENTS.items():
        filters = logs.describe_metric_filters(logGroupName=deployment.log_group(function))["metricFilters"]
        lines = [f'{{"level": "INFO", "message": "{event}", "order_id": "x", "code": "X"}}' for event in events]
        counted: set[int] = set()
        for each in filters:
            matches = logs.test_metric_filter(filterPattern=each["filterPattern"], logEventMessages=lines)["matches"]
            counted |= {match["eventNumber"] for match in matches}
        missed = [event for number, event in enumerate(events, start=1) if number not in counted]
        if missed:
            return failed(f"no metric filter of {function} counts {', '.join(missed)}")
    return proven("each event of an order and each failure is counted by a metric filter")


def waiting_is_measured(deployment: Deployment, progress: Progress) -> Outcome:
    """Look whether the metrics behind the alarms on lateness have been put within a day."""
    cloudwatch, now = deployment.client("cloudwatch"), datetime.now(UTC)
    metrics = {
        "ApproximateAgeOfOldestMessage": ("AWS/SQS", "QueueName", deployment.queue_name("orders_queue_url")),
        "IteratorAge": ("AWS/Lambda", "FunctionName", f"{deployment.prefix}-notification"),
    }
    missing = [
        metric
        for metric, (namespace, dimension, value) in metrics.items()
        if not cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": dimension, "Value": value}],
            StartTime=now - _DAY,
            EndTime=now,
            Period=3600,
            Statistics=["Maximum"],
        )["Datapoints"]
    ]
    if missing:
        return not_tried(f"not put within a day, as where there are no orders: {', '.join(missing)}")
    return proven(f"{' and '.join(metrics)} are put for exactly what the alarms watch")


def logs_are_events(deployment: Deployment, progress: Progress) -> Outcome:
    """Look whether the functions' logs of a day are JSON, written by the runtime."""
    since = int((datetime.now(UTC) - _DAY).timestamp() * 1000)
    lines = []
    for function in FUNCTIONS:
        found = deployment.client("logs").filter_log_events(
            logGroupName=deployment.log_group(function), startTime=since, limit=50
        )
        lines += [event["message"] for event in found["events"]]
    if not lines:
        return not_tried("no function has logged within a day")
    other = [line for line in lines if not line.lstrip().startswith("{")]
    if other:
        return failed(f"{len(other)} of {len(lines)} lines are no JSON")
    return proven(f"all of {len(lines)} lines are JSON")


def traces_arrive(deployment: Deployment, progress: Progress) -> Outcome:
    """Look whether X-Ray has traces of the submission function."""
    now = datetime.now(UTC)
    found = deployment.client("xray").get_trace_summaries(
        StartTime=now - timedelta(hours=6),
        EndTime=now,
        FilterExpression=f'service("{deployment.prefix}-submission")',
    )["TraceSummaries"]
    if not found:
        return not_tried("there is no trace of the last six hours; with no orders there is none")
    return proven(f"{len(found)} traces of the last six hours")
