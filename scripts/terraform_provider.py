"""`terraform init`, also where the provider registry cannot be reached.

Terraform can take the provider from an unpacked mirror, a folder with registry.terraform.io/hashicorp/aws/<version>/.
The mirror is searched for in the usual places after `terraform init` has failed without it.
https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

PROVIDER = "registry.terraform.io/hashicorp/aws"

# Without a limit, a registry that does not answer delays init far longer.
_INIT_SECONDS = 300


class TerraformInitError(Exception):
    """`terraform init` failed; the text is Terraform's output and where a mirror was searched for."""


def init(
    terraform: str,
    root: Path,
    env: Mapping[str, str],
    say: Callable[[str], None] = print,
    options: Iterable[str] = (),
) -> None:
    """Initialize `root`, a copy of a Terraform folder. Take the provider from a mirror if the registry is unreachable.

    `env` is the whole environment of the program `terraform`, `say` takes a message about a mirror, and `options` are
    further options of init. The copy's lock file gets the checksum of this platform, which the repository's may
    lack: later commands check the unpacked provider against it. Raises TerraformInitError.
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
    say(f"The provider registry cannot be reached; {PROVIDER} {version} is taken from {mirror}.")
    failure = _try_init(terraform, root, env, *options, f"-plugin-dir={mirror}")
    if failure is not None:
        raise TerraformInitError(f"{failure}\n\nThe mirror was {mirror}.")


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
        Path(os.path.expanduser("~/.terraform.d/plugins")),
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
        [terraform, "init", "-input=false", "-no-color", *options],
        cwd=root,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INIT_SECONDS,
        check=False,
    )
    return None if answer.returncode == 0 else answer.stderr.strip() or answer.stdout.strip()
