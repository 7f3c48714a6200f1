"""An in-memory stub of SQS, as far as the `orders` command uses it, with its own clock and injected failures."""

import itertools
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError


class Crash(BaseException):
    """The process is killed."""


class FakeSqs:
    """Queues by their URLs. `before_call` gets the number of each call and may raise; `now` is in seconds."""

    def __init__(self, *urls: str) -> None:
        self.queues: dict[str, list[dict[str, Any]]] = {url: [] for url in urls}
        self.now = 0.0
        self.calls: list[str] = []
        self.before_call: Callable[[int], None] = lambda _: None
        self.rejected_bodies: set[str] = set()
        self.undeletable_bodies: set[str] = set()
        self._ids = itertools.count(1)

    def put(self, url: str, body: str) -> None:
        self.queues[url].append({"id": f"m{next(self._ids)}", "body": body, "visible": 0.0, "receives": 0})

    def bodies(self, url: str) -> list[str]:
        return [message["body"] for message in self.queues[url]]

    def visible_bodies(self, url: str) -> list[str]:
        """Return the bodies that a receive can return."""
        return [message["body"] for message in self.queues[url] if message["visible"] <= self.now]

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        self._called("GetQueueAttributes")
        visible = len(self.visible_bodies(QueueUrl))
        return {
            "Attributes": dict(zip(AttributeNames, (visible, len(self.queues[QueueUrl]) - visible, 0), strict=True))
        }

    def receive_message(self, **request: Any) -> dict[str, Any]:
        self._called("ReceiveMessage")
        received = [message for message in self.queues[request["QueueUrl"]] if message["visible"] <= self.now][
            : request["MaxNumberOfMessages"]
        ]
        for message in received:
            message["visible"] = self.now + request["VisibilityTimeout"]
            message["receives"] += 1
            message["handle"] = f"{message['id']}/{message['receives']}"
        return {"Messages": [{"MessageId": m["id"], "ReceiptHandle": m["handle"], "Body": m["body"]} for m in received]}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self._called("ChangeMessageVisibilityBatch")
        for entry in Entries:
            for message in self.queues[QueueUrl]:
                if message.get("handle") == entry["ReceiptHandle"]:
                    message["visible"] = self.now + entry["VisibilityTimeout"]
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self._called("SendMessageBatch")
        assert len(Entries) <= 10
        accepted = [entry for entry in Entries if entry["MessageBody"] not in self.rejected_bodies]
        for entry in accepted:
            self.put(QueueUrl, entry["MessageBody"])
        self._called("SendMessageBatch, its response")
        return {"Successful": [{"Id": entry["Id"]} for entry in accepted]}

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self._called("DeleteMessageBatch")
        handles = {entry["ReceiptHandle"]: entry["Id"] for entry in Entries}
        deleted = [
            message
            for message in self.queues[QueueUrl]
            if message.get("handle") in handles and message["body"] not in self.undeletable_bodies
        ]
        self.queues[QueueUrl] = [message for message in self.queues[QueueUrl] if message not in deleted]
        self._called("DeleteMessageBatch, its response")
        return {"Successful": [{"Id": handles[message["handle"]]} for message in deleted]}

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.before_call(len(self.calls))


def aws_error(code: str, operation: str = "ReceiveMessage", message: str = "") -> ClientError:
    """Return the error of a rejected call."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def failed_calls(raised: str) -> list[tuple[Exception, str]]:
    """Return failures of a call, each with its name in the log. `raised` is the adapter's error about AWS."""
    return [
        (aws_error("AccessDeniedException", message="secret"), f"{raised} < ClientError(AccessDeniedException)"),
        (ReadTimeoutError(endpoint_url="https://secret"), f"{raised} < ReadTimeoutError"),
        (RuntimeError("secret"), "RuntimeError"),
    ]
