"""A web server of the storefront, installed in a Debian root by the user data of its EC2 instances.

Only its address differs: loopback and a free port instead of every interface and port 80.
"""

import base64
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.deployment.frontend import LISTEN_ADDRESS, REPOSITORY_URL
from support.machine.debian import debian_root
from support.prerequisites import require_program
from support.repository.git import git
from support.storefront.server import FRONTEND
from support.waiting import wait_for

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The installation with its packages takes about 15 s.
_SECONDS = 300

# Stubs of programs, in the root's /tmp/stubs. `sleep` records its pause and returns; `curl` copies from /tmp/served
# instead of downloading from AWS.
_STUBS = {
    "sleep": 'echo "$@" >>/tmp/pauses\n',
    "curl": """
        echo "curl $*"
        while [ $# -gt 2 ]; do
          if [ "$1" = --output ]; then cp "/tmp/served/${3##*/}" "$2" || exit 22; fi
          shift
        done
    """,
}


# A stub of the package of Session Manager's agent, signed with the test's own key.
_AGENT = "Package: amazon-ssm-agent\nVersion: 1\nArchitecture: all\nMaintainer: Tests <tests@example.com>\nDescription: test\n"


@dataclass(frozen=True)
class Installation:
    """The result of the user data script."""

    root: Path
    port: int
    status: int
    log: str

    @property
    def pauses(self) -> list[int]:
        """The seconds of each pause before a retry."""
        recorded = self.root / "tmp" / "pauses"
        return [int(line) for line in recorded.read_text().split()] if recorded.exists() else []

    @property
    def is_apache_running(self) -> bool:
        return _apache(self.root) is not None


@contextmanager
def new_machine(original: Path | None = None) -> Iterator[Path]:
    """Yield the folder of a fresh Debian 13 with a network, or a copy of a machine; delete it afterwards.

    Apache does not run on it. A copy has its packages, which take long to install, and no repository.
    """
    pristine = debian_root()
    folder = Path(tempfile.mkdtemp(prefix="web-server-", dir=pristine.parent))
    root = folder / "root"
    try:
        subprocess.run(["cp", "--archive", "--reflink=auto", str(original or pristine), str(root)], check=True)
        for left in ("run/apache2/apache2.pid", "tmp/pauses"):
            (root / left).unlink(missing_ok=True)
        shutil.rmtree(root / "srv" / "repository", ignore_errors=True)
        shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
        stubs = root / "tmp" / "stubs"
        stubs.mkdir(exist_ok=True)
        for name, lines in _STUBS.items():
            (stubs / name).write_text(f"#!/bin/sh\n{lines}")
            (stubs / name).chmod(0o755)
        yield root
    finally:
        if pid := _apache(root):
            os.kill(pid, signal.SIGTERM)
            wait_for("Apache to stop", lambda: _apache(root) is None)
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", str(folder)], check=True)


def add_repository(root: Path, branch: str = "main", folder: str = "frontend") -> None:
    """Commit the checkout's storefront to a new repository in the machine's /srv/repository."""
    repository = root / "srv" / "repository"
    shutil.rmtree(repository, ignore_errors=True)
    shutil.copytree(FRONTEND, repository / folder, ignore=shutil.ignore_patterns("__pycache__", "config.js"))
    # Files that must not be served.
    (repository / folder / "notes.txt").write_text("private\n")
    (repository / folder / "leak.js").symlink_to("/etc/passwd")
    identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
    for arguments in (
        ["init", "--quiet", "--initial-branch", branch],
        ["add", "--all"],
        [*identity, "commit", "--quiet", "--message", "Storefront"],
    ):
        git(repository, *arguments).check_returncode()


def add_agent(root: Path, directory: Path) -> str:
    """Put a signed agent where the machine downloads it; return the signing key in the script's format."""
    gpg = require_program("gpg", "install gnupg to test the agent's signature")
    home, package, served = directory / "gnupg", directory / "package", root / "tmp" / "served"
    home.mkdir(mode=0o700)
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(_AGENT)
    served.mkdir(exist_ok=True)
    agent = served / "amazon-ssm-agent.deb"
    subprocess.run(["dpkg-deb", "--build", str(package), str(agent)], check=True, capture_output=True)

    def run_gpg(*arguments: str) -> bytes:
        # AWS's key is also self-signed with SHA-1.
        command = [gpg, "--homedir", str(home), "--batch", "--yes", "--cert-digest-algo", "SHA1", "--passphrase", ""]
        return subprocess.run([*command, *arguments], check=True, capture_output=True).stdout

    run_gpg("--quick-generate-key", "SSM Agent <tests@example.com>", "rsa2048", "sign", "1d")
    run_gpg("--output", f"{agent}.sig", "--detach-sign", str(agent))
    key = run_gpg("--export", "--export-options", "export-minimal")
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    return base64.b64encode(key).decode()


def install(root: Path, script: str, port: int) -> Installation:
    """Run the script as the first boot does, to listen on this port of loopback."""
    assert script.count(LISTEN_ADDRESS) == 2
    (root / "tmp" / "user-data").write_text(script.replace(LISTEN_ADDRESS, f"127.0.0.1:{port}"))
    environment = {
        "PATH": f"/tmp/stubs:{_PATH}",
        # Git fetches from the local repository instead of its address.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url.file:///srv/repository.insteadOf",
        "GIT_CONFIG_VALUE_0": REPOSITORY_URL,
    }
    variables = [f"{name}={value}" for name, value in environment.items()]
    # A file, because Apache keeps running and would keep a pipe open.
    with (root / "tmp" / "output").open("w+") as output:
        ran = subprocess.run(
            ["chroot", str(root), "/usr/bin/env", "--ignore-environment", *variables, "/bin/bash", "/tmp/user-data"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_SECONDS,
        )
        output.seek(0)
        return Installation(root, port, ran.returncode, output.read())


def _apache(root: Path) -> int | None:
    """Return the process ID of the machine's Apache if it runs."""
    pid_file = root / "run" / "apache2" / "apache2.pid"
    if not pid_file.exists():
        return None
    pid = int(pid_file.read_text())
    return pid if Path(f"/proc/{pid}/root").exists() and Path(f"/proc/{pid}/root").samefile(root) else None
