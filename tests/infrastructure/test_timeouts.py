"""Each function has the time to say that AWS did not answer, and whoever waits for it hears that."""

from typing import Any

import pytest

from support.deployment.terraform import Plan
from support.repository.cloudformation import Template
from support.stub_aws.patience import longest_call_seconds

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
API_SECONDS = 30

# The calls that one event can make one after the other: an insert and a look at what was there already.
CALLS = {"submission": 1, "processing": 2, "status": 1, "notification": 1}
WAITED_FOR = ("submission", "status")

# To start, read the event, log and answer.
OWN_SECONDS = 1

Timeouts = dict[str, int]


@pytest.fixture(scope="module", params=["terraform", "cloudformation"])
def timeouts(request: pytest.FixtureRequest) -> Timeouts:
    """The timeout of each function, as each way to deploy sets it by default."""
    if request.param == "terraform":
        plan: Plan = request.getfixturevalue("plan")
        return {name: plan.resources[f"module.{name}.aws_lambda_function.this"]["timeout"] for name in CALLS}
    resources: dict[str, Any] = Template.read().resources(NotificationEmail="operations@example.com")
    return {name: int(resources[f"{name.capitalize()}Function"]["Properties"]["Timeout"]) for name in CALLS}


def test_every_function_outlasts_its_calls_to_aws(timeouts: Timeouts) -> None:
    for function, calls in CALLS.items():
        assert calls * longest_call_seconds() + OWN_SECONDS <= timeouts[function], (
            f"{function} would be stopped before it can say what is wrong"
        )


def test_the_api_outlasts_every_function_that_a_client_waits_for(timeouts: Timeouts) -> None:
    for function in WAITED_FOR:
        assert timeouts[function] < API_SECONDS, f"the API would answer for {function}, in words of its own"
