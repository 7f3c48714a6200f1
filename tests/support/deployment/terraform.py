"""A Terraform folder under test. Terraform runs in a copy, so no state or provider is written to the checkout."""

import json
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from python_terraform import Terraform

from support.prerequisites import require_program
from terraform_provider import init

Values = Mapping[str, Any]

personal_files = shutil.ignore_patterns(
    *(".terraform", "*.tfvars", "*.tfbackend", "*.tfstate*", "*.tfplan", "*_override.tf", "backend.tf")
)

# `terraform init` runs once per folder; later copies reuse its result.
_initialized: dict[Path, Path] = {}


@dataclass(frozen=True)
class Change:
    """A planned change of one resource."""

    address: str
    type: str
    actions: tuple[str, ...]
    attributes: frozenset[str]
    """The attributes that change."""
    unknown: frozenset[str]
    """The attributes that are known only after apply."""


class TerraformError(Exception):
    """A Terraform command failed; the text is its output."""


class Diagnostic(str):
    """The text of an error on one line."""

    file: str
    """The file of the error, or an empty string."""


class Resources(dict[str, dict[str, Any]]):
    """The values of resources by address, such as aws_sqs_queue.orders."""

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        return {address: values for address, values in self.items() if f".{kind}." in f".{address}"}

    def at(self, path: str) -> list[Any]:
        """Return the value at a path below an address, or below each resource of a type; None if it is absent."""
        target, *steps = path.split("/")
        found: list[Any] = [self[target]] if target in self else list(self.of_type(target).values())
        for step in steps:
            found = [dict(enumerate(each)) if isinstance(each, list) else each or {} for each in found]
            found = [each.get(int(step) if step.isdigit() else step) for each in found]
        return found


@dataclass(frozen=True)
class Plan:
    resources: Resources
    """The planned state of all resources, without values that are known only after apply."""
    changes: tuple[Change, ...]
    """The resources that change."""
    data: Resources
    """All data sources. Those that are read during apply have only the values that are known."""
    configuration: Values = field(repr=False)
    """The module's configuration."""
    document: Values = field(repr=False)
    """Terraform's JSON for the whole run."""

    @classmethod
    def read(cls, document: Values, module: str = "") -> "Plan":
        """Return the plan in Terraform's JSON, or its part for a module that the root calls.

        https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
        """
        changes = [_change(raw) for raw in document["resource_changes"] if raw["mode"] == "managed"]
        read_already = document.get("prior_state", {}).get("values", {}).get("root_module", {})
        read_during_apply = {
            raw["address"]: raw["change"]["after"] for raw in document["resource_changes"] if raw["mode"] == "data"
        }
        plan = cls(
            Resources(_resources(document["planned_values"]["root_module"])),
            tuple(change for change in changes if change.actions != ("no-op",)),
            Resources({**dict(_resources(read_already, "data")), **read_during_apply}),
            document["configuration"]["root_module"],
            document,
        )
        return plan._part(module) if module else plan

    def _part(self, module: str) -> "Plan":
        prefix = f"module.{module}."

        def within(resources: Resources) -> Resources:
            named = resources.items()
            return Resources({key.removeprefix(prefix): each for key, each in named if key.startswith(prefix)})

        changes = (each for each in self.changes if each.address.startswith(prefix))
        return Plan(
            within(self.resources),
            tuple(replace(each, address=each.address.removeprefix(prefix)) for each in changes),
            within(self.data),
            self.configuration["module_calls"][module]["module"],
            self.document,
        )


