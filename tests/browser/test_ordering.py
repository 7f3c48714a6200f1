"""Placing an order and following it, with an API that works as promised."""

import datetime
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from browser.fake_order_api import FakeOrderApi, Hang
from browser.visit import Visit
from orders.domain.order_id import derived_order_id
from sample_orders import SAMPLE_BODY, SAMPLE_ORDER


def test_the_sample_order_is_sent_as_the_contract_states_it(visit: Visit, api: FakeOrderApi) -> None:
    visit.place(product="Banana", quantity="1", customer_id="001", order_date="2025-04-25")
    visit.expect_accepted("1 × Banana")

    [submission] = api.submissions
    assert submission.body.replace(b'","', b'", "').replace(b'":"', b'": "') == SAMPLE_BODY
    assert submission.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("script", ["main.js", "config.js"])
def test_a_reader_who_is_quicker_than_the_page_loses_nothing(
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
    expect(visit.place_button).to_be_disabled()
    visit.page.get_by_label("Quantity").press("Enter")
    held_back[0].continue_()
    expect(visit.place_button).to_be_enabled()
    assert visit.page.url == f"{visit.storefront_url}/"
    expect(visit.page.get_by_label("Customer ID")).to_have_value("quick")
    visit.place_button.click()
    visit.expect_processed()
    assert len(api.submissions) == 1


def test_an_order_goes_from_accepted_to_processed_without_a_reload(visit: Visit, api: FakeOrderApi) -> None:
    api.processes = False
    visit.place()
    steps = visit.receipts.first.locator(".timeline__step")
    expect(steps).to_contain_text(["Accepted", "Being processed"])

    api.processes = True
    expect(steps).to_contain_text(["Accepted", "Processed"])
    expect(steps.last.locator("time")).to_have_attribute("datetime", "2025-04-25T10:00:01.250Z")


def test_what_happens_to_an_order_is_announced(visit: Visit, api: FakeOrderApi) -> None:
    api.processes = False
    visit.place()
    announcement = visit.page.locator("[data-part=announcement]")
    expect(announcement).to_have_text("Order accepted: 2 × Banana.")
    expect(announcement).to_have_role("status")

    api.processes = True
    expect(announcement).to_have_text("Order processed: 2 × Banana.")


def test_the_new_order_takes_the_focus_and_the_form_starts_afresh(visit: Visit) -> None:
    visit.place()
    expect(visit.receipts.first).to_be_focused()
    expect(visit.receipts.first).to_be_in_viewport()
    expect(visit.page.get_by_role("radio", checked=True)).to_have_count(0)
    expect(visit.page.get_by_label("Quantity")).to_have_value("1")
    expect(visit.page.get_by_label("Customer ID")).to_have_value("001")


def test_a_reader_who_has_moved_on_is_left_where_they_are(visit: Visit, api: FakeOrderApi) -> None:
    visit.place()
    visit.expect_processed()
    visit.page.reload()
    clear = visit.page.get_by_role("button", name="Clear finished orders")
    api.answer_submissions_with(Hang())
    visit.place(quantity="3")
    clear.focus()
    api.release()
    expect(visit.receipts).to_have_count(2)
    expect(clear).to_be_focused()


def test_the_order_date_is_today_where_the_reader_is(new_visit: Callable[..., Visit]) -> None:
    # At half past ten in Greenwich it is half past midnight in Kiritimati; an hour and a half before, still
    # eleven in the evening in Honolulu.
    for zone, hour, today in (("Pacific/Kiritimati", 10, "2026-03-02"), ("Pacific/Honolulu", 9, "2026-02-28")):
        visit = new_visit(timezone_id=zone)
        visit.page.clock.set_fixed_time(datetime.datetime(2026, 3, 1, hour, 30, tzinfo=datetime.UTC))
        visit.open()
        expect(visit.page.get_by_label("Order date")).to_have_value(today)


def test_a_page_left_open_overnight_offers_the_new_day(new_visit: Callable[..., Visit]) -> None:
    visit = new_visit()
    visit.page.clock.install(time=datetime.datetime(2026, 3, 1, 22, 0, tzinfo=datetime.UTC))
    visit.open()
    order_date = visit.page.get_by_label("Order date")
    come_back = "document.dispatchEvent(new Event('visibilitychange'))"
    visit.page.clock.fast_forward("09:00:00")
    visit.page.evaluate(come_back)
    expect(order_date).to_have_value("2026-03-02")
    order_date.fill("2026-05-01")
    visit.page.clock.fast_forward("24:00:00")
    visit.page.evaluate(come_back)
    expect(order_date).to_have_value("2026-05-01")


def test_orders_are_remembered_newest_first_and_refreshed_on_return(visit: Visit, api: FakeOrderApi) -> None:
    api.processes = False
    visit.place(product="Apple", quantity="3")
    expect(visit.receipts).to_have_count(1)
    visit.page.reload()
    visit.place(product="Grapes", quantity="4")
    expect(visit.receipts).to_have_count(2)

    api.processes = True
    visit.page.goto("about:blank")
    visit.open()
    expect(visit.receipts.get_by_role("heading")).to_have_text(["4 × Grapes", "3 × Apple"])
    expect(visit.page.get_by_text("Processed", exact=True)).to_have_count(2)


def test_an_order_shows_all_that_identifies_it(visit: Visit, api: FakeOrderApi) -> None:
    visit.place(customer_id="Shop-7_b.c", order_date="2024-02-29")
    visit.expect_processed()
    [order_id] = api.accepted
    expect(visit.receipts.first).to_contain_text("Shop-7_b.c")
    expect(visit.receipts.first).to_contain_text("29 February 2024")
    expect(visit.receipts.first).to_contain_text(order_id)


def test_finished_orders_can_be_cleared_and_stay_away(visit: Visit, api: FakeOrderApi) -> None:
    visit.place()
    visit.expect_processed()
    visit.page.get_by_role("button", name="Clear finished orders").click()
    expect(visit.receipts).to_have_count(0)
    visit.page.reload()
    expect(visit.page.get_by_label("Order date")).not_to_have_value("")
    expect(visit.page.get_by_text("Nothing yet.")).to_be_visible()
    expect(visit.page.get_by_label("Customer ID")).to_have_value("")


def test_a_hundred_orders_are_remembered_and_none_forgotten_that_is_on_its_way(visit: Visit) -> None:
    records = []
    for number in range(103):
        order = {"customer_id": "001", "product_id": "Banana", "quantity": "1", "order_date": "2025-04-25"}
        moment = f"2025-04-25T10:{number // 60:02}:{number % 60:02}.000Z"
        state = (
            {"state": "ACCEPTED", "processed_at": None} if number == 1 else {"state": "UNKNOWN", "processed_at": None}
        )
        order_id = derived_order_id(SAMPLE_ORDER, str(number))
        records.append({"order_id": order_id, "order": order, "placed_at": moment, "accepted_at": moment, **state})
    visit.page.evaluate(
        "(records) => records.forEach((each) =>"
        " localStorage.setItem(`fruit-stand:order:${each.order_id}`, JSON.stringify(each)))",
        records,
    )
    visit.place()
    visit.expect_accepted()
    kept = visit.page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('fruit-stand:order:'))")
    forgotten = {f"fruit-stand:order:{records[number]['order_id']}" for number in (0, 2, 3)}
    assert {f"fruit-stand:order:{record['order_id']}" for record in records} - set(kept) == forgotten


