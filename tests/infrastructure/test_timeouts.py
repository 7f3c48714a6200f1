"""If AWS does not respond, each function reports that before its own timeout and the API's."""

import pytest

from support.repository.cloudformation import Template
from support.stub_aws.patience import longest_call_seconds

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
API_SECONDS = 30

# Sequential calls per event: an insert, and a read of orders that are already stored.
CALLS = {"Submission": 1, "Processing": 2, "Status": 1, "Notification": 1}

# For the start, reading the event, logging and responding.
OWN_SECONDS = 1


@pytest.mark.parametrize("function", CALLS)
def test_function_responds_before_its_timeout_and_the_apis(function: str) -> None:
    resources = Template.read().resources(NotificationEmail="operations@example.com")
    timeout = int(resources[f"{function}Function"]["Properties"]["Timeout"])
    assert CALLS[function] * longest_call_seconds() + OWN_SECONDS <= timeout
    if function in ("Submission", "Status"):
        assert timeout < API_SECONDS, "the API would time out before the function responds"
