"""Placing an order on the page: accepted, rejected, unconfirmed, and polled until it is processed."""

import datetime
from typing import Any

from playwright.sync_api import expect

from browser.fake_order_api import DROP, DROP_ACCEPTED, HANG, UNAVAILABLE, URL, FakeOrderApi, Response, problem
from browser.visit import NewVisit, Visit
from support.sample_orders import SAMPLE_BODY

MARKUP = "<img src=x onerror=alert(1)>"


def test_page_sends_exactly_the_sample_order_and_no_other_data(visit: Visit, api: FakeOrderApi) -> None:
    visit.place(product="Banana", quantity="1", customer_id="001", order_date="2025-04-25")
    visit.expect_processed("1 × Banana")
    assert (api.body or "").replace('","', '", "').replace('":"', '": "').encode() == SAMPLE_BODY
    assert api.headers["content-type"] == "application/json"
    assert len(bytes.fromhex(api.keys[0])) == 16
    assert {"referer", "cookie"}.isdisjoint(api.headers)
    assert all(url.startswith((f"{visit.storefront_url}/", f"{URL}/orders")) for url in visit.requests)


def test_order_goes_from_accepted_to_processed_without_a_reload(visit: Visit, api: FakeOrderApi) -> None:
    api.processes = False
    visit.place(quantity=" 2 ", customer_id="\tShop-7_b.c ", order_date="2024-02-29")
    steps = visit.receipts.first.locator(".timeline__step")
    announcement = visit.page.locator("[data-part=announcement]")
    expect(steps).to_contain_text(["Accepted", "Being processed"])
    expect(announcement).to_have_text("Order accepted: 2 × Banana.")
    expect(announcement).to_have_role("status")
    expect(visit.receipts.first).to_be_focused()
    expect(visit.receipts.first).to_be_in_viewport()
    expect(visit.page.get_by_role("radio", checked=True)).to_have_count(0)
    expect(visit.page.get_by_label("Quantity")).to_have_value("1")
    expect(visit.page.get_by_label("Customer ID")).to_have_value("Shop-7_b.c")
    api.processes = True
    expect(steps).to_contain_text(["Accepted", "Processed"])
    expect(steps.last.locator("time")).to_have_attribute("datetime", "2025-04-25T10:00:01.250Z")
    expect(announcement).to_have_text("Order processed: 2 × Banana.")
    for text in ("Shop-7_b.c", "29 February 2024", *api.accepted):
        expect(visit.receipts.first).to_contain_text(text)
    clear = visit.page.get_by_role("button", name="Clear finished orders")
    api.script.append(HANG)
    visit.place(quantity="3")
    clear.focus()
    api.release()
    visit.expect_accepted("3 × Banana")
    expect(clear, "the focus moves from the form only").to_be_focused()


def test_order_date_defaults_to_today_in_the_customers_time_zone(new_visit: NewVisit) -> None:
    for zone, hour, today in (("Pacific/Kiritimati", 10, "2026-03-02"), ("Pacific/Honolulu", 9, "2026-02-28")):
        visit = new_visit(timezone_id=zone)
        visit.page.clock.install(time=datetime.datetime(2026, 3, 1, hour, 30, tzinfo=datetime.UTC))
        visit.open()
        order_date = visit.page.get_by_label("Order date")
        expect(order_date).to_have_value(today)
    expect(order_date).to_have_attribute("max", "2027-12-31")
    visit.page.clock.fast_forward("24:00:00")  # left open overnight
    return_to_tab = "document.dispatchEvent(new Event('visibilitychange'))"
    visit.page.evaluate(return_to_tab)
    expect(order_date).to_have_value("2026-03-01")
    order_date.fill("2026-05-01")
    visit.page.clock.fast_forward("24:00:00")
    visit.page.evaluate(return_to_tab)
    expect(order_date).to_have_value("2026-05-01")


def test_quantity_buttons_keep_the_quantity_within_bounds(visit: Visit) -> None:
    visit.page.get_by_role("radio", name="Pear").check()
    quantity = visit.page.get_by_label("Quantity")
    steps = [("1", "more", "2"), ("1", "fewer", "1"), ("9999", "more", "9999"), ("x", "more", "1")]
    for start, button, result in steps:
        quantity.fill(start)
        visit.page.get_by_role("button", name=f"One {button}").click()
        expect(quantity).to_have_value(result)
        expect(visit.page.locator(".docket__pick")).to_have_text(f"{result} × Pear")


