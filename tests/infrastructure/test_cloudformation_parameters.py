"""The template accepts and rejects the same values as Terraform. The cases are those of test_backend_variables.py."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infrastructure.test_backend_variables import ACCEPTED, REFUSED
from infrastructure.test_cloudformation_template import NOT_PARAMETERS
from infrastructure.variable_rules import Case
from support.deployment.cloudformation import Stack
from support.deployment.emulator import Emulator
from support.repository.cloudformation import Template, parameter_value, parameters_of
from write_configuration import OTHER_NAMES, parameter_of

EMAIL = {"NotificationEmail": "operations@example.com"}
DOCUMENT = Template.read().document
PARAMETERS = DOCUMENT["Parameters"]

Propose = Callable[[dict[str, str]], None]


def terraform_cases() -> Iterator[Case]:
    for case in REFUSED:
        if case.variable in NOT_PARAMETERS or case.variable in OTHER_NAMES:
            continue
        if case.value == "Operations@EXAMPLE.com":
            continue  # CloudFormation compares case-sensitively
        name, value = parameter_of(case.variable), parameter_value(case.value)
        if value == PARAMETERS[name].get("Default"):
            continue  # empty is the default here, and null there
        if isinstance(case.value, list) and ("," in value or value != value.strip()):
            continue  # CloudFormation splits it in two, or trims it
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
    Case("SubmissionReservedConcurrency", "010", "with 0 every order is refused"),
]


@pytest.fixture(scope="module")
def propose(emulator: Emulator, lambda_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Propose:
    """Return a function that proposes a new stack with these parameters. It raises ClientError if they are invalid."""
    stack = Stack("proposed", tmp_path_factory.mktemp("stack"), emulator)
    stack.take_code(lambda_zip)
    template_url, cloudformation = stack.package(), emulator.client("cloudformation")

    def propose(parameters: dict[str, str]) -> None:
        cloudformation.create_change_set(
            StackName="proposed",
            ChangeSetName="proposal",
            ChangeSetType="CREATE",
            TemplateURL=template_url,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        )
        cloudformation.delete_stack(StackName="proposed")

    return propose


@pytest.mark.parametrize("case", CASES, ids=str)
def test_invalid_value_is_rejected_with_the_advice_of_terraform(case: Case, propose: Propose) -> None:
    with pytest.raises(ClientError) as refusal:
        propose({**EMAIL, case.variable: case.value})
    assert refusal.value.response["Error"]["Code"] == "ValidationError"
    assert case.variable in refusal.value.response["Error"]["Message"]
    # CloudFormation prints the advice; the emulator prints it only for some kinds of rules.
    texts = [PARAMETERS[case.variable]["ConstraintDescription"]]
    texts += [each["AssertDescription"] for rule in DOCUMENT["Rules"].values() for each in rule["Assertions"]]
    assert any(case.advice in text for text in texts)


@pytest.mark.parametrize("values", ACCEPTED, ids=["smallest", "largest"])
def test_extreme_values_are_accepted(values: dict[str, Any], propose: Propose) -> None:
    same = {name: value for name, value in values.items() if name not in NOT_PARAMETERS and name not in OTHER_NAMES}
    propose({**EMAIL, **parameters_of(same)})


def test_only_notification_email_is_required(propose: Propose) -> None:
    propose(EMAIL)
    with pytest.raises(ClientError, match="NotificationEmail"):
        propose({})
