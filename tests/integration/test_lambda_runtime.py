"""The packaged functions on the Lambda runtime's Python version.

Native libraries require that version, so the functions run in Debian 13, which has it. As in Lambda, the package is
unpacked, boto3 is installed beside it, and the user has read access only. AWS is not reachable.
"""

import json
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import build_lambda
from bench.cold_starts import ENVIRONMENT
from support.deployment.package import lambda_zip
from support.machine.debian import debian_root
from support.sample_orders import SAMPLE_BODY, processed
from support.stub_aws.events import body_of, http_event, sqs_event, stream_event

# The runtime's boto3 and its dependencies; they are pure Python, so the tests' copy is used.
BOTO3_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")

# The user `nobody` may only read the function's files, like Lambda's user.
NOBODY = "65534:65534"

# Reads the event from standard input, and prints the response as the last line, after the log.
INVOKE = """
import importlib, json, sys
handler = importlib.import_module(f"orders.handlers.{sys.argv[1]}").handler
response = handler(json.load(sys.stdin), None)
print(json.dumps({
    "response": response,
    "python": ".".join(map(str, sys.version_info[:2])),
    "files": {name: module.__file__ for name, module in sys.modules.items() if getattr(module, "__file__", None)},
}))
"""

# Nothing listens at this address.
SETTINGS = {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "ORDERS_QUEUE_URL": "http://127.0.0.1:9/0/orders"}

Invoke = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def invoke() -> Iterator[Invoke]:
    """Return a Python function that invokes a Lambda function in a Debian system."""
    debian = debian_root()
    own_folder = Path(tempfile.mkdtemp(prefix="lambda-", dir=debian / "tmp"))
    inside = Path("/") / own_folder.relative_to(debian)

    def invoke(function: str, event: dict[str, Any]) -> dict[str, Any]:
        command = ["chroot", f"--userspec={NOBODY}", str(debian), "/usr/bin/env", "--ignore-environment"]
        command += [f"{name}={value}" for name, value in SETTINGS.items()]
        command += [f"PYTHONPATH={inside}/task:{inside}/site", "PYTHONDONTWRITEBYTECODE=1"]
        command += ["/usr/bin/python3", "-W", "error", "-c", INVOKE, function]
        ran = subprocess.run(command, input=json.dumps(event), capture_output=True, text=True, check=False, timeout=60)
        assert (ran.returncode, ran.stderr) == (0, "")
        *log, last = [json.loads(line) for line in ran.stdout.splitlines()]
        return {"log": log, "task": f"{inside}/task", **last}

    try:
        own_folder.chmod(0o755)
        with zipfile.ZipFile(lambda_zip(build_lambda.target_named("local").machine)) as archive:
            archive.extractall(own_folder / "task")
        site, installed = own_folder / "site", Path(boto3.__file__).parent.parent
        site.mkdir()
        for name in BOTO3_PACKAGES:
            if (installed / name).is_dir():
                shutil.copytree(installed / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(installed / f"{name}.py", site)
        yield invoke
    finally:
        shutil.rmtree(own_folder)


@pytest.mark.parametrize(
    ("function", "event", "status", "code"),
    [
        ("submission", http_event(SAMPLE_BODY.decode()), 503, "QUEUE_UNAVAILABLE"),
        ("submission", http_event('{"quantity": 0}'), 422, "VALIDATION_FAILED"),
        ("status", http_event(order_id=processed().order_id), 503, "STORE_UNAVAILABLE"),
    ],
)
def test_request_gets_a_response_when_aws_is_not_reachable(
    invoke: Invoke, function: str, event: dict[str, Any], status: int, code: str
) -> None:
    invocation = invoke(function, event)

    response = invocation["response"]
    assert (response["statusCode"], body_of(response)["code"]) == (status, code)
    assert invocation["python"] == build_lambda.LAMBDA_PYTHON
    from_elsewhere = {
        name.partition(".")[0]
        for name, file in invocation["files"].items()
        if not file.startswith((invocation["task"], "/usr/lib/python3.13/"))
    }
    assert from_elsewhere <= set(BOTO3_PACKAGES)
    if code == "VALIDATION_FAILED":
        assert invocation["files"]["rpds.rpds"].startswith(f"{invocation['task']}/rpds/rpds.cpython-313-")


def test_event_is_processed_when_it_needs_no_aws(invoke: Invoke) -> None:
    processing = invoke("processing", sqs_event(m="poison"))
    notification = invoke("notification", stream_event(processed(), event_name="MODIFY"))

    assert processing["response"] == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert [line["reason"] for line in processing["log"]] == ["the message is not JSON"]
    assert notification["response"] == {"batchItemFailures": []}
