"""The invariants hold for the template. They also hold for Terraform, because test_parity.py compares both."""

from collections.abc import Mapping

import pytest

from infrastructure.conftest import CHOSEN
from infrastructure.invariants import violations
from infrastructure.test_variables import CERTIFICATE, KEY
from support.repository.cloudformation import Template, parameters_of

EMAIL = {"NotificationEmail": "operations@example.com"}
TOKENS = {"JwtIssuer": "https://login.example.com", "JwtAudience": "shop"}
DOMAIN = {"ApiDomainName": "api.example.com", "ApiCertificateArn": CERTIFICATE}

# Parameter values that could violate an invariant.
PARAMETERS: list[dict[str, str]] = [
    {},
    {"Environment": "prod", "KmsKeyArn": KEY},
    {"ProcessingTimeoutSeconds": "2", "ProcessingMaximumConcurrency": "2", "ProcessingBatchWindowSeconds": "20"},
    {"ProcessingTimeoutSeconds": "900", "ProcessingMaximumConcurrency": "1000"},
    {"ProcessingConcurrencyReserved": "true", "SubmissionReservedConcurrency": "1"},
    {"ProcessingConcurrencyReserved": "true", "ProcessingMaximumConcurrency": "1000"},
    {"ApiThrottlingRateLimit": "1", "ApiThrottlingBurstLimit": "1", "LogRetentionDays": "1"},
    {"NoOrdersAlarmMinutes": "1440", "LatencyAlarmThresholdMs": "100", "RunbookUrl": "https://wiki.example.com/run"},
    {"SubmissionThrottlingRateLimit": "1", "StatusThrottlingBurstLimit": "1"},
    TOKENS,
    DOMAIN,
    parameters_of(CHOSEN),
]


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.read()


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_template_satisfies_every_invariant(template: Template, parameters: Mapping[str, str]) -> None:
    assert list(violations(template.resources(**{**EMAIL, **parameters}))) == []


@pytest.mark.parametrize("seconds", Template.read().document["Parameters"]["ProcessingTimeoutSeconds"]["AllowedValues"])
@pytest.mark.parametrize(("window", "batching"), [(0, 0), (1, 20)])
def test_visibility_timeout_is_six_times_every_allowed_timeout(
    template: Template, seconds: int, window: int, batching: int
) -> None:
    resources = template.resources(
        **EMAIL, ProcessingTimeoutSeconds=str(seconds), ProcessingBatchWindowSeconds=str(window)
    )
    assert int(resources["ProcessingFunction"]["Properties"]["Timeout"]) == seconds
    visibility_timeout = 6 * seconds + batching
    assert resources["OrdersQueue"]["Properties"]["VisibilityTimeout"] == visibility_timeout
    # With a shorter evaluation range, the alarm would return to OK between two deliveries of a failing order.
    for alarm, deliveries in (("ProcessingFailingAlarm", 2), ("ProcessingErrorsAlarm", 1)):
        assert 60 * resources[alarm]["Properties"]["EvaluationPeriods"] >= 60 + deliveries * visibility_timeout
