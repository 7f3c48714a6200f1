"""docs/configuration.md lists every Terraform variable and CloudFormation parameter."""

import re

import pytest

from support.repository.files import REPOSITORY
from write_configuration import PAGE, parameters, updated, variables


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_page_is_up_to_date(page: str) -> None:
    assert updated(page) == page, "run `make docs`"
    behind = page.replace("| `processing_timeout_seconds` | `30` |", "| `processing_timeout_seconds` | `3` |")
    assert updated(behind) == page != behind


def test_page_lists_every_variable_and_parameter(page: str) -> None:
    for folder in ("terraform-backend", "terraform-frontend"):
        text = (REPOSITORY / folder / "variables.tf").read_text(encoding="utf-8")
        declared = re.findall(r"variable\s+\"(.+?)\"", text)
        assert [variable.name for variable in variables(folder)] == declared
        assert all(f"\n| `{name}` |" in page for name in declared)
    template = (REPOSITORY / "cloudformation" / "order-processing.yaml").read_text(encoding="utf-8")
    names = [parameter.name for parameter in parameters()]
    assert len(names) == template.count("\n    ConstraintDescription:")
    assert all(f" | `{name}` |" in page for name in names)
