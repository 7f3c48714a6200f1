"""submission.js and tracking.js with a scripted API and a paused clock: retries, tabs, polls."""

from typing import Any

import pytest
from playwright.sync_api import Page

ORDER = {"customer_id": "001", "product_id": "Banana", "quantity": "2", "order_date": "2025-04-25"}
PEAR = {**ORDER, "product_id": "Pear"}
KEY = "0123456789abcdef" * 2
IDS = [f"00000000-0000-8000-8000-{number:012x}" for number in range(200)]

NEW_TAB = """async () => {
  const imports = ["submission", "storage", "tracking"].map((name) => import(`/${name}.js`));
  const [{ Submissions }, { BrowserStorage }, { Tracking }] = await Promise.all(imports);
  const [storage, requests, changes, polled] = [new BrowserStorage(), [], [{ phase: null }], []];
  const request = (...details) => new Promise((resolve) => requests.push({ details, resolve }));
  const api = { submit: request, status: request };
  const submissions = new Submissions({ api, storage, onChange: (change) => changes.push(change) });
  const tracking = new Tracking({ api, storage, onChange: (record) => polled.push(record) });
  return (window.tabs ??= []).push({ storage, requests, changes, polled, submissions, tracking }) - 1;
}"""


class Tab:
    """An instance of the modules. Tabs of one page share localStorage; `follow` replaces the storage event."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._number = page.evaluate(NEW_TAB)

    def run(self, script: str, *arguments: Any) -> Any:
        """Call a JavaScript function with (tab, ...arguments); return its result."""
        return self._page.evaluate(f"([n, ...rest]) => ({script})(tabs[n], ...rest)", [self._number, *arguments])

    def call(self, method: str, *arguments: Any) -> None:
        self.run("(tab, method, ...rest) => void tab.submissions[method](...rest)", method, *arguments)

    def track(self, *records: dict[str, Any]) -> None:
        """Store orders and follow the accepted ones."""
        time = "2026-03-01T10:00:00.000Z"
        defaults = {"order": ORDER, "state": "ACCEPTED", "placed_at": time, "accepted_at": time, "processed_at": None}
        self.run("(tab, all) => all.forEach((one) => tab.storage.saveOrder(one))", [{**defaults, **r} for r in records])
        self.run("(tab) => tab.tracking.follow()")

    def respond(self, kind: str, **outcome: Any) -> list[Any]:
        """Complete the oldest open request; return its arguments."""
        script = "(tab, outcome) => { const one = tab.requests.shift(); one.resolve(outcome); return one.details; }"
        details: list[Any] = self.run(script, {"kind": kind, **outcome})
        return details

    def fail(self, reason: str, retry_after: int | None = None, *, placed: bool = True) -> list[Any]:
        more = {"retryAfter": retry_after, "maybePlaced": placed, "isRetryable": True}
        return self.respond("unconfirmed", reason=reason, **more)

    @property
    def requests(self) -> int:
        return int(self.run("(tab) => tab.requests.length"))

    def expect(self, phase: str | None, order: dict[str, str] | None = None, **details: Any) -> None:
        """Require that the last change has these values."""
        expected = {"phase": phase, **details, **({"order": order} if order else {})}
        change = self.run("(tab) => tab.changes.at(-1)")
        assert {name: change[name] for name in expected} == expected

    @property
    def stored(self) -> Any:
        return self.run("(tab) => tab.storage.submission()")

    @property
    def states(self) -> dict[str, str]:
        return {one["order_id"]: one["state"] for one in self.run("(tab) => tab.storage.orders()")}


@pytest.fixture
def tab(stopped_page: Page) -> Tab:
    return Tab(stopped_page)


@pytest.fixture
def other(stopped_page: Page, tab: Tab) -> Tab:
    return Tab(stopped_page)


def store_submission(tab: Tab, minutes_ago: float, holder: Any = None) -> None:
    script = """(tab, minutes, submission) => tab.storage.saveSubmission(
      { ...submission, started_at: new Date(Date.now() - minutes * 60000).toISOString() })"""
    tab.run(script, minutes_ago, {"key": KEY, "order": ORDER, "holder": holder})


def test_retries_double_their_delay_and_stop_after_six_attempts(tab: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    for _ in range(2):
        sent = []
        for delay in (1, 2, 4, 8, 16):
            sent.append(tab.fail("unavailable"))
            tab.expect("waiting", ORDER, reason="unavailable", delay=delay)
            stopped_page.clock.run_for(delay * 1000 - 1)
            assert tab.requests == 0
            stopped_page.clock.run_for(1)
            tab.expect("sending")
        sent.append(tab.fail("unavailable"))
        assert sent == [sent[0]] * 6, "every attempt must have the same order and key"
        tab.expect("stopped", reason="unavailable")
        stopped_page.clock.run_for(3_600_000)
        assert tab.requests == 0
        tab.call("retry")  # a retry by the customer makes six more attempts


@pytest.mark.parametrize("reason", ["offline", "unreachable", "timeout"])
def test_retry_starts_when_the_network_returns(tab: Tab, stopped_page: Page, reason: str) -> None:
    tab.call("place", ORDER)
    tab.fail("throttled", 20)
    tab.expect("waiting", delay=20)
    stopped_page.evaluate("dispatchEvent(new Event('online'))")
    assert tab.requests == 0, "the network's return must not shorten the delay that the shop set"
    stopped_page.clock.run_for(20_000)
    tab.fail(reason)
    stopped_page.evaluate("dispatchEvent(new Event('online'))")
    for call in (("place", PEAR), ("retry",), ("abandon",), ("follow",)):
        tab.call(*call)  # ignored while sending
    assert tab.requests == 1
    tab.expect("sending")


def test_offline_submission_is_retried_without_limit(tab: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    for _ in range(8):
        tab.fail("offline")
        tab.expect("waiting", reason="offline", delay=None)
        stopped_page.clock.run_for(30_000)
    tab.expect("sending")


def test_order_may_be_placed_when_any_attempt_was_unconfirmed(tab: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    for placed, may_be_placed in ((False, False), (True, True), (False, True)):
        tab.fail("failed", placed=placed)
        tab.expect("waiting", maybePlaced=may_be_placed)
        stopped_page.clock.run_for(4_000)


@pytest.mark.parametrize(("minutes", "is_sent"), [(9.9, True), (10, False), (-1, False)])
def test_submission_of_an_earlier_visit_is_resumed_for_ten_minutes(tab: Tab, minutes: float, is_sent: bool) -> None:
    store_submission(tab, minutes, holder={"tab": "01234567", "until": 10**15})  # invalid holder: its clock was ahead
    tab.call("resume")
    if is_sent:
        assert tab.respond("accepted", orderId=IDS[0]) == [ORDER, KEY]
        assert tab.stored is None
    else:
        tab.expect("stopped", reason=None, maybePlaced=True)
        assert tab.requests == 0


def test_rejected_submission_is_deleted_and_the_next_has_a_new_key(tab: Tab) -> None:
    tab.call("place", ORDER)
    first = tab.respond("rejected", detail="No.", errors=[])
    tab.expect("rejected", ORDER)
    assert tab.stored is None
    tab.call("place", ORDER)
    assert tab.respond("accepted", orderId=IDS[0])[1] != first[1]


@pytest.mark.parametrize("outcome", ["unconfirmed", "accepted", "rejected"])
def test_order_abandoned_in_another_tab_is_not_sent_again(tab: Tab, other: Tab, outcome: str) -> None:
    tab.call("place", ORDER)
    other.call("place", PEAR)
    other.expect("elsewhere", ORDER)
    other.call("retry")
    assert other.requests == 0
    other.call("abandon")
    other.call("place", PEAR)
    key = other.stored["key"]
    tab.fail("timeout") if outcome == "unconfirmed" else tab.respond(outcome, orderId=IDS[0])
    assert tab.requests == 0
    tab.expect("elsewhere", PEAR)
    assert other.stored["key"] == key, "the other tab's submission must be kept"
    assert tab.states == ({IDS[0]: "ACCEPTED"} if outcome == "accepted" else {})
    other.respond("accepted", orderId=IDS[1])
    tab.call("follow")
    tab.expect("idle")


def test_order_is_not_retried_when_abandoned_in_another_tab(tab: Tab, other: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    tab.fail("unavailable")
    other.call("follow")
    other.call("abandon")
    stopped_page.clock.run_for(1000)
    assert tab.requests == 0
    tab.expect("withdrawn", ORDER, maybePlaced=True)


def test_submission_of_a_crashed_tab_continues_in_another_tab(tab: Tab, other: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    other.call("follow")
    stopped_page.clock.run_for(16_999)
    other.expect("elsewhere")
    stopped_page.clock.run_for(2)
    other.expect("stopped", ORDER, maybePlaced=True)
    other.call("retry")
    tab.fail("timeout")
    tab.expect("elsewhere")


def test_accepted_order_is_newest_when_the_clock_was_set_back(tab: Tab) -> None:
    finished = {"placed_at": "2026-03-02T10:00:00.000Z", "state": "UNKNOWN"}
    tab.track(*({"order_id": order_id, **finished} for order_id in IDS[1:150]), {"order_id": IDS[160]})
    tab.call("place", PEAR)
    tab.respond("accepted", orderId=IDS[0])
    assert next(iter(tab.states)) == IDS[0]
    assert IDS[160] in tab.states, "an unprocessed order must not be deleted"
    assert len(tab.states) == 101


def test_poll_delay_grows_and_follows_retry_after(tab: Tab, stopped_page: Page) -> None:
    tab.track({"order_id": IDS[0]})
    for wait, retry_after in ((600, None), (1000, None), (1250, 50), (50_000, None)):
        stopped_page.clock.run_for(wait - 1)
        assert tab.requests == 0
        stopped_page.clock.run_for(2)
        assert tab.respond("pending", retryAfter=retry_after) == [IDS[0]]


@pytest.mark.parametrize("event", ["visibilitychange", "online", "offline"])
def test_event_triggers_a_poll_but_not_before_retry_after(tab: Tab, stopped_page: Page, event: str) -> None:
    dispatch = f"document.dispatchEvent(new Event('{event}', {{ bubbles: true }}))"
    tab.track({"order_id": IDS[0]})
    stopped_page.clock.run_for(600)
    tab.respond("failed", reason="unavailable", retryAfter=20)
    stopped_page.evaluate(dispatch)
    stopped_page.clock.run_for(19_999)
    assert tab.requests == 0
    stopped_page.clock.run_for(2)
    tab.respond("pending", retryAfter=None)
    stopped_page.evaluate(dispatch)
    assert tab.requests == 1


def test_at_most_four_orders_are_polled_and_none_while_hidden(tab: Tab, stopped_page: Page) -> None:
    stopped_page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    tab.track(*({"order_id": order_id} for order_id in IDS[:10]))
    stopped_page.clock.run_for(60_000)
    assert tab.requests == 0
    stopped_page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    for done in range(10):
        assert tab.requests == min(4, 10 - done)
        tab.respond("processed", submittedAt=None, processedAt="2026-03-01T11:00:00Z")
    assert tab.states == dict.fromkeys(IDS[:10], "PROCESSED")


def test_order_deleted_during_a_poll_is_not_stored_again(tab: Tab, stopped_page: Page) -> None:
    tab.track({"order_id": IDS[0]})
    stopped_page.clock.run_for(600)
    tab.run("(tab) => tab.storage.deleteAll()")
    tab.respond("processed", submittedAt=None, processedAt=None)
    assert tab.states == {}
    assert tab.run("(tab) => tab.polled.length") == 0


def test_tab_closed_while_sending_releases_its_submission(tab: Tab, other: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    stopped_page.evaluate("dispatchEvent(new Event('pagehide'))")
    tab.fail("unreachable")  # closing aborts the request
    other.call("resume")
    assert other.requests == 1
