"""A Terraform folder under test: python-terraform and its quirks, wrapped once.

Terraform runs in a copy of the folder, so that no state and no provider ends up in the checkout.
"""

import json
import os
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from python_terraform import IsFlagged, IsNotFlagged, Terraform

from support.prerequisites import require_program
from terraform_provider import init

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What a plan is going to do with one resource."""

    address: str
    type: str
    actions: tuple[str, ...]
    attributes: frozenset[str]
    """The attributes that change."""
    unknown: frozenset[str]
    """The attributes that are known only after apply."""


class TerraformError(Exception):
    """A Terraform command failed; the text is what it said."""


class Resources(dict[str, dict[str, Any]]):
    """The values of resources by address, such as aws_sqs_queue.orders."""

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the resources of a type, modules included, by address."""
        return {address: values for address, values in self.items() if f".{kind}." in f".{address}"}


@dataclass(frozen=True)
class Plan:
    """What Terraform is going to do."""

    resources: Resources
    """All resources as they will be; what is known only after apply is missing."""
    changes: tuple[Change, ...]
    """The resources that will not stay as they are."""
    data: Resources
    """All data sources, read already or with what is known of them before they are read during apply."""
    document: Values = field(repr=False)
    """The same as other tools read it.

    https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
    """


class TerraformRoot:
    """A working copy of the Terraform folder `source`, made in `directory` and initialized.

    `environment` is all that Terraform sees of the environment. With `backend_options`, options of init,
    the state is kept where backend.tf.example says, otherwise in the directory.
    """

    def __init__(
        self,
        source: Path,
        directory: Path,
        environment: Mapping[str, str],
        backend_options: Sequence[str] = (),
    ) -> None:
        program = require_program("terraform", "install Terraform 1.9 or newer to test the infrastructure")
        shutil.copytree(
            source,
            directory,
            ignore=shutil.ignore_patterns(
                ".terraform", "*.tfvars", "*.tfbackend", "*.tfstate*", "*.tfplan", "*_override.tf", "backend.tf"
            ),
        )
        if backend_options:
            shutil.copy(directory / "backend.tf.example", directory / "backend.tf")
        self._environment = {**environment, "CHECKPOINT_DISABLE": "1"}
        self.directory = directory
        self._program = program
        init(program, directory, self._environment, options=backend_options)
        self._terraform = Terraform(working_dir=str(directory), terraform_bin_path=program)

    def plan(self, variables: Values, refresh: bool = True, profile: Path | None = None) -> Plan:
        """Plan with these variables, over those of a profile; raises TerraformError.

        Without `refresh` what was applied is taken for what is there, which is faster.
        """
        path = str(self.directory / "tests.tfplan")
        self._run("plan", **_values(variables, profile), out=path, input=False, refresh=refresh)
        shown = json.loads(self._run("show", path, json=IsFlagged))
        changes = [_change(raw) for raw in shown["resource_changes"] if raw["mode"] == "managed"]
        read_already = shown.get("prior_state", {}).get("values", {}).get("root_module", {})
        read_during_apply = {
            raw["address"]: raw["change"]["after"] for raw in shown["resource_changes"] if raw["mode"] == "data"
        }
        return Plan(
            Resources(_resources(shown["planned_values"]["root_module"])),
            tuple(change for change in changes if change.actions != ("no-op",)),
            Resources({**dict(_resources(read_already, "data")), **read_during_apply}),
            shown,
        )

    def errors(self, variables: Values, profile: Path | None = None) -> list[str]:
        """Plan with these variables, over those of a profile, and return what Terraform reports as errors.

        Each is on one line.
        """
        _, out, _ = self._call("plan", **_values(variables, profile), json=IsFlagged, input=False)
        diagnostics = [
            event["diagnostic"]
            for event in map(json.loads, out.splitlines())
            if event["type"] == "diagnostic" and event["diagnostic"]["severity"] == "error"
        ]
        return [" ".join(f"{error['summary']}: {error['detail']}".split()) for error in diagnostics]

    def apply(self, variables: Values, target: str | None = None) -> None:
        """Apply with these variables, or only the resource of this address; raises TerraformError."""
        with _running_in(self._environment):
            status, out, err = self._terraform.apply(var=dict(variables), skip_plan=True, target=target)
        _require_success("apply", status, out, err)

    @contextmanager
    def asked_to_apply(self, variables: Values, target: str) -> Iterator[Callable[[str], None]]:
        """Apply as a person would at a terminal, for the length of a `with` block; yield what answers its question.

        Without an answer it ends by itself when its input does.
        """
        values = [f"-var={name}={value}" for name, value in variables.items()]
        with subprocess.Popen(
            [self._program, "apply", "-no-color", f"-target={target}", "-replace", target, *values],
            cwd=self.directory,
            env=dict(self._environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as terraform:
            assert terraform.stdin
            try:
                yield lambda text: print(text, file=terraform.stdin, flush=True)
            finally:
                terraform.stdin.close()

    def destroy(self, variables: Values) -> None:
        """Destroy what was applied; raises TerraformError."""
        with _running_in(self._environment):
            status, out, err = self._terraform.destroy(var=dict(variables), force=IsNotFlagged, auto_approve=True)
        _require_success("destroy", status, out, err)

    def applied(self) -> Resources:
        """Return all resources as they were applied."""
        shown = json.loads(self._run("show", json=IsFlagged))
        return Resources(_resources(shown.get("values", {}).get("root_module", {})))

    def outputs(self) -> dict[str, Any]:
        """Return the outputs' values by name."""
        outputs = json.loads(self._run("output", json=IsFlagged))
        return {name: output["value"] for name, output in outputs.items()}

    def validation_diagnostics(self) -> list[str]:
        """Return the errors and warnings of `terraform validate`."""
        _, out, _ = self._call("validate", json=IsFlagged)
        return [f"{each['severity']}: {each['summary']}" for each in json.loads(out)["diagnostics"]]

    def unformatted(self) -> list[str]:
        """Return the files that `terraform fmt` would write differently."""
        return self._run("fmt", check=IsFlagged, recursive=IsFlagged, accept=(0, 3)).split()

    def _run(self, *arguments: str, accept: tuple[int, ...] = (0,), **options: Any) -> str:
        status, out, err = self._call(*arguments, **options)
        if status not in accept:
            raise TerraformError(f"terraform {arguments[0]} failed\n{out}\n{err}")
        return out

    def _call(self, *arguments: str, **options: Any) -> tuple[int, str, str]:
        if arguments[0] not in ("output", "fmt"):
            options["no_color"] = IsFlagged
        with _running_in(self._environment):
            status, out, err = self._terraform.cmd(*arguments, **options)
        return status, out, err


def _values(variables: Values, profile: Path | None) -> dict[str, Any]:
    # In this order, for what comes later on the command line holds.
    return {**({"var_file": str(profile)} if profile else {}), "var": dict(variables)}


@contextmanager
def _running_in(environment: Mapping[str, str]) -> Iterator[None]:
    """Give python-terraform an environment, for it knows only that of its own process.

    And let it log a failure with `Logger.warn`, which Python deprecates.
    """
    with patch.dict(os.environ, environment, clear=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _require_success(command: str, status: int, out: str, err: str) -> None:
    if status != 0:
        raise TerraformError(f"terraform {command} failed\n{out}\n{err}")


def _resources(module: Mapping[str, Any], mode: str = "managed") -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in module.get("resources", []):
        if resource["mode"] == mode:
            yield resource["address"], resource.get("values", {})
    for child in module.get("child_modules", []):
        yield from _resources(child, mode)


def _change(raw: Mapping[str, Any]) -> Change:
    change = raw["change"]
    before, after = change["before"] or {}, change["after"] or {}
    unknown = {name for name, is_unknown in (change["after_unknown"] or {}).items() if is_unknown is True}
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return Change(
        raw["address"],
        raw["type"],
        tuple(change["actions"]),
        frozenset(changed | unknown),
        frozenset(unknown),
    )
