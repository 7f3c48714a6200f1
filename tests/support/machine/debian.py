"""A minimal Debian 13 in a folder, made by debootstrap once and kept under .local/cache for the next run."""

import fcntl
import platform
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from support.prerequisites import missing, require_program, require_root
from support.repository.files import REPOSITORY

_CACHE = REPOSITORY / ".local" / "cache"
_SECONDS = 600
"""It takes 35 to 45 s, and longer with a slow mirror."""


def debian_root() -> Path:
    """Return the root folder of a Debian 13 with Python, to be entered with chroot; skip or fail if it cannot be made.

    Tests share it: write below its /tmp only.
    """
    require_root("making a Debian system")
    require_program("debootstrap", "install it with: apt-get install debootstrap")
    root, unfinished = _CACHE / "debian13", _CACHE / "debian13.unfinished"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "debian13.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            # Without --one-file-system, a mount left in the folder would be emptied too.
            subprocess.run(["rm", "-rf", "--one-file-system", str(unfinished)], check=True)
            _make(unfinished)
            unfinished.rename(root)
    return root


def _make(root: Path) -> None:
    command = [
        "debootstrap",
        "--variant=minbase",
        "--force-check-gpg",
        "--include=python3",
        "trixie",
        str(root),
        _mirror(),
    ]
    # In its own mount namespace, so that its mounts end with it even if it is killed.
    namespace = ["unshare", "--mount"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0:
        command = namespace + command
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if made.returncode != 0:
        reason = "; ".join((made.stdout + made.stderr).strip().splitlines()[-3:])
        missing("Debian 13", f"debootstrap could not make it from the machine's package source ({reason})")
    subprocess.run(["chroot", str(root), "apt-get", "clean"], check=True)


def _mirror() -> str:
    """Return the address of the Debian mirror that this machine's apt uses."""
    release = platform.freedesktop_os_release()
    if release["ID"] != "debian":
        missing("a Debian mirror", f"this machine runs {release['PRETTY_NAME']}")
    command = ["apt-get", "indextargets", "--no-release-info", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    suites = {release.get("VERSION_CODENAME"), "stable", "testing", "unstable"}
    targets = [line.split(maxsplit=2) for line in listed.splitlines()]
    addresses = [address for suite, component, address in targets if suite in suites and component == "main"]
    if not addresses:
        missing("a Debian mirror", "apt's sources name none (apt-get indextargets)")
    if not addresses[0].startswith("mirror+file:"):
        return addresses[0]
    # Debian's cloud images name a file with a list of mirrors.
    lines = Path(urlsplit(addresses[0]).path.rstrip("/")).read_text().splitlines()
    return next(line.split()[0] for line in lines if line.strip() and not line.startswith("#"))
