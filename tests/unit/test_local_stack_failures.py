"""What `make run` tells a person where something it needs is missing, taken or broken."""

import contextlib
import io
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import local_stack.package
import local_stack.report
import terraform_provider
from local_stack import LocalStack, LocalStackError, Settings
from local_stack.background import Background
from local_stack.cloudformation import CloudFormationDeployment
from local_stack.deployment import reconcile
from local_stack.machine import free_port, require_free, require_space
from local_stack.processes import Process
from local_stack.queue_metrics import QueueMetrics
from local_stack.report import Silence, Terminal
from local_stack.run_lock import RunLock
from local_stack.terraform import TerraformDeployment


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[RunLock]:
    with RunLock(tmp_path) as held:
        yield held


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


# Ports


def test_a_port_that_only_the_administrator_may_have_is_told_with_what_to_choose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing(socket.socket):
        def bind(self, address: Any) -> None:
            raise PermissionError

    port = free_port()
    monkeypatch.setattr(socket, "socket", Refusing)
    with pytest.raises(
        LocalStackError, match=rf"^Port {port}, meant for the storefront, is reserved .* from 1024 on with PORT=…$"
    ):
        require_free(port, "the storefront", "PORT")


def test_a_port_that_is_held_but_does_not_answer_is_taken_all_the_same() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(
            LocalStackError, match=rf"^Port {port}, .* is taken by another program: .* with AWS_PORT=…$"
        ):
            require_free(port, "the emulator of AWS", "AWS_PORT")
    require_free(port, "the emulator of AWS", "AWS_PORT")


# Space


def test_too_little_space_is_reported_with_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=19 * 2**20))
    with pytest.raises(LocalStackError, match=r"^Only 19 MB are free under .*, and 20 MB are needed to keep orders"):
        require_space(tmp_path, 20)
    require_space(tmp_path, 19)
    # It is checked before anything is started, and while the system runs.
    with pytest.raises(LocalStackError, match="Only 19 MB are free"):
        LocalStack(Settings(local_directory=tmp_path)).__enter__()
    running = LocalStack(Settings(local_directory=tmp_path))
    with pytest.raises(LocalStackError, match="Only 19 MB are free"):
        running.require_running()


# One at a time


def test_a_second_run_in_one_directory_is_told_which_process_has_it(tmp_path: Path, lock: RunLock) -> None:
    with (
        pytest.raises(LocalStackError, match=rf"runs in {tmp_path} already, .*\(process {os.getpid()}\)"),
        RunLock(tmp_path),
    ):
        pass


def test_a_lock_knows_when_its_directory_was_made_anew(tmp_path: Path, lock: RunLock) -> None:
    assert lock.in_place
    (tmp_path / "lock").unlink()
    assert not lock.in_place
    (tmp_path / "lock").touch()
    assert not lock.in_place, "this is another run's"


# The package


