"""The backend deployed by cloudformation/order-processing.yaml as a user would: package, then deploy, by AWS CLI."""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deployed_outputs import snake_case_outputs
from local_stack.environment import tool_environment
from local_stack.errors import LocalStackError
from local_stack.processes import Process
from local_stack.report import Report
from local_stack.run_lock import RunLock
from local_stack.settings import REPOSITORY, Settings

TEMPLATE = REPOSITORY / "cloudformation" / "order-processing.yaml"

# CloudFormation goes on by itself when the command that watches it is ended.
_STOP_SECONDS = 5

# What the template says of CORS, in the words of the API: the emulator forgets it in every deployment.
_CORS = {
    "AllowOrigins": ["*"],
    "AllowMethods": ["GET", "POST"],
    "AllowHeaders": ["content-type", "idempotency-key"],
    "ExposeHeaders": ["location", "retry-after"],
    "MaxAge": 3600,
}


class CloudFormationDeployment:
    """The backend, deployed with CloudFormation."""

    def __init__(self, settings: Settings, directory: Path, lock: RunLock) -> None:
        self.directory = directory
        self._settings = settings
        self._lock = lock
        self._environment = tool_environment(settings.connection)
        self._log = settings.local_directory / "logs" / "cloudformation.log"
        self._stack = f"{settings.project}-{settings.environment}"
        self._bucket = f"{self._stack}-artifacts"
        self._completed = directory / "completed"

    def require_tools(self) -> None:
        """Do nothing: the AWS CLI comes with the packages of `make run`."""

    def agree_with(self, emulator_directory: Path, report: Report) -> None:
        """Mend what an interrupted run has left: the stack is in the emulator's own state."""
        if not self._completed.exists():
            # The first deployment has never been completed, so nobody can have placed an order yet.
            shutil.rmtree(emulator_directory, ignore_errors=True)
        elif not any((emulator_directory / "state").glob("*.json")):
            self._completed.unlink()
            report.line("  The emulator has lost its state (was it killed?), so a new backend is made.")

    def deploy(self, zip_path: Path, report: Report) -> dict[str, str]:
        """Create the stack or bring it up to date; return the outputs by Terraform's names."""
        started = time.monotonic()
        settings = self._settings
        self._copy_source(zip_path)
        report.progress("packaging")
        packaged = self.directory / "packaged.yaml"
        self._make_bucket()
        self._aws(
            *("cloudformation", "package", "--template-file", self.directory / "cloudformation" / TEMPLATE.name),
            *("--s3-bucket", self._bucket, "--output-template-file", packaged),
        )
        report.progress("creating or updating the stack")
        self._aws(
            *("cloudformation", "deploy", "--template-file", packaged, "--stack-name", self._stack),
            *("--s3-bucket", self._bucket, "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"),
            "--parameter-overrides",
            f"Project={settings.project}",
            f"Environment={settings.environment}",
            f"NotificationEmail={settings.notification_email}",
            f"CompletedOrderEmail={settings.completed_order_email}",
            f"ProcessingTimeoutSeconds={settings.processing_timeout_seconds}",
        )
        outputs = self._outputs()
        api_id = urlsplit(outputs["api_endpoint"]).netloc.split(".")[0]
        self._aws("apigatewayv2", "update-api", "--api-id", api_id, "--cors-configuration", json.dumps(_CORS))
        self._completed.touch()
        report.line(f"  Deployed in {time.monotonic() - started:.0f} s")
        return outputs

    def destroy(self, report: Report) -> None:
        """Delete the stack."""
        report.progress("deleting the stack")
        self._aws("cloudformation", "delete-stack", "--stack-name", self._stack)
        self._aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", self._stack)
        self._completed.unlink(missing_ok=True)

    def _copy_source(self, zip_path: Path) -> None:
        """Put template and zip where they lie to each other as in the project, the zip under the name of the template.

        The template names the arm64 zip; the emulator runs what is built for this machine.
        """
        for source, target in {
            TEMPLATE: self.directory / "cloudformation" / TEMPLATE.name,
            zip_path: self.directory / "dist" / "orders-arm64.zip",
            zip_path.with_suffix(".inputs"): self.directory / "dist" / "orders-arm64.inputs",
        }.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)

    def _make_bucket(self) -> None:
        # In us-east-1, the local stack's region, S3 answers alike when the bucket is the caller's own already.
        self._aws("s3api", "create-bucket", "--bucket", self._bucket)

    def _outputs(self) -> dict[str, str]:
        answer: dict[str, Any] = json.loads(
            self._aws("cloudformation", "describe-stacks", "--stack-name", self._stack, "--output", "json")
        )
        return snake_case_outputs(answer["Stacks"][0]["Outputs"])

    def _aws(self, *arguments: str | Path) -> str:
        """Run one command of the AWS CLI; return what it says."""
        process = Process(
            "The AWS CLI",
            [sys.executable, "-W", "ignore", "-m", "awscli", *arguments],
            environment=self._environment,
            log=self._log,
            grace_seconds=_STOP_SECONDS,
            directory=self.directory,
            inherited=[self._lock.file_descriptor],
        )
        with process:
            answer = [line for line in process.lines(tick_seconds=0.05) if line is not None]
        if process.exit_status != 0:
            raise LocalStackError(f"`aws {arguments[0]} {arguments[1]}` failed. {process.last_words()}")
        return "\n".join(answer)
