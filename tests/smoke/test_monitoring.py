"""Alarms, metrics, logs and traces as CloudWatch, SNS and X-Ray evaluate them."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smoke.system import DAY, FUNCTIONS, System
from support.waiting import wait_for

# Metrics of a queue without activity for six hours resume up to 15 minutes late; then the alarm evaluates one minute.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
ALARM_SECONDS = 20 * 60


def states(system: System, *names: str) -> dict[str, str]:
    alarms = system.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}


def test_alert_emails_are_confirmed(system: System) -> None:
    if system.is_emulated:
        pytest.skip("an emulator sends no e-mail to confirm")
    topic = system.outputs["alerts_topic_arn"]
    subscriptions = system.all("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    emails = {each["Endpoint"]: each["SubscriptionArn"] for each in subscriptions if each["Protocol"] == "email"}
    assert emails, "no e-mail address is subscribed to the alerts"
    for address, arn in emails.items():
        assert arn.startswith("arn:"), f"{address} did not confirm the e-mail from AWS"
        attributes = system.client("sns").get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        # Otherwise the unsubscribe link in an alarm's e-mail works without authentication, and mail scanners follow it.
        assert attributes["ConfirmationWasAuthenticated"] == "true", (
            f"anyone with an alarm's e-mail can unsubscribe {address}: confirm it with "
            "`aws sns confirm-subscription --authenticate-on-unsubscribe true`"
        )


def test_alarms_have_data(system: System) -> None:
    alarms = system.all("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=system.prefix)
    assert alarms
    # An alarm that ignores missing data keeps its first state until data arrives.
    evaluated = [alarm for alarm in alarms if alarm.get("TreatMissingData") != "ignore"]
    no_data = [alarm["AlarmName"] for alarm in evaluated if alarm["StateValue"] == "INSUFFICIENT_DATA"]
    assert no_data == [], "these alarms have no data; after a deployment, wait ten minutes"


def test_alarm_notifications_reach_the_topic(system: System) -> None:
    items = system.all("cloudwatch", "describe_alarm_history", "AlarmHistoryItems", HistoryItemType="Action")
    history = [item["HistorySummary"] for item in items if item["AlarmName"].startswith(system.prefix)]
    if not history:
        pytest.skip("no alarm has notified anyone yet; run this with SMOKE_WRITE=alarms")
    assert [summary for summary in history if "Failed" in summary] == []


@pytest.mark.writes("alarms")
def test_dead_letter_raises_only_the_alarm_of_its_queue(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    own, other = f"{system.prefix}-orders-dlq", f"{system.prefix}-notifications-dlq"
    sqs, url = system.client("sqs"), system.outputs["orders_dlq_url"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    if any(int(attributes[name]) for name in names):
        pytest.skip("the dead-letter queue is not empty; handle its messages first")
    if "ALARM" in (before := states(system, own, other)).values():
        pytest.skip(f"an alarm is already raised: {before}")
    body = f"smoke test {uuid.uuid4()}: removed by the test"
    sqs.send_message(QueueUrl=url, MessageBody=body)
    try:
        with capsys.disabled():
            print(f"Waiting up to {ALARM_SECONDS // 60} minutes for {own}", flush=True)
        wait_for(own, lambda: states(system, own)[own] == "ALARM", ALARM_SECONDS)
        assert states(system, other)[other] != "ALARM", "a message in another queue raised it"
    finally:
        wait_for(f"the message to delete, which is still in the queue: {body}", lambda: remove(sqs, url, body), 60)


def remove(sqs: Any, url: str, body: str) -> bool:
    """Delete the message with this body; return whether it was received."""
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=5, WaitTimeSeconds=2)
    own = [message for message in received.get("Messages", []) if message["Body"] == body]
    for message in own:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bool(own)


def test_age_of_waiting_orders_is_measured(system: System) -> None:
    now = datetime.now(UTC)
    statistics = system.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": system.outputs["orders_queue_url"].rpartition("/")[2]}],
        StartTime=now - DAY,
        EndTime=now,
        Period=3600,
        Statistics=["Maximum"],
    )
    if not statistics["Datapoints"]:
        pytest.skip("the metric has no data of the last day, for example because there were no orders")


def test_metric_filters_match_their_events(system: System) -> None:
    logs = system.client("logs")
    for function in FUNCTIONS:
        filters = logs.describe_metric_filters(logGroupName=system.log_group(function))["metricFilters"]
        for pattern in (each["filterPattern"] for each in filters):
            event = re.search(r'\$\.message = "(\w+)"', pattern)
            counted = {"level": "ERROR", "message": event[1] if event else "other", "code": "X", "receives": 1000}
            lines = [json.dumps(counted), json.dumps({"level": "INFO", "message": "other"})]
            matches = logs.test_metric_filter(filterPattern=pattern, logEventMessages=lines)["matches"]
            assert [match["eventNumber"] for match in matches] == [1], f"{function}: {pattern}"


def test_log_lines_are_json(system: System) -> None:
    lines = [line for function in FUNCTIONS for line in system.log_lines(system.log_group(function))]
    if not lines:
        pytest.skip("no function logged within a day")
    assert [line for line in lines if not line.lstrip().startswith("{")] == []


def test_traces_are_recorded(system: System) -> None:
    function = system.client("lambda").get_function_configuration(
        FunctionName=f"{system.prefix}-submission", Qualifier="live"
    )
    if function["TracingConfig"]["Mode"] != "Active":
        pytest.skip("tracing_enabled is off")
    now = datetime.now(UTC)
    expression = f'service("{system.prefix}-submission")'
    found = system.client("xray").get_trace_summaries(
        StartTime=now - timedelta(hours=6), EndTime=now, FilterExpression=expression
    )
    if not found["TraceSummaries"]:
        pytest.skip("the last six hours have no trace, for example because no order was placed")
