"""What a person reads: the e-mails of the two topics, and how the terminal shows them."""

import io
import json
import mailbox
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_stack.email_rendering import alarm_text, completed_order_text
from local_stack.mailbox import Mailbox, email_of
from local_stack.report import Terminal
from orders.domain.announcement import announce
from orders.domain.order import Order, ProcessedOrder

TOPIC = "arn:aws:sns:us-east-1:000000000000:alerts"

PROCESSED = ProcessedOrder(
    "faf2e299-4a13-8274-9d58-d0dcc37881a5",
    Order("001", "Banana", 1, "2025-04-25"),
    "2026-11-23T07:37:41.554Z",
    "2026-11-23T07:37:42.865Z",
)

# As CloudWatch sends it to whatever is not an e-mail address.
ALARM = json.dumps(
    {
        "AlarmName": "order-processing-dev-orders-dlq",
        "AlarmDescription": "An order waits in the dead-letter queue – look at it.",
        "NewStateValue": "ALARM",
        "OldStateValue": "OK",
        "NewStateReason": "Threshold Crossed: 1 datapoint was greater than the threshold.",
        "StateChangeTime": "2026-11-23T07:22:42Z",
        "Region": "us-east-1",
    }
)


def notification(message: str = "text", subject: str | None = "subject") -> dict[str, Any]:
    """Return a notification as SNS delivers it to a queue."""
    envelope = {
        "Type": "Notification",
        "MessageId": "4a58f4b3",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": "2026-11-23T07:22:42.000Z",
    }
    return {**envelope, "Subject": subject} if subject else envelope


def test_an_alarm_reads_as_a_sentence_with_its_advice_and_reason() -> None:
    text = alarm_text(ALARM)
    assert text.startswith("The alarm order-processing-dev-orders-dlq has changed from OK to ALARM.\n")
    assert "An order waits in the dead-letter queue" in text
    assert "Threshold Crossed: 1 datapoint" in text


def test_a_completed_order_reads_in_the_very_words_of_the_notification_function() -> None:
    announcement = announce(PROCESSED)
    assert completed_order_text(announcement.document) == announcement.text


@pytest.mark.parametrize("reading", [alarm_text, completed_order_text])
@pytest.mark.parametrize("message", ["by hand", "[1]", "{}", '{"order_id": 1, "quantity": "x"}'])
def test_a_message_of_another_kind_reads_as_it_is(reading: Callable[[str], str], message: str) -> None:
    assert reading(message) == message


def test_an_email_names_sender_recipient_and_subject_and_holds_the_text_as_it_is() -> None:
    email = email_of(notification(ALARM, "ALARM: orders-dlq"), "you@example.com", alarm_text)
    assert email["From"] == "AWS Notifications <no-reply@sns.amazonaws.com>"
    assert email["To"] == "you@example.com"
    assert email["Subject"] == "ALARM: orders-dlq"
    assert email["Date"].datetime.isoformat() == "2026-11-23T07:22:42+00:00"
    # Neither quoted-printable nor base64: `grep` finds it in the file.
    assert "An order waits in the dead-letter queue – look at it." in email.as_bytes().decode()


def test_a_notification_without_a_subject_gets_the_one_that_sns_gives() -> None:
    assert email_of(notification(subject=None), "you@example.com", str)["Subject"] == "AWS Notification Message"


class FakeSqs:
    """One queue that holds `bodies`; a message stays until it is deleted."""

    def __init__(self, *bodies: str) -> None:
        self.messages = dict(enumerate(bodies))
        self.on_delete: Callable[[], None] = lambda: None

    def create_queue(self, **_: Any) -> Any:
        return {"QueueUrl": "http://queue"}

    def get_queue_attributes(self, **_: Any) -> Any:
        return {"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:mailbox"}}

    def set_queue_attributes(self, **_: Any) -> None:
        pass

    def receive_message(self, **_: Any) -> Any:
        return {"Messages": [{"Body": body, "ReceiptHandle": handle} for handle, body in self.messages.items()]}

    def delete_message(self, *, ReceiptHandle: int, **_: Any) -> None:  # noqa: N803
        self.on_delete()
        del self.messages[ReceiptHandle]


class FakeSns:
    """One topic with the given subscriptions: pairs of protocol and endpoint."""

    def __init__(self, *subscriptions: tuple[str, str]) -> None:
        self._page = {"Subscriptions": [{"Protocol": protocol, "Endpoint": to} for protocol, to in subscriptions]}

    def subscribe(self, **_: Any) -> None:
        pass

    def get_paginator(self, _: str) -> "FakeSns":
        return self

    def paginate(self, **_: Any) -> list[Any]:
        return [self._page]


def delivered(sqs: FakeSqs, sns: FakeSns, directory: Path) -> list[Any]:
    box = Mailbox(sqs, sns, directory)
    box.subscribe({TOPIC: str})
    return list(box.deliver())


def test_every_subscribed_address_gets_an_email_of_its_own(tmp_path: Path) -> None:
    sns = FakeSns(("email", "a@example.com"), ("sqs", "arn:aws:sqs:queue"), ("email", "b@example.com"))
    sqs = FakeSqs(json.dumps(notification()))
    delivered(sqs, sns, tmp_path / "mailbox")
    assert {email["To"] for email in mailbox.Maildir(tmp_path / "mailbox")} == {"a@example.com", "b@example.com"}
    assert not sqs.messages


def test_without_an_email_subscription_nobody_is_written_to(tmp_path: Path) -> None:
    sqs = FakeSqs(json.dumps(notification()))
    assert not delivered(sqs, FakeSns(("sqs", "arn:aws:sqs:queue")), tmp_path / "mailbox")
    assert not sqs.messages


def test_a_message_is_deleted_only_once_its_email_is_written(tmp_path: Path) -> None:
    written: list[int] = []
    sqs = FakeSqs(json.dumps(notification()))
    sqs.on_delete = lambda: written.append(len(mailbox.Maildir(tmp_path / "mailbox")))
    delivered(sqs, FakeSns(("email", "a@example.com")), tmp_path / "mailbox")
    assert written == [1]


def test_the_terminal_shows_an_email_with_its_text() -> None:
    stream = io.StringIO()
    Terminal(stream).email(email_of(notification("first\n\nsecond"), "you@example.com", str))
    lines = stream.getvalue().splitlines()
    assert {"  | To: you@example.com", "  | Subject: subject", "  | first", "  | second"} <= set(lines)


def test_a_terminal_that_is_gone_is_no_reason_to_fail() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    stream.close()
    terminal.line("Stopping")
