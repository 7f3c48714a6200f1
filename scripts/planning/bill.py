"""The month's bill of the backend and the storefront, line by line: quantity × unit price = amount, and why."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum

from planning.deployment import Deployment
from planning.durations import Durations
from planning.footprint import Footprint
from planning.price_table import PriceTable
from planning.quotas import Quotas
from planning.workload import (
    ACCESS_LOG_BYTES,
    HOURS_IN_A_MONTH,
    INVOCATION_LOG_BYTES,
    MEASURED,
    OWN_LINE_EXTRA_BYTES,
    SECONDS_IN_A_MONTH,
    STORED_ITEM_EXTRA_BYTES,
    Workload,
    empty_receives,
    sampled_traces,
)

_GB = 1_000_000_000
_CHUNK_BYTES = 64 * 1024

# AWS's own examples take logs as kept at 0.15 of their size: https://aws.amazon.com/cloudwatch/pricing/
_LOG_COMPRESSION = 0.15

# How often a service asks KMS again for a data key that it has cached.
_DATA_KEY_SECONDS = 300

# A capacity unit of the load balancer: https://aws.amazon.com/elasticloadbalancing/pricing/
_CAPACITY_CONNECTIONS_PER_SECOND = 25
_CAPACITY_GB_PER_HOUR = 1
_CONNECTIONS_OF_A_VISIT = 6  # what browsers open at most to one host without HTTP/2


class Part(Enum):
    """What a line is paid for."""

    PATH = "the order's own way: API, functions, queue, table, topic"
    STATUS = "looking at an order's status"
    WATCHING = "logs, traces, metrics, alarms"
    MAIL = "e-mails about completed orders"
    KEEPING = "keeping orders"
    TRANSFER = "data to the internet"
    KEY = "a key of one's own"
    STOREFRONT = "the storefront"


@dataclass(frozen=True)
class Choices:
    """How the deployment differs from the one that the Terraform files make by default."""

    is_rest_api: bool = False
    processing_batch_size: int = 10
    has_customer_index: bool = True
    is_snapstart: bool = False
    is_traced: bool = True
    completion_is_mailed: bool = True
    has_customer_key: bool = False
    log_retention_days: int = 30
    has_storefront: bool = True
    instances: int | None = None  # None: min_size
    instances_are_private: bool = False


@dataclass(frozen=True)
class Line:
    """One line of the bill."""

    part: Part
    what: str
    quantity: Decimal
    price: str  # its name in the price table
    amount: Decimal
    why: str
    is_fixed: bool  # paid whether orders come or not
    moved_by: str = ""  # the variable of Terraform that changes it, where there is one


@dataclass(frozen=True)
class Bill:
    """All lines of a month."""

    workload: Workload
    choices: Choices
    lines: tuple[Line, ...]

    def total(self, *parts: Part) -> Decimal:
        """Return the sum of these parts, of all where none is named."""
        return sum((line.amount for line in self.lines if not parts or line.part in parts), Decimal(0))

    def per_million(self, *parts: Part) -> Decimal:
        """Return what a million orders cost besides what is paid without any; 0 where none come."""
        if not self.workload.orders:
            return Decimal(0)
        variable = sum(
            (line.amount for line in self.lines if not line.is_fixed and (not parts or line.part in parts)), Decimal(0)
        )
        return variable * 1_000_000 / self.workload.orders


def bill(
    workload: Workload,
    choices: Choices,
    table: PriceTable,
    footprint: Footprint,
    *,
    durations: Durations | None = None,
    counts_free_quantities: bool = False,
) -> Bill:
    """Return the bill of a month. With `counts_free_quantities`, as if nothing else in the account used them."""
    deployment = replace(Deployment(), processing_batch_size=choices.processing_batch_size)
    writer = _Writer(workload, choices, table, footprint, durations=durations or Durations(), deployment=deployment)
    lines = list(writer.backend())
    if choices.has_storefront:
        lines += writer.storefront()
    lines = [line for line in lines if line.quantity]
    if counts_free_quantities:
        lines = _without_free_quantities(lines, table)
    return Bill(workload, choices, tuple(lines))


def _without_free_quantities(lines: list[Line], table: PriceTable) -> list[Line]:
    left = {name: price.free for name, price in table.prices.items()}
    reduced = []
    for line in lines:
        free = min(left[line.price], line.quantity)
        left[line.price] -= free
        quantity = line.quantity - free
        why = f"{line.why}; {_number(free)} are free" if free else line.why
        reduced.append(replace(line, quantity=quantity, amount=table.prices[line.price].amount(quantity), why=why))
    return reduced


class _Writer:
    def __init__(
        self,
        workload: Workload,
        choices: Choices,
        table: PriceTable,
        footprint: Footprint,
        *,
        durations: Durations,
        deployment: Deployment,
    ) -> None:
        self.choices = choices
        self.table = table
        self.footprint = footprint
        self.workload = workload
        self.durations = durations
        quotas = Quotas()
        self.places = min(quotas.mapping_first_batches, deployment.processing_maximum_concurrency)
        self.orders = workload.orders
        self.gets = workload.orders * workload.gets_per_order
        self.fill = workload.processing_fill(deployment, durations, quotas)
        self.announced_fill = workload.notification_fill(deployment, quotas)
        self.batches = self.orders / self.fill
        self.announced_batches = self.orders / self.announced_fill
        self.invocations = {
            "submission": float(self.orders),
            "status": self.gets,
            "processing": self.batches,
            "notification": self.announced_batches,
        }

    def _line(
        self,
        part: Part,
        what: str,
        quantity: float,
        price: str,
        why: str,
        *,
        is_fixed: bool = False,
        moved_by: str = "",
    ) -> Line:
        exact = Decimal(repr(round(quantity, 9)))
        return Line(part, what, exact, price, self.table.prices[price].amount(exact), why, is_fixed, moved_by)

    # --- Backend ----------------------------------------------------------------------------------------------

    def backend(self) -> Iterator[Line]:
        yield from self._api()
        yield from self._functions()
        yield from self._queue()
        yield from self._table()
        yield from self._topic()
        yield from self._watching()
        if self.choices.has_customer_key:
            yield from self._key()

    def _api(self) -> Iterator[Line]:
        price = "api_gateway_rest_request" if self.choices.is_rest_api else "api_gateway_http_request"
        yield self._line(Part.PATH, "API: POST /orders", self.orders, price, "one for each order")
        each = _number(Decimal(str(self.workload.gets_per_order)))
        yield self._line(Part.STATUS, "API: GET /orders/{id}", self.gets, price, f"{each} for each order")
        answers = (self.orders + self.gets) * (MEASURED.answer_bytes + MEASURED.item_bytes) / _GB
        yield self._line(
            Part.TRANSFER,
            "answers of the API",
            answers,
            "transfer_out_gb",
            f"{MEASURED.answer_bytes + MEASURED.item_bytes} bytes for each request, measured",
        )

    def _functions(self) -> Iterator[Line]:
        of = self.durations
        full = 10  # what durations.py tells of
        for name, seconds, fill in (
            ("submission", of.submission_seconds, None),
            ("status", of.status_seconds, None),
            ("processing", of.of_batch(of.processing_seconds, self.fill, full), self.fill),
            ("notification", of.of_batch(of.notification_seconds, self.announced_fill, full), self.announced_fill),
        ):
            part = Part.STATUS if name == "status" else Part.PATH
            count = self.invocations[name]
            memory_gb = self.footprint.memory_mb[name] / 1024
            batched = "one for each request" if fill is None else f"one for each batch of {fill:.3g}"
            yield self._line(part, f"{name}: requests", count, "lambda_request", batched)
            starts = count * self.workload.cold_start_share
            has_snapshot = self.choices.is_snapstart and name in ("submission", "status")
            start_seconds = 0 if has_snapshot else starts * self.durations.cold_start_seconds
            yield self._line(
                part,
                f"{name}: GB-seconds",
                (count * seconds + start_seconds) * memory_gb,
                "lambda_gb_second",
                f"{seconds * 1000:.3g} ms each at {self.footprint.memory_mb[name]} MB"
                + ("" if has_snapshot else f", {self.workload.cold_start_share:.0%} of them start cold"),
            )
            if has_snapshot:
                yield self._line(
                    part,
                    f"{name}: snapshot kept",
                    SECONDS_IN_A_MONTH * memory_gb,
                    "lambda_snapstart_cache_gb_second",
                    "one published version, all month; each older version that is kept costs as much",
                    is_fixed=True,
                )
                yield self._line(
                    part,
                    f"{name}: snapshot restored",
                    starts * memory_gb,
                    "lambda_snapstart_restore_gb",
                    f"{self.workload.cold_start_share:.0%} of the invocations start cold",
                )

    def _queue(self) -> Iterator[Line]:
        yield self._line(Part.PATH, "SQS: SendMessage", self.orders, "sqs_request", "one for each order, under 64 KB")
        yield self._line(
            Part.PATH,
            "SQS: ReceiveMessage",
            self.batches,
            "sqs_request",
            f"one for each batch of {self.fill:.3g}",
        )
        yield self._line(
            Part.PATH,
            "SQS: DeleteMessageBatch",
            self.batches,
            "sqs_request",
            f"one for each batch of {self.fill:.3g}",
        )
        yield self._line(
            Part.PATH,
            "SQS: receives that find nothing",
            empty_receives(self.orders, self.places),
            "sqs_request",
            f"{self.places} pollers of the mapping wait 20 s at a time, all month",
            is_fixed=True,
            moved_by="processing_maximum_concurrency (2 at least)",
        )

    def _table(self) -> Iterator[Line]:
        units = math.ceil(MEASURED.item_bytes / 1024)
        yield self._line(
            Part.PATH,
            "table: writes",
            self.orders * units,
            "dynamodb_write",
            f"{MEASURED.item_bytes} bytes are one unit, for each order",
        )
        copies = 1
        if self.choices.has_customer_index:
            copies = 2
            yield self._line(
                Part.PATH, "index by_customer: writes", self.orders * units, "dynamodb_write", "the item once more"
            )
        yield self._line(
            Part.STATUS, "table: reads", self.gets, "dynamodb_read", "one for each GET, strongly consistent"
        )
        months = self.workload.months_kept
        kept_gb = self.orders * months * (MEASURED.item_bytes + STORED_ITEM_EXTRA_BYTES) / _GB
        yield self._line(
            Part.KEEPING,
            "table: storage",
            kept_gb * copies,
            "dynamodb_storage_gb_month",
            f"orders of {months} months, {MEASURED.item_bytes} + {STORED_ITEM_EXTRA_BYTES} bytes each"
            + (", and in the index" if copies == 2 else ""),
        )
        yield self._line(
            Part.KEEPING,
            "table: point-in-time recovery",
            kept_gb,
            "dynamodb_backup_gb_month",
            "the table without its index",
        )

    def _topic(self) -> Iterator[Line]:
        requests = self.announced_batches * math.ceil(self.announced_fill * MEASURED.announcement_bytes / _CHUNK_BYTES)
        yield self._line(
            Part.PATH,
            "SNS: PublishBatch",
            requests,
            "sns_publish",
            f"one for each batch of {self.announced_fill:.3g}: {MEASURED.announcement_bytes} bytes each, under 64 KB",
        )
        if self.choices.completion_is_mailed:
            yield self._line(
                Part.MAIL,
                "SNS: e-mails",
                self.orders,
                "sns_email",
                "one for each completed order",
                moved_by='completed_order_email = "none"',
            )

    def _watching(self) -> Iterator[Line]:
        own = {
            "submission": self.orders * (MEASURED.submission_log_bytes + OWN_LINE_EXTRA_BYTES),
            "status": self.gets * (MEASURED.status_log_bytes + OWN_LINE_EXTRA_BYTES),
            "processing": self.orders * (MEASURED.processing_log_bytes + OWN_LINE_EXTRA_BYTES),
            "notification": self.orders * (MEASURED.notification_log_bytes + OWN_LINE_EXTRA_BYTES),
        }
        requests = self.orders + self.gets
        log_bytes = sum(own.values()) + sum(self.invocations.values()) * INVOCATION_LOG_BYTES
        log_bytes += requests * ACCESS_LOG_BYTES
        each = log_bytes / self.orders if self.orders else 0
        yield self._line(
            Part.WATCHING,
            "logs taken in",
            log_bytes / _GB,
            "cloudwatch_log_gb",
            f"{each:,.0f} bytes for each order: own lines, Lambda's two for each invocation, the API's",
        )
        months = self.choices.log_retention_days / 30
        yield self._line(
            Part.WATCHING,
            "logs kept",
            log_bytes / _GB * _LOG_COMPRESSION * months,
            "cloudwatch_log_gb_month",
            f"{self.choices.log_retention_days} days, compressed to {_LOG_COMPRESSION}",
            moved_by="log_retention_days",
        )
        if self.choices.is_traced:
            traces = sum(map(sampled_traces, self.invocations.values()))
            part = traces / (sum(self.invocations.values()) or 1)
            yield self._line(
                Part.WATCHING,
                "X-Ray: traces",
                traces,
                "xray_trace",
                f"{part:.0%} of the invocations: each function's first in a second and 5 % of the others",
            )
        metrics = (self.footprint.order_metrics + self.footprint.route_metrics) if self.orders else 0
        yield self._line(
            Part.WATCHING,
            "metrics",
            metrics,
            "cloudwatch_metric",
            f"{self.footprint.order_metrics} counted from the log, {self.footprint.route_metrics} of the API's routes",
            is_fixed=True,
        )
        yield self._line(
            Part.WATCHING, "alarms", self.footprint.alarms, "cloudwatch_alarm", "one metric each", is_fixed=True
        )
        yield self._line(
            Part.WATCHING, "dashboard", self.footprint.dashboards, "cloudwatch_dashboard", "one", is_fixed=True
        )

    def _key(self) -> Iterator[Line]:
        yield self._line(Part.KEY, "KMS: key", 1, "kms_key", "one", is_fixed=True, moved_by="kms_key_arn")
        # The queue: two calls for each sender and one for each receiver in five minutes
        # (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html);
        # the topic like a sender; the table once for each of the three functions that use it.
        calls = 2 + 1 + 2 + 3
        periods = SECONDS_IN_A_MONTH / _DATA_KEY_SECONDS
        active = 1 - math.exp(-self.workload.orders_per_second * _DATA_KEY_SECONDS)
        yield self._line(
            Part.KEY,
            "KMS: requests",
            calls * periods * active,
            "kms_request",
            f"{calls} in each five minutes with an order: data keys are kept for so long",
            is_fixed=True,
            moved_by="kms_key_arn",
        )

    # --- Storefront -------------------------------------------------------------------------------------------

    def storefront(self) -> Iterator[Line]:
        zones = self.footprint.storefront_zones
        instances = self.footprint.storefront_instances if self.choices.instances is None else self.choices.instances
        visits = self.orders * self.workload.visits_per_order
        page_gb = visits * self.footprint.page_bytes / _GB
        units = max(
            visits * _CONNECTIONS_OF_A_VISIT / SECONDS_IN_A_MONTH / _CAPACITY_CONNECTIONS_PER_SECOND,
            page_gb / HOURS_IN_A_MONTH / _CAPACITY_GB_PER_HOUR,
        )
        hours = HOURS_IN_A_MONTH

        def fixed(what: str, quantity: float, price: str, why: str, moved_by: str = "") -> Line:
            return self._line(Part.STOREFRONT, what, quantity, price, why, is_fixed=True, moved_by=moved_by)

        yield fixed("load balancer", hours, "load_balancer_hour", f"{hours} hours")
        yield self._line(
            Part.STOREFRONT,
            "load balancer: capacity units",
            units * hours,
            "load_balancer_capacity_hour",
            f"{self.workload.visits_per_order:g} visits for each order, by connections or bytes, whichever is more",
        )
        yield fixed(
            "instances", instances * hours, "instance_hour", f"{instances} t4g.micro", "min_size, instance_type"
        )
        yield fixed(
            "volumes",
            instances * self.footprint.storefront_volume_gb,
            "volume_gb_month",
            f"{instances} of {self.footprint.storefront_volume_gb} GB",
            "min_size",
        )
        own = 0 if self.choices.instances_are_private else instances
        gateways = zones if self.choices.instances_are_private else 0
        yield fixed(
            "public addresses",
            (zones + own + gateways) * hours,
            "public_address_hour",
            f"{zones} of the load balancer, {own} of instances, {gateways} of NAT gateways",
            "instances_are_private",
        )
        yield fixed("NAT gateways", gateways * hours, "nat_gateway_hour", "one in each zone", "instances_are_private")
        yield self._line(
            Part.STOREFRONT,
            "page to browsers",
            page_gb,
            "transfer_out_gb",
            f"{self.workload.visits_per_order:g} visits for each order, {self.footprint.page_bytes:,} bytes each",
        )
        yield fixed("alarms of the storefront", self.footprint.storefront_alarms, "cloudwatch_alarm", "one metric each")


def _number(number: float | Decimal) -> str:
    number = float(number)
    return f"{number:,.0f}" if abs(number - round(number)) < 1e-9 or number >= 100 else f"{number:,.3g}"
