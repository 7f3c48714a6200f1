"""api.js and backoff.js: the outcome of each API response, and of a missing one."""

from typing import Any

from playwright.sync_api import Page

ORDER_ID = "00000000-0000-8000-8000-000000000000"
ACCEPTED = {"order_id": ORDER_ID, "status": "ACCEPTED"}
PROCESSED = {"order_id": ORDER_ID, "status": "PROCESSED", "submitted_at": "2025-04-25T10:00:00.000Z"}
NO_REASON = "The shop rejected this order without a reason."


def problem(status: int, **members: Any) -> tuple[int, Any]:
    return status, {"code": "CODE", "title": "Title", "detail": "Detail.", **members}


def unconfirmed(reason: str, *, placed: bool = True, retryable: bool = True) -> dict[str, Any]:
    outcome = {"kind": "unconfirmed", "reason": reason, "retryAfter": None}
    return {**outcome, "maybePlaced": placed, "isRetryable": retryable}


def rejected(detail: str, *errors: tuple[str, str], request_id: str = "") -> dict[str, Any]:
    shown = [{"pointer": pointer, "detail": detail} for pointer, detail in errors]
    return {"kind": "rejected", "detail": detail, "errors": shown, "requestId": request_id}


UNEXPECTED = unconfirmed("unexpected_response", retryable=False)
UNEXPECTED_RESPONSES: list[tuple[int, Any]] = [
    *((202, document) for document in (None, {"order_id": "../admin"}, {"order_id": 7}, "<html>")),
    *((200, []), (204, None), (404, {"message": "Not Found"}), (403, {"code": 7}), (418, ["code"]), problem(200)),
]
IGNORED_ERRORS = [None, "x", {}, {"pointer": "/quantity", "detail": ""}, {"detail": 7}]
ODD_ERRORS = [{"pointer": "/quantity", "detail": "must\u202e be"}, {"pointer": 7, "detail": "x"}]

SUBMISSIONS: list[tuple[tuple[int, Any], dict[str, Any]]] = [
    ((202, ACCEPTED), {"kind": "accepted", "orderId": ORDER_ID}),
    *((response, UNEXPECTED) for response in UNEXPECTED_RESPONSES),
    ((429, {"message": "Too Many Requests"}), unconfirmed("throttled", placed=False)),
    (problem(503), unconfirmed("unavailable")),
    *(((status, "<h1>"), unconfirmed("failed")) for status in (500, 504, 408)),
    (problem(422, request_id="r-1"), rejected("Detail.", request_id="r-1")),
    (problem(400, detail=""), rejected("Title")),
    (problem(400, detail=" ", title=None), rejected("CODE")),
    (problem(400, detail="", title="", code="", errors=[]), rejected(NO_REASON)),
    (problem(400, detail="\u202e", title="\u0000", code="\u200f", errors="none"), rejected(NO_REASON)),
    (problem(422, detail="A" * 400), rejected("A" * 300 + "…")),
    (problem(422, errors=ODD_ERRORS), rejected("Detail.", ("/quantity", "must  be"), ("", "x"))),
    (problem(422, errors=IGNORED_ERRORS), rejected("Detail.")),
    (problem(422, errors=[{"pointer": "/a", "detail": "b"}] * 99), rejected("Detail.", *[("/a", "b")] * 20)),
]

UNREADABLE = [(404, {"message": "Not Found"}), (200, {"status": "PROCESSED"}), (200, {**PROCESSED, "status": "x"})]
FAILURES = [
    *((response, "unexpected_response") for response in UNREADABLE),
    ((429, {}), "throttled"),
    ((503, {}), "unavailable"),
]
STATUSES: list[tuple[tuple[int, Any], dict[str, Any]]] = [
    ((200, {"order_id": ORDER_ID, "status": "PENDING"}), {"kind": "pending", "retryAfter": None}),
    ((200, PROCESSED), {"kind": "processed", "submittedAt": PROCESSED["submitted_at"], "processedAt": None}),
    (problem(404, code="ORDER_NOT_FOUND"), {"kind": "unknown"}),
    *((response, {"kind": "failed", "reason": reason, "retryAfter": None}) for response, reason in FAILURES),
]

