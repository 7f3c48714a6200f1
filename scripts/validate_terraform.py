"""Run `terraform validate` over both folders of Terraform.

    .venv/bin/python scripts/validate_terraform.py

What init makes for it lies in .local, so that the .terraform of whoever deploys from here stays as it is, which may
belong to a backend with state. The provider is fetched once and then found there.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import terraform_provider

REPOSITORY = Path(__file__).resolve().parents[1]

FOLDERS = ("terraform-backend", "terraform-frontend")

# Where a person has told Terraform to take providers from. Other names of that kind are about state, values and logs.
PROVIDER_SETTINGS = {"TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"}


def validate(terraform: str, root: Path, local: Path) -> list[str]:
    """Return what is wrong with a folder of Terraform, one line each with its place.

    `local` is where init keeps what it needs. Raises TerraformInitError.
    """
    environment = _environment(root, local)
    plugins = Path(environment["TF_PLUGIN_CACHE_DIR"])
    options = ["-backend=false"]
    locked = plugins / terraform_provider.PROVIDER / terraform_provider.locked_version(root)
    if locked.is_dir() and (locked / _platform(terraform)).is_dir():
        # Otherwise init would ask the registry about what is there; and nothing can be installed onto itself.
        options.append(f"-plugin-dir={plugins}")
        del environment["TF_PLUGIN_CACHE_DIR"]
    terraform_provider.init(terraform, root, environment, options=options)
    ran = subprocess.run(
        [terraform, "validate", "-json"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    try:
        diagnostics = json.loads(ran.stdout)["diagnostics"]
    except (ValueError, KeyError):
        return [f"{root.name}: terraform validate failed: {ran.stderr.strip() or ran.stdout.strip()}"]
    # A warning counts: it tells of what a later Terraform or provider refuses.
    return [_told(root, each) for each in diagnostics]


def _environment(root: Path, local: Path) -> dict[str, str]:
    plugins = local / "terraform-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    return {
        # Some 600 MB: fetched once for both folders, and for `make run DEPLOY=terraform`.
        "TF_PLUGIN_CACHE_DIR": str(plugins),
        **{
            name: value for name, value in os.environ.items() if not name.startswith("TF_") or name in PROVIDER_SETTINGS
        },
        "TF_DATA_DIR": str(local / "terraform-validate" / root.name),
        "CHECKPOINT_DISABLE": "true",
    }


def _platform(terraform: str) -> str:
    """Return how Terraform calls this kind of machine, such as linux_amd64."""
    said = subprocess.run([terraform, "version", "-json"], capture_output=True, text=True, check=True).stdout
    return str(json.loads(said)["platform"])


def _told(root: Path, diagnostic: Mapping[str, object]) -> str:
    place = diagnostic.get("range")
    where = f"{root.name}/{place['filename']}:{place['start']['line']}" if isinstance(place, dict) else root.name
    words = " ".join(f"{diagnostic['summary']}: {diagnostic.get('detail', '')}".split())
    return f"{where}: {diagnostic['severity']}: {words}"


def main() -> int:
    """Validate both folders and tell what is wrong; return 0 if that is nothing."""
    try:
        roots = [REPOSITORY / folder for folder in FOLDERS]
        wrong = [line for root in roots for line in validate("terraform", root, REPOSITORY / ".local")]
    except terraform_provider.TerraformInitError as error:
        print(f"validate_terraform: {error}", file=sys.stderr)
        return 2
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
