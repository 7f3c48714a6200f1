"""The e-mails of the two topics, and how the terminal shows them."""

import io
import json
import mailbox
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from local_stack.mailbox import Mailbox, alarm_text, completed_order_text, email_of
from local_stack.report import Report

TOPIC = "arn:aws:sns:us-east-1:000000000000:alerts"


def notification(message: str, subject: str | None = "subject") -> dict[str, Any]:
    """Return a notification as SNS delivers it to a queue."""
    envelope = {"MessageId": "4a58f4b3", "TopicArn": TOPIC, "Timestamp": "2026-11-23T07:22:42.000Z"}
    return {**envelope, "Message": message, **({"Subject": subject} if subject else {})}


def test_subject_defaults_to_the_subject_of_sns() -> None:
    assert email_of(notification("text", None), "you@example.com", str)["Subject"] == "AWS Notification Message"


@pytest.mark.parametrize("render", [alarm_text, completed_order_text])
@pytest.mark.parametrize("message", ["plain text", "[1]", "{}", '{"order_id": 1, "quantity": "x"}'])
def test_message_of_another_format_is_not_changed(render: Callable[[str], str], message: str) -> None:
    assert render(message) == message


@pytest.mark.parametrize("recipients", [[], ["a@example.com", "b@example.com"]])
def test_all_addresses_get_an_email_before_the_message_is_deleted(tmp_path: Path, recipients: list[str]) -> None:
    sqs, sns, directory = MagicMock(), MagicMock(), tmp_path / "mailbox"
    sqs.receive_message.side_effect = [
        {"Messages": [{"Body": json.dumps(notification("text")), "ReceiptHandle": "1"}]},
        {},
    ]
    sqs.get_queue_attributes.return_value = {"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:mailbox"}}
    subscriptions = [("sqs", "arn:aws:sqs:queue"), *(("email", each) for each in recipients)]
    page = {"Subscriptions": [{"Protocol": protocol, "Endpoint": to} for protocol, to in subscriptions]}
    sns.get_paginator.return_value.paginate.return_value = [page]
    written: list[str] = []
    sqs.delete_message.side_effect = lambda **_: written.extend(email["To"] for email in mailbox.Maildir(directory))
    box = Mailbox(sqs, sns, directory)
    box.subscribe({TOPIC: str})
    assert [email["To"] for email in box.deliver()] == recipients
    assert sorted(written) == recipients
    sqs.delete_message.assert_called_once()


def test_terminal_shows_an_email() -> None:
    stream = io.StringIO()
    Report(stream).email(email_of(notification("first\n\nsecond"), "you@example.com", str))
    lines = stream.getvalue().splitlines()
    assert {"  | To: you@example.com", "  | Subject: subject", "  | first", "  | second"} <= set(lines)
