"""docs/configuration.md lists every Terraform variable and CloudFormation parameter."""

import re

from support.repository.files import REPOSITORY
from write_configuration import PAGE, updated


def test_page_is_up_to_date_and_lists_every_setting() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert updated(page) == page, "run `make docs`"
    for file, pattern in (
        ("terraform-backend/variables.tf", r'(?m)^variable "(\w+)"'),
        ("terraform-frontend/variables.tf", r'(?m)^variable "(\w+)"'),
        ("cloudformation/order-processing.yaml", r"(?m)^  (\w+):\n    (?:.*\n)*?    ConstraintDescription:"),
    ):
        names = re.findall(pattern, (REPOSITORY / file).read_text(encoding="utf-8"))
        assert names
        assert [name for name in names if f"| `{name}` |" not in page] == []
