"""The page's storage on the device: forged records, blocked or full storage, many orders, and deletion."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from browser.fake_order_api import UNAVAILABLE, FakeOrderApi
from browser.visit import NewVisit, Visit
from orders.domain.order_id import derived_order_id
from support.sample_orders import SAMPLE_ORDER
from support.waiting import wait_for

MARKUP = '<img src=x onerror="window.injected = true"><script>window.injected = true</script>'
BIDI = "\u202eevil\u2066\u200f\u2069\u061c"
WARNING = "Your browser does not allow this page to store data."

ORDER_ID = derived_order_id(SAMPLE_ORDER, "one")
ORDER = {"customer_id": "001", "product_id": "Banana", "quantity": "2", "order_date": "2025-04-25"}
MOMENT = "2025-04-25T10:00:00.000Z"
TIMES = {"placed_at": MOMENT, "accepted_at": MOMENT, "processed_at": MOMENT}
RECORD: dict[str, Any] = {"order_id": ORDER_ID, "order": ORDER, "state": "PROCESSED", **TIMES}
SUBMISSION: dict[str, Any] = {"key": "0123456789abcdef" * 2, "order": ORDER, "started_at": MOMENT}


def write_storage(visit: Visit, items: dict[str, Any]) -> None:
    """Write to the storefront's storage: a string as it is, everything else as JSON."""
    script = "(all) => Object.entries(all).forEach(([key, text]) => localStorage.setItem(`fruit-stand:${key}`, text))"
    texts = {key: item if isinstance(item, str) else json.dumps(item) for key, item in items.items()}
    visit.page.evaluate(script, texts)


def numbered(items: list[Any]) -> dict[str, Any]:
    """Return each item under a distinct order ID, which is also set in records."""
    ids = [derived_order_id(SAMPLE_ORDER, str(number)) for number in range(len(items))]
    pairs = zip(ids, items, strict=True)
    return {f"order:{id_}": {**item, "order_id": id_} if isinstance(item, dict) else item for id_, item in pairs}


FORGED_RECORDS: dict[str, list[Any]] = {
    "state": [MARKUP, "constructor"],
    "placed_at": [MARKUP, None],
    "accepted_at": [7, "9999-99-99T99:99:99Z"],
    "processed_at": [MARKUP],
    "order": [None, {**ORDER, "product_id": MARKUP}, {**ORDER, "customer_id": BIDI}, {**ORDER, "x": 1}],
}
FORGED_SUBMISSIONS: dict[str, list[Any]] = {
    "key": ["x\r\nX-Evil: yes", "a" * 33],
    "started_at": ["soon"],
    "order": [{**ORDER, "product_id": MARKUP}],
    "holder": [7, {"tab": MARKUP, "until": 1}, {"tab": "01234567", "until": "9"}],
}


def test_forged_records_are_deleted_and_never_used(visit: Visit, api: FakeOrderApi) -> None:
    records = [{**RECORD, name: value} for name, values in FORGED_RECORDS.items() for value in values]
    texts = ["", "not JSON", "null", "7", "[]", '"text"', "[" * 10_000, json.dumps(RECORD)]
    items = numbered([*records, *texts])
    for name, values in FORGED_SUBMISSIONS.items():
        for value in values:
            write_storage(visit, {**items, "submission": {**SUBMISSION, name: value}, "customer": json.dumps(MARKUP)})
            visit.page.reload()
            # `wait_for_function` evaluates a string, which the page's Content-Security-Policy forbids.
            wait_for("an empty storage", lambda: visit.page.evaluate("localStorage.length === 0"), seconds=5)
            items = {}
    expect(visit.page.get_by_text("No orders yet.")).to_be_visible()
    expect(visit.page.get_by_label("Customer ID")).to_have_value("")
    assert visit.page.evaluate("window.injected === undefined")
    assert (api.polls, api.submissions) == ([], [])


def test_records_of_other_pages_and_valid_orders_are_kept(visit: Visit) -> None:
    write_storage(visit, numbered([{**RECORD, "order": {**ORDER, "customer_id": "c" * 64, "product_id": "P" * 128}}]))
    visit.page.evaluate("localStorage.setItem('another page', '{')")
    visit.page.set_viewport_size({"width": 320, "height": 640})
    visit.page.reload()
    expect(visit.receipts.first).to_contain_text("P" * 128)
    visit.expect_no_sideways_scrolling()
    visit.page.get_by_role("button", name="Forget me").click()
    assert visit.page.evaluate("localStorage.getItem('another page')") == "{"


