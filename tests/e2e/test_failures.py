"""Orders that cannot be stored are dead-lettered and raise an alarm; they do not delay valid orders."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from typing import Any

import pytest

from support.deployment.stack import DeployedStack
from support.waiting import wait_for

RECEIVES = 5
DLQ_SECONDS = 150


@dataclass(frozen=True)
class Poisoned:
    """The stack after each kind of failing message was received five times."""

    stack: DeployedStack
    first: dict[str, Any]
    """A stored order's message, whose ID the forged message has."""
    forged: dict[str, Any]
    unstorable: dict[str, Any]
    poison: str
    seconds_to_store_neighbors: float
    dead_letters: list[Any]


@pytest.fixture(scope="module")
def poisoned(one_stack: DeployedStack) -> Iterator[Poisoned]:
    """Send each kind of failing message together with valid orders. All tests share this wait for five receives."""
    tag = uuid.uuid4().hex[:8]
    valid = [one_stack.message(f"valid-{tag}-{number}") for number in range(8)]
    poison = f"poison-{tag}"
    # Violates the schema. DynamoDB allows 38 digits and would reject the whole batch.
    unstorable = one_stack.message(f"huge-{tag}", quantity=int("1" * 50))
    first = one_stack.message(f"forged-{tag}")
    forged = {**first, "order": {**first["order"], "quantity": 2}}
    unwritable = one_stack.message(f"surrogate-{tag}")
    unwritable["order"]["customer_id"] = "\ud800"
    failing = [poison, *map(json.dumps, (unstorable, unwritable, forged))]
    one_stack.send_to_queue(first)
    one_stack.wait_until_processed(first["order_id"])

    def dead_lettered() -> list[Any]:
        letters = [each for each in one_stack.dead_letters() if each["Body"] in failing]
        return letters if len(letters) == len(failing) else []

    with one_stack.quick_redelivery():
        started = datetime.now(UTC)
        one_stack.send_to_queue(*valid[:3], *failing, *valid[3:])
        for message in valid:
            one_stack.wait_until_processed(message["order_id"])
        seconds = (datetime.now(UTC) - started).total_seconds()
        dead_letters = wait_for("the failing messages in the dead-letter queue", dead_lettered, DLQ_SECONDS)
    yield Poisoned(one_stack, first, forged, unstorable, poison, seconds, dead_letters)
    one_stack.client("sqs").purge_queue(QueueUrl=one_stack.outputs["orders_dlq_url"])


def test_failing_messages_do_not_delay_other_messages(poisoned: Poisoned) -> None:
    assert poisoned.seconds_to_store_neighbors < 10


def test_poison_message_is_dead_lettered_after_five_receives(poisoned: Poisoned) -> None:
    [message] = [each for each in poisoned.dead_letters if each["Body"] == poisoned.poison]
    failures = [
        event
        for event in poisoned.stack.events("processing", "order_failed")
        if event["message_id"] == message["MessageId"]
    ]
    assert [event["receives"] for event in failures] == list(range(1, RECEIVES + 1))
    assert {event["reason"] for event in failures} == {"the message is not JSON"}


def test_order_stays_pending_when_its_message_violates_the_schema(poisoned: Poisoned) -> None:
    order_id = poisoned.unstorable["order_id"]
    reasons = {event.get("reason") for event in poisoned.stack.events("processing", "order_failed")}
    assert "order.quantity breaks its rule in order.schema.json" in reasons
    assert poisoned.stack.api.get(order_id).json() == {"order_id": order_id, "status": "PENDING"}


def test_forged_message_leaves_the_order_unchanged(poisoned: Poisoned) -> None:
    order_id = poisoned.first["order_id"]
    assert poisoned.stack.wait_until_processed(order_id)["quantity"] == 1
    events = poisoned.stack.events("processing", "order_conflict", order_id)
    assert len(events) == RECEIVES
    assert "is forged" in events[0]["reason"]


def test_dead_letter_raises_the_alarm_and_sends_its_email(poisoned: Poisoned) -> None:
    stack, alarm = poisoned.stack, f"{poisoned.stack.prefix}-orders-dlq"
    wait_for("the alarm", lambda: stack.alarm_state(alarm) == "ALARM", seconds=DLQ_SECONDS)

    def raised() -> list[Message] | None:
        # Earlier tests raised the alarm too: each e-mail about an alarm was followed by one about OK.
        mails = stack.mails_about(alarm)
        raised = [mail for mail in mails if mail["Subject"].startswith("ALARM")]
        return raised if 2 * len(raised) > len(mails) else None

    mail = wait_for("the e-mail", raised, seconds=DLQ_SECONDS)[0]
    assert "Runbook: docs/runbook.md#orders-dlq" in mail.get_payload()


def test_second_dead_letter_sends_another_email(poisoned: Poisoned) -> None:
    stack = poisoned.stack
    about_new = f"{stack.prefix}-dead-letter-"
    wait_for("the first e-mail", lambda: stack.mails_about(about_new), seconds=DLQ_SECONDS)
    minute = datetime.now(UTC).minute
    wait_for(
        "the next minute, because dead letters of one minute share an e-mail",
        lambda: datetime.now(UTC).minute != minute,
        seconds=60,
    )
    sent, poison = len(stack.mails_about(about_new)), f"poison-{uuid.uuid4().hex}"
    with stack.quick_redelivery():
        stack.send_to_queue(poison)
        wait_for("a further e-mail", lambda: len(stack.mails_about(about_new)) > sent, seconds=DLQ_SECONDS)
        # SQS moves it after the e-mail, when its visibility timeout ends.
        wait_for("the dead letter", lambda: poison in [each["Body"] for each in stack.dead_letters()], DLQ_SECONDS)
    assert stack.alarm_state(f"{stack.prefix}-orders-dlq") == "ALARM", "the first dead letter raised it"
    assert not [mail for mail in stack.mails_about(about_new) if not mail["Subject"].startswith("ALARM")]
