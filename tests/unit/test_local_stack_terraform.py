"""Terraform for the local stack, apart from a person's own deployments."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import local_stack.terraform
from local_stack import LocalStackError, Settings
from local_stack.report import Silence, Terminal
from local_stack.run_lock import RunLock
from local_stack.terraform import Progress, TerraformDeployment


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[TerraformDeployment]:
    with RunLock(tmp_path) as lock:
        yield TerraformDeployment(Settings(local_directory=tmp_path), tmp_path / "deployment", lock)


def put_on_path(directory: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a `terraform` of this version, and nothing else, the programs on PATH."""
    directory.mkdir()
    program = directory / "terraform"
    program.write_text(f"#!/bin/sh\necho some warning >&2\necho '{json.dumps({'terraform_version': version})}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))


def deployment_now(tmp_path: Path) -> TerraformDeployment:
    with RunLock(tmp_path) as lock:
        return TerraformDeployment(Settings(local_directory=tmp_path), tmp_path / "deployment", lock)


def test_a_missing_terraform_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalStackError, match=r"^Terraform is not installed, or not on PATH: install it from https://"):
        deployment_now(tmp_path).require_tools()


@pytest.mark.parametrize("version", ["0.15.5", "1.8.5"])
def test_an_old_terraform_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    put_on_path(tmp_path / "bin", version, monkeypatch)
    with pytest.raises(LocalStackError, match=rf"^Terraform {version} is too old: .* 1\.9 or newer"):
        deployment_now(tmp_path).require_tools()


@pytest.mark.parametrize("version", ["1.9.0", "1.11.4", "1.15.0-beta1", "2.0.0"])
def test_a_new_terraform_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    put_on_path(tmp_path / "bin", version, monkeypatch)
    deployment_now(tmp_path).require_tools()


def test_a_persons_own_values_state_and_backend_stay_out_of_the_copy(
    deployment: TerraformDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    (source / "modules" / "function").mkdir(parents=True)
    (source / ".terraform").mkdir()
    shipped = ["main.tf", "backend.tf", "modules/function/main.tf", ".terraform.lock.hcl"]
    personal = ["terraform.tfvars", "prod.auto.tfvars.json", "terraform.tfstate", "prod.tfplan", "my_override.tf"]
    for name in [*shipped, *personal]:
        (source / name).touch()
    monkeypatch.setattr(local_stack.terraform, "SOURCE", source)
    deployment.copy_source()
    copied = {str(path.relative_to(deployment.directory)) for path in deployment.directory.rglob("*") if path.is_file()}
    assert copied == {*shipped, "local_override.tf"}
    assert 'backend "local"' in (deployment.directory / "local_override.tf").read_text()


def test_what_is_gone_from_the_source_goes_from_the_copy_but_the_state_stays(
    deployment: TerraformDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "main.tf").touch()
    monkeypatch.setattr(local_stack.terraform, "SOURCE", source)
    deployment.directory.mkdir()
    state = deployment.directory / "terraform.tfstate"
    state.touch()
    former = deployment.directory / "former.tf"
    former.touch()
    deployment.copy_source()
    assert not former.exists()
    assert state.exists()


def event(kind: str, **more: object) -> str:
    return json.dumps({"type": kind, **more})


def hook(address: str, action: str = "create") -> dict[str, object]:
    return {"action": action, "resource": {"addr": address}}


def test_progress_counts_what_is_planned_done_and_under_way() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    progress = Progress(terminal)
    for line in [
        event("change_summary", changes={"operation": "plan", "add": 2, "change": 1, "remove": 0}),
        event("apply_start", hook=hook("data.aws_caller", "read")),
        event("apply_complete", hook=hook("data.aws_caller", "read")),
        event("apply_start", hook=hook("aws_sqs_queue.orders")),
        event("apply_start", hook=hook("aws_sns_topic.alerts")),
        event("apply_complete", hook=hook("aws_sns_topic.alerts")),
        "not JSON",
        None,
    ]:
        progress.take(line)
    assert progress.text.startswith("1 of 3 after ")
    assert progress.text.endswith(": create aws_sqs_queue.orders")


def test_an_error_of_terraform_is_told_in_its_own_words() -> None:
    progress = Progress(Silence())
    progress.take(
        event(
            "diagnostic",
            diagnostic={
                "severity": "error",
                "summary": "Invalid value for variable",
                "detail": "Choose another.\n\nThis was checked by the validation rule at variables.tf:20,3-13.",
            },
        )
    )
    progress.take(event("diagnostic", diagnostic={"severity": "warning", "summary": "Old", "detail": "Old."}))
    assert progress.errors == "Invalid value for variable: Choose another."