@pytest.mark.parametrize("failure", ["blocked", "full", "full after the start"])
def test_page_warns_and_places_orders_when_storage_fails(new_visit: NewVisit, api: FakeOrderApi, failure: str) -> None:
    visit = new_visit()
    fill = "localStorage.setItem('another page', 'x'.repeat(5 * 1024 * 1024 - 60));"
    if failure == "blocked":
        visit.page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error(); } })")
    elif failure == "full":
        visit.page.add_init_script(f"localStorage.clear(); {fill}")
    visit.open()
    warning = visit.page.locator(".order").get_by_text(WARNING)
    if failure == "full after the start":
        expect(warning).to_be_hidden()
        visit.page.evaluate(fill)
    else:
        expect(warning).to_be_visible()
        expect(visit.page.get_by_text("stay in this browser on this device")).to_be_hidden()
    api.script.append(UNAVAILABLE)
    visit.place()
    expect(visit.notice).to_contain_text("Keep this page open")
    expect(visit.notice).not_to_contain_text("is kept")
    expect(warning).to_be_visible()
    visit.place_button.click()
    visit.expect_processed()
    expect(warning).to_be_visible()
    assert len(set(api.keys)) == 1


def test_orders_are_kept_until_they_are_cleared_or_forgotten(visit: Visit, api: FakeOrderApi) -> None:
    visit.place(product="Apple", quantity="3")
    visit.expect_processed("3 × Apple")
    api.processes = False
    visit.place(product="Grapes", quantity="4")
    expect(visit.receipts).to_have_count(2)
    visit.page.goto("about:blank")
    visit.open()
    expect(visit.receipts.get_by_role("heading")).to_have_text(["4 × Grapes", "3 × Apple"])
    expect(visit.page.get_by_label("Customer ID")).to_have_value("001")
    clear = visit.page.get_by_role("button", name="Clear finished orders")
    expect(clear).to_have_accessible_description("Removes finished orders and your customer ID from this device.")
    clear.click()
    expect(visit.receipts).to_have_count(1)
    api.processes = True
    visit.page.reload()
    visit.expect_processed("4 × Grapes")
    expect(visit.page.get_by_label("Customer ID")).to_have_value("")

    visit.fill()
    forget = visit.page.get_by_role("button", name="Forget me on this device")
    forget.click()
    expect(visit.receipts).to_have_count(0)
    expect(visit.page.get_by_label("Customer ID")).to_have_value("")
    expect(forget).to_be_hidden()
    assert visit.page.evaluate("localStorage.length") == 0
    expect(visit.page.get_by_text("Your orders and your customer ID stay in this browser")).to_be_visible()


COUNT_STORAGE_CALLS = """window.storageCalls = 0;
  for (const name of ["getItem", "setItem", "removeItem", "key"]) {
    const original = Storage.prototype[name];
    Storage.prototype[name] = function (...values) { window.storageCalls += 1; return original.apply(this, values); };
  }"""


def test_page_with_ten_thousand_orders_reads_each_once(new_visit: NewVisit, api: FakeOrderApi) -> None:
    visit = new_visit()
    visit.page.add_init_script(COUNT_STORAGE_CALLS)
    visit.open()
    api.processes = False
    waiting = {**RECORD, "state": "ACCEPTED", "processed_at": None, "placed_at": "2025-04-26T10:00:00.000Z"}
    write_storage(visit, numbered([waiting] * 1_000 + [RECORD] * 9_000))
    visit.page.reload()
    expect(visit.place_button).to_be_enabled(timeout=10_000)
    # Three calls for each order: its key twice and its value.
    assert visit.page.evaluate("storageCalls") < 31_000
    expect(visit.receipts).to_have_count(100)
    expect(visit.page.get_by_text("900 older orders are not shown.", exact=True)).to_be_visible()
    visit.place(product="Pear")
    visit.expect_accepted("2 × Pear")
