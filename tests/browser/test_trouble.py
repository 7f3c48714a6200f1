"""The API down, slow, throttling, talking nonsense, or the reader offline: said plainly, and tried again."""

from collections.abc import Callable

from playwright.sync_api import expect

from browser.fake_order_api import Answer, Drop, FakeOrderApi, Hang, problem
from browser.visit import Visit

CALM = "It will not be placed twice."


def test_a_failure_is_said_plainly_and_tried_again(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    failures: list[tuple[Answer | Drop, str]] = [
        (problem(429, "TOO_MANY_REQUESTS", "Slow down."), "The shop is very busy right now."),
        (Answer(429, {"message": "Too Many Requests"}), "The shop is very busy right now."),
        (problem(503, "QUEUE_UNAVAILABLE", "Please try again."), "The shop cannot take orders right now."),
        (Answer(503, text="<h1>Service Unavailable</h1>"), "The shop cannot take orders right now."),
        (problem(500, "INTERNAL_ERROR", "Please try again."), "Something went wrong in the shop."),
        (Answer(504, {"message": "Endpoint request timed out"}), "Something went wrong in the shop."),
        (Drop(), "The shop cannot be reached."),
    ]
    for count, (failure, said) in enumerate(failures, start=1):
        api.answer_submissions_with(failure)
        visit.place()
        expect(visit.notice).to_have_text(
            f"{said} Your order for 2 × Banana is kept and will be sent again in 1 second. {CALM}"
        )
        expect(visit.notice).to_have_role("status")
        visit.page.clock.run_for(1_000)
        expect(visit.receipts).to_have_count(count)
        expect(visit.notice).to_be_empty()
        visit.page.clock.run_for(2_000)
    assert len(api.accepted) == len(failures)


def test_retry_after_is_honoured(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    api.answer_submissions_with(problem(503, "QUEUE_UNAVAILABLE", "Please try again.", retry_after=20))
    visit.place()
    expect(visit.notice).to_contain_text("will be sent again in 20 seconds")
    visit.page.clock.run_for(19_000)
    assert len(api.submissions) == 1
    visit.page.clock.run_for(2_000)
    expect(visit.receipts).to_have_count(1)
    assert len(api.submissions) == 2


def test_the_reader_can_try_again_at_once(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_submissions_with(problem(503, "QUEUE_UNAVAILABLE", "Please try again.", retry_after=600))
    visit.place()
    expect(visit.notice).to_contain_text("will be sent again in 10 minutes")
    expect(visit.place_button).to_have_text("Try again now")
    expect(visit.place_button).to_be_focused()
    visit.place_button.click()
    visit.expect_accepted()


def test_the_order_cannot_be_changed_while_it_is_unsettled(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_submissions_with(problem(503, "QUEUE_UNAVAILABLE", "Please try again.", retry_after=600))
    visit.place()
    expect(visit.start_over_button).to_be_visible()
    expect(visit.page.get_by_role("radio", name="Apple")).to_be_disabled()
    expect(visit.page.get_by_label("Quantity")).not_to_be_editable()
    expect(visit.page.get_by_label("Customer ID")).not_to_be_editable()
    expect(visit.page.get_by_label("Order date")).not_to_be_editable()
    visit.start_over_button.click()
    expect(visit.page.get_by_role("radio", name="Apple")).to_be_enabled()
    expect(visit.page.get_by_label("Quantity")).to_be_editable()
    expect(visit.page.get_by_label("Quantity")).to_have_value("2")


def test_after_some_tries_it_is_left_to_the_reader(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    api.answer_submissions_with(*[problem(503, "QUEUE_UNAVAILABLE", "Please try again.")] * 6)
    visit.place()
    for seconds in (1, 2, 4, 8, 16):
        expect(visit.notice).to_contain_text(f"will be sent again in {seconds} second")
        visit.page.clock.run_for(seconds * 1000)
    expect(visit.notice).to_contain_text("Your order for 2 × Banana is not confirmed yet. Try again when you like")
    visit.place_button.click()
    expect(visit.receipts).to_have_count(1)
    assert len(set(api.keys)) == 1


def test_a_slow_answer_is_said_and_waited_for(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    api.answer_submissions_with(Hang())
    visit.place()
    expect(visit.place_button).to_have_text("Placing your order…")
    visit.page.clock.run_for(5_000)
    expect(visit.notice).to_contain_text("The shop is slow to answer. Your order is on its way")
    api.release()
    expect(visit.receipts).to_have_count(1)
    expect(visit.notice).to_be_empty()
    assert len(api.submissions) == 1


def test_an_answer_that_never_comes_is_given_up_and_tried_again(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    api.answer_submissions_with(Hang(), Hang())
    visit.place()
    expect(visit.place_button).to_have_text("Placing your order…")
    visit.page.clock.run_for(15_000)
    expect(visit.notice).to_contain_text("The shop did not answer in time.")
    visit.page.clock.run_for(1_000)
    expect(visit.place_button).to_have_text("Placing your order…")
    api.release()
    expect(visit.receipts).to_have_count(1)
    assert len(api.submissions) == 2
    assert len(set(api.keys)) == 1


def test_an_order_placed_offline_is_sent_once_the_network_is_back(visit: Visit, api: FakeOrderApi) -> None:
    visit.page.context.set_offline(True)
    visit.place()
    expect(visit.notice).to_have_text(
        "You are offline. Your order for 2 × Banana is kept and will be sent as soon as you are back online. " + CALM
    )
    assert api.submissions == []
    visit.page.context.set_offline(False)
    visit.expect_processed()
    assert len(api.submissions) == 1


def test_an_answer_that_makes_no_sense_is_not_taken_for_an_acceptance(visit: Visit, api: FakeOrderApi) -> None:
    nonsense = [
        Answer(202, text="<!doctype html><title>Welcome</title>"),
        Answer(202, {"status": "ACCEPTED"}),
        Answer(202, {"order_id": "../../admin", "status": "ACCEPTED"}),
        Answer(202, {"order_id": 7, "status": "ACCEPTED"}),
        Answer(202, None),
        Answer(200, []),
        problem(200, "INVALID_JSON", "The body is not JSON."),
        Answer(204),
        Answer(404, {"message": "Not Found"}),
        Answer(403, {"message": "Forbidden"}),
        Answer(405, text="<h1>no</h1>"),
        Answer(418, ["code"]),
    ]
    visit.fill()
    for answer in nonsense:
        api.answer_submissions_with(answer)
        visit.place_button.click()
        expect(visit.notice, str(answer)).to_contain_text(
            "The address in config.js does not answer as an order API would."
        )
        expect(visit.receipts, str(answer)).to_have_count(0)
        visit.start_over_button.click()
    assert len(api.submissions) == len(nonsense)


def test_an_order_whose_state_cannot_be_read_stays_accepted_and_is_asked_for_again(
    visit_with_clock: Visit, api: FakeOrderApi
) -> None:
    visit = visit_with_clock
    trouble = "The shop does not say how this order is doing"
    failures: list[Answer | Drop] = [
        problem(503, "STORE_UNAVAILABLE", "Please try again."),
        Answer(429, {"message": "Too Many Requests"}),
        Answer(404, {"message": "Not Found"}),
        Answer(200, {"status": "PROCESSED"}),
        Answer(200, text="[" * 5000),
        Drop(),
    ]
    for count, failure in enumerate(failures, start=1):
        api.every_look = failure
        visit.place()
        expect(visit.receipts).to_have_count(count)
        visit.wind_on_until(trouble)
        expect(visit.receipts.first, str(failure)).to_contain_text("Being processed")
        api.every_look = None
        visit.wind_on_until("Processed")
        expect(visit.receipts.first, str(failure)).not_to_contain_text(trouble)


def test_an_order_is_not_asked_for_before_retry_after(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    api.answer_looks_with(problem(503, "STORE_UNAVAILABLE", "Please try again.", retry_after=50))
    visit.place()
    expect(visit.receipts).to_have_count(1)
    visit.page.clock.run_for(1_000)
    expect(visit.receipts.first).to_contain_text("does not say how this order is doing")
    visit.page.clock.run_for(48_000)
    assert len(api.looks) == 1
    visit.wind_on_until("Processed")


def test_coming_back_to_the_page_asks_no_sooner_than_the_api_wishes(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    api.answer_looks_with(problem(503, "STORE_UNAVAILABLE", "Please try again.", retry_after=600))
    visit.place()
    visit.wind_on_until("does not say how this order is doing")
    for happening in ("visibilitychange", "online"):
        visit.page.evaluate("(name) => document.dispatchEvent(new Event(name, { bubbles: true }))", happening)
        visit.page.clock.run_for(5_000)
    assert len(api.looks) == 1
    visit.page.clock.run_for(600_000)
    visit.wind_on_until("Processed")


def test_the_networks_return_does_not_hurry_a_busy_shop(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_submissions_with(problem(429, "TOO_MANY_REQUESTS", "Slow down.", retry_after=600))
    visit.place()
    expect(visit.notice).to_contain_text("will be sent again in 10 minutes")
    visit.page.evaluate("dispatchEvent(new Event('online'))")
    expect(visit.place_button).to_have_text("Try again now")
    assert len(api.submissions) == 1


def test_the_networks_return_ends_the_wait_for_an_unreachable_shop(visit_with_clock: Visit, api: FakeOrderApi) -> None:
    visit = visit_with_clock
    api.answer_submissions_with(*[Drop()] * 5)
    visit.place()
    for seconds in (1, 2, 4, 8):
        expect(visit.notice).to_contain_text(f"will be sent again in {seconds} second")
        visit.page.clock.run_for(seconds * 1000)
    expect(visit.notice).to_contain_text("The shop cannot be reached.")
    expect(visit.notice).to_contain_text("will be sent again in 16 seconds")
    visit.page.evaluate("dispatchEvent(new Event('online'))")
    expect(visit.receipts).to_have_count(1)


def test_the_networks_return_ends_the_wait_for_an_answer_that_did_not_come(
    visit_with_clock: Visit, api: FakeOrderApi
) -> None:
    visit = visit_with_clock
    api.answer_submissions_with(*[Drop()] * 4, Hang())
    visit.place()
    for seconds in (1, 2, 4, 8):
        expect(visit.notice).to_contain_text(f"will be sent again in {seconds} second")
        visit.page.clock.run_for(seconds * 1000)
    expect(visit.place_button).to_have_text("Placing your order…")
    visit.page.clock.run_for(15_000)
    expect(visit.notice).to_contain_text("The shop did not answer in time.")
    visit.page.evaluate("dispatchEvent(new Event('online'))")
    expect(visit.receipts).to_have_count(1)
    api.release()


def test_an_order_the_api_does_not_know_is_said_so_and_left_alone(visit: Visit, api: FakeOrderApi) -> None:
    api.answer_looks_with(problem(404, "ORDER_NOT_FOUND", "No order has this id."))
    visit.place()
    expect(visit.receipts.first).to_contain_text("The shop has no order with this number.")
    visit.page.reload()
    expect(visit.receipts.first).to_contain_text("The shop has no order with this number.")
    assert len(api.looks) == 1


def test_the_last_known_state_is_shown_offline_and_brought_up_to_date_after(visit: Visit, api: FakeOrderApi) -> None:
    api.processes = False
    visit.place()
    expect(visit.receipts.first).to_contain_text("Being processed")
    visit.page.context.set_offline(True)
    expect(visit.receipts.first).to_contain_text("You are offline. This is how the order was last seen.")
    api.processes = True
    visit.page.context.set_offline(False)
    visit.expect_processed()


def test_a_browser_that_keeps_nothing_still_orders(new_visit: Callable[..., Visit], api: FakeOrderApi) -> None:
    visit = new_visit()
    visit.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    visit.open()
    expect(visit.page.get_by_text("Your browser does not let this page keep anything")).to_be_visible()
    visit.place()
    visit.expect_processed()


def test_a_full_browser_storage_still_orders_once(visit: Visit, api: FakeOrderApi) -> None:
    visit.page.evaluate("localStorage.setItem('another page', 'x'.repeat(5 * 1024 * 1024 - 60))")
    api.answer_submissions_with(problem(503, "QUEUE_UNAVAILABLE", "Please try again.", retry_after=1))
    visit.place()
    visit.expect_accepted()
    assert len(set(api.keys)) == 1
