"""The audit of the locked packages with the real pip-audit, which asks a service of this test."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from packaging.requirements import Requirement

import audit_packages
from local_stack.ports import free_port

LOCK = "lambda/requirements.txt"


class VulnerabilityService(ThreadingHTTPServer):
    """A service that knows the vulnerabilities that it is told, as OSV tells them.

    https://google.github.io/osv.dev/post-v1-query/
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.vulnerable: set[str] = set()
        self.asked: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/query"


class _Handler(BaseHTTPRequestHandler):
    server: VulnerabilityService

    def do_POST(self) -> None:
        package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]
        self.server.asked.add(package["name"])
        answer = json.dumps(_vulnerabilities(package) if package["name"] in self.server.vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def _vulnerabilities(package: dict[str, str]) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": "99.0"}]
    affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
    return {"vulns": [{"id": "PYSEC-2099-1", "summary": "…", "affected": affected}]}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[VulnerabilityService]:
    monkeypatch.setattr(audit_packages, "LOCKS", (LOCK,))
    with VulnerabilityService() as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield service
        service.shutdown()


def test_every_package_of_a_lock_is_looked_up(
    service: VulnerabilityService, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit_packages.main(["--osv-url", service.url]) == 0
    lines = (audit_packages.REPOSITORY / LOCK).read_text().splitlines()
    locked = [Requirement(line.removesuffix("\\")) for line in lines if "==" in line]
    here = {package.name for package in locked if package.marker is None or package.marker.evaluate()}
    assert service.asked == here
    assert f"{LOCK}: {len(here)} packages, no vulnerability" in capsys.readouterr().out


def test_a_known_vulnerability_fails_the_audit(
    service: VulnerabilityService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.vulnerable.add("attrs")
    assert audit_packages.main(["--osv-url", service.url]) == 1
    assert "PYSEC-2099-1, fixed in 99.0" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_told_from_a_clean_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit_packages, "LOCKS", (LOCK,))
    assert (
        audit_packages.main(["--osv-url", f"http://127.0.0.1:{free_port()}/v1/query"]) == audit_packages.NOT_LOOKED_AT
    )
    assert "NOT AUDITED" in capsys.readouterr().err


def test_a_lock_that_cannot_be_read_is_an_error_and_not_an_unreachable_service(
    service: VulnerabilityService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit_packages, "LOCKS", ("README.md",))
    assert audit_packages.main(["--osv-url", service.url]) == 2
    assert "could not read README.md" in capsys.readouterr().err
