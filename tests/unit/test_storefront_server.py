"""What the storefront's server makes of an address, a header and a folder, without a socket."""

import os
from pathlib import Path
from typing import Any

import pytest

from storefront.server import load_server

server: Any = load_server()


@pytest.mark.parametrize(
    ("text", "kept", "origin"),
    [
        ("https://api.example.com", "https://api.example.com", "https://api.example.com"),
        ("https://API.Example.com/", "https://api.example.com", "https://api.example.com"),
        ("http://abc.execute-api.localhost:4566", None, "http://abc.execute-api.localhost:4566"),
        (
            "http://localhost:4566/_aws/execute-api/abc/$default/",
            "http://localhost:4566/_aws/execute-api/abc/$default",
            "http://localhost:4566",
        ),
        ("http://127.0.0.1:8120///", "http://127.0.0.1:8120", "http://127.0.0.1:8120"),
    ],
)
def test_an_http_address_is_taken_without_its_trailing_slash(text: str, kept: str | None, origin: str) -> None:
    api_url = server.ApiUrl.parse(text)
    assert api_url.text == (kept or text)
    assert api_url.origin == origin


@pytest.mark.parametrize(
    "text",
    [
        "api.example.com",
        "/orders",
        "ftp://api.example.com",
        "javascript:alert(1)",
        "https://",
        "https:///orders",
        "https://user:secret@api.example.com",
        "https://api.example.com?stage=dev",
        "https://api.example.com/?",
        "https://api.example.com#here",
        "https://api.example.com:port",
        "https://api.example.com:99999",
        "https://[::1]:4566",
        "https://[::1",
        "https://api..example.com",
        "https://api_example.com",
        "https://*.example.com",
        "https://api.example.com; script-src *",
        "https://api.example.com;script-src",
        "https://api.example.com,https://evil.example",
        "https://api.example.com/\r\nX-Evil:yes",
        "https://api.example.com/\n",
        " https://api.example.com",
        'https://api.example.com/"',
        "https://api.example.com/'",
        "https://api.example.com/\\",
        "https://bücher.example",
        "https://api.example.com/\x00",
        "https://" + "a" * 100_000 + "!",
    ],
)
def test_what_no_page_could_use_as_an_api_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(server.InvalidApiUrlError) as refusal:
        server.ApiUrl.parse(text)
    said = str(refusal.value)
    assert said.isprintable()
    assert said.isascii()
    assert said.endswith(".")
    assert len(said) < 400
    assert "secret" not in said


def test_config_is_a_module_whose_default_names_the_api() -> None:
    config = server.ApiUrl.parse("http://localhost:4566/_aws/execute-api/abc/$default").config_module()
    assert config == b'export default { apiUrl: "http://localhost:4566/_aws/execute-api/abc/$default" };\n'


def test_the_page_may_talk_to_the_api_and_to_nobody_else() -> None:
    policy = directives(server.security_headers("https://api.example.com"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "https://api.example.com"
    assert policy["script-src"] == policy["style-src"] == policy["img-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert not any("unsafe" in value or "*" in value for value in policy.values())


def test_without_an_api_the_page_may_talk_to_nobody() -> None:
    assert directives(server.security_headers(None))["connect-src"] == "'none'"


def directives(headers: dict[str, str]) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5, br", True),
        ("gzip;q=1.0", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("notgzip", False),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(header: str, accepted: bool) -> None:
    assert server.accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    ("header", "current"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        ("*", True),
        ("", False),
        ("abc", False),
        ('"abcd"', False),
        ('"abc-gzip"', False),
    ],
)
def test_a_copy_is_current_when_its_tag_is_named(header: str, current: bool) -> None:
    assert server.is_current(header, "abc") is current


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A storefront with what else may lie about in one."""
    folder = tmp_path / "frontend"
    (folder / "images" / "old").mkdir(parents=True)
    (tmp_path / "secret.js").write_text("secret")
    for name in (
        *("index.html", "main.js", "style.css", "server.py", "config.js", ".hidden.js", "main.js~", "#main.js#"),
        *("notes.txt", "main.js.map", "images/apple.svg", "images/old/pear.svg", "images/photo.png", "images/x.js"),
    ):
        (folder / name).write_text(f"this is {name}")
    return folder


def test_the_storefronts_own_files_are_public(folder: Path) -> None:
    storefront = server.Storefront(folder, server.ApiUrl.parse("https://api.example.com"))
    assert storefront.find("/").body == storefront.find("/index.html").body == b"this is index.html"
    assert storefront.find("/main.js").content_type == "text/javascript; charset=utf-8"
    assert storefront.find("/style.css").content_type == "text/css; charset=utf-8"
    assert storefront.find("/images/apple.svg").content_type == "image/svg+xml; charset=utf-8"
    assert storefront.find("/config.js").body.startswith(b"export default")


@pytest.mark.parametrize(
    "path",
    [
        *("", "index.html", "//", "/images", "/images/", "/server.py", "/.hidden.js", "/main.js~", "/#main.js#"),
        *("/notes.txt", "/main.js.map", "/images/old/pear.svg", "/images/photo.png", "/images/x.js", "/INDEX.HTML"),
        *("/../secret.js", "/images/../main.js", "/./main.js", "/%6dain.js", "/main%2ejs", "/..%2fsecret.js"),
        *("/main.js/", "/main.js\x00", "/main.js%00", "/main.js?", "\\main.js", "/linked.js", "/images/linked.svg"),
    ],
)
def test_nothing_else_is_public(folder: Path, path: str) -> None:
    (folder / "linked.js").symlink_to(folder.parent / "secret.js")
    (folder / "images" / "linked.svg").symlink_to(folder / "main.js")
    assert server.Storefront(folder, None).find(path) is None


def test_without_an_api_there_is_no_config_even_where_a_file_lies_about(folder: Path) -> None:
    assert server.Storefront(folder, None).find("/config.js") is None


def test_a_folder_of_pictures_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "images").rename(tmp_path / "elsewhere")
    (folder / "images").symlink_to(tmp_path / "elsewhere")
    assert server.Storefront(folder, None).find("/images/apple.svg") is None


def test_a_pipe_with_a_public_name_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.js")
    (folder / "folder.js").mkdir()
    assert server.Storefront(folder, None).find("/pipe.js") is None
    assert server.Storefront(folder, None).find("/folder.js") is None
