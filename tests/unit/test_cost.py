"""Compare `orders-plan cost` with bills computed by hand."""

import json
import math
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from planning.__main__ import TARGET, planning
from planning.cost import (
    ACCESS_LOG_LINE,
    ORDER_BYTES,
    PROFILES,
    Bill,
    Choices,
    Footprint,
    Part,
    PriceTable,
    Workload,
    bill,
    empty_receives,
    load_prices,
    sampled_traces,
)
from planning.settings import PlanningError, Settings

# Round numbers, which make the bills easy to compute by hand.
FOOTPRINT = Footprint(
    memory_mb={"submission": 1024, "status": 1024, "processing": 512, "notification": 512},
    alarms=13,
    order_metrics=7,
    route_metrics=12,
    dashboards=1,
    storefront_alarm_metrics=6,
    storefront_instances=2,
    storefront_zones=2,
    storefront_volume_gb=8,
    page_bytes=100_000,
)
SETTINGS = Settings(
    processing_maximum_concurrency=10,
    submission_seconds=0.020,
    status_seconds=0.010,
    processing_seconds=0.030,
    notification_seconds=0.040,
    cold_start_seconds=0.5,
)
BACKEND = Choices(has_storefront=False)


@pytest.fixture(scope="module")
def prices() -> PriceTable:
    return load_prices()


def month(prices: PriceTable, workload: Workload, choices: Choices = BACKEND) -> Bill:
    return bill(workload, choices, prices, FOOTPRINT, settings=SETTINGS)


def amounts(of: Bill) -> dict[str, float]:
    return {line.what: float(line.amount) for line in of.lines}


def test_bill_of_a_million_orders_in_full_batches(prices: PriceTable) -> None:
    by_hand = {
        # 1,000,000 × $1.00 a million
        "API: POST /orders": 1.00,
        "API: GET /orders/{id}": 1.00,
        # 1,000,000 × $0.20 a million
        "submission: requests": 0.20,
        # (1,000,000 × 0.020 s + 1 % × 1,000,000 × 0.5 s) × 1 GB = 25,000 GB-s × $0.0000133334
        "submission: GB-seconds": 0.333335,
        "status: requests": 0.20,
        # (1,000,000 × 0.010 s + 10,000 × 0.5 s) × 1 GB = 15,000 GB-s
        "status: GB-seconds": 0.200001,
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
        "table: reads": 0.125,
        # 100,000 batches × $0.50 a million
        "SNS: PublishBatch": 0.05,
        # (7 + 12) × $0.30, 13 × $0.10, 1 × $3.00
        "metrics": 5.70,
        "alarms": 1.30,
        "dashboard": 3.00,
    }
    found = amounts(month(prices, TARGET))
    assert {what: found[what] for what in by_hand} == pytest.approx(by_hand)
    # The order's path: all lines above from POST to PublishBatch, without the status requests.
    own = 1 + 0.2 + 0.333335 + 0.02 + 0.02333345 + 0.02 + 0.03000015 + 0.4 + 0.04 + 0.04 + 0.625 + 0.625 + 0.05
    assert float(month(prices, TARGET).per_million(Part.PATH)) == pytest.approx(own)


def test_bill_of_logs_traces_and_storage(prices: PriceTable) -> None:
    found = amounts(month(prices, TARGET, Choices(has_storefront=False, is_traced=True)))
    own_lines = sum(
        getattr(ORDER_BYTES, f"{name}_log") for name in ("submission", "status", "processing", "notification")
    )
    own_lines += 4 * len(', "requestId": "79b4f56e-95b1-4643-9700-2807f4e68189"')
    # Two invocations for the requests and two tenths for the batches; two requests to the API.
    access_line = len(json.dumps(ACCESS_LOG_LINE, separators=(",", ":")))
    each = own_lines + 2.2 * 544 + 2 * access_line
    assert found["logs ingested"] == pytest.approx(each * 1_000_000 / 1e9 * 0.50)
    assert found["logs stored"] == pytest.approx(each * 1_000_000 / 1e9 * 0.15 * 0.03)
    # 12 months × 1,000,000 × (176 + 100) bytes = 3.312 GB: twice at $0.25, once at $0.20.
    assert found["table: storage"] == pytest.approx(2 * 3.312 * 0.25)
    assert found["table: point-in-time recovery"] == pytest.approx(3.312 * 0.20)
    # 1,000,000 requests in 2,628,000 s are 0.3805 per second, so 31.65 % of the seconds have one. The first request of
    # each of these seconds is traced, and one in twenty of the other 168,230.
    first = (1 - math.exp(-1_000_000 / 2_628_000)) * 2_628_000
    assert first == pytest.approx(831_770, rel=1e-4)
    requests = first + 0.05 * (1_000_000 - first)
    # There are a tenth as many batches: 98,128 seconds have one.
    first_batch = (1 - math.exp(-100_000 / 2_628_000)) * 2_628_000
    batches = first_batch + 0.05 * (100_000 - first_batch)
    assert found["X-Ray: traces"] == pytest.approx((2 * requests + 2 * batches) * 5 / 1_000_000)


