"""A month's bill. Each line is quantity × unit price = amount, with the reason for the quantity.

Prices are in prices.toml. A test measures the bytes per order with the real handlers. Bytes that AWS adds are estimated
from documented formats. Options of `orders-plan cost` change the other assumptions.
"""

import json
import math
import tomllib
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path

from planning.settings import Settings, gathered_orders

HOURS = 730  # per month: 365 days / 12, as in AWS's calculator
SECONDS = HOURS * 3600
_GB = 1_000_000_000


@dataclass(frozen=True)
class Price:
    name: str
    price: Decimal
    per: Decimal


PRICE_TABLE = tomllib.loads(Path(__file__).with_name("prices.toml").read_text(encoding="utf-8"), parse_float=Decimal)
PRICES = {
    f"{service}_{unit}": Price(f"{service}_{unit}", entry["price"], Decimal(entry["per"].split()[0].replace(",", "")))
    for service, entries in PRICE_TABLE.items()
    if isinstance(entries, dict)
    for unit, entry in entries.items()
    if unit != "source"
}


# Of the README's sample order; log bytes are the function's own line per request or order.
ORDER_BYTES = {"message": 228, "item": 176, "announcement": 626, "response": 187}
ORDER_BYTES |= {"submission_log": 190, "status_log": 187, "processing_log": 257, "notification_log": 156}
# Lambda adds this to each line of a function (https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html).
_REQUEST_ID_FIELD = ', "requestId": "79b4f56e-95b1-4643-9700-2807f4e68189"'
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
# A service keeps a KMS data key for five minutes. Two requests per sender and one per receiver of the queue, two for
# the topic (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html), one
# for the table in each of its three functions.
_DATA_KEY_SECONDS, _KEY_REQUESTS = 300, 2 + 1 + 2 + 3
# A load balancer's capacity unit (https://aws.amazon.com/elasticloadbalancing/pricing/); a visit opens six connections.
_CONNECTIONS_PER_UNIT, _GB_PER_UNIT_HOUR, _CONNECTIONS_PER_VISIT = 25, 1, 6

# The log metrics with a value in every hour. The others are billed only for hours with a failure.
HOURLY_METRICS = ("OrdersAccepted", "OrdersRefused", "OrdersStored", "OrdersNotified", "OrdersDeadLettered")

# Resources of a default deployment; tests compare all but the third row with the plans. An alarm is billed per metric.
MEMORY_MB = {"submission": 1024, "status": 1024, "processing": 512, "notification": 512}
ALARM_METRICS, STOREFRONT_ALARM_METRICS = 23, 6
INSTANCES, ZONES, VOLUME_GB = 2, 2, 8
PAGE_BYTES = 80_000  # of a first visit, rounded to ten thousand


@dataclass(frozen=True)
class Scenario:
    """A month's orders, spread evenly, and how they are deployed; the default is Terraform's."""

    name: str
    orders: int
    gets_per_order: float = 1
    orders_per_batch: float | None = None  # None: as the mappings gather them at this rate
    months_kept: int = 12  # orders are never deleted
    visits_per_order: float = 20  # 5 % of visits end with an order
    # "cold starts typically occur in under 1% of invocations":
    # https://aws.amazon.com/blogs/compute/operating-lambda-performance-optimization-part-1/
    cold_start_share: float = 0.01
    settings: Settings = field(default_factory=Settings)
    has_snapstart: bool = False
    is_traced: bool = False
    orders_are_mailed: bool = False
    has_customer_key: bool = False
    has_free_dashboard: bool = False
    log_retention_days: int = 30
    has_storefront: bool = True
    instances_are_private: bool = False

    @property
    def processing_batch(self) -> float:
        """The mean number of orders that a poller of the queue receives at once."""
        settings = self.settings
        busy, window = settings.processing_cycle_seconds, settings.processing_batch_window_seconds
        return self._batch(settings.pollers, busy, window, settings.processing_batch_size)

    @property
    def notification_batch(self) -> float:
        """The mean number of orders that a shard's poller reads at once."""
        settings = self.settings
        shards = settings.table_warm_write_units / settings.partition_write_units_per_second
        busy, window = 1 / settings.stream_polls_per_second, settings.notification_batch_window_seconds
        return self._batch(shards, busy, window, settings.notification_batch_size)

    def _batch(self, pollers: float, busy_seconds: float, window_seconds: float, size: int) -> float:
        if self.orders_per_batch is not None:
            return min(self.orders_per_batch, float(size))
        return gathered_orders(self.orders / SECONDS / pollers, busy_seconds, window_seconds, size)