# Calls a method of OrderApi for each [status, document]; returns all outcomes and the options of the last fetch.
SEND_REQUESTS = """async ([method, responses, headers]) => {
  const { OrderApi } = await import("/api.js");
  const outcomes = [];
  let options;
  for (const [status, document] of responses) {
    window.fetch = async (url, given) => {
      options = { url, ...given, signal: undefined };
      const text = typeof document === "string" ? document : JSON.stringify(document);
      return new Response(status === 204 ? null : text, { status, headers });
    };
    const api = new OrderApi("https://api.example.com/v1");
    outcomes.push(await (method === "submit" ? api.submit({ a: 1 }, "key") : api.status(responses[0][1].order_id)));
  }
  return [outcomes, options];
}"""


def test_submission_response_has_the_expected_outcome(stopped_page: Page) -> None:
    outcomes, options = stopped_page.evaluate(SEND_REQUESTS, ["submit", [response for response, _ in SUBMISSIONS], {}])
    for (response, expected), outcome in zip(SUBMISSIONS, outcomes, strict=True):
        assert outcome == expected, response
    assert options == {
        "url": "https://api.example.com/v1/orders",
        "method": "POST",
        "headers": {"Content-Type": "application/json", "Idempotency-Key": "key"},
        "body": '{"a":1}',
        "cache": "no-store",
        "credentials": "omit",
        "redirect": "error",
        "referrerPolicy": "no-referrer",
        "signal": None,
    }


def test_status_response_has_the_expected_outcome(stopped_page: Page) -> None:
    outcomes, options = stopped_page.evaluate(SEND_REQUESTS, ["status", [response for response, _ in STATUSES], {}])
    for (response, expected), outcome in zip(STATUSES, outcomes, strict=True):
        assert outcome == expected, response
    assert options["url"] == f"https://api.example.com/v1/orders/{ORDER_ID}"


def test_retry_after_may_be_seconds_or_a_date(stopped_page: Page) -> None:
    waits: dict[str, int | None] = {"0": 0, "1": 1, " 120 ": 120, "999999": 3600}
    waits |= dict.fromkeys(("soon", "1.5", "-1", ""))
    waits |= {"Sun, 01 Mar 2026 11:00:30 GMT": 30, "Sun, 01 Mar 2026 09:00:00 GMT": 0}
    for header, seconds in waits.items():
        [outcome], _ = stopped_page.evaluate(SEND_REQUESTS, ["submit", [problem(503)], {"Retry-After": header}])
        assert outcome["retryAfter"] == seconds, header


def test_request_is_aborted_after_its_timeout(stopped_page: Page) -> None:
    for method, seconds in (("submit", 15), ("status", 10)):
        stopped_page.evaluate(
            """async (method) => {
              const { OrderApi } = await import("/api.js");
              window.outcome = null;
              window.fetch = (url, { signal }) =>
                new Promise((resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
              new OrderApi("https://api.example.com")[method]({}, "key").then((outcome) => (window.outcome = outcome));
            }""",
            method,
        )
        stopped_page.clock.run_for(seconds * 1000 - 1)
        assert stopped_page.evaluate("window.outcome") is None
        stopped_page.clock.run_for(1)
        assert stopped_page.evaluate("window.outcome")["reason"] == "timeout"


def test_api_url_must_be_a_plain_http_url(stopped_page: Page) -> None:
    script = "(configs) => import('/api.js').then((api) => configs.map((config) => api.readApiUrl(config)))"
    valid = ["https://abc.execute-api.eu-central-1.amazonaws.com", "http://localhost:4566/_aws/abc/$default"]
    assert stopped_page.evaluate(script, [{"apiUrl": f"{url}/"} for url in valid]) == valid
    urls = ["", "not an address", "/orders", "ftp://127.0.0.1", "javascript:alert(1)", "http://u:p@a"]
    urls += ["http://a/?b", "http://a#b"]
    assert set(stopped_page.evaluate(script, [None, {}, {"apiUrl": 7}, *({"apiUrl": url} for url in urls)])) == {None}


def test_delay_is_at_most_30_seconds_and_at_least_retry_after(stopped_page: Page) -> None:
    results = stopped_page.evaluate(
        """async () => {
          const { retryDelay, pollDelay, formatDelay } = await import("/backoff.js");
          const delays = [retryDelay(30, null), pollDelay(40, null), retryDelay(1, 45), pollDelay(30, 45)];
          return [...delays, ...[0.2, 7, 89, 90, 3600].map(formatDelay)];
        }"""
    )
    assert results == [30, 30, 45, 45, "1 second", "7 seconds", "89 seconds", "2 minutes", "60 minutes"]
