"""The zip for AWS, answering events under the Lambda runtime's own version of Python.

The tests' Python may be older than the runtime's, and the zip's native libraries load in the runtime's
only. Debian 13 has that version, so each function is started there as Lambda does it: the zip unpacked,
boto3 beside it and not inside, a user who may only read, a process of its own for each cold start. AWS is not
reachable; tests/e2e runs the functions with the emulator.
"""

import importlib.util
import json
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import build_lambda
from support.deployment.package import lambda_zip
from support.machine.debian import debian_root
from support.sample_orders import SAMPLE_BODY, processed
from support.stub_aws.events import body_of, http_event, sqs_event, stream_event

# What python3.13 brings along of boto3; all of it pure Python, so the tests' own copy serves.
BOTO3_AND_ALL_IT_IMPORTS = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")

# The user `nobody`: may read the function's files and write none, like Lambda's own.
NOBODY = "65534:65534"

# Reads the event from standard input; prints the answer as the last line, after whatever the function logged.
INVOKE = """
import importlib, json, sys
handler = importlib.import_module(f"orders.handlers.{sys.argv[1]}").handler
answer = handler(json.load(sys.stdin), None)
print(json.dumps({
    "answer": answer,
    "python": ".".join(map(str, sys.version_info[:2])),
    "files": {name: module.__file__ for name, module in sys.modules.items() if getattr(module, "__file__", None)},
}))
"""

ENVIRONMENT = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "ORDERS_QUEUE_URL": "http://127.0.0.1:9/000000000000/orders",
    "ORDERS_TABLE_NAME": "orders",
    "ORDER_COMPLETED_TOPIC_ARN": "arn:aws:sns:eu-central-1:000000000000:order-completed",
}


@pytest.fixture(scope="module")
def invoke() -> Iterator[Callable[[str, dict[str, Any]], dict[str, Any]]]:
    """Return a function that starts a function's zip in a Debian system and hands it an event."""
    debian = debian_root("debian13", "trixie", ["python3"])
    own_folder = Path(tempfile.mkdtemp(prefix="lambda-", dir=debian / "tmp"))
    inside = Path("/") / own_folder.relative_to(debian)

    def invoke(function: str, event: dict[str, Any]) -> dict[str, Any]:
        command = ["chroot", f"--userspec={NOBODY}", str(debian), "/usr/bin/env", "--ignore-environment"]
        command += [f"{name}={value}" for name, value in ENVIRONMENT.items()]
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
        copy_boto3(own_folder / "site")
        yield invoke
    finally:
        shutil.rmtree(own_folder)


def copy_boto3(site: Path) -> None:
    """Copy boto3 and what it imports from the tests' own environment."""
    site.mkdir()
    for name in BOTO3_AND_ALL_IT_IMPORTS:
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        origin = Path(found.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, site / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, site)


Invoke = Callable[[str, dict[str, Any]], dict[str, Any]]
ORDER_ID = processed().order_id


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        (http_event(SAMPLE_BODY.decode()), 503, "QUEUE_UNAVAILABLE"),
        (http_event('{"quantity": 0}'), 422, "VALIDATION_FAILED"),
        (http_event(order_id=ORDER_ID), 503, "STORE_UNAVAILABLE"),
        (http_event(order_id="never issued"), 404, "ORDER_NOT_FOUND"),
    ],
)
def test_a_request_is_answered_without_a_reachable_aws(
    invoke: Invoke, event: dict[str, Any], status: int, code: str
) -> None:
    answer = invoke("status" if "pathParameters" in event else "submission", event)["answer"]

    assert (answer["statusCode"], body_of(answer)["code"]) == (status, code)


def test_messages_and_changes_that_need_no_aws_are_processed(invoke: Invoke) -> None:
    processing = invoke("processing", sqs_event(m="poison"))
    notification = invoke("notification", stream_event(processed(), event_name="MODIFY"))

    assert processing["answer"] == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert [line["reason"] for line in processing["log"]] == ["the message is not JSON"]
    assert notification["answer"] == {"batchItemFailures": []}


def test_only_the_zip_boto3_and_the_runtimes_python_are_used(invoke: Invoke) -> None:
    invocation = invoke("submission", http_event("{}"))

    assert invocation["python"] == build_lambda.LAMBDA_PYTHON
    assert invocation["files"]["rpds.rpds"].startswith(f"{invocation['task']}/rpds/rpds.cpython-313-")
    from_elsewhere = {
        name.partition(".")[0]
        for name, file in invocation["files"].items()
        if not file.startswith((invocation["task"], "/usr/lib/python3.13/"))
    }
    assert from_elsewhere <= set(BOTO3_AND_ALL_IT_IMPORTS)
