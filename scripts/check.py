"""Look all over the repository without running the system: the steps of `make check`, and of the hooks before a commit.

    .venv/bin/python scripts/check.py [STEP ...]

All steps in their order, or those that are named. The first one that finds something ends it. What could not be looked
at is said at its place and at the end: a step whose tool is not installed, which with CI=true is a failure, and one
whose service does not answer.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit_packages import NOT_LOOKED_AT

REPOSITORY = Path(__file__).resolve().parents[1]

_NAME_COLUMNS = 50


@dataclass(frozen=True)
class Tool:
    """A program that `make set-up-test` does not install."""

    program: str
    remedy: str
    """How to get it; completes "… is not installed: "."""


@dataclass(frozen=True)
class Step:
    """One thing that is looked at."""

    id: str
    """How it is asked for."""
    name: str
    """What is looked at, and by which program."""
    command: str
    """As it is typed in the root of the repository."""
    needs: tuple[Tool, ...] = ()


GIT = Tool("git", "install Git")
TERRAFORM = Tool("terraform", "install Terraform 1.9 or newer, see https://developer.hashicorp.com/terraform/install")
CHECKOV = Tool("checkov", "pipx install checkov")
VNU = Tool("vnu", "install Java and `npm install --global vnu-jar`, or `brew install vnu`")

STEPS: Final = (
    Step("lint", "lint (ruff)", ".venv/bin/ruff check ."),
    Step("format", "format (ruff)", ".venv/bin/ruff format --check ."),
    Step("types", "types (mypy)", ".venv/bin/mypy lambda scripts tests architecture"),
    Step("shell", "shell (shellcheck)", ".venv/bin/python scripts/lint_shell.py", (GIT,)),
    Step(
        "web-server",
        "script of the web servers (shellcheck)",
        ".venv/bin/python scripts/lint_shell.py --web-server",
        (TERRAFORM,),
    ),
    Step("terraform-format", "format (terraform)", "terraform fmt -check -diff -recursive", (TERRAFORM,)),
    Step("terraform", "Terraform (terraform validate)", ".venv/bin/python scripts/validate_terraform.py", (TERRAFORM,)),
    Step(
        "template",
        "CloudFormation (cfn-lint)",
        ".venv/bin/python -m pytest --quiet tests/infrastructure/test_cfn_lint.py",
    ),
    Step(
        "schema",
        "schema of the order (check-jsonschema)",
        ".venv/bin/check-jsonschema --check-metaschema lambda/orders/order.schema.json",
    ),
    Step("openapi", "OpenAPI (openapi-spec-validator)", ".venv/bin/openapi-spec-validator docs/openapi.yaml"),
    # The checker of the Web's own standards body knows what each element may hold and each attribute may say. An HTML
    # parser, html5lib in its strict mode, knows neither, and Debian's tidy knows the HTML of 2016.
    Step(
        "page",
        "HTML and SVG (Nu HTML checker)",
        "vnu --errors-only --also-check-svg frontend/index.html frontend/images"
        " architecture/orderprocessingsystem-backend.svg architecture/orderprocessingsystem-frontend.svg",
        (VNU,),
    ),
    Step("links", "links of documents", ".venv/bin/python -m pytest --quiet tests/unit/test_documents.py", (GIT,)),
    Step(
        "workflows",
        "workflows (GitHub's schema)",
        ".venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml",
    ),
    Step(
        "dependabot",
        "Dependabot's settings (GitHub's schema)",
        ".venv/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml",
    ),
    Step(
        "zizmor",
        "weaknesses of workflows (zizmor)",
        ".venv/bin/zizmor --quiet --offline --persona auditor --strict-collection .",
    ),
    Step("packages", "known vulnerabilities (pip-audit)", ".venv/bin/python scripts/audit_packages.py"),
    Step(
        "checkov",
        "infrastructure (checkov)",
        ".venv/bin/python -m pytest --quiet tests/infrastructure/test_checkov.py",
        (TERRAFORM, CHECKOV),
    ),
)


class StepFailedError(Exception):
    """A step has found something, or could not look; the message says which and how to repeat it."""


def run(steps: Sequence[Step], environment: Mapping[str, str], root: Path = REPOSITORY) -> str:
    """Take the steps in `root` and tell of each in a line; return what to say in the end.

    Raises StepFailedError at the first one that finds something.
    """
    began = time.monotonic()
    left_out = []
    for step in steps:
        print(f"  {step.name:<{_NAME_COLUMNS}}", end="", flush=True)
        missing = [tool for tool in step.needs if shutil.which(tool.program, path=environment.get("PATH")) is None]
        if not missing:
            if not take(step, environment, root):
                left_out.append(step.name)
            continue
        sentences = "".join(f"\n    {tool.program} is not installed: {tool.remedy}" for tool in missing)
        if environment.get("CI") == "true":
            print(f"FAILED{sentences}", flush=True)
            raise StepFailedError(f"{step.name} cannot be left out, because CI=true")
        print(f"left out{sentences}", flush=True)
        left_out.append(step.name)
    seconds = f"{time.monotonic() - began:.0f} s"
    if left_out:
        return f"what was looked at is well, after {seconds}, but left out: {', '.join(left_out)}"
    return f"all is well, after {seconds}"


def take(step: Step, environment: Mapping[str, str], root: Path) -> bool:
    """Run the command of a step and return whether it has looked; raise StepFailedError if it has found something.

    Tells how long it took and what it said on standard error.
    """
    started = time.monotonic()
    ran = subprocess.run(
        shlex.split(step.command),
        cwd=root,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    taken = time.monotonic() - started
    if ran.returncode not in (0, NOT_LOOKED_AT):
        print(f"FAILED after {taken:.1f} s\n\n{step.command}\n{ran.stdout}{ran.stderr}", flush=True)
        raise StepFailedError(
            f"{step.name} has found what is said above; `make check STEPS={step.id}` repeats only that"
        )
    told = f"{taken:6.1f} s" if ran.returncode == 0 else "left out"
    print("\n    ".join([told, *ran.stderr.splitlines()]), flush=True)
    return ran.returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the steps that are named, or all; return the exit status."""
    parser = argparse.ArgumentParser(description="Look all over the repository without running the system.")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"only these: {', '.join(step.id for step in STEPS)}")
    asked = set(parser.parse_args(arguments).steps)
    if unknown := asked - {step.id for step in STEPS}:
        known = ", ".join(step.id for step in STEPS)
        print(f"make check: there is no step {', '.join(sorted(unknown))}; there are {known}.", file=sys.stderr)
        return 2
    try:
        print(f"make check: {run([step for step in STEPS if not asked or step.id in asked], os.environ)}.")
    except StepFailedError as error:
        print(f"make check: FAILED: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nmake check: stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