class TerraformRoot:
    """A copy of the Terraform folder `source`, made in `directory` and initialized.

    `environment` is Terraform's whole environment. With `backend_options`, which are options of init, the state is in
    the backend of backend.tf.example; otherwise it is in the directory.
    """

    def __init__(
        self, source: Path, directory: Path, environment: Mapping[str, str], backend_options: Sequence[str] = ()
    ) -> None:
        self.program = require_program("terraform", "install Terraform 1.9 or newer to test the infrastructure")
        self.directory = directory
        self.environment = {**environment, "CHECKPOINT_DISABLE": "1"}
        # python-terraform passes on the whole environment of its process, so a script sets Terraform's.
        launcher = directory.with_name(f"{directory.name}-terraform")
        variables = (f"{name}={value}" for name, value in self.environment.items())
        launcher.parent.mkdir(parents=True, exist_ok=True)
        launcher.write_text(f'#!/bin/sh\nexec env -i {shlex.join([*variables, self.program])} "$@"\n')
        launcher.chmod(0o755)
        self._terraform = Terraform(working_dir=str(directory), terraform_bin_path=str(launcher))
        shutil.copytree(source, directory, ignore=personal_files)
        if backend_options:
            shutil.copy(directory / "backend.tf.example", directory / "backend.tf")
        elif (earlier := _initialized.get(source)) and (earlier / ".terraform").is_dir():
            shutil.copytree(earlier / ".terraform", directory / ".terraform", symlinks=True)
            shutil.copy(earlier / ".terraform.lock.hcl", directory)
            return
        init(self.program, directory, self.environment, options=backend_options)
        if not backend_options and (directory / ".terraform.lock.hcl").exists():
            _initialized[source] = directory

    def plan(self, variables: Values, refresh: bool = True, profile: Path | None = None) -> Plan:
        """Plan with these variables, which override a profile's; raises TerraformError.

        Without `refresh` the state is assumed to be current, which is faster.
        """
        path = str(self.directory / "tests.tfplan")
        options = self._variables(variables, profile)
        self._run("plan", *options, f"-out={path}", "-input=false", f"-refresh={str(refresh).lower()}")
        return Plan.read(json.loads(self._run("show", "-json", path)))

    def errors(self, variables: Values, profile: Path | None = None) -> list[Diagnostic]:
        """Plan with these variables, which override a profile's, and return the errors."""
        _, out, _ = self._call("plan", "-json", "-input=false", *self._variables(variables, profile))
        events = [json.loads(line) for line in out.splitlines()]
        diagnostics = [event["diagnostic"] for event in events if event["type"] == "diagnostic"]
        return [_diagnostic(each) for each in diagnostics if each["severity"] == "error"]

    def apply(self, variables: Values, target: str | None = None) -> None:
        """Apply with these variables, or only the resource of this address; raises TerraformError."""
        targets = [f"-target={target}"] if target else []
        self._run("apply", "-auto-approve", "-input=false", *self._variables(variables), *targets)

    def destroy(self, variables: Values) -> None:
        self._run("destroy", "-auto-approve", "-input=false", *self._variables(variables))

    def applied(self) -> Resources:
        """Return all resources as they were applied."""
        shown = json.loads(self._run("show", "-json"))
        return Resources(_resources(shown.get("values", {}).get("root_module", {})))

    def outputs(self) -> dict[str, Any]:
        outputs = json.loads(self._run("output", "-json"))
        return {name: output["value"] for name, output in outputs.items()}

    def validation_diagnostics(self) -> list[str]:
        _, out, _ = self._call("validate", "-json")
        return [f"{each['severity']}: {each['summary']}" for each in json.loads(out)["diagnostics"]]

    def _variables(self, variables: Values, profile: Path | None = None) -> list[str]:
        path = self.directory / "tests.tfvars.json"
        path.write_text(json.dumps(variables))
        # The last file on the command line takes precedence.
        return [*([f"-var-file={profile}"] if profile else []), f"-var-file={path}"]

    def _run(self, *arguments: str) -> str:
        status, out, err = self._call(*arguments)
        if status != 0:
            raise TerraformError(f"terraform {arguments[0]} failed\n{out}\n{err}")
        return out

    def _call(self, command: str, *arguments: str) -> tuple[int, str, str]:
        status, out, err = self._terraform.cmd(command, "-no-color", *arguments)
        return status, out, err


def _diagnostic(raw: Values) -> Diagnostic:
    diagnostic = Diagnostic(" ".join(f"{raw['summary']}: {raw['detail']}".split()))
    diagnostic.file = raw.get("range", {}).get("filename", "")
    return diagnostic


def _resources(module: Values, mode: str = "managed") -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in module.get("resources", []):
        if resource["mode"] == mode:
            yield resource["address"], resource.get("values", {})
    for child in module.get("child_modules", []):
        yield from _resources(child, mode)


def _change(raw: Values) -> Change:
    change = raw["change"]
    before, after = change["before"] or {}, change["after"] or {}
    unknown = {name for name, is_unknown in (change["after_unknown"] or {}).items() if is_unknown is True}
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return Change(
        raw["address"], raw["type"], tuple(change["actions"]), frozenset(changed | unknown), frozenset(unknown)
    )
