"""Compare `orders-plan cost` with bills computed by hand."""

import json
import math
import re
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner

from planning import cost
from planning.__main__ import planning
from planning.cost import Bill, Part, Scenario, empty_receives
from planning.settings import Settings, gathered_orders

# Round numbers, which make the bills easy to compute by hand.
SETTINGS = Settings(
    processing_maximum_concurrency=10,
    submission_seconds=0.020,
    status_seconds=0.010,
    processing_seconds=0.030,
    notification_seconds=0.040,
    cold_start_seconds=0.5,
)
MILLION = {"orders": 1_000_000, "orders_per_batch": 10}


def month(orders: int, **options: Any) -> Bill:
    return Bill(Scenario("month", orders, settings=SETTINGS, **{"has_storefront": False, **options}))


def amounts(orders: int, **options: Any) -> dict[str, float]:
    return {line.name: float(line.amount) for line in month(orders, **options).lines}


def test_bill_of_a_million_orders_in_full_batches() -> None:
    path = {
        # 1,000,000 × $1.00 a million
        "API: POST /orders": 1.00,
        # 1,000,000 × $0.20 a million
        "submission: requests": 0.20,
        # (1,000,000 × 0.020 s + 1 % × 1,000,000 × 0.5 s) × 1 GB = 25,000 GB-s × $0.0000133334
        "submission: GB-seconds": 0.333335,
        # 1,000,000 / 10 batches × $0.20 a million
        "processing: requests": 0.02,
        # (100,000 × 0.030 s + 1,000 × 0.5 s) × 0.5 GB = 1,750 GB-s
        "processing: GB-seconds": 0.02333345,
        "notification: requests": 0.02,
        # (100,000 × 0.040 s + 1,000 × 0.5 s) × 0.5 GB = 2,250 GB-s
        "notification: GB-seconds": 0.03000015,
        # 1,000,000 × $0.40 a million; each of the two requests per batch costs a tenth of it
        "SQS: SendMessage": 0.40,
        "SQS: ReceiveMessage": 0.04,
        "SQS: DeleteMessageBatch": 0.04,
        # 1,000,000 × $0.625 a million, twice
        "table: writes": 0.625,
        "index by_customer: writes": 0.625,
        # 100,000 batches × $0.50 a million
        "SNS: PublishBatch": 0.05,
    }
    others = {
        "API: GET /orders/{id}": 1.00,
        "status: requests": 0.20,
        # (1,000,000 × 0.010 s + 10,000 × 0.5 s) × 1 GB = 15,000 GB-s
        "status: GB-seconds": 0.200001,
        "table: reads": 0.125,
        # 12 months × 1,000,000 × (176 + 100) bytes = 3.312 GB: twice at $0.25, once at $0.20
        "table: storage": 2 * 3.312 * 0.25,
        "table: point-in-time recovery": 3.312 * 0.20,
        # 5 × $0.30, 23 × $0.10, 1 × $3.00
        "metrics": 1.50,
        "alarms": 2.30,
        "dashboard": 3.00,
    }
    found = amounts(**MILLION)
    assert {name: found[name] for name in path | others} == pytest.approx(path | others)
    assert float(month(**MILLION).per_million(Part.PATH)) == pytest.approx(sum(path.values()))


def test_bill_of_logs_and_traces() -> None:
    found = amounts(**MILLION, is_traced=True)
    functions = ("submission", "status", "processing", "notification")
    own = sum(cost.ORDER_BYTES[f"{name}_log"] for name in functions)
    own += 4 * len(', "requestId": "79b4f56e-95b1-4643-9700-2807f4e68189"')
    access = 2 * len(json.dumps(cost.ACCESS_LOG_LINE, separators=(",", ":")))
    assert found["functions' logs: ingested"] == pytest.approx(own / 1000 * 0.50)
    assert found["access log: ingested"] == pytest.approx(access / 1000 * 0.50)
    assert found["logs stored"] == pytest.approx((own + access) / 1000 * 0.15 * 0.03)
    # Of 2,628,000 seconds, 831,770 have one of the 1,000,000 requests, and 98,128 one of the 100,000 batches. The first
    # of each second is traced, and one in twenty of the others.
    traces = 2 * (831_770 + 0.05 * (1_000_000 - 831_770)) + 2 * (98_128 + 0.05 * (100_000 - 98_128))
    assert found["X-Ray: traces"] == pytest.approx(traces * 5 / 1_000_000, rel=1e-4)


