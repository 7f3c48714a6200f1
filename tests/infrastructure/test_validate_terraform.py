"""`terraform validate` as `make check` calls it: what it finds, and what it leaves alone.

On a folder with one resource, for the two real ones are looked at by `make check` itself.
"""

import shutil
from pathlib import Path

import pytest

import terraform_provider
import validate_terraform
from repository.files import REPOSITORY
from requirements_of_tests import require_program

SOUND = """variable "aws_region" {}
variable "project" {}
variable "environment" {}

resource "aws_sqs_queue" "orders" {
  name = "orders"
}
"""


@pytest.fixture(scope="module")
def terraform() -> str:
    return require_program("terraform", "install Terraform 1.9 or newer to test the infrastructure")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where init keeps what it needs, the provider among it."""
    return tmp_path_factory.mktemp("local")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder from which somebody has deployed: its .terraform and its backend are to be left alone."""
    root = tmp_path / "terraform-small"
    (root / ".terraform").mkdir(parents=True)
    (root / ".terraform" / "terraform.tfstate").write_text("of somebody")
    for name in ("providers.tf", ".terraform.lock.hcl"):
        shutil.copy(REPOSITORY / "terraform-backend" / name, root)
    (root / "backend.tf").write_text('terraform {\n  backend "s3" {}\n}\n')
    (root / "main.tf").write_text(SOUND)
    return root


def test_a_sound_folder_is_passed_and_left_as_it_was(
    terraform: str, root: Path, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_WORKSPACE", "no-such-workspace")
    monkeypatch.setenv("TF_CLI_ARGS_validate", "-no-such-option")
    before = {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert validate_terraform.validate(terraform, root, local) == []
    assert {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_what_is_wrong_is_told_with_its_line_and_without_the_registry(
    terraform: str, root: Path, local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate_terraform.validate(terraform, root, local)
    # From here on neither the registry nor a mirror is to be had.
    settings = tmp_path / "terraform.rc"
    settings.write_text('provider_installation {\n  direct {\n    exclude = ["*/*/*"]\n  }\n}\n')
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(settings))
    monkeypatch.setattr(terraform_provider, "usual_places", list)
    deprecated = '\nresource "aws_s3_bucket" "files" {\n  acl = "private"\n}\n'
    (root / "main.tf").write_text(SOUND.replace("name =", "nmae =") + deprecated)
    error, warning = sorted(validate_terraform.validate(terraform, root, local), reverse=True)
    assert error.startswith("terraform-small/main.tf:6: error: Unsupported argument: ")
    assert '"nmae"' in error
    assert warning.startswith("terraform-small/main.tf:10: warning: ")


def test_a_provider_that_cannot_be_had_is_told_in_a_sentence(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_: object, **__: object) -> None:
        raise terraform_provider.TerraformInitError("the registry does not answer")

    monkeypatch.setattr(terraform_provider, "init", away)
    monkeypatch.setattr(validate_terraform, "REPOSITORY", tmp_path)
    monkeypatch.setattr(validate_terraform, "FOLDERS", (root.name,))
    assert validate_terraform.main() == 2
    assert capsys.readouterr().err == "validate_terraform: the registry does not answer\n"


def test_what_is_wrong_fails_and_what_is_sound_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {"terraform-backend": [], "terraform-frontend": ["terraform-frontend/main.tf:1: error: Wrong: it is"]}
    monkeypatch.setattr(validate_terraform, "validate", lambda terraform, root, local: wrong[root.name])
    assert validate_terraform.main() == 1
    assert capsys.readouterr().out == "terraform-frontend/main.tf:1: error: Wrong: it is\n"
    wrong["terraform-frontend"] = []
    assert validate_terraform.main() == 0
