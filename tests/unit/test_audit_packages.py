"""The audit fails on vulnerabilities, and reports when nothing was audited."""

import json
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

import audit_packages

CLEAN = {"name": "attrs", "version": "26.1.0", "vulns": []}
VULNERABLE = {"name": "old", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "attrs", "skip_reason": "not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "error", "status", "text"),
    [
        ([CLEAN], "", 0, "No known vulnerability in "),
        ([CLEAN, VULNERABLE], "", 1, "old: CVE-1"),
        ([VULNERABLE, SKIPPED], "", 1, "attrs: not found on PyPI"),
        ([SKIPPED], "", 0, "Not audited: no vulnerability service responded."),
        (None, "requests.exceptions.ConnectionError: refused", 0, "Not audited: no vulnerability service responded."),
        (None, "requirement without a hash", 1, "pip-audit failed: requirement without a hash"),
    ],
)
def test_audit_reports_the_result_of_the_service(
    packages: list[dict[str, Any]] | None,
    error: str,
    status: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = SimpleNamespace(stdout=json.dumps({"dependencies": packages}) if packages else "", stderr=error)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ran)
    assert audit_packages.main() == status
    assert text in capsys.readouterr().out
