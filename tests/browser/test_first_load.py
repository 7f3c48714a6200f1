"""What a first visit costs, and whom it tells."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import expect

from browser.fake_order_api import FakeOrderApi
from browser.visit import Visit

BUDGET_BYTES = 60_000


def test_the_first_load_stays_under_60_kb_without_pictures(new_visit: Callable[..., Visit]) -> None:
    visit = new_visit()
    session = visit.page.context.new_cdp_session(visit.page)
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}

    def on_response(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def on_finished(event: dict[str, Any]) -> None:
        sizes[event["requestId"]] = event["encodedDataLength"]

    session.on("Network.responseReceived", on_response)
    session.on("Network.loadingFinished", on_finished)
    session.send("Network.enable")
    visit.page.goto(visit.storefront_url, wait_until="networkidle")

    counted = {request: size for request, size in sizes.items() if kinds[request] != "Image"}
    assert {kinds[request] for request in counted} >= {"Document", "Stylesheet", "Script"}
    assert sum(counted.values()) < BUDGET_BYTES


def test_only_the_storefront_and_the_api_are_ever_asked(visit: Visit, api: FakeOrderApi) -> None:
    visit.place()
    visit.expect_processed()
    hosts = {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in visit.requests}
    assert hosts == {visit.storefront_url, api.url}


def test_every_module_is_fetched_early_and_once(visit: Visit) -> None:
    expect(visit.place_button).to_be_visible()
    scripts = [url for url in visit.requests if url.endswith(".js")]
    assert len(scripts) == len(set(scripts))
    preloaded = visit.page.locator("link[rel=modulepreload]").evaluate_all("(links) => links.map((link) => link.href)")
    own = {url for url in scripts if not url.endswith(("/config.js", "/main.js"))}
    assert set(preloaded) == own


def test_the_api_is_told_nothing_but_the_order(visit: Visit, api: FakeOrderApi) -> None:
    visit.place()
    visit.expect_accepted()
    [submission] = api.submissions
    assert "Referer" not in submission.headers
    assert "Cookie" not in submission.headers
    assert set(submission.order) == {"customer_id", "product_id", "quantity", "order_date"}
