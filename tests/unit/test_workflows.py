"""Workflows and hooks run existing commands, and only approved jobs have a token.

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

from support.repository.files import REPOSITORY, checked_in_files
from support.repository.makefile import targets_of_the_makefile

Values = dict[Any, Any]

FILES = sorted((REPOSITORY / ".github" / "workflows").glob("*.y*ml"))
WORKFLOWS: dict[str, Values] = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}
CI, RELEASE = WORKFLOWS["ci.yml"], WORKFLOWS["release.yml"]
JOBS: dict[str, Values] = {
    f"{file} {name}": job for file, workflow in WORKFLOWS.items() for name, job in workflow["jobs"].items()
}

# Commands that prepare the container before the checkout.
PREPARING = ("apt-get", "git config")
AVAILABLE_COMMANDS = (["aws", "cloudformation"], ["gh", "release"], ["sha256sum", "orders-*"])

each_job = pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)


def commands_of(job: Values) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def programs_of(job: Values) -> set[str]:
    return {shlex.split(command)[0] for command in commands_of(job)}


def actions_of(job: Values) -> set[str]:
    return {step["uses"].split("@")[0] for step in job["steps"] if "uses" in step}


def variants_of(job: Values) -> list[dict[str, str]]:
    """Return the job's matrix, one mapping for each variant."""
    variants: list[dict[str, str]] = job.get("strategy", {}).get("matrix", {}).get("include", [{}])
    return variants


@each_job
def test_every_command_and_folder_exists(job: Values) -> None:
    for command in commands_of(job):
        program, *arguments = shlex.split(command)
        if program in ("make", ".ci/run"):
            targets = {argument for argument in arguments if "=" not in argument and argument != "$TARGET"}
            if "$TARGET" in arguments:
                targets |= {variant["target"] for variant in variants_of(job)}
            assert targets
            assert targets <= targets_of_the_makefile(), f"{command}: the Makefile has no such target"
        elif not command.startswith(PREPARING):
            assert [program, *arguments[:1]] in AVAILABLE_COMMANDS, command
    folders = re.findall(r"TESTS=(\S+)", "\n".join(commands_of(job))) + [v.get("tests", "") for v in variants_of(job)]
    assert all((REPOSITORY / folder).is_dir() for folder in folders)


@each_job
def test_job_has_least_privilege_and_no_secrets(job: Values) -> None:
    contents = "write" if job is RELEASE["jobs"]["publish"] else "read"
    assert job["permissions"] == {"contents": contents} | ({"id-token": "write"} if "environment" in job else {})
    assert job["timeout-minutes"] <= 90
    assert not re.search("secrets|access-key", str(job))


def test_deployment_is_approved_and_runs_no_third_party_code() -> None:
    [name] = [name for name, job in CI["jobs"].items() if "id-token" in job["permissions"]]
    job = CI["jobs"][name]
    assert job["environment"] == "${{ inputs.environment }}"
    assert job["if"] == "github.event_name == 'workflow_dispatch' && github.ref == 'refs/heads/main'"
    assert set(job["needs"]) == CI["jobs"].keys() - {name}
    assert programs_of(job) == {"aws"}
    trusted = {"actions/checkout", "actions/download-artifact", "aws-actions/configure-aws-credentials"}
    assert actions_of(job) == trusted


def test_deployment_uses_the_parameter_file_of_its_environment() -> None:
    offered = CI[True]["workflow_dispatch"]["inputs"]["environment"]["options"]  # YAML reads `on` as true
    assert set(offered) == {file.stem for file in (REPOSITORY / "cloudformation" / "parameters").glob("*.json")}
    deploy = commands_of(CI["jobs"]["deploy"])[-1]
    assert shlex.split(deploy)[-2:] == ["--parameter-overrides", "file://cloudformation/parameters/$ENVIRONMENT.json"]


def test_deploy_page_names_every_variable_of_the_deployment() -> None:
    page = (REPOSITORY / "docs" / "deploy.md").read_text(encoding="utf-8")
    missing = {name for name in re.findall(r"\bvars\.(\w+)", str(CI)) if f"`{name}`" not in page}
    assert not missing, f"name them in docs/deploy.md, From GitHub: {missing}"


def test_release_attaches_both_packages_and_their_checksums() -> None:
    build, publish = RELEASE["jobs"]["build"], RELEASE["jobs"]["publish"]
    assert RELEASE[True] == {"push": {"tags": ["v*"]}}
    assert commands_of(build) == ["make build TARGET=arm64", "make build TARGET=x86_64"]
    checksums, create = commands_of(publish)
    assert checksums == "sha256sum orders-* > SHA256SUMS"
    assert shlex.split(create)[:5] == ["gh", "release", "create", "$TAG", "dist/*"]
    assert actions_of(publish) == {"actions/download-artifact"}, "third-party code could use the job's token"


def test_oldest_supported_terraform_and_python_are_tested() -> None:
    providers = (REPOSITORY / "terraform-backend" / "providers.tf").read_text()
    [terraform] = re.findall(r'required_version = ">= ([\d.]+)"', providers)
    [python] = re.findall(r'requires-python = ">=([\d.]+)"', (REPOSITORY / "pyproject.toml").read_text())
    versions = [each["terraform"] for each in variants_of(CI["jobs"]["debian"]) if each["target"] == "test"]
    tested = {tuple(map(int, str(version).split(".")[:2])) for version in versions}
    assert min(tested) == tuple(map(int, terraform.split(".")))
    assert len(tested) >= 3
    steps = CI["jobs"]["python"]["steps"]
    assert [s["with"]["python-version"] for s in steps if "setup-python" in s.get("uses", "")] == [python]


def test_every_hook_is_local_and_matches_a_file() -> None:
    [repository] = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    names = [path.relative_to(REPOSITORY).as_posix() for path in checked_in_files()]
    for hook in repository["hooks"]:
        assert hook["language"] == "system", f"{hook['id']} would use another version than .venv has"
        assert "types" in hook or any(re.search(hook["files"], name) for name in names), f"{hook['id']} never runs"
        for word in shlex.split(hook["entry"]):
            assert not word.startswith(("scripts/", "tests/")) or word in names, f"{hook['id']}: there is no {word}"


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_missing_tool_is_reported_and_fails_in_ci(ci: str, status: int) -> None:
    command = [str(REPOSITORY / "scripts" / "if_installed.sh"), "no-such-tool", "the package", "echo", "ran"]
    ran = subprocess.run(command, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False)
    assert ran.returncode == status
    assert ran.stdout == "Skipped, because no-such-tool is not installed. Install the package and run this again.\n"
