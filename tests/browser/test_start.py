"""Opening the page: what it loads, one release at a time, and what it shows if something is missing."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from browser.fake_order_api import FakeOrderApi
from browser.visit import Visit

BUDGET_BYTES = 60_000
COULD_NOT_START = "The shop could not start. Reload the page."


def test_first_load_stays_within_its_budget_and_loads_each_module_once(new_visit: Callable[..., Visit]) -> None:
    visit = new_visit()
    session = visit.page.context.new_cdp_session(visit.page)
    types: dict[str, str] = {}
    sizes: dict[str, float] = {}
    session.on("Network.responseReceived", lambda event: types.update({event["requestId"]: event["type"]}))
    session.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    session.send("Network.enable")
    visit.page.goto(visit.storefront_url, wait_until="networkidle")
    counted = [request for request in sizes if types[request] != "Image"]
    assert {types[request] for request in counted} >= {"Document", "Stylesheet", "Script"}
    assert sum(sizes[request] for request in counted) < BUDGET_BYTES

    scripts = [url for url in visit.requests if url.endswith(".js")]
    assert len(scripts) == len(set(scripts))
    preloaded = visit.page.locator("link[rel=modulepreload]").evaluate_all("(links) => links.map((link) => link.href)")
    assert set(preloaded) == {url for url in scripts if not url.endswith(("/config.js", "/main.js"))}
    releases = {re.sub(r"[a-z]+\.(css|js)$", "", url) for url in visit.requests if url.endswith((".js", ".css"))}
    assert len(releases) == 1, "all code comes from the path of one release"


def test_page_talks_to_the_storefront_and_the_api_only(visit: Visit, api: FakeOrderApi) -> None:
    visit.place()
    visit.expect_processed()
    hosts = {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in visit.requests}
    assert hosts == {visit.storefront_url, api.url}
    [submission] = api.submissions
    assert {"Referer", "Cookie"}.isdisjoint(submission.headers)
    assert set(submission.order) == {"customer_id", "product_id", "quantity", "order_date"}


@pytest.mark.parametrize("name", ["main.js", "view.js", "backoff.js", "style.css"])
def test_page_without_one_of_its_files_says_that_it_could_not_start(new_visit: Callable[..., Visit], name: str) -> None:
    visit = new_visit()
    visit.page.route(f"**/{name}", lambda route: route.fulfill(status=404, content_type="text/plain", body="404"))
    visit.page.goto(visit.storefront_url)
    expect(visit.page.get_by_text(COULD_NOT_START)).to_be_visible()
    expect(visit.place_button).to_be_disabled()
    visit.complaints.clear()


def test_page_never_runs_modules_of_two_releases(new_visit: Callable[..., Visit], api: FakeOrderApi) -> None:
    """Behind the load balancer, each request may reach a server of another release."""
    visit = new_visit()

    def other_release(route: Route) -> None:
        # A server answers 404 to the release path of another one.
        route.fulfill(response=route.fetch(url=f"{visit.storefront_url}/0123456789abcdef/view.js"))

    visit.page.route("**/view.js", other_release)
    visit.page.goto(visit.storefront_url)
    expect(visit.page.get_by_text(COULD_NOT_START)).to_be_visible()
    visit.page.unroute("**/view.js")
    visit.page.reload()
    visit.place()
    visit.expect_accepted()
    expect(visit.page.get_by_text(COULD_NOT_START)).to_be_hidden()
    visit.complaints.clear()


def test_page_without_javascript_says_so_at_once(new_visit: Callable[..., Visit]) -> None:
    visit = new_visit(java_script_enabled=False)
    visit.page.goto(visit.storefront_url)
    assert visit.page.get_by_text(COULD_NOT_START).is_visible()
    assert visit.page.locator("noscript p").is_visible()


def test_missing_configuration_is_retried_until_it_is_there(new_visit: Callable[..., Visit], api: FakeOrderApi) -> None:
    visit = new_visit()
    failing = True
    visit.page.route("**/config.js*", lambda route: route.abort() if failing else route.continue_())
    visit.page.clock.install()
    visit.page.goto(visit.storefront_url)
    banner = visit.page.get_by_role("alert")
    for seconds in (1, 2):
        expect(banner).to_contain_text("The shop cannot be reached.")
        expect(visit.place_button).to_be_disabled()
        expect(visit.page.get_by_text(COULD_NOT_START)).to_be_hidden()
        asked = len(visit.requests)
        with visit.page.expect_request("**/config.js*"):
            visit.page.clock.run_for(seconds * 1000)
        assert len(visit.requests) == asked + 1
    visit.expect_accessible()
    failing = False
    with visit.page.expect_request("**/config.js*"):
        visit.page.evaluate("dispatchEvent(new Event('online'))")
    expect(banner).to_be_hidden()
    visit.place()
    visit.expect_accepted()
    visit.complaints.clear()


def test_invalid_configuration_closes_the_shop(new_visit: Callable[..., Visit]) -> None:
    visit = new_visit()
    config = "export default { apiUrl: 'not an address' };"
    visit.page.route("**/config.js", lambda route: route.fulfill(content_type="text/javascript", body=config))
    visit.page.goto(visit.storefront_url)
    expect(visit.page.get_by_role("alert")).to_contain_text("The shop is closed")
    visit.fill()
    visit.page.get_by_label("Quantity").press("Enter")
    assert all(url.startswith(visit.storefront_url) for url in visit.requests)
    expect(visit.place_button).to_be_disabled()


def test_page_works_without_tls_and_with_a_path_in_the_api_url(
    new_visit: Callable[..., Visit], serve: Callable[..., str], api: FakeOrderApi
) -> None:
    api_url = f"{api.url}/_aws/execute-api/abc/$default"
    visit = new_visit(serve(api_url, "storefront.example"), api_url)
    visit.open()
    assert visit.page.evaluate("isSecureContext") is False
    visit.place()
    expect(visit.notice).to_contain_text("The shop gave an unexpected answer.")
    assert f"{api_url}/orders" in visit.requests


@pytest.mark.parametrize("script", ["main.js", "config.js"])
def test_input_before_the_page_has_started_is_kept(
    new_visit: Callable[..., Visit], api: FakeOrderApi, script: str
) -> None:
    visit = new_visit()
    held_back: list[Route] = []

    def hold_back(route: Route) -> None:
        held_back.append(route)

    visit.page.route(f"**/{script}", hold_back)
    with visit.page.expect_request(f"**/{script}"):
        visit.page.goto(visit.storefront_url, wait_until="commit")
    visit.fill(customer_id="quick")
    visit.page.get_by_label("Quantity").press("Enter")
    held_back[0].continue_()
    expect(visit.place_button).to_be_enabled()
    expect(visit.page.get_by_label("Customer ID")).to_have_value("quick")
    visit.place_button.click()
    visit.expect_processed()
    assert len(api.submissions) == 1


def test_start_message_does_not_flash_while_the_page_loads(new_visit: Callable[..., Visit]) -> None:
    visit = new_visit()
    visit.page.route("**/main.js", lambda route: None)
    visit.page.goto(visit.storefront_url, wait_until="commit")
    message = visit.page.get_by_text(COULD_NOT_START)
    expect(message).to_be_attached()
    delay = message.locator("..").evaluate("(element) => element.getAnimations()[0].effect.getTiming().delay")
    assert delay == 2000
