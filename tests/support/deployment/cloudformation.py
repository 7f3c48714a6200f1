"""A CloudFormation stack of the backend, packaged and deployed with the commands that a user types."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.repository.cloudformation import TEMPLATE


class StackError(Exception):
    """A command failed; the text is what it said."""


class Stack:
    """The stack `name`; `directory` holds its template and its zip as cloudformation/ and dist/ of the project do.

    `environment` is all that the AWS CLI sees of the environment.
    """

    def __init__(self, name: str, directory: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.bucket = f"artifacts-of-{name}"
        self.template = directory / "cloudformation" / TEMPLATE.name
        self._packaged = directory / "packaged.yaml"
        self._dist = directory / "dist"
        self._environment = environment
        self.template.parent.mkdir(parents=True)
        self._dist.mkdir()
        shutil.copy(TEMPLATE, self.template)
        self._aws("s3", "mb", f"s3://{self.bucket}")

    def take_code(self, zip_path: Path) -> None:
        """Put a zip where the template looks for it, with the record that scripts/build_lambda.py writes of it."""
        shutil.copy(zip_path, self._dist / "orders-arm64.zip")
        record = {"inputs": "", "zip": hashlib.sha256(zip_path.read_bytes()).hexdigest()}
        (self._dist / "orders-arm64.inputs").write_text(json.dumps(record))

    def package(self) -> Path:
        """Upload the zip; return the path of the template that names it."""
        self._aws(
            *("cloudformation", "package", "--template-file", str(self.template)),
            *("--s3-bucket", self.bucket, "--output-template-file", str(self._packaged)),
        )
        return self._packaged

    def deploy(self, **parameters: str) -> None:
        """Package, then create the stack or bring it up to date; parameters not given stay as they are."""
        self.package()
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        self._aws(
            *("cloudformation", "deploy", "--template-file", str(self._packaged), "--stack-name", self.name),
            *("--s3-bucket", self.bucket, "--capabilities", "CAPABILITY_IAM"),
            *(("--parameter-overrides", *overrides) if overrides else ()),
        )

    def delete(self) -> None:
        """Delete the stack and wait for the end of it."""
        self._aws("cloudformation", "delete-stack", "--stack-name", self.name)
        self._aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", self.name)

    def description(self) -> dict[str, Any]:
        """Return what CloudFormation says of the stack."""
        answer = self._aws("cloudformation", "describe-stacks", "--stack-name", self.name, "--output", "json")
        stack: dict[str, Any] = json.loads(answer)["Stacks"][0]
        return stack

    def outputs(self) -> dict[str, str]:
        """Return the outputs by name."""
        return {output["OutputKey"]: output["OutputValue"] for output in self.description()["Outputs"]}

    def _aws(self, *arguments: str) -> str:
        finished = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "awscli", *arguments],
            env=self._environment,
            cwd=self._dist,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if finished.returncode != 0:
            raise StackError(f"aws {' '.join(arguments)} failed\n{finished.stdout}\n{finished.stderr}")
        return finished.stdout
