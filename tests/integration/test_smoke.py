"""`make smoke` against the local stack: checks that the emulator does not support are skipped."""

import re
import subprocess
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import EndpointConnectionError

from local_stack import LocalStack
from local_stack.environment import tool_environment
from smoke.system import NoSystemError, find_system
from support.prerequisites import require_program
from support.repository.files import REPOSITORY

# Omits tests of alarms and logs, because their results depend on other tests of this run.
EXPECTED = {
    "alert_emails_are_confirmed": "SKIPPED",  # the emulator sends no e-mail
    "age_of_waiting_orders_is_measured": "SKIPPED",  # the emulator lacks this metric
    "metric_filters_match_their_events": "SKIPPED",  # the emulator lacks TestMetricFilter
    "traces_are_recorded": "SKIPPED",  # the emulator lacks X-Ray
    "dead_letter_raises_only_the_alarm_of_its_queue": "SKIPPED",  # requires SMOKE_WRITE=alarms
    "request_without_a_token_is_rejected": "SKIPPED",
    "order_is_processed": "PASSED",
    "repeated_idempotency_key_returns_the_same_order": "PASSED",
    "event_source_mappings_are_enabled_and_report_failures": "PASSED",
    "request_without_tls_is_rejected": "SKIPPED",
    "data_is_encrypted_with_the_customer_managed_key": "SKIPPED",
    "web_servers_are_healthy": "SKIPPED",
    "session_manager_reaches_all_web_servers": "SKIPPED",
    "web_servers_run_the_same_release": "SKIPPED",
}


def test_smoke_skips_checks_that_the_emulator_does_not_support(local_stack: LocalStack) -> None:
    """Run the recipe of `make smoke` without its set-up."""
    make = [require_program("make", "install GNU make"), "--dry-run", "--no-print-directory", "smoke"]
    recipe = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    ran = subprocess.run(
        ["sh", "-c", f"{recipe} -p no:cacheprovider"],
        cwd=REPOSITORY,
        env=tool_environment(local_stack.connection) | {"STACK": "order-processing-dev", "SMOKE_WRITE": "orders"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    found = dict(re.findall(r"::test_(\w+) (PASSED|SKIPPED|FAILED)", ran.stdout))
    assert EXPECTED.items() <= found.items(), ran.stdout + ran.stderr
    assert "allow it with SMOKE_WRITE=alarms" in ran.stdout


def test_smoke_needs_a_deployment_and_permission_for_prod(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"prod": {"dashboard_name": "shop-prod"}, "other": {"bucket": "files"}}
    monkeypatch.setattr("smoke.system.outputs_of_terraform", lambda directory: outputs[directory.name])
    monkeypatch.setattr(
        "smoke.system.outputs_of_stack", MagicMock(side_effect=EndpointConnectionError(endpoint_url="x"))
    )
    for variables, reason in (
        ({}, "name one deployment, such as STACK="),
        ({"STACK": "nowhere", "TERRAFORM": "other"}, "name one deployment"),
        ({"STACK": "nowhere"}, "the deployment to check was not found: "),
        ({"TERRAFORM": "other"}, "none of this system's outputs"),
        ({"TERRAFORM": "prod"}, "this is prod. Check another environment, or set SMOKE_PROD=yes"),
    ):
        with pytest.raises(NoSystemError, match=reason):
            find_system(variables)
    assert find_system({"TERRAFORM": "prod", "SMOKE_PROD": "yes"}).prefix == "shop-prod"


def test_unproven_claims_name_smoke_tests() -> None:
    tests = {
        name.replace("_", "-")
        for path in (REPOSITORY / "tests" / "smoke").glob("test_*.py")
        for name in re.findall(r"(?m)^def test_(\w+)\(", path.read_text())
    }
    named = set(re.findall(r"(?m)\| `([a-z-]+)`[^|]*\|$", (REPOSITORY / "docs" / "unproven.md").read_text()))
    assert named == tests
