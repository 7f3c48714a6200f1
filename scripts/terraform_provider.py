"""Run `terraform init`, even if the provider registry cannot be reached.

In that case the provider comes from an unpacked mirror: a folder with registry.terraform.io/hashicorp/aws/<version>/.
https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

PROVIDER = "registry.terraform.io/hashicorp/aws"
_INIT_SECONDS = 300


class TerraformInitError(Exception):
    """`terraform init` failed; the text is Terraform's output and the folders searched for a mirror."""


def init(
    terraform: str,
    root: Path,
    env: Mapping[str, str],
    report: Callable[[str], None] = print,
    options: Iterable[str] = (),
) -> None:
    """Initialize `root`, a copy of a Terraform folder; use a mirror if the registry is unreachable.

    `env` is Terraform's whole environment. `report` receives a message if a mirror is used. The copy's lock file
    gets this platform's checksum, which the repository's may lack. Raises TerraformInitError.
    """
    failure = _try_init(terraform, root, env, *options)
    if failure is None:
        return
    version, candidates = locked_version(root), mirror_candidates()
    mirror = find_mirror(version, candidates)
    if mirror is None:
        searched = ", ".join(map(str, candidates))
        raise TerraformInitError(f"{failure}\n\nNo mirror of {PROVIDER} {version} was found either, in {searched}.")
    report(f"The provider registry cannot be reached; using {PROVIDER} {version} from {mirror}.")
    if failure := _try_init(terraform, root, env, *options, f"-plugin-dir={mirror}"):
        raise TerraformInitError(f"{failure}\n\nThe mirror was {mirror}.")


def find_mirror(version: str, candidates: Iterable[Path]) -> Path | None:
    """Return the first of `candidates` that holds this version of the provider, or None."""
    # os.path.isdir returns False for folders that cannot be read.
    return next((folder for folder in candidates if os.path.isdir(folder / PROVIDER / version)), None)


def mirror_candidates() -> list[Path]:
    """Return the folders that may be a mirror, starting with the user's own."""
    shared = [Path(folder) for folder in ("/opt", "/usr/local/share") if os.path.isdir(folder)]
    own = Path(os.path.expanduser("~/.terraform.d/plugins"))
    return [own, *(candidate for folder in shared for candidate in sorted(folder.iterdir()))]


def locked_version(root: Path) -> str:
    """Return the provider's version in the lock file of `root`."""
    lock = (root / ".terraform.lock.hcl").read_text(encoding="utf-8")
    match = re.search(rf'provider "{re.escape(PROVIDER)}" \{{\s*version\s*=\s*"([^"]+)"', lock)
    if match is None:
        raise TerraformInitError(f"{root / '.terraform.lock.hcl'} locks no version of {PROVIDER}.")
    return match[1]


def _try_init(terraform: str, root: Path, env: Mapping[str, str], *options: str) -> str | None:
    """Return None, or Terraform's output if init failed."""
    ran = subprocess.run(
        [terraform, "init", "-input=false", "-no-color", *options],
        cwd=root,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INIT_SECONDS,
        check=False,
    )
    return None if ran.returncode == 0 else ran.stderr.strip() or ran.stdout.strip()
