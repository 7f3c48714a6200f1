"""Markup, bidirectional controls, endless texts and a forged memory: shown inert, or not at all."""

import json
from typing import Any

from playwright.sync_api import expect

from browser.fake_order_api import FakeOrderApi, problem
from browser.visit import Visit
from orders.domain.order_id import derived_order_id
from sample_orders import SAMPLE_ORDER
from waiting import wait_for

MARKUP = '<img src=x onerror="window.harmed = true"><script>window.harmed = true</script>'
BIDI = "\u202eevil\u2066\u200f\u2069\u061c"
LONG = "A" * 10_000
HOSTILE = [MARKUP, BIDI, LONG, "\x00\x1b[31m", "javascript:window.harmed=true", "{{7*7}}${7*7}"]

ORDER_ID = derived_order_id(SAMPLE_ORDER, "one")
ORDER = {"customer_id": "001", "product_id": "Banana", "quantity": "2", "order_date": "2025-04-25"}
RECORD: dict[str, Any] = {
    "order_id": ORDER_ID,
    "order": ORDER,
    "state": "PROCESSED",
    "placed_at": "2025-04-25T10:00:00.000Z",
    "accepted_at": "2025-04-25T10:00:00.000Z",
    "processed_at": "2025-04-25T10:00:01.000Z",
}
SUBMISSION: dict[str, Any] = {
    "key": "0123456789abcdef" * 2,
    "order": ORDER,
    "started_at": "2025-04-25T10:00:00.000Z",
}


def remember(visit: Visit, name: str, text: str) -> None:
    """Put a text into the storefront's memory behind its back."""
    visit.page.evaluate("([key, text]) => localStorage.setItem(key, text)", [f"fruit-stand:{name}", text])


def expect_nothing_remembered(visit: Visit) -> None:
    # Not by `wait_for_function`: from its second look on it evaluates a text, which the page's own policy forbids.
    wait_for("an empty memory", lambda: visit.page.evaluate("localStorage.length === 0"), seconds=5)


def expect_inert(visit: Visit) -> None:
    visit.expect_no_sideways_scrolling()
    assert visit.page.evaluate("window.harmed === undefined")
    assert visit.page.locator("img[onerror], script:not([src])").count() == 0
    assert not set(visit.page.locator("body").inner_text()) & set("\u202e\u2066\u2069\u200f\u061c\x00\x1b")


def test_a_hostile_entry_is_refused_without_being_repeated(visit: Visit, api: FakeOrderApi) -> None:
    for value in HOSTILE:
        visit.fill(quantity=value, customer_id=value)
        visit.place_button.click()
        expect(visit.summary.get_by_role("link"), value[:50]).to_have_count(2)
        expect_inert(visit)
        assert value[:50] not in visit.page.locator("body").inner_text()
    assert api.submissions == []


def test_a_hostile_answer_is_shown_as_plain_bounded_text(visit: Visit, api: FakeOrderApi) -> None:
    visit.fill()
    for count, value in enumerate(HOSTILE, start=1):
        errors = [{"pointer": "/quantity", "detail": value}, {"pointer": value, "detail": value}, value, None]
        api.answer_submissions_with(problem(422, value, value, errors=errors, request_id=value, title=value))
        visit.place_button.click()
        expect(visit.summary.get_by_role("link")).to_contain_text("Quantity")
        expect(visit.place_button).to_have_text("Place order")
        expect_inert(visit)
        assert len(visit.summary.inner_text()) < 1000
        assert len(api.submissions) == count


def test_a_hostile_refusal_without_fields_is_shown_as_plain_bounded_text(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_submissions_with(problem(400, "INVALID_JSON", MARKUP + BIDI + LONG, request_id=LONG))
    visit.place()
    expect(visit.summary).to_contain_text("<img src=x onerror")
    expect_inert(visit)
    visit.expect_accessible()


def forged_orders() -> list[str]:
    """Return texts that are no record of an order."""
    records: list[dict[str, Any]] = [
        *(
            {**RECORD, **change}
            for change in (
                {"order_id": MARKUP},
                {"order_id": "../admin"},
                {"state": MARKUP},
                {"state": "constructor"},
                {"placed_at": MARKUP},
                {"placed_at": None},
                {"accepted_at": MARKUP},
                {"accepted_at": 7},
                {"accepted_at": "9999-99-99T99:99:99Z"},
                {"processed_at": MARKUP},
                {"order": None},
            )
        ),
        *(
            {**RECORD, "order": {**ORDER, **change}}
            for change in (
                {"product_id": MARKUP},
                {"customer_id": BIDI},
                {"quantity": LONG},
                {"order_date": "2025-02-30"},
                {"__proto__": {"admin": True}},
            )
        ),
    ]
    return ["", "not JSON", "null", "7", "[]", '"text"', "{}", "[" * 10_000, *map(json.dumps, records)]


def test_forged_orders_are_dropped(visit: Visit, api: FakeOrderApi) -> None:
    for number, text in enumerate(forged_orders()):
        # Each under an id of its own, and where the text holds one, under that.
        order_id = derived_order_id(SAMPLE_ORDER, str(number))
        remember(visit, f"order:{order_id}", text.replace(ORDER_ID, order_id))
    remember(visit, "order:", json.dumps(RECORD))
    remember(visit, f"order:{MARKUP}", json.dumps(RECORD))
    visit.page.reload()
    expect_nothing_remembered(visit)
    expect(visit.page.get_by_text("Nothing yet.")).to_be_visible()
    expect_inert(visit)
    assert api.looks == []


def test_a_forged_submission_is_dropped_and_never_sent(visit: Visit, api: FakeOrderApi) -> None:
    for submission in (
        *(
            {**SUBMISSION, **change}
            for change in (
                {"key": MARKUP},
                {"key": "x\r\nX-Evil: yes"},
                {"key": "a" * 33},
                {"order": {**ORDER, "product_id": MARKUP}},
                {"started_at": "soon"},
            )
        ),
        "[" * 10_000,
    ):
        remember(visit, "submission", json.dumps(submission))
        visit.page.reload()
        expect_nothing_remembered(visit)
    assert api.submissions == []


def test_a_forged_customer_id_is_dropped(visit: Visit) -> None:
    for text in (json.dumps(MARKUP), json.dumps(LONG), LONG):
        remember(visit, "customer", text)
        visit.page.reload()
        expect(visit.page.get_by_label("Order date")).not_to_have_value("")
        expect(visit.page.get_by_label("Customer ID")).to_have_value("")
        expect_inert(visit)


def test_a_forged_order_does_not_hide_the_true_ones(visit: Visit, api: FakeOrderApi) -> None:
    visit.place()
    visit.expect_accepted()
    remember(visit, "order:x", "{")
    visit.page.reload()
    visit.expect_accepted()


def test_another_pages_memory_is_left_alone(visit: Visit) -> None:
    visit.page.evaluate("localStorage.setItem('another page', '{')")
    visit.page.reload()
    visit.place()
    visit.expect_accepted()
    assert visit.page.evaluate("localStorage.getItem('another page')") == "{"


def test_the_longest_admissible_values_fit_the_smallest_phone(visit: Visit, api: FakeOrderApi) -> None:
    visit.page.set_viewport_size({"width": 320, "height": 640})
    order = {**ORDER, "customer_id": "c" * 64, "product_id": "P" * 128, "quantity": "9999"}
    remember(visit, f"order:{ORDER_ID}", json.dumps({**RECORD, "order": order}))
    visit.page.reload()
    expect(visit.receipts.first).to_contain_text("P" * 128)
    visit.expect_no_sideways_scrolling()
    visit.screenshot("phone-320-longest-values")
