"""Look the locked packages up in a database of known vulnerabilities, with pip-audit.

    .venv/bin/python scripts/audit_packages.py [--osv-url URL]

pip-audit alone says "No known vulnerabilities found" and exits 0 when no package could be looked up at all, as behind a
mirror of PyPI that has packages but no advisories. Here that is told apart:

- a vulnerability that is not accepted below fails, and so does an accepted one that is gone;
- a package that was not looked up though others were fails;
- where neither PyPI nor OSV answers, nothing was audited. That is said in one line, with a status of its own,
  NOT_LOOKED_AT, for it says nothing about the packages.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY = Path(__file__).resolve().parents[1]

# What ships first.
LOCKS = ("lambda/requirements.txt", "requirements-run.txt", "requirements-plan.txt", "requirements-test.txt")

NOT_LOOKED_AT: Final = os.EX_TEMPFAIL
"""The exit status that tells scripts/check.py that a step could not look at anything."""

ACCEPTED: Final[Mapping[str, str]] = {}
"""Vulnerabilities that are left, by id (PYSEC-…, GHSA-… or CVE-…), each with the reason."""

_UNREACHABLE = re.compile(r"ConnectionError|ConnectTimeout|ReadTimeout|ServiceError|Could not connect")


class AuditError(Exception):
    """The audit cannot be made; the message says why and what to do."""


class ServiceUnreachableError(Exception):
    """A vulnerability service does not answer; the message says what it did instead."""


@dataclass(frozen=True)
class Vulnerability:
    """A known vulnerability of a locked package."""

    package: str
    version: str
    names: tuple[str, ...]
    """Its id and its aliases."""
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        remedy = f"fixed in {', '.join(self.fixed_in)}: run `make lock`" if self.fixed_in else "not fixed yet"
        return f"{self.package} {self.version}: {' = '.join(self.names)}, {remedy}"


@dataclass(frozen=True)
class Audit:
    """What a service said of one lock."""

    audited: int
    """How many packages were looked up."""
    skipped: tuple[str, ...]
    """Packages that were not, with the reason."""
    vulnerabilities: tuple[Vulnerability, ...]


def read_audit(text: str) -> Audit:
    """Read pip-audit's report, JSON; raise ServiceUnreachableError where no package at all was looked up."""
    dependencies = json.loads(text)["dependencies"]
    skipped = tuple(f"{each['name']}: {each['skip_reason']}" for each in dependencies if "skip_reason" in each)
    looked_up = [each for each in dependencies if "skip_reason" not in each]
    if not dependencies:
        raise AuditError("pip-audit has found no package in the lock: make it again, with `make lock`.")
    if not looked_up:
        raise ServiceUnreachableError(f"knows none of {len(skipped)} packages")
    return Audit(
        len(looked_up),
        skipped,
        tuple(
            Vulnerability(
                each["name"],
                each["version"],
                (found["id"], *found.get("aliases", ())),
                tuple(found["fix_versions"]),
            )
            for each in looked_up
            for found in each["vulns"]
        ),
    )


def problems(audits: Mapping[str, Audit], accepted: Mapping[str, str]) -> list[str]:
    """Return what is wrong, one sentence each: vulnerabilities, packages left out, reasons without an object."""
    found = [
        f"{lock}: {vulnerability}"
        for lock, audit in audits.items()
        for vulnerability in audit.vulnerabilities
        if not accepted.keys() & set(vulnerability.names)
    ]
    found += [f"{lock}: not looked up: {skipped}" for lock, audit in audits.items() for skipped in audit.skipped]
    names = {name for audit in audits.values() for each in audit.vulnerabilities for name in each.names}
    found += [
        f"{name} is accepted in scripts/audit_packages.py, but no package has it any more: take it out"
        for name in accepted
        if name not in names
    ]
    return found


def audit(lock: str, service: Sequence[str]) -> Audit:
    """Ask pip-audit about one lock, with these options for a service."""
    command = [str(Path(sys.executable).with_name("pip-audit")), "--requirement", str(REPOSITORY / lock)]
    options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    try:
        ran = subprocess.run([*command, *options, *service], capture_output=True, text=True, timeout=600, check=False)
    except FileNotFoundError:
        raise AuditError("pip-audit is not installed: run `make set-up-test`.") from None
    except subprocess.TimeoutExpired:
        raise ServiceUnreachableError("did not answer within ten minutes") from None
    if ran.stdout.startswith("{"):
        return read_audit(ran.stdout)
    if _UNREACHABLE.search(ran.stderr):
        raise ServiceUnreachableError("does not answer")
    last_words = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
    raise AuditError(f"pip-audit could not read {lock}: {last_words}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit all locks; return 0 if nothing is wrong with them, NOT_LOOKED_AT where nobody can tell."""
    parser = argparse.ArgumentParser(description="Look the locked packages up in a database of known vulnerabilities.")
    parser.add_argument(
        "--osv-url", metavar="URL", help="ask only this service, which speaks OSV's API, such as a mirror"
    )
    osv_url = parser.parse_args(arguments).osv_url
    services = (
        {f"OSV at {osv_url}": ("--vulnerability-service", "osv", "--osv-url", osv_url)}
        if osv_url
        else {"PyPI": ("--vulnerability-service", "pypi"), "OSV": ("--vulnerability-service", "osv")}
    )
    unreachable = []
    for service, options in services.items():
        try:
            return _tell(service, {lock: audit(lock, options) for lock in LOCKS})
        except ServiceUnreachableError as error:
            unreachable.append(f"{service} {error}")
        except AuditError as error:
            print(f"audit: {error}", file=sys.stderr)
            return 2
    print(f"audit: NOT AUDITED, no vulnerability service answers: {'; '.join(unreachable)}.", file=sys.stderr)
    return NOT_LOOKED_AT


def _tell(service: str, audits: Mapping[str, Audit]) -> int:
    found = problems(audits, ACCEPTED)
    for problem in found:
        print(f"audit: {problem}", file=sys.stderr)
    if found:
        return 1
    for lock, each in audits.items():
        print(f"audit: {lock}: {each.audited} packages, no vulnerability that {service} knows and nobody has accepted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
