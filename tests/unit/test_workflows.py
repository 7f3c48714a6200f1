"""The workflow deploys only what was approved, with the settings of the environment; oldest versions are tested.

`make check` runs zizmor too. It requires pinned actions and images, explicit permissions, checkouts without credentials,
and commands without injected text.
"""

import os
import re
import shlex
import subprocess
from typing import Any

import pytest
import yaml

from support.repository.files import REPOSITORY

CI, RELEASE = (
    yaml.safe_load((REPOSITORY / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
    for name in ("ci", "release")
)
DEPLOY: dict[str, Any] = CI["jobs"]["deploy"]
COMMANDS = [shlex.split(step["run"]) for step in DEPLOY["steps"] if "run" in step]


def test_only_deployment_and_release_have_write_permissions() -> None:
    more = {"deploy": {"id-token": "write"}, "publish": {"contents": "write"}}
    for name, job in (CI["jobs"] | RELEASE["jobs"]).items():
        assert job["permissions"] == {"contents": "read", **more.get(name, {})}, name
        assert not re.search("secrets|access-key", str(job)), name
    assert all(step.get("uses", "actions/").startswith("actions/") for step in RELEASE["jobs"]["publish"]["steps"])


def test_deployment_is_approved_and_runs_no_third_party_code() -> None:
    assert DEPLOY["environment"] == "${{ inputs.environment }}"
    assert DEPLOY["if"] == "github.event_name == 'workflow_dispatch' && github.ref == 'refs/heads/main'"
    assert set(DEPLOY["needs"]) == CI["jobs"].keys() - {"deploy"}
    assert {program for program, *_ in COMMANDS} == {"aws"}
    actions = {step["uses"].split("@")[0] for step in DEPLOY["steps"] if "uses" in step}
    assert actions == {"actions/checkout", "actions/download-artifact", "aws-actions/configure-aws-credentials"}


def test_deployment_uses_the_parameter_file_of_its_environment() -> None:
    offered = CI[True]["workflow_dispatch"]["inputs"]["environment"]["options"]  # YAML reads `on` as true
    assert set(offered) == {file.stem for file in (REPOSITORY / "cloudformation" / "parameters").glob("*.json")}
    assert COMMANDS[-1][-2:] == ["--parameter-overrides", "file://cloudformation/parameters/$ENVIRONMENT.json"]


def test_deploy_page_names_every_variable_of_the_deployment() -> None:
    page = (REPOSITORY / "docs" / "deploy.md").read_text(encoding="utf-8")
    missing = {name for name in re.findall(r"\bvars\.(\w+)", str(CI)) if f"`{name}`" not in page}
    assert not missing, f"name them in docs/deploy.md, From GitHub: {missing}"


def test_oldest_supported_terraform_and_python_are_tested() -> None:
    providers = (REPOSITORY / "terraform-backend" / "providers.tf").read_text()
    [terraform] = re.findall(r'required_version = ">= ([\d.]+)"', providers)
    [python] = re.findall(r'requires-python = ">=([\d.]+)"', (REPOSITORY / "pyproject.toml").read_text())
    variants = CI["jobs"]["debian"]["strategy"]["matrix"]["include"]
    assert any(str(each.get("terraform")).startswith(f"{terraform}.") for each in variants if each["target"] == "test")
    assert f"'python-version': '{python}'" in str(CI["jobs"]["python"])


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_missing_tool_is_reported_and_fails_in_ci(ci: str, status: int) -> None:
    command = [str(REPOSITORY / "scripts" / "if_installed.sh"), "no-such-tool", "the package", "echo", "ran"]
    ran = subprocess.run(command, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False)
    assert ran.returncode == status
    assert ran.stdout == "Skipped, because no-such-tool is not installed. Install the package and run this again.\n"
