"""What cannot be stored reaches a person, and what is sound is never held back by it."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from support.deployment.stack import DeployedStack
from support.waiting import wait_for

RECEIVES = 5
# Five receives, a visibility timeout apart, and the metric's minute.
DLQ_SECONDS = 150


@pytest.fixture(scope="module")
def poisoned(stack: DeployedStack) -> dict[str, Any]:
    """Everything that must fail, put among sound orders at once, so that the tests wait only once."""
    tag = uuid.uuid4().hex[:8]
    good = [stack.message(f"good-{tag}-{number}") for number in range(8)]
    poison = f"poison-{tag}"
    # No order by the schema, and DynamoDB, which keeps 38 digits, would refuse its whole batch for it.
    unstorable = stack.message(f"huge-{tag}", quantity=int("1" * 50))
    first = stack.message(f"forged-{tag}")
    forged = {**first, "order": {**first["order"], "quantity": 2}}
    unwritable = stack.message(f"surrogate-{tag}")
    unwritable["order"]["customer_id"] = "\ud800"
    stack.send_to_queue(first)
    stack.wait_until_processed(first["order_id"])
    stack.send_to_queue(*good[:3], poison, unstorable, unwritable, forged, *good[3:6], *good[6:])
    return {"good": good, "poison": poison, "unstorable": unstorable, "first": first, "forged": forged}


def test_the_sound_neighbours_of_failing_messages_are_stored_at_once(
    stack: DeployedStack, poisoned: dict[str, Any]
) -> None:
    for message in poisoned["good"]:
        stack.wait_until_processed(message["order_id"], seconds=10)


def test_a_message_whose_order_breaks_the_schema_fails_alone_and_its_reason_is_logged(
    stack: DeployedStack, poisoned: dict[str, Any]
) -> None:
    order_id = poisoned["unstorable"]["order_id"]
    reason = "order.quantity breaks its rule in order.schema.json"

    wait_for("its event", lambda: [e for e in stack.events("processing", "order_failed") if e.get("reason") == reason])
    assert stack.api.get(order_id).json() == {"order_id": order_id, "status": "PENDING"}


def test_a_poison_message_is_received_exactly_five_times_and_then_in_the_dead_letter_queue(
    stack: DeployedStack, poisoned: dict[str, Any]
) -> None:
    [message] = wait_for(
        "the poison in the dead-letter queue",
        lambda: [m for m in stack.dead_letters() if m["Body"] == poisoned["poison"]],
        seconds=DLQ_SECONDS,
    )
    failures = [
        event for event in stack.events("processing", "order_failed") if event["message_id"] == message["MessageId"]
    ]
    assert [event["receives"] for event in failures] == list(range(1, RECEIVES + 1))
    assert {event["reason"] for event in failures} == {"the message is not JSON"}


def test_a_forged_message_leaves_the_order_unchanged_and_is_dead_lettered(
    stack: DeployedStack, poisoned: dict[str, Any]
) -> None:
    first, forged = poisoned["first"], poisoned["forged"]

    [message] = wait_for(
        "the forged message in the dead-letter queue",
        lambda: [m for m in stack.dead_letters() if first["order_id"] in m["Body"]],
        seconds=DLQ_SECONDS,
    )

    assert json.loads(message["Body"]) == forged
    assert stack.wait_until_processed(first["order_id"])["quantity"] == 1
    events = stack.events("processing", "order_conflict", first["order_id"])
    assert len(events) == RECEIVES
    assert "is forged" in events[0]["reason"]


def test_an_order_in_the_dead_letter_queue_is_pending(stack: DeployedStack, poisoned: dict[str, Any]) -> None:
    order_id = poisoned["unstorable"]["order_id"]
    wait_for(
        "the order in the dead-letter queue",
        lambda: [m for m in stack.dead_letters() if order_id in m["Body"]],
        seconds=DLQ_SECONDS,
    )

    assert stack.api.get(order_id).json() == {"order_id": order_id, "status": "PENDING"}


def test_dead_letter_raises_the_alarm_and_sends_its_email(stack: DeployedStack, poisoned: dict[str, Any]) -> None:
    alarm = f"{stack.prefix}-orders-dlq"
    wait_for("the alarm", lambda: stack.alarm_state(alarm) == "ALARM", seconds=DLQ_SECONDS)

    mail = wait_for("the mail", lambda: stack.mails_about(alarm), seconds=DLQ_SECONDS)[0]
    assert "ALARM" in mail["Subject"]
    assert "Runbook: docs/runbook.md#orders-dlq" in mail.get_payload()
    assert stack.alarm_state(f"{stack.prefix}-notifications-dlq") != "ALARM"


def test_second_dead_letter_sends_an_email_of_its_own(stack: DeployedStack, poisoned: dict[str, Any]) -> None:
    about_new = f"{stack.prefix}-dead-letter-"
    wait_for("the first e-mail", lambda: stack.mails_about(about_new), seconds=DLQ_SECONDS)
    minute = datetime.now(UTC).minute
    wait_for("the next minute: those of one share an e-mail", lambda: datetime.now(UTC).minute != minute, seconds=60)
    sent = len(stack.mails_about(about_new))
    with stack.quick_redelivery():
        stack.send_to_queue(f"poison-{uuid.uuid4().hex}")
        wait_for("a further e-mail", lambda: len(stack.mails_about(about_new)) > sent, seconds=DLQ_SECONDS)
    assert stack.alarm_state(f"{stack.prefix}-orders-dlq") == "ALARM", "raised by the first one"
    assert not [mail for mail in stack.mails_about(about_new) if not mail["Subject"].startswith("ALARM")]


@pytest.mark.parametrize(
    ("function", "action", "code"),
    [
        ("submission", "sqs:SendMessage", "QUEUE_UNAVAILABLE"),
        ("status", "dynamodb:GetItem", "STORE_UNAVAILABLE"),
    ],
)
def test_a_refused_call_is_a_503_that_claims_nothing(
    stack: DeployedStack, function: str, action: str, code: str
) -> None:
    order_id = stack.message("nobody")["order_id"]
    with stack.permission_removed(function, action):
        answer = stack.api.post(stack.sample_body) if function == "submission" else stack.api.get(order_id)

    problem = answer.json()
    assert (answer.status, problem["code"]) == (503, code)
    assert answer.headers["retry-after"] == "1"
    assert "order_id" not in problem
    assert "location" not in answer.headers
    assert [e["code"] for e in stack.events(function) if e.get("request_id") == problem["request_id"]] == [code]


def test_orders_wait_while_the_table_refuses_and_are_stored_when_it_takes_them_again(
    stack: DeployedStack,
) -> None:
    customer = f"patient-{uuid.uuid4().hex[:8]}"
    with stack.permission_removed("processing", "dynamodb:PartiQLInsert"):
        accepted = stack.api.post(stack.sample_body.replace(b"001", customer.encode()))
        wait_for(
            "a refusal",
            lambda: stack.events("processing", "request_failed") or stack.events("processing", "order_failed"),
        )
        assert stack.api.get(accepted.json()["order_id"]).json()["status"] == "PENDING"

    stack.wait_until_processed(accepted.json()["order_id"], seconds=60)


def test_an_error_that_nobody_foresaw_is_a_500_that_leaks_nothing_and_is_logged(stack: DeployedStack) -> None:
    order_id = stack.api.post(stack.sample_body).json()["order_id"]
    stack.wait_until_processed(order_id)
    # A change, not an insert, so that the stream has nothing new to announce.
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["orders_table_name"],
        Key={"order_id": {"S": order_id}},
        UpdateExpression="REMOVE quantity",
    )

    answer = stack.api.get(order_id)

    problem = answer.json()
    assert (answer.status, problem["code"]) == (500, "INTERNAL_ERROR")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "quantity" not in answer.body.decode()
    [event] = [e for e in stack.events("status", "request_failed") if e["request_id"] == problem["request_id"]]
    assert event["error"] == "KeyError"
