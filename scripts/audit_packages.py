"""Check the locked packages for known vulnerabilities with pip-audit.

pip-audit exits with 0 when it could not look up any package, for example behind a mirror of PyPI without advisories.
This program reports that instead. Vulnerabilities, and packages that were skipped while others were found, fail.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LOCKS = ("lambda/requirements.txt", "requirements-test.txt")  # the second contains the packages of the other two

ACCEPTED: dict[str, str] = {}
"""Reasons to accept a vulnerability, by its id. An entry that no package needs any more fails."""

UNREACHABLE = re.compile(r"ConnectionError|ConnectTimeout|ReadTimeout|ServiceError|Could not connect")


def findings(lock: str, service: str) -> set[tuple[str, str]] | None:
    """Return (id, description) of each problem in a lock file, or None when the service knows no package."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(REPOSITORY / lock), "--disable-pip"]
    command += ["--require-hashes", "--format=json", "--progress-spinner=off", f"--vulnerability-service={service}"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        return None
    if not ran.stdout.startswith("{"):
        if UNREACHABLE.search(ran.stderr):
            return None
        return {("", f"{lock}: pip-audit failed: {ran.stderr.strip()}")}
    packages = json.loads(ran.stdout)["dependencies"]
    if all("skip_reason" in package for package in packages):
        return None
    skipped = {
        ("", f"{each['name']}: not checked: {each['skip_reason']}") for each in packages if "skip_reason" in each
    }
    return skipped | {
        (
            vulnerability["id"],
            f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in "
            f"{', '.join(vulnerability['fix_versions']) or 'no version yet'}",
        )
        for each in packages
        for vulnerability in each.get("vulns", ())
    }


def main() -> int:
    """Audit all locks; return 1 if there is a vulnerability that is not accepted."""
    for service in ("pypi", "osv"):
        found = [findings(lock, service) for lock in LOCKS]
        problems = {problem for each in found for problem in each or ()}
        if None in found:
            continue
        unused = ACCEPTED.keys() - {name for name, _ in problems}
        lines = sorted(text for name, text in problems if name not in ACCEPTED)
        lines += [f"{name}: accepted, but no package has it. Remove it from ACCEPTED." for name in sorted(unused)]
        print("\n".join(lines) or f"No known vulnerability in {' and '.join(LOCKS)}.")
        return 1 if lines else 0
    print("NOT AUDITED: no vulnerability service answered. Run this again with access to PyPI or OSV.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
