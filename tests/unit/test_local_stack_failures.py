"""Errors that `make run` reports when a prerequisite is missing, in use, lost or broken."""

import io
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

import local_stack.deployment
import local_stack.terraform
import terraform_provider
from build_lambda import BuildError
from local_stack import LocalStack, LocalStackError, Settings
from local_stack.deployment import built_package, deployment_by, reconcile
from local_stack.emulator import move_to_port
from local_stack.machine import RunLock, free_port, require_free
from local_stack.processes import Background
from local_stack.report import Report
from local_stack.terraform import TerraformDeployment


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[RunLock]:
    with RunLock(tmp_path) as held:
        yield held


# Ports and disk space


def test_reserved_port_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr(socket.socket, "bind", MagicMock(side_effect=PermissionError))
    with pytest.raises(
        LocalStackError, match=rf"^Port {port}, meant for the shop, is reserved .* from 1024 .* PORT=…$"
    ):
        require_free(port, "the shop", "PORT")


@pytest.mark.parametrize(
    ("family", "address", "listens"),
    [(socket.AF_INET, "127.0.0.1", True), (socket.AF_INET, "127.0.0.1", False), (socket.AF_INET6, "::1", True)],
)
def test_port_in_use_is_reported(family: int, address: str, listens: bool) -> None:
    with socket.socket(family) as holder:
        try:
            holder.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        if listens:
            holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(LocalStackError, match=rf"^Port {port}, meant for the shop, is in use .* with AWS_PORT=…$"):
            require_free(port, "the shop", "AWS_PORT")


def test_full_disk_is_reported_before_the_start_and_while_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=19 * 2**20))
    stack = LocalStack(Settings(local_directory=tmp_path))
    with pytest.raises(LocalStackError, match=r"^Only 19 MB are free under .*, and 100 MB are needed to keep orders"):
        stack.__enter__()
    with pytest.raises(LocalStackError, match="and 20 MB are needed"):
        LocalStack(Settings(local_directory=tmp_path)).require_running()


# State of the last run


@pytest.mark.parametrize(
    ("found", "left", "printed"),
    [
        ("state s3 deployed completed", "state s3 deployed completed", ""),
        ("state s3 source deployed completed", "state s3 source deployed completed", ""),
        ("state s3 source completed", "", "Terraform's state is missing"),
        ("state s3 deployed", "", ""),
        ("s3", "", ""),
        ("s3 deployed completed", "", "has lost its state (was it killed?)"),
        ("", "", ""),
    ],
)
def test_state_is_kept_only_if_complete_after_an_interruption(
    tmp_path: Path, found: str, left: str, printed: str
) -> None:
    files = {
        "state": tmp_path / "emulator" / "state" / "dynamodb.json",
        "s3": tmp_path / "emulator" / "s3" / "artifacts" / "template",
        "source": tmp_path / "deployment" / "main.tf",
        "deployed": tmp_path / "deployment" / "terraform.tfstate",
        "completed": tmp_path / "deployment" / "completed",
    }
    for name in found.split():
        files[name].parent.mkdir(parents=True, exist_ok=True)
        files[name].touch()
    screen = io.StringIO()
    reconcile(tmp_path, Report(screen))
    assert [name for name, file in files.items() if file.exists()] == left.split()
    assert printed in screen.getvalue()
    assert bool(printed) == bool(screen.getvalue())
    # Orders are moved aside and not deleted.
    assert len(list(tmp_path.glob("emulator-*/state/dynamodb.json"))) == ("Terraform" in printed)


def test_addresses_move_to_the_port_of_the_next_run(tmp_path: Path) -> None:
    state, deployment = tmp_path / "emulator" / "state", tmp_path / "deployment"
    state.mkdir(parents=True)
    deployment.mkdir()
    (tmp_path / "emulator" / "started").write_text("4566")
    (state / "sqs.json").write_text('{"http://localhost:4566/0/orders": {"quantity": 4566}}')
    (deployment / "terraform.tfstate").write_text('{"id": "http://127.0.0.1:4566/0/orders"}')
    move_to_port(tmp_path, 4740)
    assert (state / "sqs.json").read_text() == '{"http://localhost:4740/0/orders": {"quantity": 4566}}'
    assert (deployment / "terraform.tfstate").read_text() == '{"id": "http://127.0.0.1:4740/0/orders"}'


# Deploying


