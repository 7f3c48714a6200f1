"""`terraform init`, also where the provider registry is out of reach.

Without the registry Terraform can take the provider from an unpacked mirror, a folder that holds
registry.terraform.io/hashicorp/aws/<version>/. Such a folder is looked for in the usual places, and only
after `terraform init` has failed without it: a machine that reaches the registry needs none of this.
https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

PROVIDER = "registry.terraform.io/hashicorp/aws"

# A registry that neither answers nor refuses would keep init waiting far longer.
_INIT_SECONDS = 300


class TerraformInitError(Exception):
    """`terraform init` failed; the text holds what Terraform said and where a mirror was looked for."""


def init(
    terraform: str,
    root: Path,
    env: Mapping[str, str],
    say: Callable[[str], None] = print,
    options: Iterable[str] = (),
) -> None:
    """Initialize the Terraform folder `root`, with the provider from a mirror if the registry is away.

    `terraform` is the program, `env` its whole environment; `say` hears of a mirror that is used;
    `options` are more of init's own, such as -backend-config. The folder's lock file is honoured and
    never changed. Raises TerraformInitError.
    """
    options = tuple(options)
    failure = _try_init(terraform, root, env, *options)
    if failure is None:
        return
    version = locked_version(root)
    mirror = find_mirror(version, usual_places())
    if mirror is None:
        places = ", ".join(map(str, usual_places()))
        raise TerraformInitError(f"{failure}\n\nNo mirror of {PROVIDER} {version} was found either, in {places}.")
    say(f"The provider registry does not answer: {PROVIDER} {version} is taken from {mirror}.")
    failure = _try_init(terraform, root, env, *options, f"-plugin-dir={mirror}")
    if failure is not None:
        raise TerraformInitError(f"{failure}\n\nThe provider was to be taken from the mirror {mirror}.")


def find_mirror(version: str, places: Iterable[Path]) -> Path | None:
    """Return the first of `places` that holds this version of the provider, unpacked, or None."""
    for place in places:
        # os.path and not Path: a folder that may not be read is one without a mirror.
        if os.path.isdir(place / PROVIDER / version):
            return place
    return None


def usual_places() -> list[Path]:
    """Return the folders of this machine that may be a mirror, the user's own first."""
    shared = [Path("/opt"), Path("/usr/local/share")]
    return [
        Path.home() / ".terraform.d" / "plugins",
        *(place for folder in shared if os.path.isdir(folder) for place in sorted(folder.iterdir())),
    ]


def locked_version(root: Path) -> str:
    """Return the version of the provider that the lock file of `root` names."""
    lock = (root / ".terraform.lock.hcl").read_text(encoding="utf-8")
    match = re.search(rf'provider "{re.escape(PROVIDER)}" \{{\s*version\s*=\s*"([^"]+)"', lock)
    if match is None:
        raise TerraformInitError(f"{root / '.terraform.lock.hcl'} locks no version of {PROVIDER}.")
    return match[1]


def _try_init(terraform: str, root: Path, env: Mapping[str, str], *options: str) -> str | None:
    """Return None if init succeeded, otherwise what Terraform said."""
    answer = subprocess.run(
        [terraform, "init", "-input=false", "-no-color", "-lockfile=readonly", *options],
        cwd=root,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INIT_SECONDS,
        check=False,
    )
    return None if answer.returncode == 0 else answer.stderr.strip() or answer.stdout.strip()
