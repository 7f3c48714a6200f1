"""That nothing of a person's own AWS settings reaches a process of the local stack, or the local stack itself."""

import os
from collections.abc import Mapping

import pytest

from local_stack.aws import AwsConnection, Credentials
from local_stack.environment import essential_environment, tool_environment, without_personal_choices

ENDPOINT_URL = "http://127.0.0.1:4566"
CONNECTION = AwsConnection(ENDPOINT_URL, "us-east-1", Credentials("LOCAL1", "secret"))

# What a person with production at hand may have set.
PERSONAL: Mapping[str, str] = {
    "PATH": "/usr/bin",
    "HOME": "/home/operator",
    "HTTPS_PROXY": "http://proxy.example.com:3128",
    "NO_PROXY": "intranet.example.com",
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_CONFIG_FILE": "/home/operator/work/config",
    "AWS_ENDPOINT_URL": "https://real.example.com",
    "AWS_ENDPOINT_URL_SQS": "https://real.example.com",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_REGION": "eu-central-1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "TF_VAR_environment": "prod",
    "TF_WORKSPACE": "production",
    "TF_CLI_ARGS_apply": "-var environment=prod",
    "TF_DATA_DIR": "/home/operator/terraform",
    "PYTHONPATH": "/home/operator/lib",
    "AUTH": "false",
    "PERSIST_STATE": "0",
}


def test_a_tool_is_led_to_the_emulator_and_nowhere_else() -> None:
    environment = tool_environment(CONNECTION, PERSONAL)
    aws = {name: value for name, value in environment.items() if name.startswith("AWS_")}
    assert aws == {
        "AWS_ENDPOINT_URL": ENDPOINT_URL,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "LOCAL1",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }


@pytest.mark.parametrize("prefix", ["TF_VAR_", "TF_WORKSPACE", "TF_CLI_ARGS", "TF_DATA_DIR", "PYTHON"])
def test_a_tool_does_not_hear_of_other_values_state_or_code(prefix: str) -> None:
    environment = tool_environment(CONNECTION, PERSONAL)
    assert not [name for name in environment if name.startswith(prefix)]


def test_a_tool_goes_past_the_proxy_to_the_emulator_and_through_it_elsewhere() -> None:
    environment = tool_environment(CONNECTION, PERSONAL)
    assert environment["HTTPS_PROXY"] == PERSONAL["HTTPS_PROXY"]
    assert environment["NO_PROXY"] == "intranet.example.com,localhost,.localhost,127.0.0.1"
    assert environment["no_proxy"] == "localhost,.localhost,127.0.0.1"


def test_what_talks_to_no_aws_api_gets_no_aws_settings_either() -> None:
    environment = without_personal_choices(PERSONAL)
    assert environment["PATH"] == PERSONAL["PATH"]
    assert not [name for name in environment if name.startswith(("AWS_", "TF_VAR_", "PYTHON"))]


def test_the_emulator_inherits_only_what_any_program_needs() -> None:
    assert essential_environment(PERSONAL) == {"PATH": "/usr/bin", "HOME": "/home/operator"}


def test_a_client_of_the_emulator_ignores_the_persons_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PERSONAL.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    client = CONNECTION.client("sqs")
    credentials = client._get_credentials()
    assert client.meta.endpoint_url == ENDPOINT_URL
    assert client.meta.region_name == "us-east-1"
    assert (credentials.access_key, credentials.token) == ("LOCAL1", None)
