"""A Terraform folder under test. Terraform runs in a copy, so no state or provider is written to the checkout."""

import json
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_terraform import Terraform

from support.prerequisites import require_program
from terraform_provider import init

Values = Mapping[str, Any]

personal_files = shutil.ignore_patterns(
    *(".terraform", "*.tfvars", "*.tfbackend", "*.tfstate*", "*.tfplan", "*_override.tf", "backend.tf")
)

# The providers that `terraform init` installed, by the lock file. It takes long, because it hashes 700 MB.
_providers: dict[str, Path] = {}


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
    """A plan of a root module, or the part of a module that the root calls."""

    resources: Resources
    """The planned state of all resources, without values that are known only after apply."""
    data: Resources
    """All data sources. Those that are read during apply have only the values that are known."""
    configuration: Values = field(repr=False)
    """The module's configuration."""
    document: Values = field(repr=False)
    """Terraform's JSON for the whole run."""
    warnings: tuple[str, ...]
    """The warnings of the whole run."""

    @classmethod
    def read(cls, document: Values, warnings: Iterable[str], module: str | None = None) -> "Plan":
        """Return a plan in Terraform's JSON.

        https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
        """
        prefix = f"module.{module}." if module else ""

        def within(resources: Iterable[tuple[str, dict[str, Any]]]) -> Resources:
            return Resources({key.removeprefix(prefix): each for key, each in resources if key.startswith(prefix)})

        read_already = document.get("prior_state", {}).get("values", {}).get("root_module", {})
        read_during_apply = [raw for raw in document["resource_changes"] if raw["mode"] == "data"]
        root = document["configuration"]["root_module"]
        return cls(
            within(_resources(document["planned_values"]["root_module"])),
            within(
                [
                    *_resources(read_already, "data"),
                    *((raw["address"], raw["change"]["after"]) for raw in read_during_apply),
                ]
            ),
            root["module_calls"][module]["module"] if module else root,
            document,
            tuple(warnings),
        )

    @property
    def changes(self) -> list[Change]:
        """The resources that change, in the whole run."""
        changes = [_change(raw) for raw in self.document["resource_changes"] if raw["mode"] == "managed"]
        return [change for change in changes if change.actions != ("no-op",)]


class TerraformRoot:
    """A copy of the Terraform folder `source`, made in `directory` and initialized.

    `environment` is Terraform's whole environment.
    """

    def __init__(
        self, source: Path, directory: Path, environment: Mapping[str, str], init_options: Sequence[str] = ()
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
        lock = directory / ".terraform.lock.hcl"
        locked = lock.read_text() if lock.exists() else ""
        # pytest deletes directories of earlier tests.
        if locked and (installed := _providers.get(locked)) and installed.is_dir():
            (directory / ".terraform").mkdir()
            (directory / ".terraform" / "providers").symlink_to(installed)
            self._run("get")
        else:
            init(self.program, directory, self.environment, options=init_options)
            _providers[locked] = directory / ".terraform" / "providers"
        if locked:
            # With checksums, every command would hash the provider again.
            lock.write_text(re.sub(r"(?s)  hashes = \[.*?\]\n", "", lock.read_text()))

    def plan(self, variables: Values) -> Plan:
        """Plan with these variables; raises TerraformError."""
        path = str(self.directory / "tests.tfplan")
        events = self._changed("plan", variables, f"-out={path}")
        return Plan.read(json.loads(self._run("show", "-json", path)), _diagnostics(events, "warning"))

    def planned_actions(self, variables: Values) -> dict[str, str]:
        """Plan without refreshing the state; return the action for each resource that changes."""
        return _actions(self._changed("plan", variables, "-refresh=false"))

    def errors(self, variables: Values) -> list[str]:
        """Plan with these variables and return the errors, each on one line."""
        return _diagnostics(self._events("plan", variables), "error")

    def apply(self, variables: Values) -> dict[str, str]:
        """Apply with these variables; return the action for each resource that changed. Raises TerraformError."""
        return _actions(self._changed("apply", variables, "-auto-approve"))

    def destroy(self, variables: Values) -> None:
        self._changed("destroy", variables, "-auto-approve")

    def applied(self) -> Resources:
        """Return all resources in the local state. `terraform show` would load the provider."""
        resources = Resources()
        for each in json.loads((self.directory / "terraform.tfstate").read_text())["resources"]:
            address = ".".join([*([each["module"]] if "module" in each else []), each["type"], each["name"]])
            for instance in each["instances"] if each["mode"] == "managed" else []:
                key = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
                resources[address + key] = instance["attributes"]
        return resources

    def outputs(self) -> dict[str, Any]:
        outputs = json.loads(self._run("output", "-json"))
        return {name: output["value"] for name, output in outputs.items()}

    def _changed(self, command: str, variables: Values, *options: str) -> list[Any]:
        """Return the events of a command; raises TerraformError."""
        events = self._events(command, variables, *options)
        if errors := _diagnostics(events, "error"):
            raise TerraformError("\n".join([f"terraform {command} failed", *errors]))
        return events

    def _events(self, command: str, variables: Values, *options: str) -> list[Any]:
        """Run a command and return its events.

        https://developer.hashicorp.com/terraform/internals/machine-readable-ui
        """
        path = self.directory / "tests.tfvars.json"
        path.write_text(json.dumps(variables))
        arguments = ("-json", "-no-color", "-input=false", f"-var-file={path}", *options)
        status, out, err = self._terraform.cmd(command, *arguments)
        events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        if status != 0 and not _diagnostics(events, "error"):
            raise TerraformError(f"terraform {command} failed\n{out}\n{err}")
        return events

    def _run(self, command: str, *arguments: str) -> str:
        status, out, err = self._terraform.cmd(command, "-no-color", *arguments)
        if status != 0:
            raise TerraformError(f"terraform {command} failed\n{out}\n{err}")
        return str(out)


class SideBySide(TerraformRoot):
    """A root module that calls a Terraform folder once for each named set of variables, because each run is slow.

    Values come from a variable, because Terraform reports invalid constants before it evaluates rules that compare two
    variables.
    """

    def __init__(
        self, source: Path, directory: Path, environment: Mapping[str, str], sets: Mapping[str, Values]
    ) -> None:
        self.sets = sets
        root = directory / "source"
        shutil.copytree(source, root / "called", ignore=personal_files)
        shutil.copy(source / ".terraform.lock.hcl", root)
        for name, values in sets.items():
            arguments = {each: f"${{var.{name}.{each}}}" for each in values}
            call = {"variable": {name: {"type": "any"}}, "module": {name: {"source": "./called", **arguments}}}
            (root / f"{name}.tf.json").write_text(json.dumps(call))
        super().__init__(root, directory / "root", environment)

    def plans(self) -> dict[str, Plan]:
        """Plan all sets; raises TerraformError."""
        plan = self.plan(self.sets)
        return {name: Plan.read(plan.document, plan.warnings, name) for name in self.sets}


def _diagnostics(events: Iterable[Any], severity: str) -> list[str]:
    diagnostics = [event["diagnostic"] for event in events if event["type"] == "diagnostic"]
    found = [each for each in diagnostics if each["severity"] == severity]
    return [" ".join(f"{each['summary']}: {each['detail']}".split()) for each in found]


def _actions(events: Iterable[Any]) -> dict[str, str]:
    changes = [event["change"] for event in events if event["type"] == "planned_change"]
    return {change["resource"]["addr"]: change["action"] for change in changes}


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