@pytest.mark.parametrize(
    ("orders", "options", "expected"),
    [
        # 1,000,000 × $2.00 per 100,000
        (1_000_000, {"orders_are_mailed": True}, {"SNS: e-mails": 20}),
        (1_000_000, {"has_free_dashboard": True}, {"dashboard": None}),
        # 2,628,000 s × 1 GB × $0.0000015046, 10,000 × 1 GB × $0.0001397998, and no cold starts
        (
            1_000_000,
            {"has_snapstart": True},
            {
                "submission: snapshot cached": 3.9540888,
                "submission: snapshot restored": 1.397998,
                "submission: GB-seconds": 20_000 * 0.0000133334,
                "processing: snapshot cached": None,
            },
        ),
        # Eight requests in each of 8,760 periods of five minutes
        (30_000_000, {"has_customer_key": True}, {"KMS: key": 1, "KMS: requests": 8 * 8760 * 0.03 / 10_000}),
        # 10,000 × 20 visits × 90,000 bytes = 18 GB in 730 h; 200,000 × 6 connections in 2,628,000 s are 0.018 units
        (
            10_000,
            {"has_storefront": True},
            {
                "load balancer": 730 * 0.0225,
                "load balancer: capacity units": 18 * 0.008,
                "instances": 2 * 730 * 0.0084,
                "volumes": 2 * 8 * 0.08,
                "public addresses": 4 * 730 * 0.005,
                "alarms of the storefront": 6 * 0.10,
                "page to browsers": 18 * 0.09,
            },
        ),
        # 20,000,000 × 20 visits × 5 ms are 555.6 vCPU hours; two t4g.micro include 2 × 0.2 × 730 = 292
        (20_000_000, {"has_storefront": True}, {"instances: CPU above the baseline": (555.5556 - 292) * 0.04}),
        # The load balancer and the gateways have two addresses each, the instances none
        (
            0,
            {"has_storefront": True, "instances_are_private": True},
            {"NAT gateways": 2 * 730 * 0.045, "public addresses": 4 * 730 * 0.005},
        ),
    ],
)
def test_bill_includes_the_options(orders: int, options: dict[str, Any], expected: dict[str, float | None]) -> None:
    found = amounts(orders, **options)
    assert {name: found.get(name) for name in expected} == pytest.approx(expected)


def test_bill_of_an_idle_month_has_pollers_alarms_and_dashboard() -> None:
    # Five pollers, three receives a minute each, 43,800 minutes: 657,000 × $0.40 a million
    assert amounts(0) == pytest.approx({"SQS: empty receives": 0.2628, "alarms": 2.30, "dashboard": 3.00})


# Pollers, their orders per second, and a batch window. A poller is busy for 50 ms.
@pytest.mark.parametrize(
    ("rate", "window", "batch"), [(0.1, 0, 1), (2.3, 0, 1), (100, 0, 5), (0.5, 2, 2), (100, 1, 10)]
)
def test_batches_fill_at_high_rates_or_in_a_window(rate: float, window: int, batch: float) -> None:
    assert gathered_orders(rate, 0.05, window, 10) == pytest.approx(batch)


def test_empty_receives_fall_with_the_rate() -> None:
    assert empty_receives(0, 5) == 657_000
    # Each poller receives one order per 20 s on average, so none arrives with a probability of 1/e.
    assert empty_receives(2_628_000 / 4, 5) == pytest.approx(657_000 / math.e)


def test_per_million_excludes_fixed_lines() -> None:
    bill = month(**MILLION)
    assert bill.per_million() == bill.total() - sum((line.amount for line in bill.lines if line.is_fixed), Decimal(0))
    assert month(0).per_million() == 0


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
    every_option = ("has_customer_key", "has_snapstart", "orders_are_mailed", "is_traced", "instances_are_private")
    orders = cost.PROFILES["million-a-day"].orders
    bill = month(orders, has_storefront=True, **dict.fromkeys(every_option, True))
    assert {line.price.name for line in bill.lines} == set(cost.PRICES)
