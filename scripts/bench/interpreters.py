"""Fresh interpreters that hold what Lambda's would: the unpacked zip, boto3, and no bytecode of ours.

Lambda's task folder cannot be written to, so the package is compiled at every cold start; what brings boto3
has its bytecode. Here the same: `-B` writes none, and a virtual environment has its own.
"""

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROBES = Path(__file__).with_name("probes")
BARE = Path(__file__).with_name("bare")

# The AWS service that each function speaks to.
SERVICES = {"submission": "sqs", "processing": "dynamodb", "status": "dynamodb", "notification": "sns"}

# Dummies, and nothing that leads to somebody's account or makes a client look for one.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "ORDERS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/orders",
    "ORDERS_TABLE_NAME": "orders",
    "ORDER_COMPLETED_TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:order-completed",
    # Sets differ in order from run to run; instructions are counted twice the same without that.
    "PYTHONHASHSEED": "0",
}

_TIMEOUT_SECONDS = 300


def unpack(zip_path: Path, folder: Path) -> Path:
    """Unpack the Lambda zip into `folder` and return that."""
    with zipfile.ZipFile(zip_path) as archive:
        archive.extractall(folder)
    return folder


def command(probe: str, *arguments: str | Path) -> list[str]:
    """Return the command that runs a probe in a fresh interpreter."""
    return [sys.executable, "-s", "-P", "-B", str(PROBES / f"{probe}.py"), *map(str, arguments)]


def run(probe: str, *arguments: str | Path, before: Sequence[str] = ()) -> Any:
    """Run a probe, below the command `before` if given; return what it reports as JSON in its last line."""
    ran = subprocess.run(
        [*before, *command(probe, *arguments)],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if ran.returncode != 0:
        raise RuntimeError(f"the probe {probe} failed: {ran.stderr.strip()[-2000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def seconds_until_ready(probe: str, *arguments: str | Path) -> float:
    """Start a probe and return how long it took until it wrote its first byte."""
    started = time.perf_counter()
    with subprocess.Popen(
        command(probe, *arguments), env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.read(1)
        seconds = time.perf_counter() - started
        process.stdout.read()
    if not ready or process.returncode != 0:
        raise RuntimeError(f"the probe {probe} did not get ready")
    return seconds
