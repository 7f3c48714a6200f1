"""The outputs of a deployed system, read from Terraform and from CloudFormation."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployed_outputs import TerraformOutputError, outputs_of_stack, outputs_of_terraform

Terraform = Callable[[str], None]


@pytest.fixture
def terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terraform:
    """Put a shell script in Terraform's place."""

    def be(script: str) -> None:
        program = tmp_path / "bin" / "terraform"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return be


def test_terraforms_outputs_are_read_in_its_folder_with_the_persons_profile(
    terraform: Terraform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody-elses")
    output = json.dumps({"directory": {"value": "DIRECTORY"}, "profile": {"value": "PROFILE"}})
    terraform(f"echo '{output}' | sed \"s,DIRECTORY,$PWD,; s,PROFILE,$AWS_PROFILE,\"")
    assert outputs_of_terraform(tmp_path, "shop") == {"directory": str(tmp_path), "profile": "shop"}
    assert outputs_of_terraform(tmp_path)["profile"] == "somebody-elses"


def test_where_nothing_was_applied_there_are_no_outputs(terraform: Terraform, tmp_path: Path) -> None:
    terraform("echo '{}'")
    assert outputs_of_terraform(tmp_path) == {}


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo '╷' >&2; echo '│ Error: Backend initialization required' >&2; exit 1",
            "^Error: Backend init.* required$",
        ),
        ("exit 1", "no reason given"),
    ],
)
def test_what_terraform_says_of_its_failure_is_the_reason(
    terraform: Terraform, tmp_path: Path, script: str, reason: str
) -> None:
    terraform(script)
    with pytest.raises(TerraformOutputError, match=reason):
        outputs_of_terraform(tmp_path)


def test_a_terraform_that_cannot_be_run_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TerraformOutputError, match="could not be run, FileNotFoundError"):
        outputs_of_terraform(tmp_path)


def test_a_stacks_outputs_are_known_by_terraforms_names() -> None:
    class CloudFormation:
        def describe_stacks(self, **arguments: str) -> dict[str, Any]:
            assert arguments == {"StackName": "orders"}
            return {"Stacks": [{"Outputs": [{"OutputKey": "OrdersDlqUrl", "OutputValue": "https://…"}]}]}

    assert outputs_of_stack(CloudFormation(), "orders") == {"orders_dlq_url": "https://…"}
