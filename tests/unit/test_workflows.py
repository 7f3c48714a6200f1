"""Workflows and hooks run existing commands, use pinned versions and have least privilege."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from support.repository.files import REPOSITORY, checked_in_files
from support.repository.makefile import targets_of_the_makefile

CI = REPOSITORY / ".github" / "workflows" / "ci.yml"
WORKFLOWS = sorted(CI.parent.glob("*.y*ml"))

# Commands that prepare the container before the checkout.
PREPARING = ("apt-get", "git config")
AVAILABLE_COMMANDS = (["aws", "cloudformation"], ["gh", "release"], ["sha256sum", "orders-*"])

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def load(path: Any) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def jobs_of(path: Any) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = load(path)["jobs"]
    return jobs


def steps_of(path: Any) -> Iterator[dict[str, Any]]:
    for job in jobs_of(path).values():
        yield from job["steps"]


def variants_of(job: dict[str, Any]) -> list[dict[str, str]]:
    """Return the job's matrix, one mapping for each variant."""
    variants: list[dict[str, str]] = job.get("strategy", {}).get("matrix", {}).get("include", [{}])
    return variants


def test_workflows_exist() -> None:
    assert WORKFLOWS


@each_workflow
def test_actions_and_images_are_pinned_by_hash(path: Any) -> None:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.fullmatch(r"- uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), (
            f"{path.name}: {line}: pin it as owner/name@<hash of 40 digits> # v<version>"
        )
    assert len({line.split("@")[0] for line in lines}) == len(set(lines)), "one action has two versions"
    for name, job in jobs_of(path).items():
        image = job.get("container", {}).get("image")
        assert image is None or re.search(r"@sha256:[0-9a-f]{64}$", image), f"{name} in {path.name} runs in {image}"


@each_workflow
def test_jobs_have_least_privilege_and_no_secrets(path: Any) -> None:
    assert load(path)["permissions"] == {}
    for name, job in jobs_of(path).items():
        expected = {"contents": "read"} | ({"id-token": "write"} if "environment" in job else {})
        assert job["permissions"] in (expected, {"contents": "write"}), name
        assert job["timeout-minutes"] <= 90, name
    text = path.read_text(encoding="utf-8")
    assert "secrets" not in text
    assert "access-key" not in text
    checkouts = [step for step in steps_of(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert not [step["run"] for step in steps_of(path) if "${{" in step.get("run", "")], "an injected command"


@each_workflow
def test_every_command_and_folder_exists(path: Any) -> None:
    for job in jobs_of(path).values():
        for step in job["steps"]:
            if "run" not in step or step["run"].startswith(PREPARING):
                continue
            program, *arguments = shlex.split(step["run"])
            if program in ("make", ".ci/run"):
                targets = {argument for argument in arguments if "=" not in argument and argument != "$TARGET"}
                if "$TARGET" in arguments:
                    targets |= {variant["target"] for variant in variants_of(job)}
                assert targets
                assert targets <= targets_of_the_makefile(), f"{step['run']}: the Makefile has no such target"
            else:
                assert [program, *arguments[:1]] in AVAILABLE_COMMANDS, step["run"]
    folders = re.findall(r"(?:TESTS=|tests: )(tests[\w/]*)", path.read_text(encoding="utf-8"))
    assert all((REPOSITORY / folder).is_dir() for folder in folders)


def test_oldest_supported_terraform_and_python_are_tested() -> None:
    terraform = re.search(
        r'required_version = ">= (\d+)\.(\d+)"', (REPOSITORY / "terraform-backend" / "providers.tf").read_text()
    )
    python = re.search(r'requires-python = ">=([\d.]+)"', (REPOSITORY / "pyproject.toml").read_text())
    assert terraform
    assert python
    jobs = {name: job for path in WORKFLOWS for name, job in jobs_of(path).items()}
    tested = {
        tuple(map(int, str(variant["terraform"]).split(".")[:2]))
        for job in jobs.values()
        for variant in variants_of(job)
        if variant.get("target") == "test"
    }
    assert min(tested) == (int(terraform[1]), int(terraform[2]))
    assert len(tested) >= 3
    versions = [s["with"]["python-version"] for s in jobs["python"]["steps"] if "setup-python" in s.get("uses", "")]
    assert versions == [python[1]]


@each_workflow
def test_deployment_is_approved_and_waits_for_every_job(path: Any) -> None:
    jobs = jobs_of(path)
    for name, job in jobs.items():
        if "id-token" in job["permissions"]:
            assert job["environment"] == "${{ inputs.environment }}"
            assert job["if"] == "github.event_name == 'workflow_dispatch' && github.ref == 'refs/heads/main'"
            assert set(job["needs"]) == jobs.keys() - {name}


@each_workflow
def test_job_with_a_token_runs_only_the_aws_cli(path: Any) -> None:
    for name, job in jobs_of(path).items():
        if "id-token" in job["permissions"]:
            commands = {shlex.split(step["run"])[0] for step in job["steps"] if "run" in step}
            assert commands == {"aws"}, f"{name} could hand its token to third-party code"
            actions = {step["uses"].split("@")[0] for step in job["steps"] if "uses" in step}
            assert actions == {
                "actions/checkout",
                "actions/download-artifact",
                "aws-actions/configure-aws-credentials",
            }, name


@each_workflow
def test_job_that_can_write_runs_no_third_party_code(path: Any) -> None:
    for name, job in jobs_of(path).items():
        if job["permissions"]["contents"] == "write":
            commands = {shlex.split(step["run"])[0] for step in job["steps"] if "run" in step}
            assert commands <= {"gh", "sha256sum"}, f"{name} could hand its token to third-party code"
            assert {step["uses"].split("@")[0] for step in job["steps"] if "uses" in step} <= {
                "actions/download-artifact"
            }


def test_release_attaches_both_packages_and_their_checksums() -> None:
    jobs = jobs_of(CI.with_name("release.yml"))
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert commands[:3] == ["make build TARGET=arm64", "make build TARGET=x86_64", "sha256sum orders-* > SHA256SUMS"]
    assert "dist/*" in commands[3]
    assert load(CI.with_name("release.yml"))[True] == {"push": {"tags": ["v*"]}}


def test_deployment_uses_the_parameter_file_of_its_environment() -> None:
    offered = load(CI)[True]["workflow_dispatch"]["inputs"]["environment"]["options"]  # YAML reads `on` as true
    files = {file.stem for file in (REPOSITORY / "cloudformation" / "parameters").glob("*.json")}
    assert set(offered) == files
    [deploy] = [s["run"] for s in steps_of(CI) if "cloudformation deploy" in s.get("run", "")]
    assert shlex.split(deploy)[-2:] == ["--parameter-overrides", "file://cloudformation/parameters/$ENVIRONMENT.json"]


def test_deploy_page_names_every_variable_of_the_deployment() -> None:
    page = (REPOSITORY / "docs" / "deploy.md").read_text(encoding="utf-8")
    needed = set(re.findall(r"\bvars\.(\w+)", CI.read_text(encoding="utf-8")))
    missing = {name for name in needed if f"`{name}`" not in page}
    assert not missing, f"say in docs/deploy.md, From GitHub, that the environment needs {missing}"


def hooks() -> list[dict[str, Any]]:
    [repository] = load(REPOSITORY / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    found: list[dict[str, Any]] = repository["hooks"]
    return found


def test_every_hook_is_local_and_matches_a_file() -> None:
    names = [path.relative_to(REPOSITORY).as_posix() for path in checked_in_files()]
    for hook in hooks():
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
