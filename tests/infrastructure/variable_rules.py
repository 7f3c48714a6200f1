"""The validation rules of a Terraform folder's variables, evaluated for many sets of values in one plan."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_stack.environment import without_user_settings
from support.deployment.plans import SideBySide
from support.deployment.terraform import Diagnostic, TerraformRoot
from support.repository.files import REPOSITORY


@dataclass(frozen=True)
class Case:
    """An invalid value, the advice of its error message, and other variables that the rule reads."""

    variable: str
    value: Any
    advice: str
    others: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.variable}={self.value!r}"

    @property
    def values(self) -> dict[str, Any]:
        return {**self.others, self.variable: self.value}


def cases(variable: str, advice: str, values: str | Sequence[Any], **others: Any) -> list[Case]:
    """Return a case for each value; "|" separates strings."""
    each_value = values.split("|") if isinstance(values, str) else values
    return [Case(variable, value, advice, others) for value in each_value]


def declared_variables(folder: str) -> list[str]:
    """Return the names of the variables of a Terraform folder."""
    return re.findall(r'(?m)^variable "(\w+)"', (REPOSITORY / folder / "variables.tf").read_text())


def rules_of(folder: str, directory: Path) -> TerraformRoot:
    """Return a root module with only the variables of a Terraform folder. It needs no provider."""
    return TerraformRoot(variables_of(folder, directory), directory / "root", without_user_settings())


def variables_of(folder: str, directory: Path) -> Path:
    """Return a copy of a Terraform folder with only its variables."""
    copy = directory / folder
    copy.mkdir(parents=True)
    shutil.copy(REPOSITORY / folder / "variables.tf", copy)
    return copy


def errors_of_each(folder: str, sets: Sequence[Mapping[str, Any]], directory: Path) -> list[list[Diagnostic]]:
    """Return the validation errors of each set of values, in the order of `sets`."""
    # Small chunks: Terraform's run time grows faster than the number of modules.
    chunks = [sets[start : start + 8] for start in range(0, len(sets), 8)]
    return [
        errors
        for number, chunk in enumerate(chunks)
        for errors in _errors_of_chunk(folder, chunk, directory / str(number))
    ]


def _errors_of_chunk(folder: str, sets: Sequence[Mapping[str, Any]], directory: Path) -> list[list[Diagnostic]]:
    # Every argument is set, so that each error points to the file of its call.
    omitted = dict.fromkeys(declared_variables(folder))
    named = {f"set_{number}": {**omitted, **values} for number, values in enumerate(sets)}
    errors: dict[str, list[Diagnostic]] = {name: [] for name in named}
    for error in SideBySide(variables_of(folder, directory), directory, without_user_settings(), named).errors():
        errors[error.file.removesuffix(".tf.json")].append(error)
    return list(errors.values())
