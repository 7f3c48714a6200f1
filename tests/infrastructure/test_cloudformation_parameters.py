"""The template accepts and rejects the same values as Terraform. The cases are those of test_variables.py."""

from collections.abc import Iterator

import pytest

from infrastructure.test_cloudformation_template import NOT_PARAMETERS
from infrastructure.test_variables import BACKEND_REJECTED, extreme
from infrastructure.variable_rules import Case
from support.repository.cloudformation import Template, parameter_value, parameters_of
from write_configuration import OTHER_NAMES, parameter_of

EMAIL = {"NotificationEmail": "operations@example.com"}
TEMPLATE = Template.read()
PARAMETERS = TEMPLATE.document["Parameters"]


def terraform_cases() -> Iterator[Case]:
    for case in BACKEND_REJECTED:
        if case.variable in NOT_PARAMETERS or case.variable in OTHER_NAMES:
            continue
        if case.value == "Operations@EXAMPLE.com":
            continue  # CloudFormation compares case-sensitively
        name, value = parameter_of(case.variable), parameter_value(case.value)
        if value == PARAMETERS[name].get("Default"):
            continue  # the default: empty here, null in Terraform
        if isinstance(case.value, list) and ("," in value or value != value.strip()):
            continue  # CloudFormation splits it at commas and trims it
        yield Case(name, value, case.advice.replace(case.variable, name))


CASES = [
    *terraform_cases(),
    Case("CorsAllowedOrigins", "https://a.example.com,shop", "scheme://host[:port]"),
    Case("DeletionProtectionEnabled", "yes", '"true" or "false"'),
    Case("DeletionProtectionEnabled", "True", '"true" or "false"'),
    Case("ProcessingConcurrencyReserved", "", '"true"'),
    Case("ProcessingConcurrencyReserved", "10", '"true"'),
    Case("ProcessingMaximumConcurrency", "ten", "from 2 to 1000"),
    Case("ProcessingBatchWindowSeconds", "21", "from 0 to 20"),
    Case("NotificationParallelizationFactor", "2.5", "from 1 to 10"),
    Case("ProcessingTimeoutSeconds", "31", "Below 2, a cold start cannot finish"),
    Case("SubmissionReservedConcurrency", "010", "with 0 every order is rejected"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_invalid_value_is_rejected_with_the_advice_of_terraform(case: Case) -> None:
    advice = TEMPLATE.rejections(**{**EMAIL, case.variable: case.value})
    assert any(case.advice in each for each in advice), advice


@pytest.mark.parametrize("number", [0, 1], ids=["smallest", "largest"])
def test_extreme_values_are_accepted(number: int) -> None:
    values = extreme("terraform-backend", number).items()
    same = {name: value for name, value in values if name not in NOT_PARAMETERS and name not in OTHER_NAMES}
    assert TEMPLATE.rejections(**{**EMAIL, **parameters_of(same)}) == []


def test_only_notification_email_is_required() -> None:
    assert TEMPLATE.rejections(**EMAIL) == []
    assert TEMPLATE.rejections() == [PARAMETERS["NotificationEmail"]["ConstraintDescription"]]
