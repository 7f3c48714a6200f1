"""Options of `orders-plan cost`, and its prices. docs/cost.md has the bills, which test_planning_pages.py compares."""

import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from planning import cost
from planning.__main__ import planning
from planning.cost import Bill, Scenario
from planning.settings import gathered_orders


def test_bill_of_private_instances_has_gateways() -> None:
    lines = Bill(Scenario("month", 0, instances_are_private=True)).lines
    # The load balancer and the gateways have two addresses each, the instances none.
    expected = {"NAT gateways": 2 * 730 * 0.045, "public addresses": 4 * 730 * 0.005}
    found = {line.name: float(line.amount) for line in lines}
    assert {name: found[name] for name in expected} == pytest.approx(expected)


# Pollers, their orders per second, and a batch window. A poller is busy for 50 ms.
@pytest.mark.parametrize(
    ("rate", "window", "batch"), [(0.1, 0, 1), (2.3, 0, 1), (100, 0, 5), (0.5, 2, 2), (100, 1, 10)]
)
def test_batches_fill_at_high_rates_or_in_a_window(rate: float, window: int, batch: float) -> None:
    assert gathered_orders(rate, 0.05, window, 10) == pytest.approx(batch)


def test_command_shows_the_bill_of_its_options() -> None:
    chosen = "--orders 5000 --snapstart --customer-key --tracing --email --private-instances --batch-window 20"
    shown = CliRunner().invoke(planning, ["cost", "show", *chosen.split()]).output
    assert re.search(r"SQS: ReceiveMessage +4,937 × 0\.40 / 1,000,000 = 0\.002", shown)
    assert all(name in shown for name in ("KMS: key", "X-Ray: traces", "snapshot cached", "e-mails", "NAT gateways"))
    for arguments in ([], ["idle", "--orders", "5"]):
        result = CliRunner().invoke(planning, ["cost", "show", *arguments])
        assert result.exit_code == 2
        assert "either a profile or --orders" in result.output


def test_every_price_has_a_source_and_is_used() -> None:
    for service in cost.PRICE_TABLE.values():
        assert not isinstance(service, dict) or service["source"].startswith("https://aws.amazon.com/")
    assert all(price.price > 0 for price in cost.PRICES.values())
    scenario = replace(cost.PROFILES["million-a-day"], has_customer_key=True, has_snapstart=True)
    scenario = replace(scenario, orders_are_mailed=True, is_traced=True, instances_are_private=True)
    assert {line.price.name for line in Bill(scenario).lines} == set(cost.PRICES)
