"""The audit of the locked packages tells "nothing known" from "not looked up", by reports that pip-audit has written."""

import json
from typing import Any

import pytest

import audit_packages
from audit_packages import LOCKS, Audit, AuditError, ServiceUnreachableError, problems, read_audit
from repository.files import REPOSITORY, checked_in_files

LOCK = "lambda/requirements.txt"

# What pip-audit 2.10 wrote of the Lambda package's lock, shortened: asked of a service that knew one vulnerability …
VULNERABLE: dict[str, Any] = {
    "dependencies": [
        {"name": "attrs", "version": "26.1.0", "vulns": []},
        {"name": "jsonschema", "version": "4.26.0", "vulns": []},
        {
            "name": "typing-extensions",
            "version": "4.16.0",
            "vulns": [
                {
                    "id": "CVE-2025-54121",
                    "fix_versions": ["5.0.0"],
                    "aliases": ["GHSA-2c2j-9gv5-cj73"],
                    "description": "…",
                }
            ],
        },
    ],
    "fixes": [],
}
# … and behind a mirror that has packages but no advisories. It said "No known vulnerabilities found" and exited 0.
UNKNOWN: dict[str, Any] = {
    "dependencies": [
        {
            "name": name,
            "skip_reason": f"Dependency not found on PyPI and could not be audited: {name} ({version})",
        }
        for name, version in (("attrs", "26.1.0"), ("jsonschema", "4.26.0"))
    ],
    "fixes": [],
}


def report(*dependencies: Any) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_every_lock_is_audited() -> None:
    assert set(LOCKS) == {str(lock.relative_to(REPOSITORY)) for lock in checked_in_files("*requirements*.txt")}


def test_packages_without_a_known_vulnerability_are_no_problem() -> None:
    audit = read_audit(report(*VULNERABLE["dependencies"][:2]))
    assert audit.audited == 2
    assert problems({LOCK: audit}, accepted={}) == []


def test_a_vulnerability_is_told_with_its_remedy() -> None:
    [problem] = problems({LOCK: read_audit(json.dumps(VULNERABLE))}, accepted={})
    assert problem == (
        "lambda/requirements.txt: typing-extensions 4.16.0: CVE-2025-54121 = GHSA-2c2j-9gv5-cj73, "
        "fixed in 5.0.0: run `make lock`"
    )


@pytest.mark.parametrize("name", ["CVE-2025-54121", "GHSA-2c2j-9gv5-cj73"])
def test_a_vulnerability_is_accepted_by_any_of_its_names(name: str) -> None:
    audits = {LOCK: read_audit(json.dumps(VULNERABLE))}
    assert problems(audits, accepted={name: "we do not call it"}) == []


def test_what_is_accepted_must_still_be_there() -> None:
    audits = {LOCK: read_audit(report(*VULNERABLE["dependencies"][:2]))}
    [problem] = problems(audits, accepted={"CVE-2025-54121": "we do not call it"})
    assert "CVE-2025-54121 is accepted" in problem
    assert "take it out" in problem


def test_a_package_that_is_left_out_while_others_are_looked_up_is_a_problem() -> None:
    audit = read_audit(report(*VULNERABLE["dependencies"][:2], UNKNOWN["dependencies"][0]))
    [problem] = problems({LOCK: audit}, accepted={})
    assert problem.startswith("lambda/requirements.txt: not looked up: attrs: Dependency not found")


def test_a_service_that_knows_no_package_at_all_has_not_audited_them() -> None:
    with pytest.raises(ServiceUnreachableError, match="knows none of 2 packages"):
        read_audit(json.dumps(UNKNOWN))


def test_an_empty_lock_is_not_taken_for_a_sound_one() -> None:
    with pytest.raises(AuditError, match="no package in the lock"):
        read_audit(report())


def test_where_no_service_answers_one_loud_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(lock: str, service: object) -> Audit:
        raise ServiceUnreachableError("does not answer")

    monkeypatch.setattr(audit_packages, "audit", unreachable)
    assert audit_packages.main([]) == audit_packages.NOT_LOOKED_AT
    told = capsys.readouterr()
    assert told.out == "", "nothing sounds like an audit"
    [line] = told.err.splitlines()
    assert "NOT AUDITED" in line
    assert "PyPI does not answer; OSV does not answer" in line


def test_where_the_first_service_does_not_answer_the_next_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def only_osv(lock: str, service: tuple[str, ...]) -> Audit:
        if "pypi" in service:
            raise ServiceUnreachableError("knows none of 2 packages")
        return read_audit(json.dumps(VULNERABLE))

    monkeypatch.setattr(audit_packages, "audit", only_osv)
    assert audit_packages.main([]) == 1
    assert "typing-extensions 4.16.0" in capsys.readouterr().err
