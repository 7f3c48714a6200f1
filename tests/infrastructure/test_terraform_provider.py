"""`terraform init` with and without the provider registry."""

import os
import re
import shutil
from pathlib import Path

import pytest

import terraform_provider
from support.prerequisites import require_program
from support.repository.files import REPOSITORY
from terraform_provider import PROVIDER, TerraformInitError, init

BACKEND, FRONTEND = REPOSITORY / "terraform-backend", REPOSITORY / "terraform-frontend"

# A Terraform that cannot reach the registry but accepts a mirror.
FAKE_TERRAFORM = """#!/bin/sh
echo "$@" >> calls
case "$*" in
  *-plugin-dir=*) exit 0 ;;
  *) echo "could not connect to registry.terraform.io" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Terraform folder with a lock file and the fake Terraform."""
    folder = tmp_path / "root"
    folder.mkdir()
    lock = f'\nprovider "{PROVIDER}" {{\n  version     = "5.100.0"\n  constraints = "~> 5.100"\n}}\n'
    (folder / ".terraform.lock.hcl").write_text(lock)
    (folder / "terraform").write_text(FAKE_TERRAFORM)
    (folder / "terraform").chmod(0o755)
    return folder


@pytest.fixture
def mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that are searched for a mirror; the second has the locked version."""
    folders = [tmp_path / "old", tmp_path / "mirror"]
    (folders[0] / PROVIDER / "5.99.0").mkdir(parents=True)
    (folders[1] / PROVIDER / "5.100.0").mkdir(parents=True)
    monkeypatch.setattr(terraform_provider, "mirror_candidates", lambda: folders)
    return folders


def test_mirror_is_used_and_reported_when_the_registry_fails(root: Path, mirrors: list[Path]) -> None:
    messages: list[str] = []
    init(str(root / "terraform"), root, os.environ, messages.append)
    first, second = (root / "calls").read_text().splitlines()
    assert "-plugin-dir" not in first
    assert f"-plugin-dir={mirrors[1]}" in second
    [message] = messages
    assert str(mirrors[1]) in message


def test_error_lists_searched_folders_without_registry_and_mirror(
    root: Path, mirrors: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terraform_provider, "mirror_candidates", lambda: mirrors[:1])
    with pytest.raises(TerraformInitError, match="could not connect") as error:
        init(str(root / "terraform"), root, os.environ)
    assert str(mirrors[0]) in str(error.value)


def test_platform_without_a_checksum_in_the_lock_file_is_initialized(tmp_path: Path) -> None:
    terraform = require_program("terraform", "install Terraform 1.9 or newer to test the infrastructure")
    shutil.copy(BACKEND / "providers.tf", tmp_path)
    variables = ("aws_region", "project", "environment")
    (tmp_path / "variables.tf").write_text("".join(f'variable "{name}" {{}}\n' for name in variables))
    lock = (BACKEND / ".terraform.lock.hcl").read_text()
    (tmp_path / ".terraform.lock.hcl").write_text(re.sub(r'    "h1:.*\n', "", lock))
    init(terraform, tmp_path, os.environ)
    # Every command compares the provider with this checksum.
    assert '"h1:' in (tmp_path / ".terraform.lock.hcl").read_text()


def test_both_folders_lock_the_same_provider_for_all_platforms() -> None:
    backend = (BACKEND / ".terraform.lock.hcl").read_text()
    assert backend == (FRONTEND / ".terraform.lock.hcl").read_text()
    assert len(re.findall(r'"zh:[0-9a-f]{64}"', backend)) == 15
