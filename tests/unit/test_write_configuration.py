"""docs/configuration.md says of every setting what the Terraform variables and CloudFormation parameters say."""

import re

import pytest

from repository.files import REPOSITORY
from write_configuration import PAGE, Setting, brought_up_to_date, parameters, variables


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_variables_and_parameters(page: str) -> None:
    assert brought_up_to_date(page) == page, "run `make docs`"


def test_a_table_that_is_behind_is_written_anew(page: str) -> None:
    behind = page.replace("| `processing_timeout_seconds` | `30` |", "| `processing_timeout_seconds` | `3` |")
    assert behind != page
    assert brought_up_to_date(behind) == page


def test_a_table_of_nothing_that_is_known_is_refused() -> None:
    with pytest.raises(KeyError, match="terraform-middle"):
        brought_up_to_date("<!-- terraform-middle, by `make docs` -->\n<!-- end -->\n")


@pytest.mark.parametrize("folder", ["terraform-backend", "terraform-frontend"])
def test_no_variable_is_passed_over(folder: str, page: str) -> None:
    text = (REPOSITORY / folder / "variables.tf").read_text(encoding="utf-8")
    declared = re.findall(r"variable\s+\"(.+?)\"", text)
    assert [variable.name for variable in variables(folder)] == declared
    assert all(f"\n| `{name}` |" in page for name in declared)


def test_no_parameter_is_passed_over(page: str) -> None:
    template = (REPOSITORY / "cloudformation" / "order-processing.yaml").read_text(encoding="utf-8")
    declared = template.count("\n    ConstraintDescription:")
    names = [parameter.name for parameter in parameters()]
    assert len(names) == declared, "each parameter says what to choose, and nothing else does"
    assert all(f" | `{name}` |" in page for name in names)


@pytest.mark.parametrize(
    ("description", "meaning"),
    [
        ('Region, e.g. "eu-central-1". Null takes the environment\'s.', None),
        ("Region, e.g. any. More is said elsewhere.", "Region, e.g. any."),
        ("A network. its_subnets must lead out. Null makes one.", "A network. Null makes one."),
        ("Days that logs are kept.", None),
    ],
)
def test_a_setting_is_told_by_its_first_sentence_and_by_what_null_means(description: str, meaning: str | None) -> None:
    assert Setting("name", None, description).meaning == (meaning or description)
