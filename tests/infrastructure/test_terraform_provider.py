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


@pytest.mark.parametrize("has_mirror", [True, False])
def test_mirror_is_used_when_the_registry_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_mirror: bool
) -> None:
    root, candidates = tmp_path / "root", [tmp_path / "old", tmp_path / "mirror"]
    (candidates[0] / PROVIDER / "5.99.0").mkdir(parents=True)
    (candidates[1] / PROVIDER / "5.100.0").mkdir(parents=True)
    monkeypatch.setattr(terraform_provider, "mirror_candidates", lambda: candidates if has_mirror else candidates[:1])
    root.mkdir()
    (root / ".terraform.lock.hcl").write_text(f'provider "{PROVIDER}" {{\n  version = "5.100.0"\n}}\n')
    (root / "terraform").write_text(FAKE_TERRAFORM)
    (root / "terraform").chmod(0o755)
    messages: list[str] = []
    if has_mirror:
        init(str(root / "terraform"), root, os.environ, messages.append)
        first, second = (root / "calls").read_text().splitlines()
        assert "-plugin-dir" not in first
        assert f"-plugin-dir={candidates[1]}" in second
        [message] = messages
        assert str(candidates[1]) in message
    else:
        with pytest.raises(TerraformInitError, match="could not connect") as error:
            init(str(root / "terraform"), root, os.environ)
        assert str(candidates[0]) in str(error.value), "the searched folders must be listed"


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
