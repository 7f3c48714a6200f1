"""The e-mails of the two topics. test_readme.py checks that the terminal shows them."""

import json
import mailbox
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from local_stack.mailbox import Mailbox, alarm_text, completed_order_text

TOPIC = "arn:aws:sns:us-east-1:000000000000:alerts"


@pytest.mark.parametrize("render", [alarm_text, completed_order_text])
@pytest.mark.parametrize("message", ["plain text", "[1]", "{}", '{"order_id": 1, "quantity": "x"}'])
def test_message_of_another_format_is_not_changed(render: Callable[[str], str], message: str) -> None:
    assert render(message) == message


@pytest.mark.parametrize("recipients", [[], ["a@example.com", "b@example.com"]])
def test_all_addresses_get_an_email_before_the_message_is_deleted(tmp_path: Path, recipients: list[str]) -> None:
    sqs, sns, directory = MagicMock(), MagicMock(), tmp_path / "mailbox"
    body = {"MessageId": "1", "TopicArn": TOPIC, "Timestamp": "2026-11-23T07:22:42.000Z", "Message": "text"}
    sqs.receive_message.side_effect = [
        {"Messages": [{"Body": json.dumps(body), "MessageId": "1", "ReceiptHandle": "1"}]},
        {},
    ]
    sqs.get_queue_attributes.return_value = {"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:mailbox"}}
    subscriptions = [("sqs", "arn:aws:sqs:queue"), *(("email", each) for each in recipients)]
    page = {"Subscriptions": [{"Protocol": protocol, "Endpoint": to} for protocol, to in subscriptions]}
    sns.get_paginator.return_value.paginate.return_value = [page]
    written: list[str] = []
    delete = sqs.delete_message_batch
    delete.side_effect = lambda **_: written.extend(email["To"] for email in mailbox.Maildir(directory))
    box = Mailbox(sqs, sns, directory)
    box.subscribe({TOPIC: str})
    shutil.rmtree(directory)  # a user deletes the e-mails
    assert [email["To"] for email in box.deliver()] == recipients
    assert sorted(written) == recipients
    delete.assert_called_once()
