"""The submission handler on moto: each answer of POST /orders."""

import base64
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fake_aws.events import body_of, http_event
from orders.domain.order_id import derived_order_id, parse_order_id
from sample_orders import ORDER_SCHEMA, SAMPLE_BODY, SAMPLE_ORDER
from unit.hostile_strategies import damaged, json_texts, near_orders

SAMPLE = SAMPLE_BODY.decode()


@pytest.fixture
def submission(import_handler: Callable[..., ModuleType], queue_url: str) -> ModuleType:
    return import_handler("submission", ORDERS_QUEUE_URL=queue_url)


def messages(queue_url: str) -> list[Any]:
    answer = boto3.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def test_an_accepted_order_is_on_the_queue_and_its_address_in_the_answer(
    submission: ModuleType, queue_url: str
) -> None:
    answer = submission.handler(http_event(SAMPLE), None)

    order_id = body_of(answer)["order_id"]
    assert answer["statusCode"] == 202
    assert body_of(answer) == {"order_id": order_id, "status": "ACCEPTED"}
    assert answer["headers"]["Location"] == f"/orders/{order_id}"
    assert answer["headers"]["Content-Type"] == "application/json"
    assert parse_order_id(order_id) == order_id
    [message] = messages(queue_url)
    assert message["order_id"] == order_id
    assert message["request_id"] == "request-1"
    assert message["order"] == {
        "customer_id": "001",
        "product_id": "Banana",
        "quantity": 1,
        "order_date": "2025-04-25",
    }


def test_two_equal_orders_without_a_key_are_two_orders(submission: ModuleType, queue_url: str) -> None:
    first, second = (body_of(submission.handler(http_event(SAMPLE), None))["order_id"] for _ in range(2))

    assert first != second
    assert {message["order_id"] for message in messages(queue_url)} == {first, second}


def test_a_retry_with_the_same_key_gives_the_same_id(submission: ModuleType) -> None:
    event = http_event(SAMPLE, {"Content-Type": "application/json", "Idempotency-Key": "k-1"})

    assert [body_of(submission.handler(event, None))["order_id"] for _ in range(2)] == [
        derived_order_id(SAMPLE_ORDER, "k-1")
    ] * 2


def test_two_keys_that_the_gateway_joined_are_one_other_key(submission: ModuleType) -> None:
    # An HTTP API hands a header that came twice over as "k,k", which is a key like any other: nobody can tell.
    event = http_event(SAMPLE, {"Content-Type": "application/json", "Idempotency-Key": "k,k"})

    assert body_of(submission.handler(event, None))["order_id"] == derived_order_id(SAMPLE_ORDER, "k,k")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        'application/json; profile="a;charset=latin1"',
        "application/json ; version=1",
    ],
)
def test_admits_json_under_any_case_and_parameters(submission: ModuleType, content_type: str) -> None:
    assert submission.handler(http_event(SAMPLE, {"content-type": content_type}), None)["statusCode"] == 202


def test_admits_a_body_that_the_gateway_hands_over_as_base64(submission: ModuleType) -> None:
    body = base64.b64encode(SAMPLE_BODY).decode()

    assert submission.handler(http_event(body, base64=True), None)["statusCode"] == 202


def test_admits_a_body_of_exactly_16_kib(submission: ModuleType) -> None:
    assert submission.handler(http_event(SAMPLE.ljust(16 * 1024)), None)["statusCode"] == 202