def test_the_buttons_beside_the_quantity_keep_it_within_its_bounds(visit: Visit) -> None:
    quantity = visit.page.get_by_label("Quantity")
    more = visit.page.get_by_role("button", name="One more")
    fewer = visit.page.get_by_role("button", name="One fewer")
    for start, button, then in (
        ("1", more, "2"),
        ("2", fewer, "1"),
        ("1", fewer, "1"),
        ("9999", more, "9999"),
        ("many", more, "1"),
    ):
        quantity.fill(start)
        button.click()
        expect(quantity).to_have_value(then)


def test_the_docket_repeats_what_was_picked(visit: Visit) -> None:
    pick = visit.page.locator(".docket__pick")
    expect(pick).to_have_text("No fruit picked yet")
    visit.page.get_by_role("radio", name="Pear").check()
    visit.page.get_by_label("Quantity").fill("12")
    expect(pick).to_have_text("12 × Pear")


def test_spaces_around_a_value_are_no_mistake(visit: Visit, api: FakeOrderApi) -> None:
    visit.place(quantity=" 2 ", customer_id="\t001 ")
    visit.expect_accepted()
    assert api.submissions[0].order["quantity"] == "2"
    assert api.submissions[0].order["customer_id"] == "001"


def test_an_order_that_takes_long_is_said_to_be_safe(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    api.processes = False
    visit.place()
    expect(visit.receipts.first).to_contain_text("Being processed")
    visit.page.clock.fast_forward(40_000)
    expect(visit.receipts.first).to_contain_text("Your order is accepted and will not be lost")
