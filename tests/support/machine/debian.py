"""A Debian system in a folder, made by debootstrap once and kept under .local/cache for the next run."""

import fcntl
import platform
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from support.prerequisites import missing, require_program, require_root
from support.repository.files import REPOSITORY

CACHE = REPOSITORY / ".local" / "cache"

# Seen: 35 to 45 s. A slow mirror gets longer.
_MAKING_SECONDS = 600


def debian_root(name: str, suite: str, packages: Sequence[str]) -> Path:
    """Return the root folder of a minimal Debian `suite` with `packages`, to be entered with chroot.

    It is made at the first call and kept as .local/cache/`name`; it is made anew if it was made otherwise or
    if one of its packages' files is not as installed. Leave nothing behind in it but below its /tmp. Skips
    the test, or fails it in CI, where there is no root, no debootstrap or no Debian mirror.
    """
    require_root("making a Debian system")
    require_program("debootstrap", "install it with: apt-get install debootstrap")
    root = CACHE / name
    recipe = shlex.join([suite, *packages])
    recipe_path = root / "etc" / "made-by-tests"
    CACHE.mkdir(parents=True, exist_ok=True)
    with _held(CACHE / f"{name}.lock"):
        if not (recipe_path.is_file() and recipe_path.read_text() == recipe and _is_whole(root)):
            unfinished = CACHE / f"{name}.unfinished"
            _remove(unfinished)
            _make(unfinished, suite, packages)
            (unfinished / "etc" / "made-by-tests").write_text(recipe)
            _remove(root)
            unfinished.rename(root)
    return root


def _make(root: Path, suite: str, packages: Sequence[str]) -> None:
    command = ["debootstrap", "--variant=minbase", "--force-check-gpg", f"--include={','.join(packages)}"]
    command += [suite, str(root), _mirror()]
    # In mount points of its own, so that what debootstrap mounts is gone with it even if it is killed.
    own_mounts = ["unshare", "--mount"]
    if subprocess.run([*own_mounts, "true"], capture_output=True, check=False).returncode == 0:
        command = own_mounts + command
    made = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_MAKING_SECONDS,
    )
    if made.returncode != 0:
        words = "; ".join(made.stdout.strip().splitlines()[-3:])
        missing(f"Debian {suite}", f"debootstrap could not make it from the machine's package source ({words})")
    subprocess.run(["chroot", str(root), "apt-get", "clean"], check=True)


def _mirror() -> str:
    """Return the address of the Debian mirror that this machine's own apt uses."""
    release = platform.freedesktop_os_release()
    if release["ID"] != "debian":
        missing("a Debian mirror", f"this machine is {release['PRETTY_NAME']}, whose packages are not Debian's")
    listed = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"],
        capture_output=True,
        text=True,
        check=True,
    )
    own_suites = {release.get("VERSION_CODENAME"), "stable", "testing", "unstable"}
    targets = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    addresses = [address for suite, component, address in targets if suite in own_suites and component == "main"]
    if not addresses:
        missing("a Debian mirror", "apt's sources name none (apt-get indextargets)")
    return _first_of_list(addresses[0]) if addresses[0].startswith("mirror+file:") else addresses[0]


def _first_of_list(address: str) -> str:
    """Return the first mirror of the list that Debian's cloud images name in apt's sources."""
    lines = Path(urlsplit(address).path.rstrip("/")).read_text().splitlines()
    return next(line.split()[0] for line in lines if line.strip() and not line.startswith("#"))


def _is_whole(root: Path) -> bool:
    """Whether every file of every package is there and has the checksum that it was installed with."""
    verified = subprocess.run(["chroot", str(root), "dpkg", "--verify"], capture_output=True, check=False, timeout=60)
    return verified.returncode == 0 and not verified.stdout


def _remove(root: Path) -> None:
    # Not across a mount that somebody left there: it may be a folder of this machine.
    subprocess.run(["rm", "--recursive", "--force", "--one-file-system", str(root)], check=True)


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    """Keep a second test run waiting until the first has made the system."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
