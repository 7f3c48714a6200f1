"""Write the e-mails that SNS would send to files. The emulator only logs them.

A queue of the local stack is subscribed to each topic. Each message in it is written once for every e-mail address that
the deployment has subscribed. Unlike on AWS, an address need not be confirmed first.
"""

import json
import mailbox
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from orders.domain.announcement import announce
from orders.domain.order import ProcessedOrder

SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"
QUEUE_NAME = "local-stack-mailbox"

# Plain text instead of quoted-printable makes the files searchable. RFC 5322 allows lines of 998 characters.
_PLAIN_TEXT = default.clone(cte_type="8bit", max_line_length=998)

Render = Callable[[str], str]
"""Turns a message as SNS delivers it to a queue into the text that it sends by e-mail."""


class Mailbox:
    """Delivers messages of topics into a Maildir."""

    def __init__(self, sqs: Any, sns: Any, directory: Path) -> None:
        self._sqs = sqs
        self._sns = sns
        self._topics: Mapping[str, Render] = {}
        self._directory = directory
        mailbox.Maildir(directory, create=True)
        self._queue_url = ""

    def subscribe(self, topics: Mapping[str, Render]) -> None:
        """Subscribe to `topics`, by ARN. Subscribing again keeps undelivered messages."""
        self._topics = topics
        self._queue_url = self._sqs.create_queue(QueueName=QUEUE_NAME)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
        queue_arn = attributes["Attributes"]["QueueArn"]
        statement = {
            "Sid": "ReceiveFromTopics",
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": list(topics)}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._queue_url, Attributes={"Policy": policy})
        for topic_arn in topics:
            self._sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)

    def unsubscribe(self) -> None:
        """Cancel the subscriptions of an earlier run."""
        for page in self._sns.get_paginator("list_subscriptions").paginate():
            for subscription in page["Subscriptions"]:
                if subscription["Endpoint"].endswith(f":{QUEUE_NAME}"):
                    self._sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])

    def deliver(self) -> Iterator[EmailMessage]:
        """Write new messages into the mailbox as e-mails, and yield each e-mail after it is written."""
        receive = partial(self._sqs.receive_message, QueueUrl=self._queue_url, MaxNumberOfMessages=10)
        while messages := receive().get("Messages"):
            addresses = cache(self._email_addresses)
            maildir = mailbox.Maildir(self._directory, create=True)  # the user may have deleted it
            for message in messages:
                notification = json.loads(message["Body"])
                topic_arn = notification["TopicArn"]
                for recipient in addresses(topic_arn):
                    email = email_of(notification, recipient, self._topics[topic_arn])
                    maildir.add(email)
                    yield email
            # Delete the messages last: after an interruption their e-mails are written again and not lost.
            entries = [{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages]
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)

    def _email_addresses(self, topic_arn: str) -> list[str]:
        pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
        subscriptions = [each for page in pages for each in page["Subscriptions"]]
        return [each["Endpoint"] for each in subscriptions if each["Protocol"] == "email"]


def email_of(notification: Mapping[str, Any], recipient: str, render: Render) -> EmailMessage:
    """Return the e-mail to `recipient` for a notification that SNS has delivered to a queue."""
    email = EmailMessage(policy=_PLAIN_TEXT)
    email["From"] = SENDER
    email["To"] = recipient
    email["Subject"] = notification.get("Subject") or "AWS Notification Message"
    email["Date"] = format_datetime(datetime.fromisoformat(notification["Timestamp"]))
    email["Message-ID"] = f"<{notification['MessageId']}@sns.amazonaws.com>"
    email.set_content(render(notification["Message"]))
    return email


def alarm_text(message: str) -> str:
    """Return CloudWatch's text about an alarm; return any other message unchanged."""
    try:
        alarm = json.loads(message)
        return (
            f"The alarm {alarm['AlarmName']} has changed from {alarm['OldStateValue']} to {alarm['NewStateValue']}.\n"
            f"\n{alarm.get('AlarmDescription') or 'It has no description.'}\n"
            f"\nReason:  {alarm['NewStateReason']}"
            f"\nTime:    {alarm['StateChangeTime']}"
            f"\nRegion:  {alarm['Region']}\n"
        )
    except (KeyError, TypeError, ValueError):
        return message


def completed_order_text(message: str) -> str:
    """Return the notification function's e-mail text for its order document; return any other message unchanged."""
    try:
        return announce(ProcessedOrder.from_document(json.loads(message))).text
    except (KeyError, TypeError, ValueError):
        return message