def test_bill_of_an_idle_month_has_pollers_alarms_and_dashboard(prices: PriceTable) -> None:
    # Five pollers, three receives a minute each, 43,800 minutes: 657,000 × $0.40 a million.
    assert amounts(month(prices, PROFILES["idle"])) == pytest.approx(
        {"SQS: empty receives": 0.2628, "alarms": 1.30, "dashboard": 3.00}
    )


def test_bill_of_the_storefront(prices: PriceTable) -> None:
    found = amounts(month(prices, Workload("shop", 10_000), Choices()))
    by_hand = {
        "load balancer": 730 * 0.0225,
        "instances": 2 * 730 * 0.0084,
        "volumes": 2 * 8 * 0.08,
        "public addresses": 4 * 730 * 0.005,
        "alarms of the storefront": 6 * 0.10,
        # 10,000 × 20 visits × 100,000 bytes = 20 GB
        "page to browsers": 20 * 0.09,
        # 20 GB in 730 h are 20 unit-hours; 200,000 × 6 connections in 2,628,000 s are 0.018 units.
        "load balancer: capacity units": 20 * 0.008,
    }
    assert {what: found[what] for what in by_hand} == pytest.approx(by_hand)


def test_bill_has_cpu_above_the_baseline_when_the_storefront_is_busy(prices: PriceTable) -> None:
    # 20,000,000 orders × 20 visits × 5 ms are 555.6 vCPU hours; two t4g.micro include 2 × 0.2 × 730 = 292.
    found = amounts(month(prices, Workload("shop", 20_000_000), Choices()))
    assert found["instances: CPU above the baseline"] == pytest.approx((555.6 - 292) * 0.04, rel=1e-3)


def test_bill_has_nat_gateways_when_instances_are_private(prices: PriceTable) -> None:
    found = amounts(month(prices, PROFILES["idle"], Choices(instances_are_private=True)))
    assert found["NAT gateways"] == pytest.approx(2 * 730 * 0.045)
    # The load balancer and the gateways have two addresses each, the instances none.
    assert found["public addresses"] == pytest.approx(4 * 730 * 0.005)


def test_bill_of_snapstart_has_snapshots_instead_of_cold_starts(prices: PriceTable) -> None:
    found = amounts(month(prices, TARGET, replace(BACKEND, has_snapstart=True)))
    # 2,628,000 s × 1 GB × $0.0000015046
    assert found["submission: snapshot cached"] == pytest.approx(3.9540888)
    # 10,000 × 1 GB × $0.0001397998
    assert found["submission: snapshot restored"] == pytest.approx(1.397998)
    assert found["submission: GB-seconds"] == pytest.approx(20_000 * 0.0000133334)
    assert "processing: snapshot cached" not in found


def test_bill_of_a_customer_managed_key(prices: PriceTable) -> None:
    found = amounts(month(prices, PROFILES["million-a-day"], replace(BACKEND, has_customer_key=True)))
    assert found["KMS: key"] == 1
    assert found["KMS: requests"] == pytest.approx(8 * 8760 * 0.03 / 10_000)