def test_failed_build_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    build = MagicMock(side_effect=BuildError("the package index cannot be reached"))
    monkeypatch.setattr(local_stack.deployment, "build", build)
    with pytest.raises(
        LocalStackError, match=r"^The Lambda package could not be built: the package index .* reached\.$"
    ):
        built_package(Report())


@pytest.fixture
def terraform(tmp_path: Path, lock: RunLock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TerraformDeployment]:
    """Return a function that replaces Terraform by a shell script, and returns a deployment with it."""

    def with_script(script: str = ":", version: str = "1.9.0") -> TerraformDeployment:
        program = tmp_path / "bin" / "terraform"
        program.parent.mkdir()
        program.write_text(
            f"""#!/bin/sh\n[ "$1" = version ] && echo '{{"terraform_version": "{version}"}}' && exit\n{script}\n"""
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        monkeypatch.setattr(terraform_provider, "mirror_candidates", lambda: [tmp_path / "opt"])
        return TerraformDeployment(Settings(local_directory=tmp_path), tmp_path / "deployment", lock)

    return with_script


@pytest.mark.parametrize(
    ("version", "is_accepted"), [("1.8.5", False), ("0.15.0", False), ("1.9.0", True), ("1.10.0-rc1", True)]
)
def test_missing_or_old_terraform_is_reported(
    terraform: Callable[..., TerraformDeployment], version: str, is_accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    advice = r"install version 1\.9 or newer from https://"
    with (
        nullcontext() if is_accepted else pytest.raises(LocalStackError, match=f"^Terraform {version} .* old: {advice}")
    ):
        terraform(version=version)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(LocalStackError, match=rf"^Terraform is not installed, .*: {advice}"):
        deployment_by(Settings(deploy="terraform"), Path(), RunLock(Path()))


@pytest.mark.parametrize(
    ("command", "output", "reported"),
    [
        ("init", "Failed to query registry", r"(?s)^`terraform init` failed\. Failed to query .*No mirror .* in .*opt"),
        ("output", "the state is broken", r"^`terraform output` failed: the state is broken$"),
        ("apply", "a plan\nError: no right", r"(?s)^Terraform could not apply the backend\. no right$"),
        ("apply", "out of memory", r"(?s)^Terraform could not apply the backend\. The end of .*out of memory"),
    ],
)
def test_terraform_failure_is_reported_with_its_message(
    terraform: Callable[..., TerraformDeployment], command: str, output: str, reported: str, tmp_path: Path
) -> None:
    deployment = terraform(f'[ "$1" = {command} ] && {{ echo "{output}" >&2; exit 2; }}; exit 0')
    with pytest.raises(LocalStackError, match=reported):
        deployment.deploy(tmp_path / "orders-local.zip", Report())


def test_copy_of_terraform_folder_keeps_its_state_but_no_user_files(
    terraform: Callable[..., TerraformDeployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, copy = tmp_path / "source", tmp_path / "deployment"
    shipped = ["main.tf", "backend.tf", "modules/function/main.tf", ".terraform.lock.hcl"]
    personal = ["terraform.tfvars", "prod.auto.tfvars.json", "terraform.tfstate", "prod.tfplan", "my_override.tf"]
    former = ["former.tf", "former/main.tf"]
    for file in [*(source / name for name in [*shipped, *personal, ".terraform/x"]), *(copy / name for name in former)]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (copy / "terraform.tfstate").write_text("kept")
    monkeypatch.setattr(local_stack.terraform, "SOURCE", source)
    terraform().copy_source()
    copied = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert copied == {*shipped, "local_override.tf", "terraform.tfstate"}
    assert 'backend "local"' in (copy / "local_override.tf").read_text()
    assert (copy / "terraform.tfstate").read_text() == "kept"


# While it runs


def test_failure_in_the_background_is_reported_by_name() -> None:
    def fail() -> None:
        raise RuntimeError("no such alarm")

    with Background("The alarms", fail, 0.01) as background:
        background._thread.join(30)
    with pytest.raises(LocalStackError, match=r"^The alarms failed: RuntimeError\('no such alarm'\)$"):
        background.require_running()


# Output


def test_closed_terminal_or_pipe_is_ignored() -> None:
    for error in (BrokenPipeError, ValueError("I/O operation on closed file.")):
        Report(MagicMock(write=MagicMock(side_effect=error))).line("not printed")
