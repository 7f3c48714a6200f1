"""Whether the API answers as API Gateway does, and throttles."""

import json
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

from aws_checks.check import Outcome, Progress, failed, not_tried, proven
from aws_checks.deployment import Deployment, Headers

CUSTOMER: Final = "verify-aws"

_JSON: Headers = (("Content-Type", "application/json"),)
_PROCESSED_SECONDS = 60
# What one machine can send at the same moment for certain.
_LARGEST_BURST = 200
_BODY_LIMIT = 10 * 1024 * 1024  # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html


def _order() -> bytes:
    today = datetime.now(UTC).date().isoformat()
    order = {"customer_id": CUSTOMER, "product_id": "Banana", "quantity": 1, "order_date": today}
    return json.dumps(order).encode()


def gateway_answers_by_itself(deployment: Deployment, progress: Progress) -> Outcome:
    """Send what no function gets to see: an unknown path, and more than the API takes."""
    unknown = deployment.request("GET", "/nowhere")
    if (unknown.status, unknown.json()) != (404, {"message": "Not Found"}):
        return failed(f"an unknown path was answered with {unknown.status}, and not by API Gateway's own 404")
    progress("sending a body of ten megabytes")
    try:
        large = deployment.request("POST", "/orders", _JSON, b" " * (_BODY_LIMIT + 1))
    except (BrokenPipeError, ConnectionResetError):
        return proven("an unknown path is answered with 404, and a body over 10 MiB is cut off")
    if large.status != 413 or "code" in large.json():
        return failed(f"a body over 10 MiB was answered with {large.status}, and not by API Gateway's own 413")
    return proven("an unknown path is answered with 404, a body over 10 MiB with 413")


def token_is_asked_for(deployment: Deployment, progress: Progress) -> Outcome:
    """Send an order and a question without a token to an API that asks for one."""
    if not deployment.client("apigatewayv2").get_authorizers(ApiId=deployment.api_id)["Items"]:
        return not_tried("this deployment asks for no token (jwt_issuer)")
    answers = {
        "POST /orders": deployment.request("POST", "/orders", _JSON, b"{}").status,
        "GET /orders/x": deployment.request("GET", "/orders/x").status,
    }
    if wrong := {route: status for route, status in answers.items() if status != 401}:
        return failed(f"without a token, {wrong} instead of 401")
    return proven("both routes answer 401 without a token")


def throttle_refuses(deployment: Deployment, progress: Progress) -> Outcome:
    """Ask for a status twice as often at once as its route admits."""
    stage = deployment.stage
    limits = stage.get("RouteSettings", {}).get("GET /orders/{order_id}") or stage.get("DefaultRouteSettings", {})
    burst = int(limits.get("ThrottlingBurstLimit") or 0)
    if not burst:
        return failed("the stage has no throttle")
    if burst > _LARGEST_BURST:
        return not_tried(
            f"the burst limit of {burst} is more than this machine sends at once; "
            "in a stage of its own, deploy status_throttling_burst_limit and status_throttling_rate_limit of 5"
        )
    requests = 10 * burst
    with ThreadPoolExecutor(max_workers=50) as clients:
        # An id that was never issued costs no read.
        statuses = Counter(clients.map(lambda _: deployment.request("GET", "/orders/x").status, range(requests)))
    if not statuses[429]:
        return failed(f"{requests} requests at a burst limit of {burst} were all let through")
    return proven(f"{statuses[429]} of {requests} requests were refused with 429 at a burst limit of {burst}")


def order_is_processed(deployment: Deployment, progress: Progress) -> Outcome:
    """Place one order and follow it."""
    accepted = deployment.request("POST", "/orders", _JSON, _order())
    if accepted.status == 401:
        return not_tried("this deployment asks for a token, and this program has none")
    if accepted.status != 202:
        return failed(f"the order was answered with {accepted.status} {accepted.json().get('code', '')}".strip())
    order_id, start = accepted.json()["order_id"], time.monotonic()
    while (passed := time.monotonic() - start) < _PROCESSED_SECONDS:
        if deployment.request("GET", f"/orders/{order_id}").json().get("status") == "PROCESSED":
            return proven(f"order {order_id} was processed within {passed:.1f} s")
        progress(f"waiting for order {order_id}, {passed:.0f} s of {_PROCESSED_SECONDS}")
        time.sleep(0.5)
    return failed(f"order {order_id} was not processed within {_PROCESSED_SECONDS} s")


def doubled_key_makes_one_order(deployment: Deployment, progress: Progress) -> Outcome:
    """Send the same order twice with two Idempotency-Key headers each."""
    key = uuid.uuid4().hex
    headers = (*_JSON, ("Idempotency-Key", key), ("Idempotency-Key", "other"))
    first, second = (deployment.request("POST", "/orders", headers, _order()) for _ in range(2))
    statuses = {first.status, second.status}
    if statuses == {401}:
        return not_tried("this deployment asks for a token, and this program has none")
    if statuses == {400}:
        return proven("two keys in one request are refused")
    if statuses == {202} and first.json()["order_id"] == second.json()["order_id"]:
        return proven("two keys in one request are taken for one, and the retry is the same order")
    return failed(f"two equal requests with two keys each were answered with {first.status} and {second.status}")


def requests_are_logged(deployment: Deployment, progress: Progress) -> Outcome:
    """Look whether the access log of a day is JSON with the id that the functions log."""
    since = int((datetime.now(UTC) - timedelta(days=1)).timestamp() * 1000)
    events = deployment.client("logs").filter_log_events(logGroupName=deployment.access_log, startTime=since, limit=50)[
        "events"
    ]
    if not events:
        return not_tried("no request was logged within a day")
    try:
        without = sum("request_id" not in json.loads(event["message"]) for event in events)
    except ValueError:
        return failed("the access log is no JSON")
    if without:
        return failed(f"{without} of {len(events)} lines have no request_id")
    return proven(f"all of {len(events)} lines are JSON with a request_id")