def package_built_by(code: str, tmp_path: Path, lock: RunLock, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """Build the package with this program as the builder; return its path and what a person was told."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "build_lambda.py").write_text(code)
    monkeypatch.setattr(local_stack.package, "REPOSITORY", tmp_path)
    monkeypatch.setattr(local_stack.package, "ZIP_PATH", tmp_path / "orders-local.zip")
    said = io.StringIO()
    try:
        return local_stack.package.built_package(tmp_path / "build.log", lock, Terminal(said)), said.getvalue()
    except LocalStackError as error:
        raise LocalStackError(f"{said.getvalue()}{error}") from error


def test_a_package_that_cannot_be_built_is_told_below_its_reason(
    tmp_path: Path, lock: RunLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "print('no index'); print('  a detail'); raise SystemExit(1)"
    with pytest.raises(
        LocalStackError, match=r"^  no index\nThe Lambda package could not be built; the reason is above\.$"
    ):
        package_built_by(code, tmp_path, lock, monkeypatch)


def test_a_builder_that_leaves_no_zip_is_not_believed(
    tmp_path: Path, lock: RunLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LocalStackError, match=r"^There is no Lambda package at .*orders-local\.zip: run `make build`"):
        package_built_by("pass", tmp_path, lock, monkeypatch)


# Deploying


STATE = "emulator/state/dynamodb.json"
BUCKET = "emulator/s3/artifacts/template"
TERRAFORM_STATE = "deployment/terraform.tfstate"
COMPLETED = "deployment/completed"


@pytest.mark.parametrize("way", [CloudFormationDeployment, TerraformDeployment])
@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({STATE, BUCKET, TERRAFORM_STATE, COMPLETED}, ""),
        ({STATE, BUCKET, TERRAFORM_STATE}, ""),
        ({BUCKET}, ""),
        ({BUCKET, TERRAFORM_STATE, COMPLETED}, "has lost its state (was it killed?)"),
        ({STATE, BUCKET, COMPLETED}, "Terraform's state is missing"),
        (set(), ""),
    ],
    ids=["complete", "cut off", "killed at first", "killed", "Terraform's state lost", "new"],
)
def test_states_fit_or_are_gone_after_any_interruption(
    tmp_path: Path, lock: RunLock, way: Any, found: set[str], said: str
) -> None:
    for name in found:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    screen = io.StringIO()
    reconcile(
        way(Settings(local_directory=tmp_path), tmp_path / "deployment", lock), tmp_path / "emulator", Terminal(screen)
    )

    left = {name for name in (STATE, BUCKET, TERRAFORM_STATE, COMPLETED) if (tmp_path / name).exists()}
    is_kept = {STATE, COMPLETED} <= found and (way is CloudFormationDeployment or TERRAFORM_STATE in found)
    assert left == (found if is_kept else found & {TERRAFORM_STATE} if way is CloudFormationDeployment else set())
    assert said in screen.getvalue() if not is_kept else screen.getvalue() == ""
    # Orders without the state that goes with them are set aside.
    assert len(list(tmp_path.glob("emulator-*"))) == (COMPLETED in found and STATE in found and not is_kept)


def put_terraform_on_path(directory: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "bin").mkdir()
    program = directory / "bin" / "terraform"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory / "bin"), prepend=os.pathsep)


def terraform(tmp_path: Path, lock: RunLock) -> TerraformDeployment:
    return TerraformDeployment(Settings(local_directory=tmp_path), tmp_path / "deployment", lock)


def test_a_provider_that_cannot_be_had_is_told_in_terraforms_words(
    tmp_path: Path, lock: RunLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_terraform_on_path(tmp_path, "echo Failed to query registry >&2; exit 1", monkeypatch)
    monkeypatch.setattr(terraform_provider, "usual_places", lambda: [tmp_path / "opt"])
    with pytest.raises(
        LocalStackError,
        match=r"(?s)^Terraform could not get its provider\. Failed to query registry.*No mirror .* found either, in .*opt",
    ):
        terraform(tmp_path, lock).deploy(tmp_path / "orders-local.zip", Silence())


def test_outputs_that_cannot_be_read_are_told_in_terraforms_words(
    tmp_path: Path, lock: RunLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_terraform_on_path(
        tmp_path, '[ "$1" = output ] && { echo the state is broken >&2; exit 1; }; exit 0', monkeypatch
    )
    with pytest.raises(LocalStackError, match=r"^`terraform output` failed: the state is broken$"):
        terraform(tmp_path, lock).deploy(tmp_path / "orders-local.zip", Silence())


def test_an_apply_that_fails_without_a_diagnosis_shows_its_last_words(
    tmp_path: Path, lock: RunLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_terraform_on_path(tmp_path, '[ "$1" = apply ] && { echo out of memory; exit 2; }; exit 0', monkeypatch)
    with pytest.raises(
        LocalStackError, match=r"(?s)^Terraform could not apply the backend\. The end of .*out of memory"
    ):
        terraform(tmp_path, lock).deploy(tmp_path / "orders-local.zip", Silence())
    assert json.loads((tmp_path / "deployment" / "local.auto.tfvars.json").read_text())["environment"] == "dev"


# While it runs


def test_a_part_that_fails_beside_the_run_ends_it_with_its_name(tmp_path: Path) -> None:
    stack = LocalStack(Settings(local_directory=tmp_path))

    def fails() -> None:
        raise RuntimeError("no such alarm")

    with Background("The alarms", fails, 0.01) as background:
        background._thread.join(30)
    vars(stack)["_background"] = [background]
    vars(stack)["_lock"] = SimpleNamespace(in_place=True)
    with pytest.raises(LocalStackError, match=r"^The alarms failed: RuntimeError\('no such alarm'\)$"):
        stack.require_running()


def test_program_is_killed_when_it_outlives_its_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = tmp_path / "supervisor.py"
    deaf.write_text("import signal\nprint('deaf', flush=True)\nwhile True: signal.pause()\n")
    monkeypatch.setattr("local_stack.processes.SUPERVISOR", deaf)
    # Ten seconds more than its grace are waited: a fifth of one in all.
    process = Process("Deaf", ["true"], environment={}, log=tmp_path / "log", grace_seconds=-9.8)
    process.stop()
    assert process.exit_status == -9


def test_a_queue_that_does_not_exist_holds_back_no_other_queues_alarm() -> None:
    class DoesNotExistError(Exception):
        pass

    class Sqs:
        exceptions = SimpleNamespace(QueueDoesNotExist=DoesNotExistError)

        def get_queue_url(self, *, QueueName: str) -> dict[str, str]:  # noqa: N803
            if QueueName == "gone":
                raise DoesNotExistError
            return {"QueueUrl": QueueName}

        def get_queue_attributes(self, **_: object) -> dict[str, Any]:
            return {"Attributes": {"ApproximateNumberOfMessages": "3"}}

    alarms: Any = SimpleNamespace(
        muted=contextlib.nullcontext,
        definitions=lambda: [
            {
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": name}],
            }
            for name in ("gone", "orders-dlq")
        ],
    )
    put: list[Any] = []
    cloudwatch = SimpleNamespace(put_metric_data=lambda **request: put.append(request))

    QueueMetrics(Sqs(), cloudwatch, alarms).put()

    [values] = [request["MetricData"] for request in put]
    assert [(each["Dimensions"][0]["Value"], each["Value"]) for each in values] == [("orders-dlq", 3)]


# What is told


def test_on_a_terminal_progress_is_overwritten_by_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.05, 0.2, 0.2])
    monkeypatch.setattr(local_stack.report, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    screen = Screen()
    report = Terminal(screen)
    report.step("Deploying")
    report.progress("too soon to be read")
    report.progress("creating")
    report.line("  Deployed")
    assert screen.getvalue() == "Deploying\n\r\x1b[2K  creating\r\x1b[2K  Deployed\n"


def test_a_line_of_progress_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((20, 5)))
    screen = Screen()
    Terminal(screen).progress("x" * 100)
    assert screen.getvalue() == "\r\x1b[2K  " + "x" * 17


def test_a_terminal_that_is_gone_keeps_nothing_from_being_stopped() -> None:
    closed = io.StringIO()
    report = Terminal(closed)
    closed.close()
    report.line("nobody hears this")

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    Terminal(Gone()).line("nor this")
