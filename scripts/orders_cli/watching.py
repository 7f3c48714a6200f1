"""What a system is doing right now, in numbers of which each says where it comes from."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from orders_cli.log import LogEvent
from orders_cli.queue import Queue

# Event of the log → metric that a filter makes of it, by the names of terraform-backend/main.tf.
METRICS = {
    "order_accepted": "OrdersAccepted",
    "order_refused": "OrdersRefused",
    "order_stored": "OrdersStored",
    "order_duplicate": "OrdersDuplicate",
    "order_conflict": "OrdersConflict",
    "order_failed": "OrdersFailed",
    "order_notified": "OrdersNotified",
}
_FUNCTION_OF = {
    "submission": ("order_accepted", "order_refused"),
    "processing": ("order_stored", "order_duplicate", "order_conflict", "order_failed"),
    "notification": ("order_notified",),
}

# An event may be in the log a moment after its own time.
_LATE = timedelta(seconds=5)

_METRIC_SECONDS = 60
_METRIC_REFRESH = timedelta(seconds=20)


class Counts(Protocol):
    """Counts events since the watch began."""

    source: str
    """Where the numbers come from, for the person who reads them."""

    def read(self, now: datetime) -> Counter[str]:
        """Return how many events of each name of METRICS there were."""


class LoggedEvents(Protocol):
    """Where the functions' events are found."""

    def search(
        self, function: str, pattern: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[LogEvent]:
        """Yield the events that match a pattern, oldest first."""


class LogCounts:
    """Counts the log's events one by one: at once, and good for a small system such as the local stack."""

    source = "counted in the functions' logs since the watch began"

    def __init__(self, log: LoggedEvents, began: datetime) -> None:
        self._log = log
        self._read_to = began
        self._began = began
        self._seen: dict[str, datetime] = {}
        self._counts: Counter[str] = Counter()

    def read(self, now: datetime) -> Counter[str]:
        """Return how many events of each name of METRICS there were."""
        since = max(self._began, self._read_to - _LATE)
        for function, names in _FUNCTION_OF.items():
            pattern = "{ " + " || ".join(f'$.message = "{name}"' for name in names) + " }"
            for event in self._log.search(function, pattern, since=since):
                if event.name in names and event.event_id not in self._seen:
                    self._seen[event.event_id] = event.time
                    self._counts[event.name] += 1
        self._read_to = now
        self._seen = {event_id: time for event_id, time in self._seen.items() if time >= now - 2 * _LATE}
        return self._counts


class MetricCounts:
    """Sums the metrics that CloudWatch's filters make of the log: cheap however busy the system is, but late."""

    source = "summed by CloudWatch's metric filters since the minute in which the watch began; a minute or two late"

    def __init__(self, cloudwatch: Any, namespace: str, began: datetime) -> None:
        self._cloudwatch = cloudwatch
        self._namespace = namespace
        self._began = began.replace(second=0, microsecond=0)
        self._next_read = began
        self._counts: Counter[str] = Counter()

    def read(self, now: datetime) -> Counter[str]:
        """Return how many events of each name of METRICS there were."""
        if now >= self._next_read:
            self._next_read = now + _METRIC_REFRESH
            self._counts = self._sums(now)
        return self._counts

    def _sums(self, now: datetime) -> Counter[str]:
        queries = [
            {
                "Id": event,
                "MetricStat": {
                    "Metric": {"Namespace": self._namespace, "MetricName": metric},
                    "Period": _METRIC_SECONDS,
                    "Stat": "Sum",
                },
            }
            for event, metric in METRICS.items()
        ]
        pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=self._began, EndTime=now + timedelta(seconds=_METRIC_SECONDS)
        )
        sums: Counter[str] = Counter()
        for page in pages:
            for result in page["MetricDataResults"]:
                sums[result["Id"]] += int(sum(result["Values"]))
        return sums


@dataclass(frozen=True)
class Reading:
    """One look at the system."""

    time: datetime
    waiting: int
    in_flight: int
    dead_letters: int
    dead_notifications: int
    counts: Counter[str]

    def fields(self) -> dict[str, int]:
        """Return every number under its name."""
        return {
            "accepted": self.counts["order_accepted"],
            "refused": self.counts["order_refused"],
            "waiting": self.waiting,
            "in_flight": self.in_flight,
            "stored": self.counts["order_stored"],
            "duplicate": self.counts["order_duplicate"],
            "failed_attempts": self.counts["order_failed"] + self.counts["order_conflict"],
            "notified": self.counts["order_notified"],
            "dead_letters": self.dead_letters,
            "dead_notifications": self.dead_notifications,
        }


def explanations(source: str) -> dict[str, str]:
    """Return what each number of a reading says, and where it comes from."""
    now = "by SQS, now"
    return {
        "accepted": f"orders answered with 202; {source}",
        "refused": "requests that were no orders; likewise",
        "waiting": f"messages in the queue; {now}",
        "in_flight": f"messages at the processing function, or waiting to be tried again; {now}",
        "stored": "orders new in the table; as accepted",
        "duplicate": "messages whose order was stored already; likewise",
        "failed_attempts": "receives after which an order was not stored, up to five an order; likewise",
        "notified": "announcements; likewise",
        "dead_letters": f"messages in the orders' dead-letter queue; {now}",
        "dead_notifications": f"entries in the notifications' dead-letter queue; {now}",
    }


def reader(queue: Queue, dlq: Queue, notifications_dlq: Queue, counts: Counts) -> Callable[[datetime], Reading]:
    """Return what takes one reading after the other."""

    def read(now: datetime) -> Reading:
        with ThreadPoolExecutor(3) as pool:
            orders, dead, notifications = pool.map(lambda one: one.depth(), (queue, dlq, notifications_dlq))
        return Reading(
            now,
            orders.visible + orders.delayed,
            orders.in_flight,
            dead.total,
            notifications.total,
            Counter(counts.read(now)),
        )

    return read
