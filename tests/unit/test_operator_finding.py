"""Which system a command talks to: the one that was named, or the one that is there, and never a guess."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import NoRegionError

from fake_aws.sqs import refusal
from local_stack.ports import free_port
from orders_cli import target_discovery
from orders_cli.errors import OperatorError
from orders_cli.system import System
from orders_cli.target_discovery import Choice, find_system

OUTPUTS = {
    "api_endpoint": "https://api.example",
    "orders_table_name": "order-processing-dev-orders",
    "orders_queue_url": "https://sqs.example/orders",
    "orders_dlq_url": "https://sqs.example/dlq",
    "notifications_dlq_url": "https://sqs.example/notifications-dlq",
    "alerts_topic_arn": "arn:aws:sns:eu-north-1:123456789012:order-processing-dev-alerts",
}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which nothing runs and nothing is deployed."""
    (tmp_path / "terraform-backend").mkdir()
    (tmp_path / ".local").mkdir()
    monkeypatch.setattr(target_discovery, "STACK_FILE", tmp_path / ".local" / "stack.json")
    monkeypatch.setattr(target_discovery, "TERRAFORM_DIRECTORY", tmp_path / "terraform-backend")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def emulator() -> Iterator[str]:
    """Something that answers where the emulator would."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def write_stack_file(checkout: Path, endpoint_url: str) -> Path:
    path = checkout / ".local" / "stack.json"
    key = {"access_key_id": "LOCAL1", "secret_access_key": "secret"}
    path.write_text(json.dumps({**OUTPUTS, "endpoint_url": endpoint_url, "region": "us-east-1", **key}))
    return path


class FakeAws:
    """An account with CloudFormation stacks by name, and what was asked for in which region and profile."""

    def __init__(self, *stacks: str, outputs: dict[str, str] = OUTPUTS) -> None:
        self.stacks = stacks
        self.outputs = outputs
        self.connections: list[tuple[str | None, str | None]] = []

    def connect(self, profile: str | None, region: str | None) -> Callable[[str], Any]:
        self.connections.append((profile, region))
        return lambda service: SimpleNamespace(
            service=service, meta=SimpleNamespace(region_name=region or "eu-west-1"), describe_stacks=self.describe
        )

    def describe(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        if StackName not in self.stacks:
            raise refusal("ValidationError", "DescribeStacks", f"Stack with id {StackName} does not exist")
        pascal = {name.title().replace("_", ""): value for name, value in self.outputs.items()}
        return {"Stacks": [{"Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in pascal.items()]}]}


def with_aws(monkeypatch: pytest.MonkeyPatch, *stacks: str, outputs: dict[str, str] = OUTPUTS) -> FakeAws:
    account = FakeAws(*stacks, outputs=outputs)
    monkeypatch.setattr(target_discovery, "_connect", account.connect)
    return account


def with_terraform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def terraform_output(outputs: dict[str, str] = OUTPUTS) -> str:
    document = json.dumps({name: {"value": value, "type": "string"} for name, value in outputs.items()})
    return f"cat <<'END'\n{document}\nEND"


def test_a_running_local_stack_comes_first_whatever_profile_is_in_the_environment(
    checkout: Path, emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    write_stack_file(checkout, emulator)
    system = find_system(Choice())
    assert (system.is_local, system.name, system.environment) == (True, "order-processing-dev", "dev")
    assert system.origin == f"the local stack at {emulator}"
    assert system.client("sqs").meta.endpoint_url == emulator


@pytest.mark.parametrize("choice", [Choice(profile="shop"), Choice(region="eu-west-1")])
def test_a_profile_or_a_region_means_aws(
    checkout: Path, emulator: str, monkeypatch: pytest.MonkeyPatch, choice: Choice
) -> None:
    write_stack_file(checkout, emulator)
    account = with_aws(monkeypatch, "order-processing-prod")
    system = find_system(choice)
    assert not system.is_local
    assert account.connections == [(choice.profile, choice.region)]


def test_a_local_stack_that_does_not_answer_is_told_and_nothing_else_taken_for_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_stack_file(checkout, f"http://127.0.0.1:{free_port()}")
    with_aws(monkeypatch, "order-processing-prod")
    with pytest.raises(OperatorError, match=r"local stack of .*stack\.json does not answer .*start it with `make run`"):
        find_system(Choice())


def test_a_local_stack_that_is_named_and_not_there_is_told(checkout: Path) -> None:
    with pytest.raises(OperatorError, match=r"No local stack is running: .* Start it with `make run`"):
        find_system(Choice(local=True))


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"endpoint_url": "http://127.0.0.1:1"}'])
def test_a_file_that_describes_no_stack_is_told(checkout: Path, text: str) -> None:
    (checkout / ".local" / "stack.json").write_text(text)
    with pytest.raises(OperatorError, match="does not describe a local stack"):
        find_system(Choice(local=True))


def test_terraforms_outputs_come_second_in_the_region_that_they_name(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = with_aws(monkeypatch, "order-processing-prod")
    with_terraform(monkeypatch, checkout, terraform_output())
    (checkout / "terraform-backend" / "terraform.tfstate").write_text("{}")
    system = find_system(Choice())
    assert system.origin == "what Terraform applied in terraform-backend"
    assert account.connections == [(None, "eu-north-1")]


def test_a_terraform_directory_may_be_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_aws(monkeypatch)
    with_terraform(monkeypatch, checkout, terraform_output())
    assert find_system(Choice(terraform=checkout / "terraform-backend")).name == "order-processing-dev"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo '{}'", "Terraform has applied nothing in terraform-backend"),
        (
            "echo '│ Error: Backend initialization required' >&2; exit 1",
            "cannot tell its outputs .*Error: Backend initialization required",
        ),
        (terraform_output({"storefront_url": "http://x"}), "is no order processing system: it lacks the outputs"),
    ],
)
def test_terraform_without_usable_outputs_says_what_to_do(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    with_aws(monkeypatch)
    with_terraform(monkeypatch, checkout, script)
    with pytest.raises(OperatorError, match=said):
        find_system(Choice(terraform=checkout / "terraform-backend"))


def test_a_missing_terraform_is_told(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    with pytest.raises(OperatorError, match="Terraform is not installed"):
        find_system(Choice(terraform=checkout / "terraform-backend"))


def test_the_only_stack_of_a_default_name_comes_last(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_aws(monkeypatch, "order-processing-staging", "something-else")
    assert find_system(Choice()).origin == "the CloudFormation stack order-processing-staging in eu-west-1"


def test_of_several_stacks_none_is_chosen_for_the_person(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_aws(monkeypatch, "order-processing-dev", "order-processing-prod")
    with pytest.raises(OperatorError, match="--stack order-processing-dev or --stack order-processing-prod"):
        find_system(Choice())


def test_nothing_anywhere_says_what_there_could_be(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_aws(monkeypatch)
    with pytest.raises(OperatorError, match=r"No system was found: .*`make run`, or name it with --stack"):
        find_system(Choice())


def test_nothing_here_and_no_region_says_both(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_region(*_: Any) -> Any:
        def connect(_: str) -> Any:
            raise NoRegionError

        return connect

    monkeypatch.setattr(target_discovery, "_connect", no_region)
    with pytest.raises(OperatorError, match=r"no local stack runs .*No AWS region is chosen"):
        find_system(Choice())


def test_a_stack_that_is_named_and_not_there_is_told_with_its_region(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_aws(monkeypatch, "order-processing-dev")
    with pytest.raises(OperatorError, match="There is no CloudFormation stack order-procesing-dev in eu-west-1"):
        find_system(Choice(stack="order-procesing-dev"))


def test_a_stack_of_something_else_is_refused(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_aws(monkeypatch, "shop", outputs={"orders_table_name": "x-orders"})
    with pytest.raises(OperatorError, match="The CloudFormation stack shop in eu-west-1 is no order processing system"):
        find_system(Choice(stack="shop"))


@pytest.mark.parametrize(
    ("table", "environment", "is_production"),
    [
        ("order-processing-prod-orders", "prod", True),
        ("shop-prod-dev-orders", "dev", False),
        ("order-processing-staging-orders", "staging", False),
    ],
)
def test_the_environment_is_told_by_the_names_of_the_resources(
    table: str, environment: str, is_production: bool
) -> None:
    system = System("here", {**OUTPUTS, "orders_table_name": table}, lambda service: service)
    assert (system.environment, system.is_production) == (environment, is_production)
    assert system.log_group("processing") == f"/aws/lambda/{table.removesuffix('-orders')}-processing"


def test_a_table_of_another_name_is_not_guessed_at() -> None:
    with pytest.raises(OperatorError, match="its table has another name"):
        System("here", {**OUTPUTS, "orders_table_name": "table"}, lambda service: service)