def refusals() -> list[Any]:
    json_type = {"content-type": "application/json"}
    return [
        pytest.param(http_event(None), 400, "BODY_MISSING", id="no body"),
        pytest.param(http_event(""), 400, "BODY_MISSING", id="empty body"),
        pytest.param(http_event("{"), 400, "INVALID_JSON", id="not JSON"),
        pytest.param(http_event("\ud800"), 400, "INVALID_ENCODING", id="a surrogate from the gateway"),
        pytest.param(http_event("\ufffd"), 400, "INVALID_ENCODING", id="replaced bytes"),
        pytest.param(http_event("\ufffd" * 16384), 400, "INVALID_ENCODING", id="replaced bytes of exactly 16 KiB"),
        pytest.param(http_event("\ufffd" * 16385), 413, "PAYLOAD_TOO_LARGE", id="replaced bytes of over 16 KiB"),
        pytest.param(
            http_event("\ufffd" * 6000, json_type | {"content-length": "18000"}),
            413,
            "PAYLOAD_TOO_LARGE",
            id="over 16 KiB of U+FFFD itself",
        ),
        pytest.param(
            http_event("\ufffd" * 6000, json_type | {"content-length": "6000"}),
            400,
            "INVALID_ENCODING",
            id="replaced bytes whose number is told",
        ),
        pytest.param(
            http_event("\ufffd" * 6000, json_type | {"content-length": "9" * 5000}),
            400,
            "INVALID_ENCODING",
            id="a length that is none",
        ),
        pytest.param(
            http_event(SAMPLE.ljust(16 * 1024 + 1), json_type | {"content-length": "91"}),
            413,
            "PAYLOAD_TOO_LARGE",
            id="over 16 KiB that are said to be fewer",
        ),
        pytest.param(
            http_event(base64.b64encode(("\ufffd" * 6000).encode()).decode(), base64=True),
            413,
            "PAYLOAD_TOO_LARGE",
            id="over 16 KiB of U+FFFD itself in base64",
        ),
        pytest.param(http_event("/w==", base64=True), 400, "INVALID_ENCODING", id="base64 of no UTF-8"),
        pytest.param(http_event("e30", base64=True), 400, "INVALID_ENCODING", id="base64 without padding"),
        pytest.param(http_event("e3\n0=", base64=True), 400, "INVALID_ENCODING", id="base64 with a newline"),
        pytest.param(http_event("é", base64=True), 400, "INVALID_ENCODING", id="no base64 at all"),
        pytest.param(http_event('{"a": 1, "a": 2}'), 400, "DUPLICATE_KEY", id="a key twice"),
        pytest.param(http_event("[" * 1000), 400, "NESTING_TOO_DEEP", id="too deep"),
        pytest.param(
            http_event(SAMPLE, json_type | {"idempotency-key": "a b"}),
            400,
            "IDEMPOTENCY_KEY_INVALID",
            id="a key with a space",
        ),
        pytest.param(
            http_event(SAMPLE, json_type | {"idempotency-key": ""}),
            400,
            "IDEMPOTENCY_KEY_INVALID",
            id="an empty key",
        ),
        pytest.param(http_event(SAMPLE.ljust(16 * 1024 + 1)), 413, "PAYLOAD_TOO_LARGE", id="over 16 KiB"),
        pytest.param(http_event("é" * 8193), 413, "PAYLOAD_TOO_LARGE", id="over 16 KiB in bytes"),
        pytest.param(http_event(SAMPLE, {}), 415, "UNSUPPORTED_MEDIA_TYPE", id="no content type"),
        *(
            pytest.param(http_event(SAMPLE, {"content-type": value}), 415, "UNSUPPORTED_MEDIA_TYPE", id=value[:60])
            for value in (
                "",
                "text/plain",
                "json",
                "application/json5",
                "application/problem+json",
                "application/json, text/plain",
                "application/json; charset=latin-1",
                "application/json; charset=",
                "application/json; charset*=utf-16''x",
                "application/json; charset=utf-8; charset=latin-1",
                # The standard library's parser of mail headers raises TypeError here, and ValueError.
                "application/json; charset*=utf-8''x; charset*0=utf-8",
                "application/json; charset*" + "9" * 5000 + "=utf-16",
            )
        ),
        pytest.param(
            http_event(SAMPLE, json_type | {"content-encoding": "gzip"}),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            id="gzip",
        ),
        pytest.param(http_event("{}"), 422, "VALIDATION_FAILED", id="no order"),
    ]


