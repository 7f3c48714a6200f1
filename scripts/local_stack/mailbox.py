"""The e-mails that SNS sends, as files: the emulator only logs that it would send one.

A queue of the local stack's own is subscribed to each topic, beside the deployment's subscriptions and
unknown to it. What arrives there is written once for every e-mail address that the deployment subscribed:
without an e-mail subscription there is no e-mail, here as on AWS. Unlike there, an address need not be
confirmed first.
"""

import json
import mailbox
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from pathlib import Path
from typing import Any

SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"
QUEUE_NAME = "local-stack-mailbox"

# The text as it is, not quoted-printable: the files are there to be read and searched. 998 is what RFC 5322
# allows.
_READABLE = default.clone(cte_type="8bit", max_line_length=998)

TextOf = Callable[[str], str]
"""Turns what machines receive from a topic into what a person receives by e-mail."""


class Mailbox:
    """Delivers what is published to topics into a Maildir."""

    def __init__(self, sqs: Any, sns: Any, directory: Path) -> None:
        self._sqs = sqs
        self._sns = sns
        self._topics: Mapping[str, TextOf] = {}
        self._maildir = mailbox.Maildir(directory, create=True)
        self._queue_url = ""

    def subscribe(self, topics: Mapping[str, TextOf]) -> None:
        """Subscribe to `topics`, topic ARN → how its messages read.

        Done again, it changes nothing, and what has not been delivered yet is kept.
        """
        self._topics = topics
        self._queue_url = self._sqs.create_queue(QueueName=QUEUE_NAME)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
        queue_arn = attributes["Attributes"]["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "ReceiveFromTopics",
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": list(self._topics)}},
                }
            ],
        }
        self._sqs.set_queue_attributes(QueueUrl=self._queue_url, Attributes={"Policy": json.dumps(policy)})
        for topic_arn in self._topics:
            self._sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)

    def unsubscribe(self, topic_arns: Iterable[str]) -> None:
        """Hear no more of these topics, if of any, until `subscribe`."""
        for topic_arn in topic_arns:
            for subscription in self._subscriptions(topic_arn):
                if subscription["Endpoint"].endswith(f":{QUEUE_NAME}"):
                    self._sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])

    def deliver(self) -> Iterator[EmailMessage]:
        """Write what has arrived into the mailbox, yielding each e-mail once it is there.

        Waits a second for the first one.
        """
        while notifications := self._receive():
            recipients: dict[str, list[str]] = {}
            for handle, notification in notifications:
                topic_arn = notification["TopicArn"]
                if topic_arn not in recipients:
                    recipients[topic_arn] = self._recipients(topic_arn)
                for recipient in recipients[topic_arn]:
                    email = email_of(notification, recipient, self._topics[topic_arn])
                    self._maildir.add(email)
                    yield email
                # Only now: a stop in between brings an e-mail twice rather than never.
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=handle)

    def _receive(self) -> list[tuple[str, dict[str, Any]]]:
        answer = self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        return [(message["ReceiptHandle"], json.loads(message["Body"])) for message in answer.get("Messages", [])]

    def _recipients(self, topic_arn: str) -> list[str]:
        subscriptions = self._subscriptions(topic_arn)
        return [subscription["Endpoint"] for subscription in subscriptions if subscription["Protocol"] == "email"]

    def _subscriptions(self, topic_arn: str) -> list[dict[str, Any]]:
        pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
        return [subscription for page in pages for subscription in page["Subscriptions"]]


def email_of(notification: Mapping[str, Any], recipient: str, text_of: TextOf) -> EmailMessage:
    """Return the e-mail to `recipient` about a notification as SNS delivers it to a queue."""
    email = EmailMessage(policy=_READABLE)
    email["From"] = SENDER
    email["To"] = recipient
    email["Subject"] = notification.get("Subject") or "AWS Notification Message"
    email["Date"] = format_datetime(datetime.fromisoformat(notification["Timestamp"]))
    email["Message-ID"] = f"<{notification['MessageId']}@sns.amazonaws.com>"
    email.set_content(text_of(notification["Message"]))
    return email
