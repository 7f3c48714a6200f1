"""config.js, the one setting of a deployed storefront: missing or wrong, the page says so."""

import socket
from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from browser.fake_order_api import FakeOrderApi
from browser.visit import Visit


def test_without_config_the_page_says_so_and_takes_no_orders(
    new_visit: Callable[..., Visit], serve: Callable[[str | None], str]
) -> None:
    visit = new_visit(serve(None))
    visit.open_unconnected()
    banner = visit.page.get_by_role("alert")
    expect(banner).to_contain_text("config.js, which names the order API, is missing or cannot be read")
    expect(visit.place_button).to_be_disabled()
    visit.fill()
    visit.page.get_by_label("Quantity").press("Enter")
    assert all(url.startswith(visit.storefront_url) for url in visit.requests)
    # Chromium's own word about the 404, which the test is about.
    [complaint] = visit.complaints
    assert "404" in complaint
    visit.complaints.clear()


def test_a_config_without_a_usable_address_is_said_so(new_visit: Callable[..., Visit]) -> None:
    visit = new_visit()
    visit.page.route(
        "**/config.js",
        lambda route: route.fulfill(
            content_type="text/javascript", body="export default { apiUrl: 'not an address' };"
        ),
    )
    visit.open_unconnected()
    expect(visit.page.get_by_role("alert")).to_contain_text("config.js does not name a usable address")
    expect(visit.place_button).to_be_disabled()


def test_an_address_is_usable_when_it_is_plain_http(in_page: Callable[..., Any]) -> None:
    meant: dict[str, str | None] = {
        "{ apiUrl: 'https://abc.execute-api.eu-central-1.amazonaws.com' }": (
            "https://abc.execute-api.eu-central-1.amazonaws.com"
        ),
        "{ apiUrl: 'http://localhost:4566/_aws/execute-api/abc/$default/' }": (
            "http://localhost:4566/_aws/execute-api/abc/$default"
        ),
        "{}": None,
        "null": None,
        "undefined": None,
        "{ apiUrl: 7 }": None,
        "{ apiUrl: '' }": None,
        "{ apiUrl: 'not an address' }": None,
        "{ apiUrl: '/orders' }": None,
        "{ apiUrl: 'ftp://127.0.0.1' }": None,
        "{ apiUrl: 'javascript:alert(1)' }": None,
        "{ apiUrl: 'http://user:secret@127.0.0.1' }": None,
        "{ apiUrl: 'http://127.0.0.1/?stage=dev' }": None,
        "{ apiUrl: 'http://127.0.0.1/#here' }": None,
    }
    configs = ", ".join(meant)
    read = in_page(f"import('/api.js').then((api) => [{configs}].map(api.readApiUrl))")
    assert dict(zip(meant, read, strict=True)) == meant


def test_an_address_where_nobody_answers_is_said_when_an_order_is_placed(
    new_visit: Callable[..., Visit],
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        api_url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    visit = new_visit(api_url=api_url)
    visit.open()
    visit.place()
    expect(visit.notice).to_contain_text("The shop cannot be reached.")
    visit.start_over_button.click()


def test_the_shop_works_where_it_is_served_without_tls(
    new_visit: Callable[..., Visit], serve: Callable[[str | None], str], api: FakeOrderApi
) -> None:
    visit = new_visit(serve(api.url).replace("127.0.0.1", "storefront.example"))
    visit.open()
    assert visit.page.evaluate("isSecureContext") is False
    visit.place()
    visit.expect_processed()
