"""The program for a real account, run against the local stack: it says honestly what this one has and what it lacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_stack import LocalStack
from local_stack.environment import tool_environment
from repository.files import REPOSITORY

PROVEN, FAILED, NOT_TRIED = "proven", "failed", "could not be tried"

# Without what other tests decide about by what they leave behind: alarms, logs and dead letters.
EXPECTED = {
    "alerts-confirmed": NOT_TRIED,  # no e-mail is sent
    "alarms-calm": PROVEN,
    "waiting-measured": NOT_TRIED,  # no such metric
    "events-counted": NOT_TRIED,  # no TestMetricFilter
    "traces": NOT_TRIED,  # no X-Ray
    "gateway-answers": FAILED,  # no limit of 10 MiB: the function answers
    "access-log": NOT_TRIED,  # none is written
    "token": NOT_TRIED,  # none is asked for
    "throttle": FAILED,  # forgotten of a CloudFormation deployment
    "order": PROVEN,
    "doubled-key": PROVEN,
    "restore": FAILED,  # forgotten of a CloudFormation deployment
    "batches": PROVEN,
    "plain-http": NOT_TRIED,
    "key": NOT_TRIED,  # none is chosen
    "web-servers": NOT_TRIED,
    "sessions": NOT_TRIED,
    "refresh": NOT_TRIED,
}


@pytest.fixture(scope="module")
def finished(local_stack: LocalStack) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(REPOSITORY / "scripts" / "verify_aws.py")]
    options = ["--outputs", str(local_stack.settings.local_directory / "stack.json")]
    options += ["--agree", "orders", "--agree", "load"]
    for name in EXPECTED:
        options += ["--only", name]
    return subprocess.run(
        [*command, *options],
        env=tool_environment(local_stack.connection),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_says_what_the_local_stack_has_and_what_it_lacks(finished: "subprocess.CompletedProcess[str]") -> None:
    heading, *lines, summary = finished.stdout.splitlines()
    assert heading == "order-processing-dev in account 000000000000, us-east-1"
    found = {name: verdict for verdict, name, *_ in (line.split("  ") for line in _squeezed(lines))}
    assert found == EXPECTED, finished.stdout + finished.stderr
    assert finished.returncode == 1, "something is lacking"
    assert summary == "4 proven, 3 failed, 11 could not be tried"


def _squeezed(lines: list[str]) -> list[str]:
    """Return the lines with two spaces between columns."""
    return ["  ".join(part.strip() for part in line.split("  ") if part.strip()) for line in lines]


def test_a_deployment_that_is_not_there_is_an_error_of_one_line(local_stack: LocalStack, tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(json.dumps({"endpoint_url": local_stack.endpoint_url}))
    for option in (["--stack", "nowhere"], ["--outputs", str(tmp_path / "stack.json")], []):
        finished = subprocess.run(
            [sys.executable, REPOSITORY / "scripts" / "verify_aws.py", *option],
            env={**tool_environment(local_stack.connection), "PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert finished.returncode == 2, finished.stdout
        [line] = finished.stderr.splitlines()
        assert line.startswith("verify_aws: ")
