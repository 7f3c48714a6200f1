"""A CloudFormation stack of the backend, packaged and deployed as the AWS CLI does it, without the CLI's pauses.

test_readme.py runs the commands of the AWS CLI.
"""

import hashlib
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from support.deployment.emulator import Emulator
from support.repository.cloudformation import TEMPLATE
from support.waiting import wait_for


class StackError(Exception):
    """A deployment failed; the text holds the reasons."""


class Stack:
    """The stack `name`; `directory` holds its template, which a test may change, and its zip."""

    def __init__(self, name: str, directory: Path, emulator: Emulator) -> None:
        self.name = name
        self.template = directory / TEMPLATE.name
        self._bucket = f"artifacts-of-{name}"
        self._cloudformation = emulator.client("cloudformation")
        self._s3 = emulator.client("s3")
        self._endpoint_url = emulator.endpoint_url
        self._code = b""
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(TEMPLATE, self.template)
        location = {"CreateBucketConfiguration": {"LocationConstraint": emulator.region}}
        self._s3.create_bucket(Bucket=self._bucket, **location)

    def set_code(self, zip_path: Path) -> None:
        self._code = zip_path.read_bytes()

    def package(self) -> str:
        """Upload the zip and the template; return the template's URL."""
        record = {"inputs": "", "zip": hashlib.sha256(self._code).hexdigest()}
        code = f"{{S3Bucket: {self._bucket}, S3Key: {self._upload(self._code)}}}"
        inputs = f"s3://{self._bucket}/{self._upload(json.dumps(record).encode())}"
        template = self.template.read_text().replace("Code: ../dist/orders-arm64.zip", f"Code: {code}")
        template = template.replace("Location: ../dist/orders-arm64.inputs", f"Location: {inputs}")
        assert "../dist" not in template
        return f"{self._endpoint_url}/{self._bucket}/{self._upload(template.encode())}"

    def deploy(self, **parameters: str) -> None:
        """Package, then create or update the stack; parameters that are not given keep their values."""
        stack = self._found()
        given: list[dict[str, Any]] = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
        known = [each["ParameterKey"] for each in (stack or {}).get("Parameters", [])]
        given += [{"ParameterKey": name, "UsePreviousValue": True} for name in known if name not in parameters]
        write = self._cloudformation.update_stack if stack else self._cloudformation.create_stack
        capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        write(StackName=self.name, TemplateURL=self.package(), Parameters=given, Capabilities=capabilities)
        if self._finished() not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            events = self._cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
            raise StackError([each for each in events if each["ResourceStatus"].endswith("_FAILED")])

    def delete(self) -> None:
        self._cloudformation.delete_stack(StackName=self.name)
        assert self._finished() in (None, "DELETE_COMPLETE")

    def description(self) -> dict[str, Any]:
        stack: dict[str, Any] = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        return stack

    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.description()["Outputs"]}

    def _upload(self, content: bytes) -> str:
        key = hashlib.sha256(content).hexdigest()
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        return key

    def _found(self) -> dict[str, Any] | None:
        with suppress(self._cloudformation.exceptions.ClientError):
            return self.description()
        return None

    def _finished(self) -> str | None:
        """Wait until the stack stops changing; return its status, or None if it is deleted."""

        def finished() -> list[str | None]:
            stack = self._found()
            status = stack["StackStatus"] if stack else None
            return [] if status and status.endswith("_IN_PROGRESS") else [status]

        return wait_for(f"the stack {self.name}", finished, seconds=120)[0]