def test_empty_order_gets_errors_at_fields_and_in_a_summary(visit: Visit, api: FakeOrderApi) -> None:
    visit.page.get_by_label("Quantity").fill("")
    visit.page.get_by_label("Order date").fill("")
    visit.place_button.click()
    expect(visit.summary).to_be_focused()
    links = visit.summary.get_by_role("link")
    fields = ["Choose one of the fruits", "Enter how many you would like", "Enter your customer ID"]
    expect(links).to_have_text([*fields, "Enter the date of the order"])
    expect(visit.page).to_have_title("Error: The Fruit Stand")
    customer_id = visit.page.get_by_label("Customer ID")
    expect(customer_id).to_have_accessible_description("For example 001 Enter your customer ID")
    expect(customer_id).to_have_attribute("aria-invalid", "true")
    shelf = visit.page.get_by_role("radiogroup", name="Pick a fruit")
    expect(shelf).to_have_accessible_description("Choose one of the fruits")
    links.nth(2).click()
    expect(customer_id).to_be_focused()
    links.first.click()
    expect(visit.page.get_by_role("radio", name="Apple")).to_be_focused()
    assert api.submissions == []
    visit.place()
    visit.expect_accepted()
    expect(visit.summary).to_be_hidden()
    expect(visit.error_of("customer_id")).to_be_hidden()
    expect(visit.page).to_have_title("The Fruit Stand")


def test_invalid_value_gets_an_error_at_its_field(visit: Visit, api: FakeOrderApi) -> None:
    year = datetime.date.today().year
    dates = f"Order date must be from 2000-01-01 to {year + 1}-12-31"
    for field, label, value, detail in (
        ("quantity", "Quantity", "1.5", "Quantity must be a whole number from 1 to 9999"),
        ("customer_id", "Customer ID", "no spaces", "Customer ID must be 1 to 64 letters"),
        ("order_date", "Order date", "1999-12-31", dates),
        ("order_date", "Order date", f"{year + 2}-01-01", dates),
    ):
        visit.fill()
        visit.page.get_by_label(label).fill(value)
        visit.place_button.click()
        expect(visit.error_of(field), value).to_contain_text(detail)
        expect(visit.summary.get_by_role("link"), value).to_have_count(1)
    assert api.submissions == []


def test_rejection_is_shown_in_the_summary_and_at_its_field(visit: Visit, api: FakeOrderApi) -> None:
    errors = [{"pointer": "/quantity", "detail": "must be in stock"}, {"pointer": "/coupon", "detail": "is required"}]
    documents: list[tuple[dict[str, Any], list[str]]] = [
        ({"code": "VALIDATION_FAILED", "errors": errors}, ["Quantity must be in stock", "/coupon is required"]),
        ({"code": "INVALID_JSON", "detail": "No JSON.", "request_id": "r-7"}, ["No JSON. (Reference: r-7)"]),
        (
            {"code": "x", "errors": [{"pointer": pointer, "detail": MARKUP} for pointer in ("/quantity", MARKUP)]},
            [f"Quantity {MARKUP}", f"{MARKUP} {MARKUP}"],
        ),
        ({"code": "x", "detail": "A" * 400}, ["A" * 300 + "…"]),
        ({"code": "", "title": "", "detail": "", "errors": []}, ["The shop rejected this order without a reason."]),
    ]
    for document, texts in documents:
        api.script.append(Response(422, document))
        visit.place()
        expect(visit.summary.get_by_role("listitem")).to_have_text(texts)
        expect(visit.summary).to_be_focused()
        expect(visit.error_of("quantity")).to_have_text(texts[0] if "Quantity" in texts[0] else "")
        expect(visit.page.get_by_label("Quantity")).to_have_value("2")
        visit.expect_no_sideways_scrolling()
    assert len(api.submissions) == len(documents)


