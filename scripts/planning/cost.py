"""A month's bill. Each line is quantity × unit price = amount, with the reason for the quantity.

Prices are in prices.toml. A test measures the bytes per order with the real handlers. Bytes that AWS adds are estimated
from documented formats. Options of `orders-plan cost` change the other assumptions.
"""

import json
import math
import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path

from planning.settings import PlanningError, Settings

PRICES = Path(__file__).with_name("prices.toml")

HOURS = 730  # per month: 365 days / 12, as in AWS's calculator
SECONDS = HOURS * 3600
_GB = 1_000_000_000


# --- Prices -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Price:
    """A unit price: `price` for every `per` units."""

    name: str
    price: Decimal
    per: Decimal
    unit: str
    source: str
    seen: str
    page_date: str

    def amount(self, quantity: Decimal) -> Decimal:
        """Return the price of `quantity` units."""
        return quantity * self.price / self.per


@dataclass(frozen=True)
class PriceTable:
    """The prices of one region, as read on one day."""

    region: str
    currency: str
    read: date
    prices: dict[str, Price]


def load_prices(path: Path = PRICES) -> PriceTable:
    """Return the price table; raise PlanningError if the file is not a valid table."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        prices = {
            name: Price(
                name,
                Decimal(entry["price"]),
                Decimal(entry["per"]),
                entry["unit"],
                entry["source"],
                entry["seen"],
                entry["page_date"],
            )
            for name, entry in document.items()
            if isinstance(entry, dict)
        }
        return PriceTable(document["region"], document["currency"], document["read"], prices)
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise PlanningError(f"{path} is not a price table: {type(error).__name__} {error}.") from error


# --- Billed quantities ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OrderBytes:
    """Bytes of the README's sample order; log bytes are the function's own line per request or order."""

    message: int = 228
    item: int = 176
    announcement: int = 626
    response: int = 187
    submission_log: int = 190
    status_log: int = 187
    processing_log: int = 257
    notification_log: int = 156


ORDER_BYTES = OrderBytes()

# Lambda adds this to each line of a function (https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html)
_REQUEST_ID_FIELD = ', "requestId": "79b4f56e-95b1-4643-9700-2807f4e68189"'
# and writes platform.start and platform.report for each invocation
# (https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html), 158 and 386 bytes with usual values.
_INVOCATION_LOG_BYTES = 158 + 386
# One line of the access log in main.tf's format, with values of usual length; checked by a test.
ACCESS_LOG_LINE = {
    "request_id": "JKJaXmPLvHcESHA=",
    "time": "25/Nov/2026:10:00:00 +0000",
    "source_ip": "203.0.113.123",
    "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
    "Safari/537.36",
    "method": "POST",
    "path": "/orders",
    "route": "POST /orders",
    "status": "202",
    "response_bytes": "86",
    "response_latency_ms": "32",
    "function_latency_ms": "29",
    "function_status": "202",
    "lambda_status": "200",
    "function_error": "-",
    "error": "-",
}
# DynamoDB adds this to each item's storage, in the table and in an index
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html).
_ITEM_OVERHEAD_BYTES = 100
# AWS's examples bill stored logs at 0.15 of their size (https://aws.amazon.com/cloudwatch/pricing/).
_LOG_COMPRESSION = 0.15
# A service keeps a KMS data key for five minutes.
_DATA_KEY_SECONDS = 300
# A load balancer's capacity unit (https://aws.amazon.com/elasticloadbalancing/pricing/); a visit opens six connections.
_CONNECTIONS_PER_UNIT, _GB_PER_UNIT_HOUR, _CONNECTIONS_PER_VISIT = 25, 1, 6

# A T4g instance in unlimited mode pays for CPU time above its baseline: 10 % of each of a t4g.micro's two vCPUs.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-credits-baseline-concepts.html
_VCPUS, _BASELINE_VCPUS = 2, 0.2
_CPU_SECONDS_PER_VISIT = 0.005  # assumed: about ten small files from Apache


@dataclass(frozen=True)
class Footprint:
    """Resources that do not depend on the load; a test compares them with the Terraform plans."""

    memory_mb: dict[str, int]
    alarms: int  # the metrics that they evaluate
    order_metrics: int  # metric filters with a value in every month with orders
    route_metrics: (
        int  # six per route: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    )
    dashboards: int
    storefront_alarm_metrics: int
    storefront_instances: int
    storefront_zones: int
    storefront_volume_gb: int
    page_bytes: int  # of a first visit, rounded to ten thousand


FOOTPRINT = Footprint(
    memory_mb={"submission": 1024, "status": 1024, "processing": 512, "notification": 512},
    alarms=23,
    order_metrics=12,
    route_metrics=12,
    dashboards=1,
    storefront_alarm_metrics=6,
    storefront_instances=2,
    storefront_zones=2,
    storefront_volume_gb=8,
    page_bytes=90_000,
)


@dataclass(frozen=True)
class Workload:
    """A month's load, spread evenly, which is the most expensive case for batches and traces."""

    name: str
    orders: int
    gets_per_order: float = 1
    orders_per_batch: float | None = None  # None: as the mapping gathers them at this rate
    months_kept: int = 12  # orders are never deleted
    visits_per_order: float = 20  # 5 % of visits end with an order
    # "cold starts typically occur in under 1% of invocations":
    # https://aws.amazon.com/blogs/compute/operating-lambda-performance-optimization-part-1/
    cold_start_share: float = 0.01

    def processing_batch(self, settings: Settings) -> float:
        """Return processing's mean batch size: the orders that arrive while a poller of the mapping is busy."""
        if self.orders_per_batch is not None:
            return min(self.orders_per_batch, float(settings.processing_batch_size))
        gathering = max(settings.processing_cycle_seconds, settings.processing_batching_window_seconds)
        gathered = self.orders / SECONDS * gathering / _pollers(settings)
        return min(max(1.0, gathered), float(settings.processing_batch_size))

    def notification_batch(self, settings: Settings) -> float:
        """Return notification's mean batch size: the orders that a shard receives between two polls."""
        if self.orders_per_batch is not None:
            return min(self.orders_per_batch, float(settings.notification_batch_size))
        shards = settings.table_warm_write_units / settings.partition_write_units_per_second
        gathered = self.orders / SECONDS / shards / settings.stream_polls_per_second
        return min(max(1.0, gathered), float(settings.notification_batch_size))


