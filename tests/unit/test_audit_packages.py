"""The audit fails on vulnerabilities and reports when nothing was audited."""

import json
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

import audit_packages
from support.repository.files import REPOSITORY

CLEAN = {"name": "attrs", "version": "26.1.0", "vulns": []}
VULNERABLE = {"name": "old", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "attrs", "skip_reason": "not found on PyPI"}
UNREACHABLE = "requests.exceptions.ConnectionError: refused"


@pytest.mark.parametrize(
    ("answer", "accepted", "status", "text"),
    [
        ([CLEAN], [], 0, "No known vulnerability in "),
        ([CLEAN, VULNERABLE], [], 1, "old 1.0: CVE-1, fixed in 1.1"),
        ([CLEAN, VULNERABLE], ["CVE-1"], 0, "No known vulnerability in "),
        ([CLEAN], ["CVE-1"], 1, "CVE-1: accepted, but no package has it."),
        ([VULNERABLE, SKIPPED], ["CVE-1"], 1, "attrs: not checked: not found on PyPI"),
        ([SKIPPED], [], 0, "NOT AUDITED: no vulnerability service answered."),
        (UNREACHABLE, [], 0, "NOT AUDITED: no vulnerability service answered."),
        ("requirement without a hash", [], 1, "pip-audit failed: requirement without a hash"),
    ],
)
def test_audit_reports_and_fails_by_the_answer_of_the_service(
    answer: list[Any] | str,
    accepted: list[str],
    status: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = SimpleNamespace(stdout="", stderr=answer)
    if isinstance(answer, list):
        ran = SimpleNamespace(stdout=json.dumps({"dependencies": answer}), stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ran)
    monkeypatch.setattr(audit_packages, "ACCEPTED", dict.fromkeys(accepted, "a reason"))
    assert audit_packages.main() == status
    assert text in capsys.readouterr().out


def test_audited_locks_contain_every_locked_package() -> None:
    def pins(name: str) -> set[str]:
        return {line.split()[0] for line in (REPOSITORY / name).read_text().splitlines() if line[:1].isalnum()}

    audited = set().union(*map(pins, audit_packages.LOCKS))
    assert pins("requirements-run.txt") <= audited
