"""The template refuses what Terraform refuses, and takes what it takes: the cases are those of the Terraform variables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infrastructure.test_backend_variables import ACCEPTED, REFUSED
from infrastructure.test_cloudformation_template import NOT_PARAMETERS
from support.deployment.cloudformation import Stack
from support.deployment.emulator import running_emulator
from support.repository.cloudformation import Template
from write_configuration import OTHER_NAMES, parameter_of

REGION = "eu-west-1"
EMAIL = {"NotificationEmail": "operations@example.com"}
DOCUMENT = Template.read().document
PARAMETERS = DOCUMENT["Parameters"]

Propose = Callable[[dict[str, str]], None]


@dataclass(frozen=True)
class Case:
    """A value to be refused, and the advice that helps."""

    parameter: str
    value: str
    advice: str

    def __str__(self) -> str:
        return f"{self.parameter}={self.value!r}"


def _text(value: Any) -> str:
    """Return a Terraform value as it is written on the command line of CloudFormation."""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _terraforms_cases() -> Iterator[Case]:
    for case in REFUSED:
        if case.variable in NOT_PARAMETERS or case.variable in OTHER_NAMES:
            continue
        name, value = parameter_of(case.variable), _text(case.value)
        if value == PARAMETERS[name].get("Default"):
            continue  # What is left out is empty here, and null there.
        if isinstance(case.value, list) and ("," in value or value != value.strip()):
            continue  # Becomes a list of two, or is trimmed, before it is looked at.
        yield Case(name, value, case.advice.replace(case.variable, name))


CASES = [
    *_terraforms_cases(),
    Case("CorsAllowedOrigins", "https://a.example.com,shop", "scheme://host[:port]"),
    Case("DeletionProtectionEnabled", "yes", '"true" or "false"'),
    Case("DeletionProtectionEnabled", "True", '"true" or "false"'),
    Case("ProcessingConcurrencyReserved", "", '"true"'),
    Case("ProcessingConcurrencyReserved", "10", '"true"'),
    Case("ProcessingMaximumConcurrency", "ten", "from 2 to 1000"),
    Case("NotificationParallelizationFactor", "2.5", "from 1 to 10"),
    Case("ProcessingTimeoutSeconds", "31", "Below 2, a cold start cannot finish"),
    Case("SubmissionReservedConcurrency", "010", "with 0 every order is refused"),
]


@pytest.fixture(scope="module")
def propose(lambda_zip: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Propose]:
    """Return a function that asks for a new stack with these parameters; it raises ClientError if they are refused."""
    with running_emulator(tmp_path_factory.mktemp("emulator"), REGION) as emulator:
        stack = Stack("orders", tmp_path_factory.mktemp("stack"), emulator)
        stack.take_code(lambda_zip)
        template_url, cloudformation = stack.package(), emulator.client("cloudformation")

        def ask(parameters: dict[str, str]) -> None:
            cloudformation.create_change_set(
                StackName="orders",
                ChangeSetName="proposal",
                ChangeSetType="CREATE",
                TemplateURL=template_url,
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            )
            cloudformation.delete_stack(StackName="orders")

        yield ask


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_wrong_value_is_refused(case: Case, propose: Propose) -> None:
    with pytest.raises(ClientError) as refusal:
        propose({**EMAIL, case.parameter: case.value})
    assert refusal.value.response["Error"]["Code"] == "ValidationError"
    assert case.parameter in refusal.value.response["Error"]["Message"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_advice_is_terraforms(case: Case) -> None:
    # In the template's own words: CloudFormation shows them, the emulator not for every kind of rule.
    words = [PARAMETERS[case.parameter]["ConstraintDescription"]]
    words += [each["AssertDescription"] for rule in DOCUMENT["Rules"].values() for each in rule["Assertions"]]
    assert any(case.advice in each for each in words)


@pytest.mark.parametrize("values", ACCEPTED, ids=["smallest", "largest"])
def test_the_smallest_and_largest_sensible_values_are_accepted(values: dict[str, Any], propose: Propose) -> None:
    alike = {name: value for name, value in values.items() if name not in NOT_PARAMETERS and name not in OTHER_NAMES}
    propose({**EMAIL, **{parameter_of(name): _text(value) for name, value in alike.items()}})


def test_only_the_address_for_alarms_has_to_be_given(propose: Propose) -> None:
    propose(EMAIL)
    with pytest.raises(ClientError, match="NotificationEmail"):
        propose({})
