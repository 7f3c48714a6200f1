"""The submission handler on moto: each response of POST /orders."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders.domain.order_id import derived_order_id, parse_order_id
from support.sample_orders import ORDER_SCHEMA, SAMPLE_BODY, SAMPLE_ORDER
from support.stub_aws.events import body_of, http_event
from support.stub_aws.sqs import failed_calls
from unit.hostile_strategies import damaged, json_texts, near_orders

SAMPLE = SAMPLE_BODY.decode()
JSON_TYPE = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def queue_url(shared_aws: None) -> str:
    return str(boto3.client("sqs").create_queue(QueueName="orders")["QueueUrl"])


@pytest.fixture(scope="module")
def imported(import_handler: Callable[..., ModuleType], queue_url: str) -> ModuleType:
    return import_handler("submission", ORDERS_QUEUE_URL=queue_url)


@pytest.fixture
def submission(imported: ModuleType) -> Iterator[ModuleType]:
    yield imported
    drain_queue(imported)


Logged = Callable[..., list[tuple[Any, ...]]]


def drain_queue(submission: ModuleType) -> list[Any]:
    """Return and delete all messages of the queue."""
    sqs, queue_url, messages = submission._queue._client, submission._queue._queue_url, []
    while batch := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        messages += [json.loads(message["Body"]) for message in batch]
        handles = [{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in batch]
        sqs.delete_message_batch(QueueUrl=queue_url, Entries=handles)
    return messages


def test_accepted_order_is_queued_and_response_has_its_location(submission: ModuleType, logged: Logged) -> None:
    before = datetime.now(UTC)

    response = submission.handler(http_event(SAMPLE), None)

    order_id = body_of(response)["order_id"]
    assert parse_order_id(order_id) == order_id
    assert response == {
        "statusCode": 202,
        "headers": {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "Location": f"/orders/{order_id}",
        },
        "body": json.dumps({"order_id": order_id, "status": "ACCEPTED"}),
    }
    [message] = drain_queue(submission)
    assert before.isoformat(timespec="milliseconds")[:23] <= message.pop("submitted_at")[:23]
    assert message == {"version": 1, "order_id": order_id, "order": asdict(SAMPLE_ORDER), "request_id": "request-1"}
    assert logged("levelname", "order_id", "request_id") == [("order_accepted", "INFO", order_id, "request-1")]


def test_identical_orders_without_a_key_get_different_ids(submission: ModuleType) -> None:
    assert len({body_of(submission.handler(http_event(SAMPLE), None))["order_id"] for _ in range(2)}) == 2


# An HTTP API passes a repeated header as "k,k", which is a valid key.
@pytest.mark.parametrize("key", ["k-1", "k,k"])
def test_retry_with_a_key_gets_the_same_id_for_any_type_of_quantity(submission: ModuleType, key: str) -> None:
    events = [http_event(body, JSON_TYPE | {"Idempotency-Key": key}) for body in (SAMPLE, SAMPLE.replace('"1"', "1"))]

    order_ids = [body_of(submission.handler(event, None))["order_id"] for event in events]

    assert order_ids == [derived_order_id(SAMPLE_ORDER, key)] * 2


@pytest.mark.parametrize(
    "event",
    [
        http_event(SAMPLE, {"Content-Type": "Application/JSON; charset=utf-8"}),
        http_event(base64.b64encode(SAMPLE_BODY).decode(), base64=True),
        http_event(SAMPLE.ljust(16 * 1024)),
    ],
    ids=["media type", "base64", "16 KiB"],
)
def test_order_is_accepted_in_any_permitted_form(submission: ModuleType, event: dict[str, Any]) -> None:
    assert submission.handler(event, None)["statusCode"] == 202


REPLACED = "\ufffd"
OVER_16_KIB = SAMPLE.ljust(16 * 1024 + 1)
REJECTED: dict[tuple[int, str], list[dict[str, Any]]] = {
    (400, "BODY_MISSING"): [http_event(None), http_event("")],
    (400, "INVALID_JSON"): [http_event("{")],
    (400, "INVALID_ENCODING"): [
        http_event("\ud800"),
        http_event(REPLACED),
        http_event(REPLACED * 16384),
        http_event(REPLACED * 6000, JSON_TYPE | {"content-length": "6000"}),
        http_event(REPLACED * 6000, JSON_TYPE | {"content-length": "9" * 5000}),
        # Base64 of invalid UTF-8, without padding, with a newline, and invalid base64.
        *(http_event(body, base64=True) for body in ("/w==", "e30", "e3\n0=", "é")),
    ],
    (400, "DUPLICATE_KEY"): [http_event('{"a": 1, "a": 2}')],
    (400, "NESTING_TOO_DEEP"): [http_event("[" * 1000)],
    (400, "IDEMPOTENCY_KEY_INVALID"): [http_event(SAMPLE, JSON_TYPE | {"idempotency-key": key}) for key in ("a b", "")],
    (413, "PAYLOAD_TOO_LARGE"): [
        http_event(OVER_16_KIB),
        http_event(OVER_16_KIB, JSON_TYPE | {"content-length": "91"}),
        http_event("é" * 8193),
        http_event(REPLACED * 16385),
        http_event(REPLACED * 6000, JSON_TYPE | {"content-length": "18000"}),
        http_event(base64.b64encode((REPLACED * 6000).encode()).decode(), base64=True),
    ],
    (415, "UNSUPPORTED_MEDIA_TYPE"): [
        *(http_event(SAMPLE, headers) for headers in ({}, {"content-type": "text/plain"})),
        http_event(SAMPLE, JSON_TYPE | {"content-encoding": "gzip"}),
    ],
    (422, "VALIDATION_FAILED"): [http_event("{}"), http_event(SAMPLE.replace("001", "<secret>"))],
}


@pytest.mark.parametrize(
    ("event", "status", "code"), [(event, *response) for response, events in REJECTED.items() for event in events]
)
def test_rejected_request_gets_problem_details_and_is_not_queued(
    submission: ModuleType, event: Any, status: int, code: str, logged: Logged
) -> None:
    response = submission.handler(event, None)

    problem = body_of(response)
    assert response["statusCode"] == status
    assert response["headers"] == {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    assert problem.pop("title")
    assert problem.pop("detail").endswith(".")
    assert ("errors" in problem) == (status == 422)
    problem.pop("errors", None)
    kind = "urn:problem:order-processing:" + code.lower().replace("_", "-")
    assert problem == {"type": kind, "status": status, "code": code, "request_id": "request-1"}
    assert drain_queue(submission) == []
    assert logged("levelname", "code") == [("order_refused", "WARNING", code)]
    assert "secret" not in response["body"]


@pytest.mark.parametrize(
    ("body", "claims", "claim_name", "status"),
    [
        *((SAMPLE, claims, "sub", 403) for claims in (None, {}, {"other": "001"})),
        *((SAMPLE, {"sub": customer}, "sub", 403) for customer in ("", "002", 1, ["001"], "[001]")),
        ("{}", {"sub": "002"}, "sub", 422),
        (SAMPLE, {"sub": "001"}, "sub", 202),
        (SAMPLE, {"custom:customer": "001", "sub": "002"}, "custom:customer", 202),
        (SAMPLE, {"sub": "002"}, None, 202),
    ],
)
def test_order_is_accepted_only_for_the_customer_of_a_required_token(
    submission: ModuleType, monkeypatch: pytest.MonkeyPatch, body: str, claims: Any, claim_name: Any, status: int
) -> None:
    if claim_name:
        monkeypatch.setenv("JWT_CUSTOMER_CLAIM", claim_name)

    response = submission.handler(http_event(body, claims=claims), None)

    assert response["statusCode"] == status
    assert (body_of(response).get("code") == "CUSTOMER_MISMATCH") == (status == 403)
    assert len(drain_queue(submission)) == (status == 202)


def test_422_lists_at_most_20_violations_and_counts_all(submission: ModuleType) -> None:
    few = body_of(submission.handler(http_event(SAMPLE.replace('"1"', "0")), None))
    unknown = {str(number): 1 for number in range(1000, 2490)}
    many = body_of(submission.handler(http_event(json.dumps(unknown, separators=(",", ":"))), None))

    rule = ORDER_SCHEMA["properties"]["quantity"]["description"]
    assert few["errors"] == [{"pointer": "/quantity", "detail": f"must be {rule}"}]
    assert few["detail"] == "The body is not a valid order."
    assert len(many["errors"]) == 20
    assert many["detail"] == "The body is not a valid order. It has 1494 errors; 20 of them are listed."


HEADER_VALUES = st.text(max_size=20) | st.text(' \t;=*"\\,/aApplication/jsonchrset-utf8\u00e9', max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "Content-Type", "content-encoding", "idempotency-key", "x", "", "__proto__"]),
    st.just("application/json") | HEADER_VALUES.map("application/json".__add__) | HEADER_VALUES,
)
BODIES = (
    st.text(st.characters(), max_size=50)
    | st.sampled_from(["\ud800", SAMPLE])
    | damaged(json_texts(near_orders())).map(lambda body: body.decode("utf-8", "replace"))
    | damaged(json_texts(near_orders())).map(lambda body: base64.b64encode(body).decode())
)


# All examples share one handler, which keeps no state between requests.
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(headers=HEADERS, body=st.none() | BODIES, is_base64=st.booleans())
def test_no_request_causes_an_unexpected_error(
    submission: ModuleType, headers: dict[str, str], body: str | None, is_base64: bool
) -> None:
    response = submission.handler(http_event(body, headers, base64=is_base64), None)

    assert response["statusCode"] in {202, 400, 413, 415, 422}


@pytest.mark.parametrize(("error", "name"), failed_calls("QueueUnavailableError"))
def test_queue_error_is_logged_and_leaks_nothing(
    submission: ModuleType, monkeypatch: pytest.MonkeyPatch, logged: Logged, error: Exception, name: str
) -> None:
    monkeypatch.setattr(submission._queue._client, "send_message", Mock(side_effect=error))

    response = submission.handler(http_event(SAMPLE), None)

    is_unavailable = name.startswith("QueueUnavailableError")
    status, code = (503, "QUEUE_UNAVAILABLE") if is_unavailable else (500, "INTERNAL_ERROR")
    assert (response["statusCode"], body_of(response)["code"]) == (status, code)
    assert response["headers"].get("Retry-After") == ("1" if is_unavailable else None)
    # SQS may have accepted the order although its response was lost.
    assert ("may have been accepted" in body_of(response)["detail"]) == is_unavailable
    assert "order_id" not in body_of(response)
    assert "Location" not in response["headers"]
    assert "secret" not in response["body"]
    event = "order_refused" if is_unavailable else "request_failed"
    assert logged("request_id", "code", "error") == [(event, "request-1", code, name)]
