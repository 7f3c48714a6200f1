"""An order on the local stack, from the form to PROCESSED."""

from playwright.sync_api import Route, expect

from browser.visit import NewVisit
from local_stack import LocalStack
from support.deployment.stack import DeployedStack


def test_order_with_a_lost_response_is_stored_once_and_processed(new_visit: NewVisit, local_stack: LocalStack) -> None:
    visit = new_visit(local_stack.storefront_url, local_stack.api_url)
    visit.open()
    keys: list[str | None] = []

    def lose_the_first_response(route: Route) -> None:
        if route.request.method == "POST":
            keys.append(route.request.header_value("idempotency-key"))
            if len(keys) == 1:
                assert route.fetch().status == 202
                route.abort("connectionreset")
                return
        route.continue_()

    visit.page.route("**/orders", lose_the_first_response)
    visit.place(product="Banana", quantity="2", customer_id="full-stack", order_date="2025-04-25")
    expect(visit.notice).to_contain_text("The shop cannot be reached.")
    visit.expect_processed("2 × Banana", timeout_seconds=30)
    visit.expect_accessible()

    assert len(keys) == 2
    assert len(set(keys)) == 1
    [order_id] = DeployedStack(local_stack).order_ids_of("full-stack")
    expect(visit.receipts.first).to_contain_text(order_id)
