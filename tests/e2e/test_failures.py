"""Orders that cannot be stored are dead-lettered and raise an alarm; they do not delay valid orders."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from support.deployment.stack import DeployedStack
from support.waiting import wait_for

RECEIVES = 5
DLQ_SECONDS = 150


@dataclass(frozen=True)
class Poisoned:
    """The sent messages and their results after each kind of failing message was received five times."""

    first: dict[str, Any]
    """A stored order's message, whose ID the forged message has."""
    unstorable: dict[str, Any]
    poison: str
    seconds_to_store_neighbors: float
    dead_letters: list[Any]


@pytest.fixture(scope="module")
def poisoned(stack: DeployedStack) -> Iterator[Poisoned]:
    """Send each kind of failing message together with valid orders. All tests share this wait for five receives."""
    tag = uuid.uuid4().hex[:8]
    valid = [stack.message(f"valid-{tag}-{number}") for number in range(8)]
    poison = f"poison-{tag}"
    # Violates the schema. DynamoDB allows 38 digits and would reject the whole batch.
    unstorable = stack.message(f"huge-{tag}", quantity=int("1" * 50))
    first = stack.message(f"forged-{tag}")
    forged = {**first, "order": {**first["order"], "quantity": 2}}
    unwritable = stack.message(f"surrogate-{tag}")
    unwritable["order"]["customer_id"] = "\ud800"
    failing = [poison, *map(json.dumps, (unstorable, unwritable, forged))]
    stack.send_to_queue(first)
    stack.wait_until_processed(first["order_id"])

    def dead_lettered() -> list[Any]:
        letters = [each for each in stack.dead_letters() if each["Body"] in failing]
        return letters if len(letters) == len(failing) else []

    with stack.quick_redelivery():
        started = datetime.now(UTC)
        stack.send_to_queue(*valid[:3], *failing, *valid[3:])
        for message in valid:
            stack.wait_until_processed(message["order_id"])
        seconds = (datetime.now(UTC) - started).total_seconds()
        dead_letters = wait_for("the failing messages in the dead-letter queue", dead_lettered, DLQ_SECONDS)
    yield Poisoned(first, unstorable, poison, seconds, dead_letters)
    stack.client("sqs").purge_queue(QueueUrl=stack.outputs["orders_dlq_url"])


def test_failing_messages_do_not_delay_other_messages(poisoned: Poisoned) -> None:
    assert poisoned.seconds_to_store_neighbors < 10


def test_poison_message_is_dead_lettered_after_five_receives(stack: DeployedStack, poisoned: Poisoned) -> None:
    [message] = [each for each in poisoned.dead_letters if each["Body"] == poisoned.poison]
    events = stack.events("processing", "order_failed")
    failures = [event for event in events if event["message_id"] == message["MessageId"]]
    assert [event["receives"] for event in failures] == list(range(1, RECEIVES + 1))
    assert {event["reason"] for event in failures} == {"the message is not JSON"}


def test_order_stays_pending_when_its_message_violates_the_schema(stack: DeployedStack, poisoned: Poisoned) -> None:
    order_id = poisoned.unstorable["order_id"]
    reasons = {event.get("reason") for event in stack.events("processing", "order_failed")}
    assert "order.quantity breaks its rule in order.schema.json" in reasons
    assert stack.api.get(order_id).json() == {"order_id": order_id, "status": "PENDING"}


def test_forged_message_leaves_the_order_unchanged(stack: DeployedStack, poisoned: Poisoned) -> None:
    order_id = poisoned.first["order_id"]
    assert stack.wait_until_processed(order_id)["quantity"] == 1
    events = stack.events("processing", "order_conflict", order_id)
    assert len(events) == RECEIVES
    assert "is forged" in events[0]["reason"]


def test_each_dead_letter_sends_an_email_and_the_alarm_stays_raised(stack: DeployedStack, poisoned: Poisoned) -> None:
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
