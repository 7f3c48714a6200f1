"""A stub of the package of Session Manager's agent, signed with the test's own key."""

import base64
import subprocess
from pathlib import Path

from support.prerequisites import require_program

_CONTROL = "Package: amazon-ssm-agent\nVersion: 1\nArchitecture: all\nMaintainer: Tests <tests@example.com>\nDescription: test\n"


def add_agent(root: Path, directory: Path) -> str:
    """Put a signed agent where the machine downloads it; return the signing key in the script's format."""
    gpg = require_program("gpg", "install gnupg to test the agent's signature")
    home, package, served = directory / "gnupg", directory / "package", root / "tmp" / "served"
    home.mkdir(mode=0o700)
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(_CONTROL)
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
