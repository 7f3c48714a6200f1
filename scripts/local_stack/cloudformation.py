"""The backend deployed by cloudformation/order-processing.yaml, as `aws cloudformation package` and `deploy` do it."""

import hashlib
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from deployed_outputs import snake_case_outputs
from local_stack.errors import LocalStackError
from local_stack.report import Report
from local_stack.run_lock import RunLock
from local_stack.settings import REPOSITORY, Settings

TEMPLATE = REPOSITORY / "cloudformation" / "order-processing.yaml"

_POLL_SECONDS = 0.2

# The template's CORS settings in the words of the API: the emulator forgets them in every deployment.
_CORS = {
    "AllowOrigins": ["*"],
    "AllowMethods": ["GET", "POST"],
    "AllowHeaders": ["content-type", "idempotency-key"],
    "ExposeHeaders": ["location", "retry-after"],
    "MaxAge": 3600,
}


class CloudFormationDeployment:
    """The backend, deployed with CloudFormation."""

    lost_state = False
    """The stack is part of the emulator's state, so neither can be lost alone."""

    def __init__(self, settings: Settings, directory: Path, lock: RunLock) -> None:
        self.directory = directory
        self._settings = settings
        self._stack = f"{settings.project}-{settings.environment}"
        self._bucket = f"{self._stack}-artifacts"

    def require_tools(self) -> None:
        """Do nothing: all calls are made by boto3."""

    def forget(self) -> None:
        """Do nothing: nothing is kept outside of the emulator."""

    def deploy(self, zip_path: Path, report: Report) -> dict[str, str]:
        """Create the stack or bring it up to date; return the outputs by Terraform's names."""
        self._make_bucket()
        report.progress("creating or updating the stack")
        template = self._upload(self._packaged(zip_path).encode(), "template")
        request = {
            "StackName": self._stack,
            "TemplateURL": f"{self._settings.connection.endpoint_url}/{self._bucket}/{template}",
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in self._parameters.items()],
        }
        try:
            if self._description() is None:
                self._cloudformation.create_stack(**request)
            else:
                self._cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise LocalStackError(f"CloudFormation refuses the backend's template: {error}") from error
        outputs = snake_case_outputs(self._finished("CREATE_COMPLETE", "UPDATE_COMPLETE")["Outputs"])
        api_id = urlsplit(outputs["api_endpoint"]).netloc.split(".")[0]
        self._settings.connection.client("apigatewayv2").update_api(ApiId=api_id, CorsConfiguration=_CORS)
        return outputs

    def destroy(self, report: Report) -> None:
        """Delete the stack."""
        report.progress("deleting the stack")
        self._cloudformation.delete_stack(StackName=self._stack)
        self._finished("DELETE_COMPLETE")

    @cached_property
    def _cloudformation(self) -> Any:
        return self._settings.connection.client("cloudformation")

    @cached_property
    def _s3(self) -> Any:
        return self._settings.connection.client("s3")

    @property
    def _parameters(self) -> dict[str, str]:
        settings = self._settings
        return {
            "Project": settings.project,
            "Environment": settings.environment,
            "NotificationEmail": settings.notification_email,
            "CompletedOrderEmail": settings.completed_order_email,
            "ProcessingTimeoutSeconds": str(settings.processing_timeout_seconds),
        }

    def _make_bucket(self) -> None:
        # Outside us-east-1 S3 refuses to create a bucket twice.
        with suppress(self._s3.exceptions.BucketAlreadyOwnedByYou):
            self._s3.create_bucket(Bucket=self._bucket)

    def _packaged(self, zip_path: Path) -> str:
        """Return the template with the addresses of uploaded files in place of paths.

        It names the arm64 zip; the emulator runs the one for this machine.
        """
        code = f"{{S3Bucket: {self._bucket}, S3Key: {self._upload(zip_path.read_bytes(), 'zip')}}}"
        inputs = f"s3://{self._bucket}/{self._upload(zip_path.with_suffix('.inputs').read_bytes(), 'inputs')}"
        template = TEMPLATE.read_text(encoding="utf-8")
        template = template.replace("Code: ../dist/orders-arm64.zip", f"Code: {code}")
        return template.replace("Location: ../dist/orders-arm64.inputs", f"Location: {inputs}")

    def _upload(self, content: bytes, kind: str) -> str:
        """Store `content` under its hash, so that equal content is no change; return the key."""
        key = f"{hashlib.sha256(content).hexdigest()}.{kind}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        return key

    def _description(self) -> Any:
        try:
            return self._cloudformation.describe_stacks(StackName=self._stack)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":  # there is no such stack
                return None
            raise

    def _finished(self, *statuses: str) -> Any:
        """Return the stack's description once nothing is under way; raise LocalStackError on another status."""
        while (stack := self._description()) and stack["StackStatus"].endswith("_IN_PROGRESS"):
            time.sleep(_POLL_SECONDS)
        if (stack or {"StackStatus": "DELETE_COMPLETE"})["StackStatus"] not in statuses:
            events = self._cloudformation.describe_stack_events(StackName=self._stack)["StackEvents"]
            reasons = [each["ResourceStatusReason"] for each in events if each["ResourceStatus"].endswith("_FAILED")]
            raise LocalStackError(f"CloudFormation failed ({stack['StackStatus']}): {'; '.join(reasons[::-1])}")
        return stack
