"""The validation rules of a Terraform folder's variables, evaluated for many sets of values in one plan."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_stack.environment import without_user_settings
from support.deployment.terraform import TerraformRoot
from support.repository.files import REPOSITORY
from write_configuration import variables


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


def defaults_of(folder: str) -> dict[str, str | None]:
    """Return each variable's default in Terraform's language, or None if a value is required."""
    cells = {name: cell for name, (cell, _) in variables(folder).items()}
    return {name: None if cell == "**required**" else cell.strip("`") for name, cell in cells.items()}


def errors_of_each(folder: str, sets: Sequence[Mapping[str, Any]], directory: Path) -> list[list[str]]:
    """Return the validation errors of each set of values, in the order of `sets`. Omitted variables are null."""
    rules = (REPOSITORY / folder / "variables.tf").read_text()
    names = re.findall(r'(?m)^variable "(\w+)"', rules)
    # Each error begins with the number of its set. No provider is needed, because there are only variables.
    numbered = re.sub(r'(?m)^( +error_message += ")', r"\1${var.set}: ", rules)
    arguments = {name: f"${{each.value.{name}}}" for name in names}
    called = {"source": "./called", "for_each": "${var.sets}", "set": "${each.key}", **arguments}
    source = directory / "source"
    (source / "called").mkdir(parents=True)
    (source / "called" / "variables.tf").write_text(f'{numbered}\nvariable "set" {{}}\n')
    (source / "main.tf.json").write_text(json.dumps({"variable": {"sets": {"type": "any"}}, "module": {"set": called}}))
    root = TerraformRoot(source, directory / "root", without_user_settings())
    omitted = dict.fromkeys(names)
    waiting = {str(number): {**omitted, **values} for number, values in enumerate(sets)}
    errors: list[list[str]] = [[] for _ in sets]
    # If a variable is invalid in one set, Terraform skips the rules of other variables that read it, in every set.
    while found := root.errors({"sets": waiting}):
        for error in found:
            # An error about the type names the set instead.
            match = re.match(r'Invalid value for variable: (\d+): |.* for module\.set\["(\d+)"\]', error)
            assert match, error
            number = match[1] or match[2]
            errors[int(number)].append(error)
            waiting.pop(number, None)
    return errors