PROFILES = {
    "idle": Workload("idle", 0),
    "small-shop": Workload("small-shop", 10_000),
    "million-a-month": Workload("million-a-month", 1_000_000),
    "million-a-day": Workload("million-a-day", 365 * 1_000_000 // 12),
}


@dataclass(frozen=True)
class Choices:
    """Differences from Terraform's default deployment."""

    has_snapstart: bool = False
    is_traced: bool = False
    orders_are_mailed: bool = False
    has_customer_key: bool = False
    log_retention_days: int = 30
    has_storefront: bool = True
    instances: int | None = None  # None: min_size
    instances_are_private: bool = False


def sampled_traces(invocations: float) -> float:
    """Return how many of a function's invocations per month X-Ray records: the first per second, and 5 % of the rest.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html. Invocations are taken as independent.
    """
    rate = invocations / SECONDS
    first_of_a_second = 1 - math.exp(-rate)
    return (first_of_a_second + 0.05 * (rate - first_of_a_second)) * SECONDS


def empty_receives(orders: float, pollers: int, wait_seconds: int = 20) -> float:
    """Return how many receives per month return nothing: each poller waits 20 s at a time, idle or not.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html.
    """
    return pollers * SECONDS / wait_seconds * math.exp(-orders / SECONDS * wait_seconds / pollers)


def _pollers(settings: Settings) -> int:
    return min(settings.mapping_first_batches, settings.processing_maximum_concurrency)


# --- The bill ---------------------------------------------------------------------------------------------------------


class Part(Enum):
    """The purpose of a line."""

    PATH = "the order's path: API, functions, queue, table, topic"
    STATUS = "status requests"
    MONITORING = "logs, traces, metrics, alarms"
    MAIL = "e-mails about completed orders"
    STORAGE = "stored orders"
    TRANSFER = "data to the internet"
    KEY = "customer-managed key"
    STOREFRONT = "storefront"


BACKEND = tuple(part for part in Part if part is not Part.STOREFRONT)


@dataclass(frozen=True)
class Line:
    """One line of the bill; a fixed line does not depend on the number of orders."""

    part: Part
    what: str
    quantity: Decimal
    price: Price
    why: str
    is_fixed: bool = False
    changed_by: str = ""

    @property
    def amount(self) -> Decimal:
        """Quantity × unit price."""
        return self.price.amount(self.quantity)


@dataclass(frozen=True)
class Bill:
    """All lines of a month."""

    workload: Workload
    choices: Choices
    lines: tuple[Line, ...]

    def total(self, *parts: Part) -> Decimal:
        """Return the total of these parts, or of the whole bill."""
        return sum((line.amount for line in self.lines if not parts or line.part in parts), Decimal(0))

    def per_million(self, *parts: Part) -> Decimal:
        """Return the cost of a million orders without the fixed lines, or 0 if there are no orders."""
        if not self.workload.orders:
            return Decimal(0)
        lines = [line for line in self.lines if not line.is_fixed and (not parts or line.part in parts)]
        return sum((line.amount for line in lines), Decimal(0)) * 1_000_000 / self.workload.orders


def bill(
    workload: Workload,
    choices: Choices,
    table: PriceTable,
    footprint: Footprint = FOOTPRINT,
    settings: Settings | None = None,
) -> Bill:
    """Return a month's bill, without AWS's free tier."""
    lines = _Lines(table.prices)
    _add_backend(lines, workload, choices, footprint, settings or Settings())
    if choices.has_storefront:
        _add_storefront(lines, workload, choices, footprint)
    return Bill(workload, choices, tuple(line for line in lines.lines if line.quantity))


class _Lines:
    def __init__(self, prices: dict[str, Price]) -> None:
        self._prices = prices
        self.lines: list[Line] = []

    def add(
        self, part: Part, what: str, quantity: float, price: str, why: str, *, fixed: bool = False, changed_by: str = ""
    ) -> None:
        exact = Decimal(repr(round(quantity, 9)))
        self.lines.append(Line(part, what, exact, self._prices[price], why, fixed, changed_by))


def _add_backend(lines: _Lines, workload: Workload, choices: Choices, footprint: Footprint, settings: Settings) -> None:
    add, size = lines.add, ORDER_BYTES
    orders = workload.orders
    gets = orders * workload.gets_per_order
    stored_batch, announced_batch = workload.processing_batch(settings), workload.notification_batch(settings)
    batches, announced_batches = orders / stored_batch, orders / announced_batch
    per_batch = f"one per batch of {stored_batch:.3g}"

    # API
    request = "api_gateway_http_request"
    add(Part.PATH, "API: POST /orders", orders, request, "one per order")
    add(Part.STATUS, "API: GET /orders/{id}", gets, request, f"{_number(workload.gets_per_order)} per order")
    response = size.response + size.item
    add(Part.TRANSFER, "API responses", (orders + gets) * response / _GB, "transfer_out_gb", f"{response} bytes each")

    invocations = {"submission": orders, "status": gets, "processing": batches, "notification": announced_batches}
    seconds = {
        "submission": settings.submission_seconds,
        "status": settings.status_seconds,
        "processing": settings.batch_seconds(settings.processing_seconds, stored_batch),
        "notification": settings.batch_seconds(settings.notification_seconds, announced_batch),
    }
    for name, count in invocations.items():
        _add_function(
            lines,
            name,
            count,
            seconds[name],
            workload=workload,
            choices=choices,
            footprint=footprint,
            settings=settings,
        )

    # Queue
    pollers = _pollers(settings)
    add(Part.PATH, "SQS: SendMessage", orders, "sqs_request", "one per order, under 64 KB")
    add(Part.PATH, "SQS: ReceiveMessage", batches, "sqs_request", per_batch)
    add(Part.PATH, "SQS: DeleteMessageBatch", batches, "sqs_request", per_batch)
    empty = empty_receives(orders, pollers)
    why, by = f"{pollers} pollers wait 20 s at a time, all month", "processing_maximum_concurrency (at least 2)"
    add(Part.PATH, "SQS: empty receives", empty, "sqs_request", why, fixed=True, changed_by=by)

    # Table
    units, copies = math.ceil(size.item / 1024), 2  # the table and its index
    add(Part.PATH, "table: writes", orders * units, "dynamodb_write", f"{size.item} bytes are {units} unit per order")
    add(Part.PATH, "index by_customer: writes", orders * units, "dynamodb_write", "the item again")
    add(Part.STATUS, "table: reads", gets, "dynamodb_read", "one per GET, strongly consistent")
    kept_gb = orders * workload.months_kept * (size.item + _ITEM_OVERHEAD_BYTES) / _GB
    why = f"{workload.months_kept} months, {size.item} + {_ITEM_OVERHEAD_BYTES} bytes each, {copies} copies"
    add(Part.STORAGE, "table: storage", kept_gb * copies, "dynamodb_storage_gb_month", why)
    add(Part.STORAGE, "table: point-in-time recovery", kept_gb, "dynamodb_backup_gb_month", "without the index")

    # Topic
    chunks = math.ceil(announced_batch * size.announcement / (64 * 1024))
    why = f"one per batch of {announced_batch:.3g}: {size.announcement} bytes each, under 64 KB"
    add(Part.PATH, "SNS: PublishBatch", announced_batches * chunks, "sns_publish", why)
    if choices.orders_are_mailed:
        add(Part.MAIL, "SNS: e-mails", orders, "sns_email", "one per order", changed_by="completed_order_email")

    _add_monitoring(lines, workload, choices, footprint, invocations)

    # Key
    if choices.has_customer_key:
        # Two per sender and one per receiver of the queue, two for the topic
        # (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html),
        # one for the table in each of its three functions.
        calls = 2 + 1 + 2 + 3
        active = 1 - math.exp(-orders / SECONDS * _DATA_KEY_SECONDS)
        add(Part.KEY, "KMS: key", 1, "kms_key", "one", fixed=True, changed_by="kms_key_arn")
        why = f"{calls} in each five minutes with an order; data keys are cached that long"
        requests = calls * SECONDS / _DATA_KEY_SECONDS * active
        add(Part.KEY, "KMS: requests", requests, "kms_request", why, fixed=True, changed_by="kms_key_arn")


def _add_function(
    lines: _Lines,
    name: str,
    count: float,
    seconds: float,
    *,
    workload: Workload,
    choices: Choices,
    footprint: Footprint,
    settings: Settings,
) -> None:
    add = lines.add
    starts = count * workload.cold_start_share
    memory_gb = footprint.memory_mb[name] / 1024
    part = Part.STATUS if name == "status" else Part.PATH
    share = f"{workload.cold_start_share:.0%} of them cold starts"
    is_restored = choices.has_snapstart and name in ("submission", "status")
    billed_seconds = count * seconds + (0 if is_restored else starts * settings.cold_start_seconds)
    why = f"{seconds * 1000:.3g} ms each at {footprint.memory_mb[name]} MB"
    add(part, f"{name}: requests", count, "lambda_request", "one per invocation")
    why += "" if is_restored else f", {share}"
    add(part, f"{name}: GB-seconds", billed_seconds * memory_gb, "lambda_gb_second", why)
    if is_restored:
        cached, why = SECONDS * memory_gb, "one published version all month; each older one costs as much"
        add(part, f"{name}: snapshot cached", cached, "lambda_snapstart_cache_gb_second", why, fixed=True)
        add(part, f"{name}: snapshot restored", starts * memory_gb, "lambda_snapstart_restore_gb", share)


def _add_monitoring(
    lines: _Lines, workload: Workload, choices: Choices, footprint: Footprint, invocations: dict[str, float]
) -> None:
    add, size, orders, gets = lines.add, ORDER_BYTES, workload.orders, invocations["status"]
    own = orders * (size.submission_log + size.processing_log + size.notification_log) + gets * size.status_log
    own += (3 * orders + gets) * len(_REQUEST_ID_FIELD)
    access = (orders + gets) * len(json.dumps(ACCESS_LOG_LINE, separators=(",", ":")))
    log_gb = (own + access + sum(invocations.values()) * _INVOCATION_LOG_BYTES) / _GB
    why = f"{log_gb * _GB / (orders or 1):,.0f} bytes per order: functions, Lambda's two per invocation, access log"
    add(Part.MONITORING, "logs ingested", log_gb, "cloudwatch_log_gb", why)
    kept = log_gb * _LOG_COMPRESSION * choices.log_retention_days / 30
    why = f"{choices.log_retention_days} days, compressed to {_LOG_COMPRESSION}"
    add(Part.MONITORING, "logs stored", kept, "cloudwatch_log_gb_month", why, changed_by="log_retention_days")
    if choices.is_traced:
        traces = sum(map(sampled_traces, invocations.values()))
        why = f"{traces / (sum(invocations.values()) or 1):.0%} of invocations: the first per second, 5 % of the rest"
        add(Part.MONITORING, "X-Ray: traces", traces, "xray_trace", why)
    metrics = footprint.order_metrics + footprint.route_metrics if orders else 0
    why = f"{footprint.order_metrics} metric filters, {footprint.route_metrics} of the API's routes"
    add(Part.MONITORING, "metrics", metrics, "cloudwatch_metric", why, fixed=True)
    add(Part.MONITORING, "alarms", footprint.alarms, "cloudwatch_alarm", "by metric", fixed=True)
    add(Part.MONITORING, "dashboard", footprint.dashboards, "cloudwatch_dashboard", "one", fixed=True)


def _add_storefront(lines: _Lines, workload: Workload, choices: Choices, footprint: Footprint) -> None:
    zones = footprint.storefront_zones
    instances = choices.instances or footprint.storefront_instances
    visits = workload.orders * workload.visits_per_order
    page_gb = visits * footprint.page_bytes / _GB
    by_connections = visits * _CONNECTIONS_PER_VISIT / SECONDS / _CONNECTIONS_PER_UNIT
    units = max(by_connections, page_gb / HOURS / _GB_PER_UNIT_HOUR)
    own = 0 if choices.instances_are_private else instances
    gateways = zones if choices.instances_are_private else 0

    def add(what: str, quantity: float, price: str, why: str, *, fixed: bool = True, changed_by: str = "") -> None:
        lines.add(Part.STOREFRONT, what, quantity, price, why, fixed=fixed, changed_by=changed_by)

    add("load balancer", HOURS, "load_balancer_hour", f"{HOURS} hours")
    why = f"{workload.visits_per_order:g} visits per order, by connections or bytes, whichever is more"
    add("load balancer: capacity units", units * HOURS, "load_balancer_capacity_hour", why, fixed=False)
    add("instances", instances * HOURS, "instance_hour", f"{instances} t4g.micro", changed_by="min_size, instance_type")
    included = instances * _BASELINE_VCPUS * HOURS
    busy = min(visits * _CPU_SECONDS_PER_VISIT / 3600, instances * _VCPUS * HOURS)
    why = f"{included:,.0f} vCPU hours are included"
    above = max(0.0, busy - included)
    add("instances: CPU above the baseline", above, "cpu_credit_vcpu_hour", why, fixed=False)
    volume = footprint.storefront_volume_gb
    add("volumes", instances * volume, "volume_gb_month", f"{instances} of {volume} GB", changed_by="min_size")
    addresses = (zones + own + gateways) * HOURS
    why = f"{zones} of the load balancer, {own} of instances, {gateways} of NAT gateways"
    add("public addresses", addresses, "public_address_hour", why, changed_by="instances_are_private")
    add("NAT gateways", gateways * HOURS, "nat_gateway_hour", "one per zone", changed_by="instances_are_private")
    why = f"{workload.visits_per_order:g} visits per order, {footprint.page_bytes:,} bytes each"
    add("page to browsers", page_gb, "transfer_out_gb", why, fixed=False)
    add("alarms of the storefront", footprint.storefront_alarm_metrics, "cloudwatch_alarm", "metrics of four alarms")


def _number(number: float | Decimal) -> str:
    number = float(number)
    return f"{number:,.0f}" if abs(number - round(number)) < 1e-9 or number >= 100 else f"{number:,.3g}"
