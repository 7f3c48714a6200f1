"""How `make bench` loads an API: what counts as taken, what as refused, and when there is no figure at all."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench import intake
from bench.bare_functions import BARE_PATH
from bench.intake import put_load, time_to_processed


class PlayedApi:
    """An API on loopback. It refuses every `refuses_each`-th order, and an order is PENDING for so many looks."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.looks: dict[str, int] = {}
        self.refuses_each = 0
        self.pending_looks = 0
        self.broken = False
        self._lock = threading.Lock()

    def post(self, path: str) -> tuple[int, dict[str, str]]:
        with self._lock:
            self.orders.append(path)
            number = len(self.orders)
        if self.refuses_each and number % self.refuses_each == 0:
            return 503, {"code": "QUEUE_UNAVAILABLE"}
        return 202, {"order_id": str(number), "status": "ACCEPTED"}

    def get(self, path: str) -> tuple[int, dict[str, str]]:
        with self._lock:
            self.looks[path] = self.looks.get(path, 0) + 1
        return 200, {"status": "PROCESSED" if self.looks[path] > self.pending_looks else "PENDING"}


@pytest.fixture
def api() -> PlayedApi:
    return PlayedApi()


@pytest.fixture
def api_url(api: PlayedApi) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer goes out as one piece

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if api.broken:
                self.close_connection = True
            else:
                self.answer(*api.post(self.path))

        def do_GET(self) -> None:
            self.answer(*api.get(self.path))

        def answer(self, status: int, document: dict[str, str]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/stage"
        server.shutdown()
        serving.join()


def test_each_connection_sends_what_it_is_told_to_even_where_the_time_is_over(api: PlayedApi, api_url: str) -> None:
    load = put_load(api_url, "/orders", connections=3, seconds=0, each_at_least=5)

    assert api.orders == ["/stage/orders"] * 15
    assert len(load.latencies) == 15
    assert load.rate == pytest.approx(15 / load.seconds)


def test_a_refused_order_is_counted_apart_and_is_no_fast_answer(api: PlayedApi, api_url: str) -> None:
    api.refuses_each = 3

    load = put_load(api_url, "/orders", connections=1, seconds=0, each_at_least=9)

    assert (len(load.latencies), load.refused) == (6, 3)


def test_an_api_that_takes_nothing_gives_an_error_and_no_figure(api: PlayedApi, api_url: str) -> None:
    api.refuses_each = 1
    with pytest.raises(RuntimeError, match=r"^/orders took no order in 0 s on 2 connections"):
        put_load(api_url, "/orders", connections=2, seconds=0)


def test_a_connection_that_breaks_ends_the_load_with_its_reason(api: PlayedApi, api_url: str) -> None:
    api.broken = True
    with pytest.raises(RuntimeError, match=r"^/orders does not take orders: RemoteDisconnected"):
        put_load(api_url, "/orders", connections=2, seconds=30)


def test_intake_is_compared_round_by_round_and_the_queue_emptied_between(
    api: PlayedApi, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "CONNECTIONS", (1, 2))
    emptied: list[int] = []

    figures = list(intake.intake(api_url, 2, 0.02, lambda: emptied.append(len(api.orders))))

    assert [figure.name for figure in figures] == [
        f"{what}, {at}"
        for at in ("1 connection", "2 connections")
        for what in ("orders a second", "POST p50", "POST p95", "POST p99")
    ]
    assert [figure.at_least for figure in figures] == [0.9, None, None, None] * 2, "a rate has a target"
    # Once after each warm-up and each load of both functions, and never without an order in between.
    assert len(emptied) == 2 * (2 + 2 * 2)
    assert emptied == sorted(set(emptied))
    assert {*api.orders} == {"/stage/orders", f"/stage{BARE_PATH}"}


def test_an_order_refused_under_load_is_a_missed_target(
    api: PlayedApi, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "CONNECTIONS", (1,))
    api.refuses_each = 2

    *_, refused = intake.intake(api_url, 1, 0.05, lambda: None)

    assert refused.name == "orders refused, 1 connection"
    assert refused.value > 0
    assert refused.met is False


class Clock:
    """A time that goes on by a millisecond whenever it is read, and by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 0.001
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_an_order_is_followed_until_it_is_processed_and_the_first_one_is_not_counted(
    api: PlayedApi, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "time", Clock())
    api.looks = {"/stage/orders/1": -50}  # so many more until it is processed
    api.pending_looks = 2

    half, nearly_all = time_to_processed(api_url, 4)

    assert (half.name, nearly_all.name) == ("from 202 to PROCESSED, p50", "from 202 to PROCESSED, p99")
    assert len(api.orders) == 5
    # Two looks in vain, each with a glance at the clock and a pause, and the end.
    assert half.value == nearly_all.value == pytest.approx(2 * (1 + 1000 * intake._POLL_SECONDS) + 1)
    assert half.floor == pytest.approx(1), "an order is posted between two glances"
    assert half.ratio == pytest.approx(half.value)


def test_an_order_that_is_never_processed_ends_the_measurement(
    api: PlayedApi, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.pending_looks = 1_000_000
    monkeypatch.setattr(intake, "_TIMEOUT_SECONDS", 0.05)
    with pytest.raises(RuntimeError, match=r"^order 1 was not processed within 0\.05 s"):
        list(time_to_processed(api_url, 1))
