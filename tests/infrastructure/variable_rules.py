"""The rules that Terraform variables keep to, tried on variables.tf alone: it takes no provider and no time."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_stack.environment import without_personal_choices
from support.deployment.terraform import TerraformRoot
from support.repository.files import REPOSITORY


@dataclass(frozen=True)
class Case:
    """A value to be refused, what the message advises, and the other variables that the rule looks at."""

    variable: str
    value: Any
    advice: str
    others: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.variable}={self.value!r}"

    @property
    def values(self) -> dict[str, Any]:
        return {**self.others, self.variable: self.value}


def rules_of(folder: str, directory: Path) -> TerraformRoot:
    """Return the variables of a Terraform folder without anything else, as a root in a new `directory`."""
    source = directory / "source"
    source.mkdir(parents=True)
    shutil.copy(REPOSITORY / folder / "variables.tf", source)
    return TerraformRoot(source, directory / "variables", without_personal_choices())


def assert_refused(case: Case, rules: TerraformRoot, required: Mapping[str, Any]) -> None:
    """See a value refused by one rule and with its advice; `required` are the variables that have no default."""
    errors = rules.errors({**required, **case.values})
    assert len(errors) == 1, f"{case} is to be refused by one rule: {errors}"
    assert case.advice in errors[0], f"{case} is to be refused with the advice that helps"
