"""Each function can report that AWS did not respond before its own timeout and the API's."""

import pytest

from support.repository.cloudformation import Template
from support.stub_aws.patience import longest_call_seconds

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
API_SECONDS = 30

# The calls that one event can make in sequence: an insert, and a read of what was stored before.
CALLS = {"Submission": 1, "Processing": 2, "Status": 1, "Notification": 1}

# To start, read the event, log and respond.
OWN_SECONDS = 1


@pytest.mark.parametrize("function", CALLS)
def test_function_outlasts_its_calls_to_aws(function: str) -> None:
    resources = Template.read().resources(NotificationEmail="operations@example.com")
    timeout = int(resources[f"{function}Function"]["Properties"]["Timeout"])
    assert CALLS[function] * longest_call_seconds() + OWN_SECONDS <= timeout
    if function in ("Submission", "Status"):
        assert timeout < API_SECONDS, "the API would respond for the function"
