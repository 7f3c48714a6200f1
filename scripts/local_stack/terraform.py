"""The backend deployed by terraform-backend/, as a user would, but apart from the user's own deployments.

Terraform runs in a copy of the folder, with a state of its own and without the *.tfvars and the backend
configuration that lie there for a real account. `terraform plan` in the copy works by hand too, with the
emulator's address in AWS_ENDPOINT_URL.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import terraform_provider
from local_stack.environment import tool_environment
from local_stack.errors import LocalStackError
from local_stack.processes import Process
from local_stack.report import Report
from local_stack.run_lock import RunLock
from local_stack.settings import REPOSITORY, Settings

SOURCE = REPOSITORY / "terraform-backend"

PLUGIN_CACHE = REPOSITORY / ".local" / "terraform-plugins"

# What terraform-backend/providers.tf asks for.
OLDEST_VERSION = (1, 9)

# On SIGTERM Terraform ends the calls under way and writes its state.
_STOP_SECONDS = 60

# Replaces a backend that the user may have configured for a team: nothing of this run leaves the machine.
_LOCAL_BACKEND = 'terraform {\n  backend "local" {}\n}\n'


class TerraformDeployment:
    """The backend, deployed with Terraform."""

    def __init__(self, settings: Settings, directory: Path, lock: RunLock) -> None:
        self.directory = directory
        """The copy of terraform-backend/ that is deployed, with its state."""
        self._settings = settings
        self._lock = lock
        self._environment = {
            # Some 600 MB: fetched once, however many copies of the folder there come to be.
            "TF_PLUGIN_CACHE_DIR": str(PLUGIN_CACHE),
            **tool_environment(settings.connection),
            "TF_IN_AUTOMATION": "true",
            "TF_INPUT": "false",
            "CHECKPOINT_DISABLE": "true",
        }
        self._log = settings.local_directory / "logs" / "terraform.log"
        self._state = directory / "terraform.tfstate"

    def require_tools(self) -> None:
        """Raise LocalStackError unless a Terraform that is new enough is installed."""
        advice = "install it from https://developer.hashicorp.com/terraform/install"
        wanted = ".".join(map(str, OLDEST_VERSION))
        if shutil.which("terraform", path=self._environment.get("PATH")) is None:
            raise LocalStackError(f"Terraform is not installed, or not on PATH: {advice}, {wanted} or newer.")
        version = json.loads(self._answer("version", "-json"))["terraform_version"]
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST_VERSION:
            raise LocalStackError(f"Terraform {version} is too old: {advice}, {wanted} or newer.")

    @property
    def lost_state(self) -> bool:
        """Whether Terraform's state is missing."""
        return not self._state.exists()

    def forget(self) -> None:
        """Delete Terraform's state."""
        for path in (self._state, self._state.with_name("terraform.tfstate.backup")):
            path.unlink(missing_ok=True)

    def deploy(self, zip_path: Path, report: Report) -> dict[str, str]:
        """Apply the configuration; return the outputs."""
        self.copy_source()
        self._write_values(zip_path)
        self._initialize(report)
        self._apply(report, "apply")
        outputs = json.loads(self._answer("output", "-json"))
        return {name: output["value"] for name, output in outputs.items()}

    def destroy(self, report: Report) -> None:
        """Destroy all that was applied."""
        self._apply(report, "destroy")

    def copy_source(self) -> None:
        """Bring the copy of the folder up to date, leaving what only a person's own deployment uses."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for former in self.directory.iterdir():
            if former.is_dir() and former.name != ".terraform":
                shutil.rmtree(former)
            elif former.suffix in (".tf", ".json"):
                former.unlink()
        ignored = [".terraform", "*.tfvars", "*.tfvars.json", "*.tfstate*", "*.tfplan", "*_override.tf"]
        lock = self.directory / ".terraform.lock.hcl"
        if lock.exists() and terraform_provider.locked_version(self.directory) == terraform_provider.locked_version(
            SOURCE
        ):
            # It has the checksum of this platform; without it, Terraform would download the provider again.
            ignored.append(lock.name)
        shutil.copytree(
            SOURCE,
            self.directory,
            ignore=shutil.ignore_patterns(*ignored),
            dirs_exist_ok=True,
        )
        (self.directory / "local_override.tf").write_text(_LOCAL_BACKEND)

    def _write_values(self, zip_path: Path) -> None:
        settings = self._settings
        values = {
            "project": settings.project,
            "environment": settings.environment,
            "aws_region": settings.region,
            "notification_email": settings.notification_email,
            "completed_order_email": settings.completed_order_email,
            "processing_timeout_seconds": settings.processing_timeout_seconds,
            "lambda_zip_path": str(zip_path),
        }
        (self.directory / "local.auto.tfvars.json").write_text(json.dumps(values, indent=2) + "\n")

    def _initialize(self, report: Report) -> None:
        report.progress("getting the provider ready")
        Path(self._environment["TF_PLUGIN_CACHE_DIR"]).mkdir(parents=True, exist_ok=True)
        try:
            terraform_provider.init(
                "terraform", self.directory, self._environment, lambda text: report.line(f"  {text}")
            )
        except terraform_provider.TerraformInitError as error:
            raise LocalStackError(f"Terraform could not get its provider. {error}") from error

    def _apply(self, report: Report, command: str) -> None:
        progress = Progress(report)
        with self._process(command, "-auto-approve", "-json") as process:
            for line in process.lines():
                progress.take(line)
        if process.exit_status != 0:
            raise LocalStackError(
                f"Terraform could not {command} the backend. {progress.errors or process.last_words()}"
            )

    def _answer(self, *arguments: str) -> str:
        """Return what a command that only reads says; its warnings, on standard error, are not part of it."""
        answer = subprocess.run(
            ["terraform", *arguments],
            env=self._environment,
            cwd=self.directory if self.directory.exists() else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if answer.returncode != 0:
            raise LocalStackError(f"`terraform {arguments[0]}` failed: {answer.stderr.strip()}")
        return answer.stdout

    def _process(self, *arguments: str) -> Process:
        return Process(
            "Terraform",
            ["terraform", *arguments],
            environment=self._environment,
            log=self._log,
            grace_seconds=_STOP_SECONDS,
            directory=self.directory if self.directory.exists() else None,
            inherited=[self._lock.file_descriptor],
        )


class Progress:
    """Follows Terraform's machine-readable output.

    https://developer.hashicorp.com/terraform/internals/machine-readable-ui
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._started = time.monotonic()
        self._planned = 0
        self._done = 0
        self._under_way: dict[str, str] = {}
        self._errors: list[str] = []

    @property
    def text(self) -> str:
        """How far the command is."""
        seconds = time.monotonic() - self._started
        if not self._planned:
            return f"planning, {seconds:.0f} s"
        now = ", ".join(sorted(self._under_way.values())[:2])
        return f"{self._done} of {self._planned} after {seconds:.0f} s{now and ': ' + now}"

    @property
    def errors(self) -> str:
        """What Terraform reported as errors, for an error message; each says what to do."""
        return "\n".join(self._errors)

    def take(self, line: str | None) -> None:
        """Take one line of output, or None when a moment has passed without one."""
        for event in _events(line):
            self._take_event(event)
        self._report.progress(self.text)

    def _take_event(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if kind == "change_summary" and event["changes"]["operation"] == "plan":
            self._planned = sum(event["changes"][change] for change in ("add", "change", "remove"))
        elif kind in ("apply_start", "apply_complete", "apply_errored") and event["hook"]["action"] == "read":
            pass  # a look-up that had to wait, not one of the planned changes
        elif kind == "apply_start":
            address = event["hook"]["resource"]["addr"]
            self._under_way[address] = f"{event['hook']['action']} {address}"
        elif kind in ("apply_complete", "apply_errored"):
            self._under_way.pop(event["hook"]["resource"]["addr"], None)
            self._done += kind == "apply_complete"
        elif kind == "diagnostic" and event["diagnostic"]["severity"] == "error":
            diagnostic = event["diagnostic"]
            # A variable's own message comes first in the detail; the rest repeats where the rule is.
            detail = diagnostic.get("detail", "").split("\n\nThis was checked by")[0]
            address = f" ({diagnostic['address']})" if diagnostic.get("address") else ""
            self._errors.append(f"{diagnostic['summary']}{address}: {detail}")


def _events(line: str | None) -> Iterator[dict[str, Any]]:
    # A crash of the provider, say, is not written as JSON; it stays in the log.
    if line and line.startswith("{"):
        yield json.loads(line)
