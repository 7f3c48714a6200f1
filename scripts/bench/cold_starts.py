"""Cold starts: from a new interpreter to a loaded handler, in milliseconds and in instructions.

Lambda's task folder is read-only, so every cold start compiles the package, while boto3 has bytecode. The same applies
here: `-B` writes no bytecode, and the virtual environment holds boto3's bytecode.
"""

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.measurement import Measurement

SERVICES = {"submission": "sqs", "processing": "dynamodb", "status": "dynamodb", "notification": "sns"}
"""The AWS service that each function calls."""

# Submission may take longer because it loads the rules of an order.
TARGETS = {"submission": 1.35, "processing": 1.10, "status": 1.10, "notification": 1.10}

# Dummy credentials, and no settings of the user.
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
    # Without this, the order of sets and the number of instructions would differ between runs.
    "PYTHONHASHSEED": "0",
}

PYTHON = [sys.executable, "-s", "-P", "-B", "-c"]
START_FUNCTION = """
import sys
sys.path.insert(0, sys.argv[1])
__import__("orders.handlers." + sys.argv[2])
print("ready", flush=True)
"""
START_BASELINE = """
import sys
import boto3
boto3.client(sys.argv[1])
print("ready", flush=True)
"""
BASELINE = "boto3 and one client"

_TIMEOUT_SECONDS = 600


def start_times(folder: Path, rounds: int) -> Iterator[Measurement]:
    """Measure the time until each function of the package in `folder` is loaded."""
    commands = _commands(folder)
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        _milliseconds_until_ready(command)  # fills the file cache
    order = random.Random(1)  # noqa: S311 - nothing is always measured after the same neighbor
    for _ in range(rounds):
        for name in order.sample(list(commands), len(commands)):
            samples[name].append(_milliseconds_until_ready(commands[name]))
    for function, service in SERVICES.items():
        name = f"cold start, {function}"
        yield Measurement(name, "ms", samples[function], samples[service], BASELINE, TARGETS[function])


def start_instructions(folder: Path) -> Iterator[Measurement]:
    """Count the instructions of each function's start with valgrind, which gives the same on a busy machine."""
    commands = _commands(folder)
    with ThreadPoolExecutor(os.cpu_count()) as valgrinds:
        counts = dict(zip(commands, valgrinds.map(_millions_of_instructions, commands.values()), strict=True))
    for function, service in SERVICES.items():
        name = f"instructions of a cold start, {function}"
        yield Measurement(name, "M", [counts[function]], [counts[service]], BASELINE, TARGETS[function])


def _commands(folder: Path) -> dict[str, list[str]]:
    """Return a command for each function, and one for the baseline of each service."""
    functions = {function: [*PYTHON, START_FUNCTION, str(folder), function] for function in SERVICES}
    return functions | {service: [*PYTHON, START_BASELINE, service] for service in sorted(set(SERVICES.values()))}


def _milliseconds_until_ready(command: list[str]) -> float:
    started = time.perf_counter()
    with subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        milliseconds = 1000 * (time.perf_counter() - started)
    if not ready:
        raise RuntimeError(f"{' '.join(command[len(PYTHON) + 1 :])} did not start")
    return milliseconds


def _millions_of_instructions(command: list[str]) -> float:
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={os.devnull}"]
    ran = subprocess.run(
        [*valgrind, *command],
        env={**ENVIRONMENT, "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    count = re.search(r"I\s+refs:\s+([\d,]+)", ran.stderr)
    if ran.returncode != 0 or count is None:
        raise RuntimeError(f"valgrind could not count instructions: {ran.stderr.strip()[-1000:]}")
    return int(count[1].replace(",", "")) / 1e6
