"""Deploy cloudformation/order-processing.yaml as `aws cloudformation package` and `aws cloudformation deploy` do."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deployed_outputs import snake_case_outputs
from local_stack.aws import AwsConnection
from local_stack.machine import LocalStackError, RunLock
from local_stack.report import Report
from local_stack.settings import REPOSITORY, Settings

TEMPLATE = REPOSITORY / "cloudformation" / "order-processing.yaml"

_POLL_SECONDS = 0.2


class Stack:
    """A CloudFormation stack of the backend."""

    def __init__(self, name: str, connection: AwsConnection) -> None:
        self.name = name
        self.template = TEMPLATE.read_text(encoding="utf-8")
        self._bucket = f"{name}-artifacts"
        self._connection = connection
        self._s3, self.cloudformation = connection.client("s3"), connection.client("cloudformation")

    def deploy_package(
        self, zip_path: Path, parameters: Mapping[str, str], progress: Callable[[str], None] = lambda status: None
    ) -> dict[str, Any]:
        """Create or update the stack; return its description. Raise LocalStackError if it fails."""
        # Only outside us-east-1, S3 needs a location, and rejects the creation of an existing bucket.
        region = self._connection.region
        location = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
        with suppress(self._s3.exceptions.BucketAlreadyOwnedByYou):
            self._s3.create_bucket(Bucket=self._bucket, **location)
        write = self.cloudformation.update_stack if self.description() else self.cloudformation.create_stack
        try:
            write(
                StackName=self.name,
                TemplateURL=f"{self._connection.endpoint_url}/{self._bucket}/{self._upload(self._packaged(zip_path))}",
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            )
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise LocalStackError(f"CloudFormation rejects the backend's template: {error}") from error
        stack = self.finished(progress)
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
            reasons = [each["ResourceStatusReason"] for each in events if each["ResourceStatus"].endswith("_FAILED")]
            raise LocalStackError(f"CloudFormation failed ({stack['StackStatus']}): {'; '.join(reasons[::-1])}")
        return stack

    def description(self) -> dict[str, Any]:
        """Return the stack's description, or an empty one if the stack does not exist."""
        stacks = self.cloudformation.describe_stacks()["Stacks"]
        return next((each for each in stacks if each["StackName"] == self.name), {})

    def finished(self, progress: Callable[[str], None] = lambda status: None) -> dict[str, Any]:
        """Wait until the stack stops changing; return its description."""
        while (stack := self.description()).get("StackStatus", "").endswith("_IN_PROGRESS"):
            progress(stack["StackStatus"])
            time.sleep(_POLL_SECONDS)
        return stack

    def _packaged(self, zip_path: Path) -> bytes:
        """Upload the zip; return the template with the zip's address instead of its path."""
        content = zip_path.read_bytes()
        record = json.dumps({"zip": hashlib.sha256(content).hexdigest()})
        code = f"{{S3Bucket: {self._bucket}, S3Key: {self._upload(content)}}}"
        inputs = f"s3://{self._bucket}/{self._upload(record.encode())}"
        template = self.template.replace("Code: ../dist/orders-arm64.zip", f"Code: {code}")
        return template.replace("Location: ../dist/orders-arm64.inputs", f"Location: {inputs}").encode()

    def _upload(self, content: bytes) -> str:
        """Store `content` under its hash and return the key. Unchanged content keeps its key and causes no update."""
        key = hashlib.sha256(content).hexdigest()
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        return key


class CloudFormationDeployment:
    """The backend of a local stack, deployed with CloudFormation."""

    def __init__(self, settings: Settings, directory: Path, lock: RunLock) -> None:
        self._settings = settings

    def deploy(self, zip_path: Path, report: Report) -> dict[str, str]:
        """Create or update the stack; return the outputs by Terraform's names."""
        settings = self._settings
        parameters = {
            "Project": settings.project,
            "Environment": settings.environment,
            "NotificationEmail": settings.notification_email,
            "CompletedOrderEmail": settings.completed_order_email,
            "ProcessingTimeoutSeconds": str(settings.processing_timeout_seconds),
        }
        stack = Stack(f"{settings.project}-{settings.environment}", settings.connection)
        return snake_case_outputs(stack.deploy_package(zip_path, parameters, report.progress)["Outputs"])
