"""Plans of a Terraform folder for several sets of variables, in one run, because each run loads the provider."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from support.deployment.terraform import Plan, TerraformRoot, Values, personal_files


class SideBySide:
    """A root module that calls a Terraform folder once for each named set of variables.

    Values come from a variable, because Terraform reports invalid constants before it evaluates rules that compare two
    variables.
    """

    def __init__(
        self, source: Path, directory: Path, environment: Mapping[str, str], sets: Mapping[str, Values]
    ) -> None:
        self.sets = sets
        root = directory / "source"
        shutil.copytree(source, root / "called", ignore=personal_files)
        if (source / ".terraform.lock.hcl").exists():
            shutil.copy(source / ".terraform.lock.hcl", root)
        for name, values in sets.items():
            arguments = {each: f"${{var.{name}.{each}}}" for each in values}
            call = {"variable": {name: {"type": "any"}}, "module": {name: {"source": "./called", **arguments}}}
            (root / f"{name}.tf.json").write_text(json.dumps(call))
        self._root = TerraformRoot(root, directory / "root", environment)

    def plans(self) -> dict[str, Plan]:
        """Plan all sets; raises TerraformError."""
        plan = self._root.plan(self.sets)
        return {name: Plan.read(plan.document, plan.warnings, name) for name in self.sets}

    def errors(self) -> list[str]:
        """Plan all sets and return their errors."""
        return self._root.errors(self.sets)