_MONTHS = {"idle": 0, "small-shop": 10_000, "million-a-month": 1_000_000, "million-a-day": 365 * 1_000_000 // 12}
PROFILES = {name: Scenario(name, orders) for name, orders in _MONTHS.items()}


def sampled_traces(invocations: float) -> float:
    """Return how many invocations per month X-Ray records: the first per second of each function, and 5 % of the rest.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html. Invocations are assumed to be independent.
    """
    rate = invocations / SECONDS
    first_of_a_second = 1 - math.exp(-rate)
    return (first_of_a_second + 0.05 * (rate - first_of_a_second)) * SECONDS


def empty_receives(orders: float, pollers: int, wait_seconds: int = 20) -> float:
    """Return how many receives per month return nothing: each poller waits 20 s at a time, idle or not.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html.
    """
    return pollers * SECONDS / wait_seconds * math.exp(-orders / SECONDS * wait_seconds / pollers)


class Part(Enum):
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
    """One line of the bill."""

    part: Part
    name: str
    quantity: Decimal
    price: Price
    reason: str

    @property
    def amount(self) -> Decimal:
        return self.quantity * self.price.price / self.price.per


class Bill:
    """All lines of a month, without AWS's free tier."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.lines: list[Line] = []
        self._add_backend()
        if scenario.has_storefront:
            self._add_storefront()

    def total(self, *parts: Part) -> Decimal:
        """Return the total of these parts, or of the whole bill."""
        return sum((line.amount for line in self.lines if not parts or line.part in parts), Decimal(0))

    def _add(self, part: Part, name: str, quantity: float, price: str, reason: str) -> None:
        exact = Decimal(repr(round(quantity, 9)))
        if exact:
            self.lines.append(Line(part, name, exact, PRICES[price], reason))

    def _add_backend(self) -> None:
        add, scenario, settings = self._add, self.scenario, self.scenario.settings
        orders, gets = scenario.orders, scenario.orders * scenario.gets_per_order
        stored_batch, announced_batch = scenario.processing_batch, scenario.notification_batch
        batches, announced = orders / stored_batch, orders / announced_batch

        # API
        item_bytes = ORDER_BYTES["item"]
        request, response = "api_gateway_http_request", ORDER_BYTES["response"] + item_bytes
        add(Part.PATH, "API: POST /orders", orders, request, "one per order")
        add(Part.STATUS, "API: GET /orders/{id}", gets, request, f"{scenario.gets_per_order:g} per order")
        reason = f"{response} bytes each"
        add(Part.TRANSFER, "API responses", (orders + gets) * response / _GB, "ec2_transfer_out_gb", reason)

        # Functions
        processing_seconds = settings.batch_seconds(settings.processing_seconds, stored_batch)
        notification_seconds = settings.batch_seconds(settings.notification_seconds, announced_batch)
        self._add_function(Part.PATH, "submission", orders, settings.submission_seconds)
        self._add_function(Part.STATUS, "status", gets, settings.status_seconds)
        self._add_function(Part.PATH, "processing", batches, processing_seconds)
        self._add_function(Part.PATH, "notification", announced, notification_seconds)

        # Queue
        per_batch = f"one per batch of {stored_batch:.3g}"
        add(Part.PATH, "SQS: SendMessage", orders, "sqs_request", "one per order, under 64 KB")
        add(Part.PATH, "SQS: ReceiveMessage", batches, "sqs_request", per_batch)
        add(Part.PATH, "SQS: DeleteMessageBatch", batches, "sqs_request", per_batch)
        empty, reason = empty_receives(orders, settings.pollers), f"{settings.pollers} pollers wait 20 s at a time"
        add(Part.PATH, "SQS: empty receives", empty, "sqs_request", f"{reason}, all month")

        # Table
        units = math.ceil(item_bytes / 1024)
        reason = f"{item_bytes} bytes are {units} unit per order"
        add(Part.PATH, "table: writes", orders * units, "dynamodb_write", reason)
        add(Part.PATH, "index by_customer: writes", orders * units, "dynamodb_write", "a copy of the item")
        add(Part.STATUS, "table: reads", gets, "dynamodb_read", "one per GET, strongly consistent")
        kept_gb = orders * scenario.months_kept * (item_bytes + _ITEM_OVERHEAD_BYTES) / _GB
        reason = f"{scenario.months_kept} months, {item_bytes} + {_ITEM_OVERHEAD_BYTES} bytes each, in table and index"
        add(Part.STORAGE, "table: storage", kept_gb * 2, "dynamodb_storage_gb_month", reason)
        add(Part.STORAGE, "table: point-in-time recovery", kept_gb, "dynamodb_backup_gb_month", "without the index")

        # Topic
        reason = f"one per batch of {announced_batch:.3g}, under 64 KB"
        add(Part.PATH, "SNS: PublishBatch", announced, "sns_publish", reason)
        if scenario.orders_are_mailed:
            add(Part.MAIL, "SNS: e-mails", orders, "sns_email", "one per order")

        self._add_monitoring(orders, gets, batches, announced)

        # Key
        if scenario.has_customer_key:
            add(Part.KEY, "KMS: key", 1, "kms_key", "one")
            active = 1 - math.exp(-orders / SECONDS * _DATA_KEY_SECONDS)
            reason = f"{_KEY_REQUESTS} in each five minutes with an order; data keys are cached that long"
            requests = _KEY_REQUESTS * SECONDS / _DATA_KEY_SECONDS * active
            add(Part.KEY, "KMS: requests", requests, "kms_request", reason)

    def _add_monitoring(self, orders: float, gets: float, batches: float, announced: float) -> None:
        add, days = self._add, self.scenario.log_retention_days
        own = orders * sum(ORDER_BYTES[f"{name}_log"] for name in ("submission", "processing", "notification"))
        own += gets * ORDER_BYTES["status_log"]
        own += (3 * orders + gets) * len(_REQUEST_ID_FIELD)
        access = (orders + gets) * len(json.dumps(ACCESS_LOG_LINE, separators=(",", ":")))
        reason = f"{own / (orders or 1):,.0f} bytes per order"
        add(Part.MONITORING, "functions' logs: ingested", own / _GB, "cloudwatch_log_gb", reason)
        reason = f"{access / (orders or 1):,.0f} bytes per order"
        add(Part.MONITORING, "access log: ingested", access / _GB, "cloudwatch_log_gb", reason)
        kept_gb = (own + access) / _GB * _LOG_COMPRESSION * days / 30
        reason = f"{days} days, compressed to {_LOG_COMPRESSION}"
        add(Part.MONITORING, "logs stored", kept_gb, "cloudwatch_log_gb_month", reason)
        if self.scenario.is_traced:
            traces = sum(map(sampled_traces, (orders, gets, batches, announced)))
            reason = "the first invocation per second and function, 5 % of the others"
            add(Part.MONITORING, "X-Ray: traces", traces, "xray_trace", reason)
        metrics, reason = len(HOURLY_METRICS) if orders else 0, "metric filters with a value in every hour"
        add(Part.MONITORING, "metrics", metrics, "cloudwatch_metric", reason)
        add(Part.MONITORING, "alarms", ALARM_METRICS, "cloudwatch_alarm", "by metric")
        dashboards = 0 if self.scenario.has_free_dashboard else 1
        reason = "free if it is one of the account's first three"
        add(Part.MONITORING, "dashboard", dashboards, "cloudwatch_dashboard", reason)

    def _add_function(self, part: Part, name: str, count: float, seconds: float) -> None:
        add, scenario, memory_mb = self._add, self.scenario, MEMORY_MB[name]
        memory_gb, starts = memory_mb / 1024, count * scenario.cold_start_share
        share = f"{scenario.cold_start_share:.0%} of them cold starts"
        is_restored = scenario.has_snapstart and name in ("submission", "status")
        billed_seconds = count * seconds + (0 if is_restored else starts * scenario.settings.cold_start_seconds)
        reason = f"{seconds * 1000:.3g} ms each at {memory_mb} MB" + ("" if is_restored else f", {share}")
        add(part, f"{name}: requests", count, "lambda_request", "one per invocation")
        add(part, f"{name}: GB-seconds", billed_seconds * memory_gb, "lambda_gb_second", reason)
        if is_restored:
            cached, reason = SECONDS * memory_gb, "one published version all month; each older one costs as much"
            add(part, f"{name}: snapshot cached", cached, "lambda_snapstart_cache_gb_second", reason)
            add(part, f"{name}: snapshot restored", starts * memory_gb, "lambda_snapstart_restore_gb", share)

    def _add_storefront(self) -> None:
        scenario = self.scenario
        own, gateways = (0, ZONES) if scenario.instances_are_private else (INSTANCES, 0)
        visits = scenario.orders * scenario.visits_per_order
        page_gb = visits * PAGE_BYTES / _GB
        by_connections = visits * _CONNECTIONS_PER_VISIT / SECONDS / _CONNECTIONS_PER_UNIT
        units = max(by_connections, page_gb / HOURS / _GB_PER_UNIT_HOUR)
        add = partial(self._add, Part.STOREFRONT)
        per_order = f"{scenario.visits_per_order:g} visits per order"
        add("load balancer", HOURS, "load_balancer_hour", f"{HOURS} hours")
        reason = f"{per_order}, by connections or bytes, whichever is more"
        add("load balancer: capacity units", units * HOURS, "load_balancer_capacity_hour", reason)
        add("instances", INSTANCES * HOURS, "ec2_instance_hour", f"{INSTANCES} t4g.micro; by min_size, instance_type")
        add("volumes", INSTANCES * VOLUME_GB, "ebs_volume_gb_month", f"{INSTANCES} of {VOLUME_GB} GB")
        reason = f"{ZONES} of the load balancer, {own} of instances, {gateways} of NAT gateways"
        add("public addresses", (ZONES + own + gateways) * HOURS, "vpc_public_address_hour", reason)
        add("NAT gateways", gateways * HOURS, "vpc_nat_gateway_hour", "one per zone, for instances_are_private")
        reason = f"{per_order}, {PAGE_BYTES:,} bytes each"
        add("page to browsers", page_gb, "ec2_transfer_out_gb", reason)
        add("alarms of the storefront", STOREFRONT_ALARM_METRICS, "cloudwatch_alarm", "metrics of four alarms")
