"""submission.js and tracking.js with a scripted API and a stopped clock: retries, tabs, polls."""

from typing import Any

import pytest
from playwright.sync_api import Page

ORDER = {"customer_id": "001", "product_id": "Banana", "quantity": "2", "order_date": "2025-04-25"}
PEAR = {**ORDER, "product_id": "Pear"}
KEY = "0123456789abcdef" * 2
IDS = [f"00000000-0000-8000-8000-{number:012x}" for number in range(200)]


class Tab:
    """An instance of the modules. Tabs of one page share localStorage; `follow` stands for the storage event."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._number = page.evaluate(
            """async () => {
              const names = ["submission", "storage", "tracking"];
              const imports = await Promise.all(names.map((name) => import(`/${name}.js`)));
              const [{ Submissions }, { BrowserStorage }, { Tracking }] = imports;
              window.tabs ??= [];
              const [storage, requests, changes, polled] = [new BrowserStorage(), [], [], []];
              const request = (...details) => new Promise((resolve) => requests.push({ details, resolve }));
              const api = { submit: request, status: request };
              const submissions = new Submissions({ api, storage, onChange: (change) => changes.push(change) });
              const tracking = new Tracking({ api, storage, onChange: (record) => polled.push(record) });
              return window.tabs.push({ storage, requests, changes, polled, submissions, tracking }) - 1;
            }"""
        )

    def run(self, script: str, *arguments: Any) -> Any:
        """Evaluate a function of (tab, ...arguments)."""
        return self._page.evaluate(
            f"([number, ...rest]) => ({script})(tabs[number], ...rest)", [self._number, *arguments]
        )

    def call(self, method: str, *arguments: Any) -> None:
        self.run("(tab, method, ...rest) => void tab.submissions[method](...rest)", method, *arguments)

    def answer(self, kind: str, **outcome: Any) -> list[Any]:
        """Complete the oldest open request; return its arguments."""
        details: list[Any] = self.run(
            "(tab, outcome) => { const { details, resolve } = tab.requests.shift(); resolve(outcome); return details; }",
            {"kind": kind, **outcome},
        )
        return details

    def fail(self, reason: str, retry_after: int | None = None, *, placed: bool = True, retryable: bool = True) -> Any:
        more = {"retryAfter": retry_after, "maybePlaced": placed, "isRetryable": retryable}
        return self.answer("unconfirmed", reason=reason, **more)

    @property
    def requests(self) -> int:
        return int(self.run("(tab) => tab.requests.length"))

    @property
    def change(self) -> Any:
        """The last change, with `product` for its order."""
        change = self.run("(tab) => tab.changes.at(-1) ?? { phase: null }")
        return {**change, "product": change.get("order", {}).get("product_id")}

    def expect(self, phase: str | None, **details: Any) -> None:
        change = self.change
        assert {"phase": change["phase"], **{name: change[name] for name in details}} == {"phase": phase, **details}

    def stored(self) -> Any:
        return self.run("(tab) => tab.storage.submission()")

    def states(self) -> dict[str, str]:
        records = self.run("(tab) => tab.storage.orders()")
        return {record["order"]["product_id"]: record["state"] for record in records}


@pytest.fixture
def tab(stopped_page: Page) -> Tab:
    return Tab(stopped_page)


@pytest.fixture
def other(stopped_page: Page, tab: Tab) -> Tab:
    return Tab(stopped_page)


def remember(tab: Tab, minutes_ago: float, **more: Any) -> None:
    tab.run(
        "(tab, minutes, rest) => tab.storage.keepSubmission("
        "{ ...rest, started_at: new Date(Date.now() - minutes * 60000).toISOString() })",
        minutes_ago,
        {"key": KEY, "order": ORDER, **more},
    )


def keep_orders(tab: Tab, *records: dict[str, Any]) -> None:
    moment = {"placed_at": "2026-03-01T10:00:00.000Z", "accepted_at": "2026-03-01T10:00:00.000Z", "processed_at": None}
    tab.run(
        "(tab, records) => records.forEach((record) => tab.storage.keepOrder(record))",
        [{"order": ORDER, "state": "ACCEPTED", **moment, **record} for record in records],
    )


def test_retries_double_their_delay_and_stop_after_six_attempts(tab: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    for _ in range(2):
        keys = set()
        for delay in (1, 2, 4, 8, 16):
            tab.expect("sending")
            keys.add(tuple(map(str, tab.fail("unavailable"))))
            tab.expect("waiting", reason="unavailable", delay=delay, product="Banana")
            stopped_page.clock.run_for(delay * 1000 - 1)
            assert tab.requests == 0
            stopped_page.clock.run_for(1)
        keys.add(tuple(map(str, tab.fail("unavailable"))))
        assert len(keys) == 1, "every attempt has the same order and key"
        tab.expect("stopped", reason="unavailable")
        stopped_page.clock.run_for(3_600_000)
        assert tab.requests == 0
        tab.call("retry")  # by the customer: the attempts are counted again from the start


def test_calls_while_sending_are_ignored(tab: Tab) -> None:
    tab.call("place", ORDER)
    for call in (("place", PEAR), ("retry",), ("abandon",), ("follow",)):
        tab.call(*call)
    assert tab.requests == 1
    tab.expect("sending")


def test_retry_after_is_the_minimum_delay(tab: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    tab.fail("throttled", 20)
    tab.expect("waiting", delay=20)
    stopped_page.evaluate("dispatchEvent(new Event('online'))")
    assert tab.requests == 0, "the network's return does not shorten the shop's own delay"


@pytest.mark.parametrize("reason", ["offline", "unreachable", "timeout"])
def test_return_of_the_network_triggers_a_retry(tab: Tab, stopped_page: Page, reason: str) -> None:
    tab.call("place", ORDER)
    tab.fail(reason)
    stopped_page.evaluate("dispatchEvent(new Event('online'))")
    assert tab.requests == 1


def test_offline_is_retried_without_limit_because_it_can_be_wrong(tab: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    for _ in range(8):
        tab.fail("offline")
        tab.expect("waiting", reason="offline", delay=None)
        stopped_page.clock.run_for(30_000)
    tab.answer("accepted", orderId=IDS[0])
    tab.expect("accepted")


def test_unexpected_response_is_not_retried_automatically(tab: Tab) -> None:
    tab.call("place", ORDER)
    tab.fail("unexpected_response", retryable=False)
    tab.expect("stopped", maybePlaced=True)


def test_any_attempt_may_have_placed_the_order(tab: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    tab.fail("throttled", placed=False)
    tab.expect("waiting", maybePlaced=False)
    for placed in (True, False):
        stopped_page.clock.run_for(2_000)
        tab.fail("failed", placed=placed)
        tab.expect("waiting", maybePlaced=True)


@pytest.mark.parametrize(("minutes", "is_sent"), [(9.9, True), (10, False), (-1, False)])
def test_submission_of_an_earlier_visit_is_resumed_for_ten_minutes(tab: Tab, minutes: float, is_sent: bool) -> None:
    remember(tab, minutes)
    tab.call("resume")
    if is_sent:
        assert tab.answer("accepted", orderId=IDS[0]) == [ORDER, KEY]
        assert tab.stored() is None
    else:
        tab.expect("stopped", reason=None, maybePlaced=True)
        assert tab.requests == 0


def test_refused_submission_is_forgotten_and_the_next_one_has_its_own_key(tab: Tab) -> None:
    tab.call("place", ORDER)
    first = tab.answer("refused", detail="No.", errors=[])
    tab.expect("refused", product="Banana")
    assert tab.stored() is None
    tab.call("place", ORDER)
    assert tab.answer("accepted", orderId=IDS[0])[1] != first[1]


def test_only_the_same_order_within_a_second_is_a_double_click(tab: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    tab.answer("accepted", orderId=IDS[0])
    stopped_page.clock.run_for(999)
    tab.call("place", ORDER)
    assert tab.requests == 0
    tab.call("place", PEAR)
    assert tab.answer("accepted", orderId=IDS[1])[0] == PEAR
    stopped_page.clock.run_for(1000)
    tab.call("place", PEAR)
    assert tab.requests == 1


def test_another_tab_waits_while_one_sends(tab: Tab, other: Tab) -> None:
    tab.call("place", ORDER)
    other.call("place", PEAR)
    other.expect("elsewhere", product="Banana")
    other.call("retry")
    assert other.requests == 0
    tab.answer("accepted", orderId=IDS[0])
    other.call("follow")
    other.expect("idle")
    other.call("place", PEAR)
    other.expect("sending", product="Pear")


@pytest.mark.parametrize("ending", ["unconfirmed", "accepted", "refused"])
def test_order_withdrawn_in_another_tab_is_not_sent_again(tab: Tab, other: Tab, ending: str) -> None:
    tab.call("place", ORDER)
    other.call("follow")
    other.call("abandon")
    other.call("place", PEAR)
    key = other.stored()["key"]
    if ending == "unconfirmed":
        tab.fail("timeout")
    else:
        tab.answer(ending, orderId=IDS[0])
    assert tab.requests == 0
    tab.expect("elsewhere", product="Pear")
    assert other.stored()["key"] == key, "the other tab's submission stays"
    assert tab.states() == ({"Banana": "ACCEPTED"} if ending == "accepted" else {})


def test_withdrawal_is_noticed_before_a_retry(tab: Tab, other: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    tab.fail("unavailable")
    other.call("follow")
    other.call("abandon")
    stopped_page.clock.run_for(1000)
    assert tab.requests == 0
    tab.expect("withdrawn", product="Banana", maybePlaced=True)


def test_tab_that_disappears_leaves_its_submission_to_others(tab: Tab, other: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    other.call("follow")
    stopped_page.clock.run_for(16_999)
    other.expect("elsewhere")
    stopped_page.clock.run_for(2)
    other.expect("stopped", product="Banana", maybePlaced=True)
    other.call("retry")
    tab.fail("timeout")
    tab.expect("elsewhere")


def test_closed_tab_releases_its_submission_at_once(tab: Tab, other: Tab, stopped_page: Page) -> None:
    tab.call("place", ORDER)
    other.call("follow")
    stopped_page.evaluate("dispatchEvent(new Event('pagehide'))")
    other.call("resume")
    assert other.requests == 1


def test_hold_from_a_clock_that_was_ahead_does_not_block(tab: Tab) -> None:
    remember(tab, 0, holder={"tab": "01234567", "until": 10**15})
    tab.call("resume")
    assert tab.requests == 1


def test_accepted_order_is_newest_although_the_clock_was_set_back(tab: Tab) -> None:
    later = {"placed_at": "2026-03-02T10:00:00.000Z", "state": "UNKNOWN"}
    keep_orders(tab, *({"order_id": order_id, **later} for order_id in IDS[1:150]), {"order_id": IDS[160]})
    tab.call("place", PEAR)
    tab.answer("accepted", orderId=IDS[0])
    kept = tab.run("(tab) => tab.storage.orders().map((record) => record.order_id)")
    assert kept[0] == IDS[0]
    assert IDS[160] in kept, "an order that is not processed is never deleted"
    assert len(kept) == 101


# tracking.js


def test_polls_wait_ever_longer_and_follow_retry_after(tab: Tab, stopped_page: Page) -> None:
    keep_orders(tab, {"order_id": IDS[0]})
    tab.run("(tab) => tab.tracking.follow()")
    for wait, retry_after in ((600, None), (1000, None), (1250, 50), (50_000, None)):
        stopped_page.clock.run_for(wait - 1)
        assert tab.requests == 0
        stopped_page.clock.run_for(2)
        assert tab.answer("pending", retryAfter=retry_after) == [IDS[0]]


@pytest.mark.parametrize("event", ["visibilitychange", "online", "offline"])
def test_event_polls_at_once_but_not_before_retry_after(tab: Tab, stopped_page: Page, event: str) -> None:
    keep_orders(tab, {"order_id": IDS[0]})
    tab.run("(tab) => tab.tracking.follow()")
    stopped_page.clock.run_for(600)
    tab.answer("failed", reason="unavailable", retryAfter=20)
    dispatch = f"document.dispatchEvent(new Event('{event}', {{ bubbles: true }}))"
    stopped_page.evaluate(dispatch)
    stopped_page.clock.run_for(19_999)
    assert tab.requests == 0
    stopped_page.clock.run_for(2)
    tab.answer("pending", retryAfter=None)
    stopped_page.evaluate(dispatch)
    assert tab.requests == 1


def test_four_orders_are_polled_at_a_time_and_none_while_hidden(tab: Tab, stopped_page: Page) -> None:
    keep_orders(tab, *({"order_id": order_id} for order_id in IDS[:10]))
    stopped_page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    tab.run("(tab) => tab.tracking.follow()")
    stopped_page.clock.run_for(60_000)
    assert tab.requests == 0
    stopped_page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    polled: set[str] = set()
    for _ in range(10):
        assert tab.requests == min(4, 10 - len(polled))
        polled.add(tab.answer("processed", submittedAt=None, processedAt="2026-03-01T11:00:00Z")[0])
    assert polled == set(IDS[:10])
    assert set(tab.states().values()) == {"PROCESSED"}


def test_order_deleted_during_a_poll_is_not_stored_again(tab: Tab, stopped_page: Page) -> None:
    keep_orders(tab, {"order_id": IDS[0]})
    tab.run("(tab) => tab.tracking.follow()")
    stopped_page.clock.run_for(600)
    tab.run("(tab) => tab.storage.forgetAll()")
    tab.answer("processed", submittedAt=None, processedAt=None)
    assert tab.states() == {}
    assert tab.run("(tab) => tab.polled.length") == 0
