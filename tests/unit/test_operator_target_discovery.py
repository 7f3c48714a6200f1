"""Which system a command uses: the one that was named, or the only one that exists."""

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoRegionError

from local_stack.machine import free_port
from orders_cli import target_discovery
from orders_cli.errors import OperatorError
from orders_cli.system import System
from orders_cli.target_discovery import Choice, find_system
from support.stub_aws.sqs import refusal

OUTPUTS = {
    "api_endpoint": "https://api.example",
    "orders_table_name": "order-processing-dev-orders",
    "orders_queue_url": "https://sqs.example/orders",
    "orders_dlq_url": "https://sqs.example/dlq",
    "notifications_dlq_url": "https://sqs.example/notifications-dlq",
    "alerts_topic_arn": "arn:aws:sns:eu-north-1:123456789012:order-processing-dev-alerts",
}

CREDENTIALS = {"access_key_id": "LKIAEXAMPLE", "secret_access_key": "local"}


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
    """A server in place of the emulator that demands the key of the stack."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers["X-Local-Access-Key"] == "LKIAEXAMPLE" else 403)
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
    path.write_text(json.dumps({**OUTPUTS, **CREDENTIALS, "endpoint_url": endpoint_url, "region": "us-east-1"}))
    return path


class FakeAws:
    """An account with CloudFormation stacks by name, and what was asked for in which region and profile."""

    def __init__(self, *stacks: str, outputs: dict[str, str] = OUTPUTS) -> None:
        self.stacks = stacks
        self.outputs = outputs
        self.connections: list[tuple[str | None, str | None]] = []

    def connect(self, profile: str | None, region: str | None) -> Callable[..., Any]:
        self.connections.append((profile, region))
        return lambda service, config=None: SimpleNamespace(
            service=service,
            meta=SimpleNamespace(region_name=region or "eu-west-1"),
            describe_stacks=self.describe,
            get_queue_attributes=self.refuse,
        )

    def refuse(self, **_: str) -> Any:
        raise refusal("AccessDenied", "GetQueueAttributes")

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


def test_running_local_stack_comes_first_with_its_own_credentials(
    checkout: Path, emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "left over")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    write_stack_file(checkout, emulator)
    system = find_system(Choice())
    assert (system.is_local, system.name, system.environment) == (True, "order-processing-dev", "dev")
    assert system.origin == f"the local stack at {emulator}"
    assert system.client("sqs").meta.endpoint_url == emulator
    credentials = system.client("sqs")._request_signer._credentials
    assert (credentials.access_key, credentials.secret_key, credentials.token) == ("LKIAEXAMPLE", "local", None)


@pytest.mark.parametrize("choice", [Choice(profile="shop"), Choice(region="eu-west-1")])
def test_profile_or_region_means_aws(
    checkout: Path, emulator: str, monkeypatch: pytest.MonkeyPatch, choice: Choice
) -> None:
    write_stack_file(checkout, emulator)
    account = with_aws(monkeypatch, "order-processing-prod")
    system = find_system(choice)
    assert not system.is_local
    assert account.connections == [(choice.profile, choice.region)]


def test_silent_local_stack_is_an_error(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_stack_file(checkout, f"http://127.0.0.1:{free_port()}")
    with_aws(monkeypatch, "order-processing-prod")
    with pytest.raises(OperatorError, match=r"local stack of .*stack\.json does not answer .*start it with `make run`"):
        find_system(Choice())


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"endpoint_url": "http://127.0.0.1:1"}'])
def test_invalid_stack_file_is_an_error(checkout: Path, text: str) -> None:
    (checkout / ".local" / "stack.json").write_text(text)
    with pytest.raises(OperatorError, match="does not describe a local stack"):
        find_system(Choice(local=True))


def test_terraform_outputs_come_second_in_their_region(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = with_aws(monkeypatch, "order-processing-prod")
    with_terraform(monkeypatch, checkout, terraform_output())
    (checkout / "terraform-backend" / "terraform.tfstate").write_text("{}")
    system = find_system(Choice())
    assert system.origin == "what Terraform applied in terraform-backend"
    assert account.connections == [(None, "eu-north-1")]


def test_terraform_directory_can_be_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_aws(monkeypatch)
    with_terraform(monkeypatch, checkout, terraform_output())
    assert find_system(Choice(terraform=checkout / "terraform-backend")).name == "order-processing-dev"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo '{}'", "Terraform has applied nothing in terraform-backend"),
        (
            "echo '│ Error: Backend initialization required' >&2; exit 1",
            "cannot read its outputs .*Error: Backend initialization required",
        ),
        (terraform_output({"storefront_url": "http://x"}), "is not an order processing system: outputs are missing"),
    ],
)
def test_unusable_terraform_outputs_are_an_error(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    with_aws(monkeypatch)
    with_terraform(monkeypatch, checkout, script)
    with pytest.raises(OperatorError, match=said):
        find_system(Choice(terraform=checkout / "terraform-backend"))


def test_only_stack_of_a_default_name_comes_last(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_aws(monkeypatch, "order-processing-staging", "something-else")
    assert find_system(Choice()).origin == "the CloudFormation stack order-processing-staging in eu-west-1"


def test_no_system_is_an_error(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_aws(monkeypatch)
    with pytest.raises(OperatorError, match=r"No system was found: .*`make run` .*Name one with --stack"):
        find_system(Choice())


def test_no_system_and_no_region_is_an_error(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_region(*_: Any) -> Any:
        def connect(*_: Any) -> Any:
            raise NoRegionError

        return connect

    monkeypatch.setattr(target_discovery, "_connect", no_region)
    with pytest.raises(OperatorError, match=r"no local stack is running .*No AWS region is set"):
        find_system(Choice())


def test_missing_stack_is_an_error_with_its_region(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_aws(monkeypatch, "order-processing-dev")
    with pytest.raises(OperatorError, match="There is no CloudFormation stack order-procesing-dev in eu-west-1"):
        find_system(Choice(stack="order-procesing-dev"))


@pytest.mark.parametrize(
    ("table", "environment", "is_production"),
    [
        ("order-processing-prod-orders", "prod", True),
        ("shop-prod-dev-orders", "dev", False),
        ("order-processing-staging-orders", "staging", False),
    ],
)
def test_environment_comes_from_resource_names(table: str, environment: str, is_production: bool) -> None:
    system = System("here", {**OUTPUTS, "orders_table_name": table}, lambda service: service)
    assert (system.environment, system.is_production) == (environment, is_production)
    assert system.log_group("processing") == f"/aws/lambda/{table.removesuffix('-orders')}-processing"


def test_table_of_another_name_is_refused() -> None:
    with pytest.raises(OperatorError, match="its table has another name"):
        System("here", {**OUTPUTS, "orders_table_name": "table"}, lambda service: service)


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-west-2"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
    ],
)
def test_region_variables_are_read_in_order(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert target_discovery._connect(None, None)("sqs").meta.region_name == region
    assert target_discovery._connect(None, "eu-north-1")("sqs").meta.region_name == "eu-north-1"


def test_dead_endpoint_is_reported_within_seconds(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with_terraform(monkeypatch, checkout, terraform_output())
    started = time.monotonic()
    for choice in (Choice(stack="shop", region="eu-west-1"), Choice(terraform=checkout / "terraform-backend")):
        with pytest.raises(EndpointConnectionError):
            find_system(choice)
    assert time.monotonic() < started + 8
