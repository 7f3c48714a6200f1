"""The emulator admits requests by host, origin, site and access key, and stores the key privately."""

import json
import secrets
import stat
from pathlib import Path

import h11
import ministack.app
import pytest

from aws_emulator import program
from aws_emulator.guard import Guard
from local_stack import LocalStackError
from local_stack.aws import ACCESS_KEY_FILE, stored_credentials

KEY = "LOCAL0123456789"
SHOP = "http://localhost:8080"
API = "/_aws/execute-api/0a1b2c3d/$default/orders"
SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=AKIA1/20250425/us-east-1/sqs/aws4_request, SignedHeaders=host"}
WITH_KEY = {"x-local-access-key": KEY}
LOOPBACK = {"host": "127.0.0.1:4566"}
API_HOST = {"host": "0a1b2c3d.execute-api.localhost:4566"}


def is_admitted(path: str, query: str = "", **headers: str) -> bool:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Guard(KEY, frozenset({SHOP})).rejection(path, query, named) is None


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:4566", "[::1]:4566", "a1.execute-api.localhost:80"]
)
def test_guard_admits_loopback_hosts(host: str) -> None:
    assert is_admitted("/", host=host)


FOREIGN_HOSTS = """evil.example evil.example:4566 localhost.evil.example 127.0.0.1.nip.io evil.example#.localhost
evil.example/.localhost u@localhost 127.0.0.2 0.0.0.0 [::1]x localhost:4566:1 .localhost"""


@pytest.mark.parametrize("host", ["", "localhost\n", *FOREIGN_HOSTS.split()])
def test_guard_rejects_foreign_hosts_with_any_other_headers(host: str) -> None:
    for path in ("/", API, "/_ministack/health"):
        for headers in ({}, SIGNED, WITH_KEY, {"origin": SHOP}):
            assert not is_admitted(path, **headers, host=host)


def test_guard_requires_exactly_one_host_header() -> None:
    for hosts in ([], ["localhost", "localhost"], ["localhost", "evil.example"]):
        assert Guard(KEY, frozenset()).rejection("/", "", [("host", host) for host in hosts]) is not None


def test_guard_admits_a_custom_domain_only_to_its_api(monkeypatch: pytest.MonkeyPatch) -> None:
    domains = {"api.shop.example": ("0a1b2c3d", "$default", "/orders")}
    monkeypatch.setattr(ministack.app, "_resolve_custom_domain_request", lambda host, _: domains.get(host))
    assert is_admitted("/orders", host="api.shop.example", origin=SHOP)
    assert not is_admitted("/orders", host="api.shop.example", origin="http://evil.example")
    assert not is_admitted("/_ministack/reset", host="api.shop.example")
    assert not is_admitted("/orders", host="evil.example")


@pytest.mark.parametrize("site", [{}, *({"sec_fetch_site": site} for site in ("same-site", "cross-site", "none"))])
def test_guard_admits_only_storefront_pages_and_only_to_the_api(site: dict[str, str]) -> None:
    assert is_admitted(API, **LOOPBACK, **SIGNED, **site, origin=SHOP)
    for path in ("/", "/_ministack/reset"):
        for origin in (SHOP, "http://127.0.0.1:4566"):
            assert not is_admitted(path, **LOOPBACK, **SIGNED, **WITH_KEY, **site, origin=origin)
    foreign = ["null", "", "https://localhost:8080", "http://localhost:8081", "http://evil.example"]
    for origin in [*foreign, "http://localhost:8080.evil.example", f"{SHOP}, http://evil.example"]:
        assert not is_admitted(API, **LOOPBACK, **SIGNED, **site, origin=origin), origin


@pytest.mark.parametrize(
    ("site", "admitted"),
    [("none", True), ("same-origin", True), ("same-site", False), ("cross-site", False), ("", False), ("new", False)],
)
def test_guard_rejects_cross_site_requests_without_an_origin(site: str, admitted: bool) -> None:
    for path, headers in (("/", LOOPBACK | SIGNED), (API, LOOPBACK), ("/orders", API_HOST)):
        assert is_admitted(path, **headers, sec_fetch_site=site) == admitted


@pytest.mark.parametrize("path", ["/_ministack/health", "/_ministack/reset", "/_ministack", "/_localstack/health"])
@pytest.mark.parametrize("host", [LOOPBACK, API_HOST], ids=["loopback", "api"])
def test_guard_requires_the_key_for_the_emulators_own_paths(path: str, host: dict[str, str]) -> None:
    assert is_admitted(path, **host, **WITH_KEY)
    for headers in ({}, SIGNED, {"x-local-access-key": ""}, {"x-local-access-key": KEY.lower()}):
        assert not is_admitted(path, **host, **headers)


@pytest.mark.parametrize(
    ("path", "is_public"),
    [
        (API, True),
        ("/restapis/0a1b2c3d/$default/_user_request_/orders", True),
        ("/pool/.well-known/jwks.json", True),
        ("/latest/meta-data/iam/security-credentials", False),
        ("/bucket", False),
        ("/2015-03-31/functions", False),
        ("/v2/", False),
    ],
)
def test_guard_admits_unsigned_requests_only_to_public_paths(path: str, is_public: bool) -> None:
    assert is_admitted(path, **LOOPBACK) == is_public
    # ministack verifies the signature, not the guard.
    assert is_admitted(path, **LOOPBACK, **SIGNED)
    assert is_admitted(path, "X-Amz-Credential=AKIA1%2Fs3", **LOOPBACK)


# Access key


def test_access_key_is_random_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "local"
    first = stored_credentials(directory)
    assert stored_credentials(directory) == first
    assert stored_credentials(tmp_path / "other") != first
    assert len(first.access_key) >= 20
    assert len(first.secret_key) >= 40
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()] == [0o600]


def test_access_key_is_private_when_a_readable_file_was_left(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    left_over = tmp_path / f"{ACCESS_KEY_FILE}.unfinished"
    left_over.write_text(secrets.token_hex())
    left_over.chmod(0o644)
    stored_credentials(tmp_path)
    assert stat.S_IMODE((tmp_path / ACCESS_KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"access_key_id": "LOCAL1"})])
def test_damaged_access_key_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / ACCESS_KEY_FILE).write_text(text)
    with pytest.raises(LocalStackError, match=r"is damaged: delete it"):
        stored_credentials(tmp_path)


def test_emulator_sends_head_and_body_of_a_response_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h11.Connection, "send", h11.Connection.send)
    program.send_responses_at_once()
    for body in (b"text", b""):
        server = h11.Connection(h11.SERVER)
        server.receive_data(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.next_event()
        length = [("Content-Length", str(len(body)))]
        assert server.send(h11.Response(status_code=200, headers=length, reason=b"OK")) == b""
        sent = server.send(h11.Data(data=body)) if body else server.send(h11.EndOfMessage())
        assert sent == b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
