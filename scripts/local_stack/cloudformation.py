"""Deploy cloudformation/order-processing.yaml as `aws cloudformation package` and `aws cloudformation deploy` do."""

import hashlib
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deployed_outputs import snake_case_outputs
from local_stack.machine import LocalStackError, RunLock
from local_stack.report import Report
from local_stack.settings import REPOSITORY, Settings

TEMPLATE = REPOSITORY / "cloudformation" / "order-processing.yaml"

_POLL_SECONDS = 0.2


class CloudFormationDeployment:
    """The backend, deployed with CloudFormation."""

    def __init__(self, settings: Settings, directory: Path, lock: RunLock) -> None:
        self._settings = settings
        self._stack = f"{settings.project}-{settings.environment}"
        self._bucket = f"{self._stack}-artifacts"

    def deploy(self, zip_path: Path, report: Report) -> dict[str, str]:
        """Create or update the stack; return the outputs by Terraform's names."""
        settings = self._settings
        self._s3 = settings.connection.client("s3")
        self._cloudformation = settings.connection.client("cloudformation")
        # Outside us-east-1, S3 rejects the creation of an existing bucket.
        with suppress(self._s3.exceptions.BucketAlreadyOwnedByYou):
            self._s3.create_bucket(Bucket=self._bucket)
        template = self._upload(self._packaged(zip_path).encode(), "template")
        parameters = {
            "Project": settings.project,
            "Environment": settings.environment,
            "NotificationEmail": settings.notification_email,
            "CompletedOrderEmail": settings.completed_order_email,
            "ProcessingTimeoutSeconds": str(settings.processing_timeout_seconds),
        }
        request = {
            "StackName": self._stack,
            "TemplateURL": f"{settings.connection.endpoint_url}/{self._bucket}/{template}",
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        }
        try:
            if self._description() is None:
                self._cloudformation.create_stack(**request)
            else:
                self._cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise LocalStackError(f"CloudFormation rejects the backend's template: {error}") from error
        while (stack := self._description())["StackStatus"].endswith("_IN_PROGRESS"):
            report.progress(stack["StackStatus"])
            time.sleep(_POLL_SECONDS)
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            events = self._cloudformation.describe_stack_events(StackName=self._stack)["StackEvents"]
            reasons = [each["ResourceStatusReason"] for each in events if each["ResourceStatus"].endswith("_FAILED")]
            raise LocalStackError(f"CloudFormation failed ({stack['StackStatus']}): {'; '.join(reasons[::-1])}")
        return snake_case_outputs(stack["Outputs"])

    def _packaged(self, zip_path: Path) -> str:
        """Upload the zip for this machine; return the template with the zip's address instead of its path."""
        code = f"{{S3Bucket: {self._bucket}, S3Key: {self._upload(zip_path.read_bytes(), 'zip')}}}"
        inputs = f"s3://{self._bucket}/{self._upload(zip_path.with_suffix('.inputs').read_bytes(), 'inputs')}"
        template = TEMPLATE.read_text(encoding="utf-8")
        template = template.replace("Code: ../dist/orders-arm64.zip", f"Code: {code}")
        return template.replace("Location: ../dist/orders-arm64.inputs", f"Location: {inputs}")

    def _upload(self, content: bytes, kind: str) -> str:
        """Store `content` under its hash and return the key. Unchanged content keeps its key and causes no update."""
        key = f"{hashlib.sha256(content).hexdigest()}.{kind}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        return key

    def _description(self) -> Any:
        """Return the stack's description, None if there is no stack."""
        stacks = self._cloudformation.describe_stacks()["Stacks"]
        return next((each for each in stacks if each["StackName"] == self._stack), None)
