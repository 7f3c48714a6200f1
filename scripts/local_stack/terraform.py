"""Deploy terraform-backend/ to the emulator, separately from the user's own deployments.

Terraform runs in a copy of the folder with its own state. The user's *.tfvars and backend configuration are left out.
"""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import terraform_provider
from local_stack.environment import tool_environment
from local_stack.machine import LocalStackError, RunLock
from local_stack.processes import Process
from local_stack.report import Report
from local_stack.settings import REPOSITORY, Settings

SOURCE = REPOSITORY / "terraform-backend"

PLUGIN_CACHE = REPOSITORY / ".local" / "terraform-plugins"

# After SIGTERM, Terraform finishes the calls in flight and writes its state.
_STOP_SECONDS = 60
_POLL_SECONDS = 0.2

# Replaces the user's remote backend, to keep the state on this machine.
_LOCAL_BACKEND = 'terraform {\n  backend "local" {}\n}\n'


class TerraformDeployment:
    """The backend, deployed with Terraform 1.9 or newer in `directory`."""

    def __init__(self, settings: Settings, directory: Path, lock: RunLock) -> None:
        self.directory = directory
        self._settings = settings
        self._lock = lock
        self._environment = {
            # The provider is 600 MB: download it once for all copies of the folder.
            "TF_PLUGIN_CACHE_DIR": str(PLUGIN_CACHE),
            **tool_environment(settings.connection),
            "TF_IN_AUTOMATION": "true",
            "TF_INPUT": "false",
            "CHECKPOINT_DISABLE": "true",
        }
        advice = "install version 1.9 or newer from https://developer.hashicorp.com/terraform/install"
        if shutil.which("terraform", path=self._environment.get("PATH")) is None:
            raise LocalStackError(f"Terraform is not installed, or not on PATH: {advice}")
        version = self._read("version")["terraform_version"]
        if [int(number) for number in version.split(".")[:2]] < [1, 9]:
            raise LocalStackError(f"Terraform {version} is too old: {advice}")

    def deploy(self, zip_path: Path, report: Report) -> dict[str, str]:
        """Apply the configuration; return the outputs."""
        self.copy_source()
        self._write_variables(zip_path)
        report.line("  Installing the provider")
        Path(self._environment["TF_PLUGIN_CACHE_DIR"]).mkdir(parents=True, exist_ok=True)
        try:
            terraform_provider.init("terraform", self.directory, self._environment, report.line)
        except terraform_provider.TerraformInitError as error:
            raise LocalStackError(f"`terraform init` failed. {error}") from error
        self._apply(report)
        return {name: output["value"] for name, output in self._read("output").items()}

    def copy_source(self) -> None:
        """Update the copy of the folder, without the files of the user's own deployments."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for former in self.directory.iterdir():
            if former.is_dir() and former.name != ".terraform":
                shutil.rmtree(former)
            elif former.suffix in (".tf", ".json"):
                former.unlink()
        ignored = [".terraform", "*.tfvars", "*.tfvars.json", "*.tfstate*", "*.tfplan", "*_override.tf"]
        lock = self.directory / ".terraform.lock.hcl"
        locked = terraform_provider.locked_version
        if lock.exists() and locked(self.directory) == locked(SOURCE):
            # The copy has this platform's checksum. Without it, Terraform would download the provider again.
            ignored.append(lock.name)
        shutil.copytree(SOURCE, self.directory, ignore=shutil.ignore_patterns(*ignored), dirs_exist_ok=True)
        (self.directory / "local_override.tf").write_text(_LOCAL_BACKEND)

    def _write_variables(self, zip_path: Path) -> None:
        names = ("project", "environment", "notification_email", "completed_order_email", "processing_timeout_seconds")
        variables = {
            **{name: getattr(self._settings, name) for name in names},
            "aws_region": self._settings.region,
            "lambda_zip_path": str(zip_path),
        }
        (self.directory / "local.auto.tfvars.json").write_text(json.dumps(variables, indent=2) + "\n")

    def _apply(self, report: Report) -> None:
        process = Process(
            "Terraform",
            ["terraform", "apply", "-auto-approve", "-no-color"],
            environment=self._environment,
            log=self._settings.local_directory / "logs" / "terraform.log",
            grace_seconds=_STOP_SECONDS,
            directory=self.directory,
            lock=self._lock,
        )
        with process:
            while process.exit_status is None:
                done = process.output.count(" complete after ")
                *_, last = ["", *process.output.split("\n")[:-1]]
                report.progress(f"{done} calls done; {last}" if ": " in last else "planning")
                time.sleep(_POLL_SECONDS)
        if process.exit_status != 0:
            _, _, errors = process.output.partition("\nError: ")
            raise LocalStackError(f"Terraform could not apply the backend. {errors.strip() or process.end_of_output()}")

    def _read(self, command: str) -> dict[str, Any]:
        ran = subprocess.run(
            ["terraform", command, "-json", "-no-color"],
            env=self._environment,
            cwd=self.directory if self.directory.exists() else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if ran.returncode != 0:
            raise LocalStackError(f"`terraform {command}` failed: {ran.stderr.strip()}")
        return dict(json.loads(ran.stdout))
