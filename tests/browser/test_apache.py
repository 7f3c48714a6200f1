"""The page as customers get it: from the Apache that the instances' own script has set up, with the real API behind."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from browser.visit import Visit
from local_stack import LocalStack
from local_stack.environment import tool_environment
from support.deployment.frontend import VARIABLES, user_data
from support.deployment.terraform import TerraformRoot
from support.prerequisites import require_root
from support.repository.files import REPOSITORY
from support.storefront import web_server


@pytest.fixture(scope="module")
def apache_url(
    local_stack: LocalStack, other_storefront_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of an Apache whose page calls the local stack's API."""
    require_root("making a Debian system")
    directory = tmp_path_factory.mktemp("terraform") / "terraform-frontend"
    environment = tool_environment(local_stack.connection)
    root = TerraformRoot(REPOSITORY / "terraform-frontend", directory, environment)
    plan = root.plan({**VARIABLES, "api_url": local_stack.api_url})
    with web_server.running_web_server(user_data(plan), other_storefront_port) as (installation, port):
        assert installation.status == 0, installation.log
        yield f"http://127.0.0.1:{port}"


def test_an_order_goes_from_apaches_page_to_processed(
    apache_url: str, new_visit: Callable[..., Visit], local_stack: LocalStack
) -> None:
    # The visit fails the test if the page breaks its own security policy.
    visit = new_visit(apache_url, local_stack.api_url)
    visit.open()
    visit.place(product="Banana", quantity="2", customer_id="apache", order_date="2025-04-25")
    expect(visit.receipts.first).to_contain_text("Accepted")
    expect(visit.receipts.first.get_by_text("Processed")).to_be_visible(timeout=30_000)
    visit.page.reload()
    visit.expect_processed("2 × Banana")
