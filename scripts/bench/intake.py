"""Intake: how many orders a second the API takes, how long each waits, and how long until it is stored."""

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.bare_functions import BARE_PATH
from bench.figures import Figure, compared, percentile

BODY = b'{"customer_id": "001", "product_id": "Banana", "quantity": "1", "order_date": "2025-04-25"}'
HEADERS = {"Content-Type": "application/json"}
CONNECTIONS = (1, 8, 64)
FLOOR = "a function that only sends"

# So many that no worker is still starting when the last of them is sent.
_ORDERS_TO_WARM = 15
_TIMEOUT_SECONDS = 60
_POLL_SECONDS = 0.002


@dataclass
class Load:
    """What came of a load: seconds that each accepted request took, how many were not, and over how many seconds."""

    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Accepted requests a second."""
        return len(self.latencies) / self.seconds


class RefusedError(RuntimeError):
    """A request was answered with another status than a sound one is."""


class Client:
    """One kept-alive connection to the API."""

    def __init__(self, api_url: str) -> None:
        address = urlsplit(api_url)
        assert address.hostname is not None
        self._prefix = address.path
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=_TIMEOUT_SECONDS)

    def post(self, path: str) -> str:
        """Send the sample order and return the answer's body; raises RefusedError unless it is accepted."""
        return self._send("POST", path, 202, BODY)

    def get(self, path: str) -> str:
        """Return the body of a 200."""
        return self._send("GET", path, 200)

    def _send(self, method: str, path: str, expected: int, body: bytes | None = None) -> str:
        self._connection.request(method, self._prefix + path, body, HEADERS)
        response = self._connection.getresponse()
        text = response.read().decode()
        if response.status != expected:
            raise RefusedError(f"{method} {path} was answered with {response.status}: {text[:300]}")
        return text

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def put_load(api_url: str, path: str, connections: int, seconds: float, each_at_least: int = 1) -> Load:
    """Send orders on so many connections at once, each as fast as it is answered.

    It ends after `seconds`, and not before each connection has sent `each_at_least` orders.
    """
    load = Load()
    failures: list[Exception] = []
    ends = time.monotonic() + seconds

    def send_on() -> None:
        client = Client(api_url)
        try:
            sent = 0
            while (time.monotonic() < ends or sent < each_at_least) and not failures:
                sent += 1
                started = time.perf_counter()
                try:
                    client.post(path)
                except RefusedError:
                    load.refused += 1
                else:
                    load.latencies.append(time.perf_counter() - started)
        except Exception as error:
            failures.append(error)
        finally:
            client.close()

    started = time.perf_counter()
    threads = [threading.Thread(target=send_on) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.perf_counter() - started
    if failures:
        raise RuntimeError(f"{path} does not take orders: {failures[0]!r}") from failures[0]
    if not load.latencies:
        raise RuntimeError(f"{path} took no order in {seconds} s on {connections} connections")
    return load


def intake(api_url: str, rounds: int, seconds: float, between: Callable[[], None]) -> Iterator[Figure]:
    """Yield rate and latencies at each number of connections, against the bare function on the same API.

    `between` is called after each load, to empty the queue.
    """
    for connections in CONNECTIONS:
        loads: dict[str, list[Load]] = {"/orders": [], BARE_PATH: []}
        for path in loads:
            # Starts the workers that so many connections need, not all at once: the machine would be so busy
            # that orders are refused.
            for some in sorted({connections // 4, connections // 2, connections} - {0}):
                put_load(api_url, path, some, 0, each_at_least=_ORDERS_TO_WARM)
            between()
        for number in range(rounds):
            # Each is first in turn: what the one leaves behind, the other does not always bear.
            for path in list(loads)[:: 1 if number % 2 else -1]:
                loads[path].append(put_load(api_url, path, connections, seconds))
                between()
        own, bare = loads["/orders"], loads[BARE_PATH]
        at = f"{connections} connection" + ("s" if connections > 1 else "")
        yield compared(
            f"orders a second, {at}",
            [load.rate for load in own],
            [load.rate for load in bare],
            "/s",
            FLOOR,
            at_least=0.9,
        )
        for percent in (50, 95, 99):
            yield compared(
                f"POST p{percent}, {at}",
                [1000 * percentile(load.latencies, percent) for load in own],
                [1000 * percentile(load.latencies, percent) for load in bare],
                "ms",
                FLOOR,
            )
        refused = sum(load.refused for load in own)
        if refused:
            yield Figure(f"orders refused, {at}", refused, "", value_at_most=0)


def time_to_processed(api_url: str, orders: int) -> Iterator[Figure]:
    """Yield how long it takes from a 202 until the order is told to be PROCESSED, one order after the other."""
    taken, posts = [], []
    with closing(Client(api_url)) as client:
        for _ in range(1 + orders):
            started = time.perf_counter()
            order_id = json.loads(client.post("/orders"))["order_id"]
            accepted = time.perf_counter()
            deadline = accepted + _TIMEOUT_SECONDS
            while json.loads(client.get(f"/orders/{order_id}"))["status"] != "PROCESSED":
                if time.perf_counter() > deadline:
                    raise RuntimeError(f"order {order_id} was not processed within {_TIMEOUT_SECONDS} s")
                time.sleep(_POLL_SECONDS)
            taken.append(1000 * (time.perf_counter() - accepted))
            posts.append(1000 * (accepted - started))
    # The first order started the workers.
    del taken[0], posts[0]
    floor = statistics.median(posts)
    for percent in (50, 99):
        value = percentile(taken, percent)
        yield Figure(f"from 202 to PROCESSED, p{percent}", value, "ms", floor, "the median POST", value / floor)
