"""Check the locked packages for known vulnerabilities.

pip-audit exits with 0 if it could not look up any package, for example behind a mirror of PyPI without advisories.
This program reports that instead.
"""

import json
import re
import subprocess
import sys

LOCKS = ("lambda/requirements.txt", "requirements-test.txt")  # the second includes requirements-run.txt
UNREACHABLE = re.compile(r"ConnectionError|ConnectTimeout|ReadTimeout|ServiceError|Could not connect")


def audit(lock: str, service: str) -> list[str] | None:
    """Return the problems of a lock file, or None if the service could not check any package."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", lock, "--disable-pip", "--require-hashes"]
    command += ["--format=json", "--progress-spinner=off", f"--vulnerability-service={service}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if not ran.stdout.startswith("{"):
        return None if UNREACHABLE.search(ran.stderr) else [f"{lock}: pip-audit failed: {ran.stderr.strip()}"]
    packages = json.loads(ran.stdout)["dependencies"]
    if all("skip_reason" in package for package in packages):
        return None
    return [
        f"{package['name']}: {package.get('skip_reason') or ', '.join(each['id'] for each in package['vulns'])}"
        for package in packages
        if package.get("skip_reason") or package.get("vulns")
    ]


def main() -> int:
    """Audit all locks; return 1 if there is a vulnerability, or a package that was skipped."""
    for service in ("pypi", "osv"):
        problems = [audit(lock, service) for lock in LOCKS]
        if None not in problems:
            lines = [line for each in problems for line in each or ()]
            print("\n".join(lines) or f"No known vulnerability in {' and '.join(LOCKS)}.")
            return 1 if lines else 0
    print("Not audited: no vulnerability service responded. Run this again with access to PyPI or OSV.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
