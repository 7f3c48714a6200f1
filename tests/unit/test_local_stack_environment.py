"""The local stack and its processes do not use the user's own AWS settings."""

import os
from collections.abc import Mapping

import pytest

from local_stack.aws import AwsConnection, Credentials
from local_stack.environment import essential_environment, tool_environment, without_user_settings

ENDPOINT_URL = "http://127.0.0.1:4566"
CONNECTION = AwsConnection(ENDPOINT_URL, "us-east-1", Credentials("LOCAL1", "secret"))

ORDINARY = {"PATH": "/usr/bin", "HOME": "/home/operator"}
PROXY = {"HTTPS_PROXY": "http://proxy.example.com:3128", "NO_PROXY": "intranet.example.com"}
PERSONAL: Mapping[str, str] = {
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
}
INHERITED = {**ORDINARY, **PROXY, **PERSONAL}


def test_tool_uses_only_the_emulator_and_bypasses_the_proxy_for_it() -> None:
    assert tool_environment(CONNECTION, INHERITED) == {
        **ORDINARY,
        "HTTPS_PROXY": PROXY["HTTPS_PROXY"],
        "NO_PROXY": "intranet.example.com,localhost,.localhost,127.0.0.1",
        "no_proxy": "localhost,.localhost,127.0.0.1",
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


def test_other_programs_get_no_personal_settings() -> None:
    assert without_user_settings(INHERITED) == {**ORDINARY, **PROXY}
    # The emulator reads settings such as AUTH from the environment.
    assert essential_environment({**INHERITED, "AUTH": "false"}) == ORDINARY


def test_client_ignores_personal_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PERSONAL.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    client = CONNECTION.client("sqs")
    credentials = client._get_credentials()
    assert (client.meta.endpoint_url, client.meta.region_name) == (ENDPOINT_URL, "us-east-1")
    assert (credentials.access_key, credentials.token) == ("LOCAL1", None)
