"""Selection of a command's system: by option, else the local stack, else Terraform's deployment."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

import orders_cli.system as system_module
from deployed_outputs import outputs_of_terraform
from local_stack.machine import free_port
from orders_cli.errors import OperatorError
from orders_cli.system import System, Target

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
    """A checkout without a running stack and without a deployment."""
    (tmp_path / "terraform-backend").mkdir()
    (tmp_path / ".local").mkdir()
    monkeypatch.setattr(system_module, "STACK_FILE", tmp_path / ".local" / "stack.json")
    monkeypatch.setattr(system_module, "TERRAFORM_DIRECTORY", tmp_path / "terraform-backend")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_stack_file(checkout: Path, endpoint_url: str = "http://127.0.0.1:4566") -> None:
    description = {**OUTPUTS, "endpoint_url": endpoint_url, "region": "us-east-1"}
    description |= {"access_key_id": "LKIAEXAMPLE", "secret_access_key": "local"}
    (checkout / ".local" / "stack.json").write_text(json.dumps(description))


def put_terraform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def terraform_output(outputs: dict[str, str] = OUTPUTS) -> str:
    document = json.dumps({name: {"value": value, "type": "string"} for name, value in outputs.items()})
    return f"cat <<'END'\n{document}\nEND"


@pytest.mark.parametrize("target", [Target(), Target(profile="shop"), Target(region="eu-west-1")])
def test_local_stack_is_selected_unless_a_profile_or_region_is_given(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    connections: list[tuple[str | None, str | None]] = []
    monkeypatch.setattr(system_module, "_connect", lambda *given: connections.append(given))
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another account")
    write_stack_file(checkout)
    put_terraform(monkeypatch, checkout, terraform_output())
    system = target.find()
    if target == Target():
        assert (system.is_local, system.origin) == (True, "the local stack at http://127.0.0.1:4566")
        assert system.client("sqs")._request_signer._credentials.token is None
    else:
        assert system.origin == f"the Terraform deployment of {checkout}/terraform-backend"
        assert connections == [(target.profile, target.region or "eu-north-1")]


@pytest.mark.parametrize("text", [None, "", "[]", "{}", "nonsense", '{"endpoint_url": "http://127.0.0.1:1"}'])
def test_invalid_stack_file_is_reported(checkout: Path, text: str | None) -> None:
    if text is not None:
        (checkout / ".local" / "stack.json").write_text(text)
    with pytest.raises(OperatorError, match="is missing or invalid: start a local stack"):
        Target(local=True).find()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo '{}'",
            r"Terraform has applied nothing in .*terraform-backend: .*`make run`, or name .*",
        ),
        (
            "echo '╷' >&2; echo '│ Error: Backend initialization required' >&2; exit 1",
            r"cannot read its outputs .*\(Error: Backend initialization required\)",
        ),
        ("exit 1", "no reason given"),
        (None, "could not be run, FileNotFoundError"),
        (
            terraform_output({"storefront_url": "http://x"}),
            "do not include api_endpoint, notifications_dlq_url, .*. Name another system",
        ),
    ],
)
def test_unusable_terraform_outputs_are_reported(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, message: str
) -> None:
    if script is None:
        monkeypatch.setenv("PATH", str(checkout))
    else:
        put_terraform(monkeypatch, checkout, script)
    with pytest.raises(OperatorError, match=message):
        Target().find()


def test_terraform_runs_in_its_directory_with_the_named_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "another")
    output = json.dumps({"directory": {"value": "DIRECTORY"}, "profile": {"value": "PROFILE"}})
    put_terraform(monkeypatch, tmp_path, f"echo '{output}' | sed \"s,DIRECTORY,$PWD,; s,PROFILE,$AWS_PROFILE,\"")
    assert outputs_of_terraform(tmp_path, "shop") == {"directory": str(tmp_path), "profile": "shop"}
    assert outputs_of_terraform(tmp_path)["profile"] == "another"


@pytest.mark.parametrize(
    ("table", "namespace", "question"),
    [
        ("order-processing-prod-orders", "order-processing/prod", "This is order-processing-prod. Pause?"),
        ("shop-prod-dev-orders", "shop-prod/dev", None),
    ],
)
def test_environment_comes_from_resource_names(table: str, namespace: str, question: str | None) -> None:
    system = System("here", {**OUTPUTS, "orders_table_name": table}, lambda service: service)
    assert (system.metrics_namespace, system.question_in_production("Pause")) == (namespace, question)


@pytest.mark.parametrize(
    ("option", "variable", "region"),
    [("eu-north-1", "eu-west-1", "eu-north-1"), (None, "eu-west-1", "eu-west-1"), (None, "", "us-west-2")],
)
def test_region_comes_from_the_option_or_the_first_variable(
    monkeypatch: pytest.MonkeyPatch, option: str | None, variable: str, region: str
) -> None:
    monkeypatch.setenv("AWS_REGION", variable)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert system_module._connect(None, option)("sqs").meta.region_name == region


@pytest.mark.parametrize(
    ("endpoint", "message"), [("notaurl", "Invalid endpoint: notaurl"), ("http://127.0.0.1:99999", "Port out of range")]
)
@pytest.mark.parametrize("is_local", [False, True])
def test_invalid_endpoint_is_reported(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str, message: str, is_local: bool
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    write_stack_file(checkout, endpoint)
    with pytest.raises(OperatorError, match=f"{message}.*: check AWS_ENDPOINT_URL"):
        (Target(local=True) if is_local else Target(stack="shop", region="eu-west-1")).find().client("sqs")


def test_unreachable_endpoint_is_reported_after_three_retries(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    pauses: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=pauses.append))
    with pytest.raises(EndpointConnectionError):
        Target(stack="shop", region="eu-west-1").find()
    assert len(pauses) == 3