def test_failed_order_shows_the_reason_and_is_retried_with_the_same_key(own_visit: Visit, api: FakeOrderApi) -> None:
    visit = own_visit
    failures = [
        (Response(429), "The shop is very busy right now."),
        (Response(503), "The shop cannot take orders right now."),
        (Response(500), "Something went wrong in the shop."),
        (DROP_ACCEPTED, "The shop cannot be reached."),
    ]
    for failure, reason in failures:
        api.script.append(failure)
        visit.place()
        kept = "Your order for 2 × Banana is kept and will be sent again in 1 second. It will not be placed twice."
        expect(visit.notice).to_have_text(f"{reason} {kept}")
        expect(visit.notice).to_have_role("status")
        visit.page.clock.run_for(1_000)
        expect(visit.notice).to_be_empty()
        visit.page.clock.run_for(4_000)
        expect(visit.notice).to_be_empty()
    assert api.keys[::2] == api.keys[1::2]
    assert len(set(api.keys)) == len(api.accepted) == len(failures)
    api.script.append(HANG)
    visit.place()
    expect(visit.place_button).to_have_text("Placing your order…")
    expect(visit.notice).to_be_empty()
    visit.page.clock.run_for(5_000)
    expect(visit.notice).to_contain_text("The shop is responding slowly.")


def test_unconfirmed_order_is_locked_until_it_is_retried_or_abandoned(visit: Visit, api: FakeOrderApi) -> None:
    api.script.extend([UNAVAILABLE, Response(200)])
    visit.fill()
    visit.page.get_by_role("radio", name="Banana").press("Enter")
    expect(visit.notice).to_contain_text("will be sent again in 10 minutes")
    expect(visit.place_button).to_have_text("Try again now")
    expect(visit.place_button).to_be_focused()
    expect(visit.page.get_by_role("radio", name="Apple")).to_be_disabled()
    for label in ("Quantity", "Customer ID", "Order date"):
        expect(visit.page.get_by_label(label)).not_to_be_editable()
    visit.place_button.click()
    unexpected = "The shop sent an unexpected response. Your order for 2 × Banana is not confirmed yet."
    expect(visit.notice).to_contain_text(unexpected)
    expect(visit.notice).to_contain_text("If you start over, this order may already have been placed.")
    visit.page.get_by_role("button", name="Start over").press("Enter")
    expect(visit.place_button).to_be_focused()
    expect(visit.notice).to_be_empty()
    expect(visit.page.get_by_role("radio", name="Apple")).to_be_enabled()
    expect(visit.page.get_by_label("Quantity")).to_have_value("2")
    visit.place(quantity="3")
    visit.expect_accepted("3 × Banana")
    assert len(set(api.keys)) == 2


def test_order_placed_offline_is_sent_when_the_network_returns(visit: Visit, api: FakeOrderApi) -> None:
    api.processes = False
    api.script.append(DROP)
    visit.page.context.set_offline(True)
    visit.place()
    expect(visit.notice).to_contain_text(
        "You are offline. Your order for 2 × Banana is kept and will be sent as soon as"
    )
    visit.page.context.set_offline(False)
    expect(visit.receipts.first).to_contain_text("Being processed")
    api.poll_script.append(DROP)
    visit.page.context.set_offline(True)
    expect(visit.receipts.first).to_contain_text("You are offline. This is the last known state.")
    # The order is sent anyway, because the browser's network state can be wrong.
    visit.place(quantity="3")
    visit.expect_accepted("3 × Banana")


def test_listed_order_shows_its_state(own_visit: Visit, api: FakeOrderApi) -> None:
    visit = own_visit
    api.poll_script.extend([Response(503), Response(200, {"status": "PROCESSED"})])
    api.processes = False
    visit.place()
    visit.advance_clock_until("The state of this order cannot be read right now.")
    visit.page.clock.fast_forward(40_000)
    visit.advance_clock_until("Your order is accepted and will not be lost")
    expect(visit.receipts.first).to_contain_text("Being processed")
    api.poll_script.append(problem(404, "ORDER_NOT_FOUND", "No order has this id."))
    visit.advance_clock_until("The shop has no order with this number.")
    polls = len(api.polls)
    visit.page.reload()
    expect(visit.receipts.first).to_contain_text("The shop has no order with this number.")
    visit.page.clock.run_for(10_000)
    assert len(api.polls) == polls