def test_batches_fill_only_at_high_rates(prices: PriceTable) -> None:
    # At 11.6 per second a poller is free for every order.
    slow = amounts(month(prices, PROFILES["million-a-day"]))
    assert slow["SQS: ReceiveMessage"] == pytest.approx(slow["SQS: SendMessage"])
    # At 500 per second, each of five pollers receives five orders every 50 ms.
    fast = amounts(month(prices, Workload("fast", 500 * 2_628_000)))
    assert fast["SQS: ReceiveMessage"] == pytest.approx(fast["SQS: SendMessage"] / 5)


def test_sampled_traces_fall_with_the_rate() -> None:
    assert sampled_traces(1000) == pytest.approx(1000, rel=0.001)
    # At 1,000 per second, the first and 5 % of the 999 others are traced: 50.95.
    assert sampled_traces(1000 * 2_628_000) / 2_628_000 == pytest.approx(50.95)


def test_empty_receives_fall_with_the_rate() -> None:
    assert empty_receives(0, 5) == 657_000
    # Each poller receives one order per 20 s on average, so none arrives with a probability of 1/e.
    assert empty_receives(2_628_000 / 4, 5) == pytest.approx(657_000 / math.e)


def test_per_million_excludes_fixed_lines(prices: PriceTable) -> None:
    fixed = sum((line.amount for line in month(prices, TARGET).lines if line.is_fixed), Decimal(0))
    of = month(prices, TARGET)
    assert of.per_million() == of.total() - fixed
    assert month(prices, PROFILES["idle"]).per_million() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["target"],
        ["compare"],
        ["compare", "--orders-per-batch", "10"],
        ["show", "idle"],
        ["show", "--orders", "5000", "--snapstart", "--customer-key"],
        ["show", "million-a-month", "--no-storefront", "--private-instances", "--email", "--tracing"],
    ],
)
def test_command_succeeds(arguments: list[str]) -> None:
    result = CliRunner().invoke(planning, ["cost", *arguments])
    assert result.exit_code == 0, result.output
    assert result.output


def test_json_lines_add_up_to_the_total() -> None:
    document = json.loads(CliRunner().invoke(planning, ["cost", "show", "small-shop", "--json"]).output)
    assert sum(line["amount"] for line in document["lines"]) == pytest.approx(document["total"], abs=1e-4)
    assert document["prices_read"] == load_prices().read.isoformat()
    assert all(line["why"] for line in document["lines"])


def test_target_verdict_matches_the_sums() -> None:
    output = CliRunner().invoke(planning, ["cost", "target"]).output
    for verdict, amount in (line.split(":")[:2] for line in output.splitlines() if line.startswith(("Met", "Not met"))):
        assert (float(amount.split()[0]) <= 3.80) == (verdict == "Met")


def test_show_requires_a_profile_or_a_number_of_orders() -> None:
    for arguments in (["show"], ["show", "idle", "--orders", "5"]):
        result = CliRunner().invoke(planning, ["cost", *arguments])
        assert result.exit_code == 2
        assert "either a profile or --orders" in result.output


def test_bill_of_e_mails(prices: PriceTable) -> None:
    # 1,000,000 × $2.00 per 100,000
    assert amounts(month(prices, TARGET, replace(BACKEND, orders_are_mailed=True)))["SNS: e-mails"] == 20


def test_every_price_has_a_source_and_is_used(prices: PriceTable) -> None:
    for price in prices.prices.values():
        assert price.source.startswith("https://aws.amazon.com/"), price.name
        assert price.price > 0, price.name
        assert re.match(r"https://|public repositories|an article|no page", price.seen), price.name
        assert price.page_date == "not stated" or re.match(r"20\d\d", price.page_date), price.name
    choices = (
        Choices(has_customer_key=True, has_snapstart=True, orders_are_mailed=True, is_traced=True),
        Choices(instances_are_private=True),
    )
    used = {
        line.price.name
        for workload in PROFILES.values()
        for each in choices
        for line in bill(workload, each, prices).lines
    }
    assert used == set(prices.prices)


@pytest.mark.parametrize("text", ["", "region = ", 'region = "us-east-1"\n[a]\nprice = 1\n'])
def test_broken_price_table_is_reported_in_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(PlanningError, match="is not a price table"):
        load_prices(path)
