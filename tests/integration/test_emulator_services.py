"""The emulator's patches of alarms, metric filters and streams, tested through the AWS APIs.

End-to-end tests cover the others: test_cloudformation_update.py a name that is taken, test_runbook.py route settings.
"""

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from local_stack.alarms import Alarms
from support.deployment.emulator import Emulator, running_emulator
from support.waiting import wait_for

NAMESPACE = "order-processing/dev"
LOG = {"logGroupName": "/aws/lambda/processing", "logStreamName": "stream"}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator"), "eu-west-1") as emulator:
        logs = emulator.client("logs")
        logs.create_log_group(logGroupName=LOG["logGroupName"])
        logs.create_log_stream(**LOG)
        yield emulator


# CloudWatch


@pytest.fixture
def metric(services: Emulator, request: pytest.FixtureRequest) -> str:
    """Return a metric for this test only; a metric filter counts final failures."""
    name = str(request.node.name)
    services.client("logs").put_metric_filter(
        logGroupName=LOG["logGroupName"],
        filterName=name,
        filterPattern='{ $.level = "ERROR" && $.receives >= 5 }',
        metricTransformations=[
            {"metricNamespace": NAMESPACE, "metricName": name, "metricValue": "1", "defaultValue": 0}
        ],
    )
    return name


def log(services: Emulator, *receives: int) -> None:
    lines = [json.dumps({"level": "ERROR", "message": "order_failed", "receives": number}) for number in receives]
    services.client("logs").put_log_events(
        **LOG, logEvents=[{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
    )


def sums(services: Emulator, metric: str) -> list[float]:
    query: dict[str, Any] = {"Metric": {"Namespace": NAMESPACE, "MetricName": metric}, "Period": 60, "Stat": "Sum"}
    found = services.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": query}], StartTime=time.time() - 600, EndTime=time.time() + 1
    )
    return list(found["MetricDataResults"][0]["Values"])


def test_metric_filter_counts_matches_or_reports_its_default(services: Emulator, metric: str) -> None:
    assert sums(services, metric) == []
    log(services, 1, 4)
    assert set(sums(services, metric)) == {0}
    log(services, 5, 2, 5)
    log(services, 5)
    assert sum(sums(services, metric)) == 3


def test_expression_alarm_is_evaluated_when_another_alarm_has_no_queue(services: Emulator, metric: str) -> None:
    cloudwatch = services.client("cloudwatch")
    rule = {
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0,
        "TreatMissingData": "notBreaching",
    }
    query = {"Metric": {"Namespace": NAMESPACE, "MetricName": metric}, "Period": 60, "Stat": "Sum"}
    cloudwatch.put_metric_alarm(
        AlarmName=metric,
        Metrics=[
            {"Id": "failed", "ReturnData": False, "MetricStat": query},
            {"Id": "result", "Expression": "IF(failed > 0, failed - 1, 0)"},
        ],
        **rule,
    )
    cloudwatch.put_metric_alarm(
        AlarmName="missing-queue",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "missing"}],
        Statistic="Maximum",
        Period=60,
        **rule,
    )
    alarms = Alarms(cloudwatch, services.client("sqs"))

    def state() -> str:
        alarms.evaluate()
        [alarm] = [each for each in alarms.definitions() if each["AlarmName"] == metric]
        assert "MetricName" not in alarm
        return str(alarm["StateValue"])

    log(services, 5)
    assert state() == "OK"
    log(services, 5, 5)
    assert state() == "ALARM"


# DynamoDB streams

HANDLER = """
def handler(event, context):
    sent = [(record["dynamodb"]["Keys"]["order_id"]["S"], record["dynamodb"]["SequenceNumber"]) for record in event["Records"]]
    print("sent:" + ",".join(order_id for order_id, _ in sent))
    return {"batchItemFailures": [{"itemIdentifier": number} for order_id, number in sent if order_id == "bad"]}
"""


def test_failing_stream_record_is_isolated_retried_and_discarded(services: Emulator) -> None:
    dynamodb, sqs, functions = services.client("dynamodb"), services.client("sqs"), services.client("lambda")
    stream_arn = dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]["LatestStreamArn"]
    for order_id in ("1", "2", "bad", "4"):
        dynamodb.put_item(TableName="orders", Item={"order_id": {"S": order_id}})
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = services.client("iam").create_role(
        RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("reader.py", HANDLER)
    functions.create_function(
        FunctionName="reader",
        Runtime="python3.13",
        Handler="reader.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )
    services.client("logs").create_log_group(logGroupName="/aws/lambda/reader")
    queue_url = sqs.create_queue(QueueName="discarded")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions.create_event_source_mapping(
        FunctionName="reader",
        EventSourceArn=stream_arn,
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": queue_arn}},
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=2,
    )

    def batches_sent() -> list[str]:
        events = services.client("logs").filter_log_events(logGroupName="/aws/lambda/reader")["events"]
        return re.findall(r"sent:(\S+)", "\n".join(event["message"] for event in events))

    wait_for("the record after the bad one", lambda: "4" in batches_sent())
    # The batch is split at the checkpoint, then bisected. The bad record is retried twice on its own.
    assert batches_sent() == ["1,2,bad,4", "bad,4", "bad", "bad", "bad", "4"]
    [message] = wait_for("the failure", lambda: sqs.receive_message(QueueUrl=queue_url).get("Messages"))
    failure = json.loads(message["Body"])
    assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert failure["DDBStreamBatchInfo"]["batchSize"] == 1
