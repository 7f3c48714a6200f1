"""A local stack with a minimal backend, created in seconds without Terraform or CloudFormation.

python -m support.deployment.stub_backend DIRECTORY STOREFRONT_PORT AWS_PORT     runs `make run` with it, for tests of signals
"""

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import local_stack.__main__ as program
import local_stack.stack
from local_stack import Settings
from local_stack.deployment import DEPLOYMENTS
from local_stack.machine import RunLock
from local_stack.report import Report

EMAIL = "you@example.com"


class StubBackend:
    """Two topics with an e-mail subscription each, two dead-letter queues with an alarm each, and a table."""

    def __init__(self, settings: Settings, directory: Path, lock: RunLock) -> None:
        self._connection = settings.connection
        self._aws_port = settings.aws_port

    def deploy(self, zip_path: Path, report: Report) -> Mapping[str, str]:
        alerts, completed = self._topic("alerts"), self._topic("order-completed")
        return {
            "alerts_topic_arn": alerts,
            "order_completed_topic_arn": completed,
            "orders_dlq_url": self._dead_letter_queue("orders-dlq", alerts),
            "notifications_dlq_url": self._dead_letter_queue("notifications-dlq", alerts),
            "orders_table_name": self._table(),
            "api_endpoint": f"http://0a1b2c3d.execute-api.localhost:{self._aws_port}",
        }

    def _topic(self, name: str) -> str:
        sns = self._connection.client("sns")
        arn = str(sns.create_topic(Name=name)["TopicArn"])
        sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=EMAIL)
        return arn

    def _dead_letter_queue(self, name: str, alerts_topic_arn: str) -> str:
        self._connection.client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            AlarmDescription=f"Messages are in {name} – inspect the queue.",
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": name}],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
            AlarmActions=[alerts_topic_arn],
            OKActions=[alerts_topic_arn],
        )
        return str(self._connection.client("sqs").create_queue(QueueName=name)["QueueUrl"])

    def _table(self) -> str:
        dynamodb = self._connection.client("dynamodb")
        with contextlib.suppress(dynamodb.exceptions.ResourceInUseException):
            dynamodb.create_table(
                TableName="orders",
                KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            )
        return "orders"


def stub_settings(directory: Path, storefront_port: int, aws_port: int) -> Settings:
    return Settings(storefront_port=storefront_port, aws_port=aws_port, deploy="stub", local_directory=directory)


def install(patch: Any = setattr) -> None:
    """Add DEPLOY=stub, which needs no Lambda package."""
    patch(local_stack.deployment, "DEPLOYMENTS", {**DEPLOYMENTS, "stub": StubBackend})
    patch(local_stack.stack, "built_package", lambda *_: Path("no-package.zip"))


if __name__ == "__main__":
    install()
    directory, storefront_port, aws_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

    class SettingsOfTest:
        @staticmethod
        def from_environment(_: object) -> Settings:
            return stub_settings(directory, storefront_port, aws_port)

    vars(program)["Settings"] = SettingsOfTest
    sys.exit(program.main())