@pytest.mark.parametrize(("event", "status", "code"), refusals())
def test_a_refusal_is_problem_details_and_queues_nothing(
    submission: ModuleType, queue_url: str, event: dict[str, Any], status: int, code: str
) -> None:
    answer = submission.handler(event, None)

    problem = body_of(answer)
    assert (answer["statusCode"], problem["code"]) == (status, code)
    assert answer["headers"] == {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    assert problem["status"] == status
    assert problem["request_id"] == "request-1"
    assert problem["type"] == "urn:problem:order-processing:" + code.lower().replace("_", "-")
    assert problem["title"]
    assert problem["detail"].endswith(".")
    assert ("errors" in problem) == (status == 422)
    assert messages(queue_url) == []


def test_a_422_lists_every_violation_by_pointer(submission: ModuleType) -> None:
    problem = body_of(submission.handler(http_event('{"quantity": 0, "extra": 1}'), None))

    assert problem["errors"] == [
        {"pointer": "/customer_id", "detail": "is required"},
        {"pointer": "/extra", "detail": "is not a field of an order"},
        {"pointer": "/order_date", "detail": "is required"},
        {"pointer": "/product_id", "detail": "is required"},
        {"pointer": "/quantity", "detail": f"must be {ORDER_SCHEMA['properties']['quantity']['description']}"},
    ]


def test_a_422_lists_at_most_20_violations_and_the_number_of_all(submission: ModuleType) -> None:
    unknown = {str(number): 1 for number in range(1000, 2490)}

    problem = body_of(submission.handler(http_event(json.dumps(unknown, separators=(",", ":"))), None))

    assert len(problem["errors"]) == 20
    assert problem["detail"] == "The body is JSON, but not an order. It has 1494 errors; 20 of them are listed."


HEADER_VALUES = st.text(max_size=20) | st.text(' \t;=*"\\,/aApplication/jsonchrset-utf8\u00e9', max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "Content-Type", "content-encoding", "idempotency-key", "x", "", "__proto__"]),
    st.just("application/json") | HEADER_VALUES.map("application/json".__add__) | HEADER_VALUES,
)
BODIES = (
    st.text(st.characters(), max_size=50)
    | st.just("\ud800")
    | damaged(json_texts(near_orders())).map(lambda body: body.decode("utf-8", "replace"))
    | damaged(json_texts(near_orders())).map(lambda body: base64.b64encode(body).decode())
)


# One handler for all examples: it keeps nothing of a request.
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(headers=HEADERS, body=st.none() | BODIES, is_base64=st.booleans())
def test_no_request_is_one_that_nobody_foresaw(
    submission: ModuleType, headers: dict[str, str], body: str | None, is_base64: bool
) -> None:
    answer = submission.handler(http_event(body, headers, base64=is_base64), None)

    assert answer["statusCode"] in {202, 400, 413, 415, 422}


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "secret"}}, "SendMessage"),
        ReadTimeoutError(endpoint_url="https://secret"),
    ],
)
def test_a_queue_that_refuses_or_does_not_answer_is_a_503_and_claims_nothing(
    submission: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def refuse(**_: object) -> None:
        raise error

    monkeypatch.setattr(submission._queue._client, "send_message", refuse)

    answer = submission.handler(http_event(SAMPLE), None)

    assert (answer["statusCode"], body_of(answer)["code"]) == (503, "QUEUE_UNAVAILABLE")
    assert answer["headers"]["Retry-After"] == "1"
    # SQS may have taken the order and only its answer be lost: neither yes nor no is known.
    assert "may have been accepted or not" in body_of(answer)["detail"]
    assert "order_id" not in body_of(answer)
    assert "Location" not in answer["headers"]
    assert "secret" not in answer["body"] + caplog.text
    assert [(r.message, r.__dict__["code"]) for r in caplog.records] == [("order_refused", "QUEUE_UNAVAILABLE")]
    assert type(error).__name__ in caplog.records[0].__dict__["error"]


def test_an_unforeseen_error_is_a_500_that_leaks_nothing_and_is_logged(
    submission: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(submission._queue._client, "send_message", fail)

    answer = submission.handler(http_event(SAMPLE), None)

    assert (answer["statusCode"], body_of(answer)["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer["body"] + caplog.text
    [record] = caplog.records
    assert (record.message, record.__dict__["request_id"]) == ("request_failed", "request-1")
    assert record.__dict__["code"] == "INTERNAL_ERROR"
    assert record.__dict__["error"] == "RuntimeError"


def test_the_event_log_names_the_order_and_never_its_content(
    submission: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    order_id = body_of(submission.handler(http_event(SAMPLE), None))["order_id"]
    submission.handler(http_event(SAMPLE.replace("001", "<bad>")), None)

    accepted, refused = caplog.records
    assert (accepted.message, accepted.__dict__["order_id"]) == ("order_accepted", order_id)
    assert (refused.message, refused.__dict__["code"]) == ("order_refused", "VALIDATION_FAILED")
    assert not [r for r in caplog.records if "Banana" in str(vars(r)) or "<bad>" in str(vars(r))]
