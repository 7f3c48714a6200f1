"""The emulator's queues keep a message that is sent while another one is deleted."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import sns, sqs

from aws_emulator import queues


class ListReadDuringASend(list[Any]):
    """A queue's messages. After the first complete read, another thread sends one more."""

    def __init__(self, messages: list[Any], send: threading.Thread) -> None:
        super().__init__(messages)
        self._send = send

    def __iter__(self) -> Iterator[Any]:
        yield from super().__iter__()
        if self._send.ident is None:
            self._send.start()
            self._send.join(0.2)  # with the patch, the thread waits for the lock


@pytest.fixture
def queue_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("_queues_lock", "_expire_retained", "_dlq_sweep", "_collect_msgs", "get_state"):
        monkeypatch.setattr(sqs, name, getattr(sqs, name))
    monkeypatch.setattr(sqs, "_HANDLERS", dict(sqs._HANDLERS))
    monkeypatch.setattr(sns, "_deliver_to_sqs", sns._deliver_to_sqs)
    queues.patch()
    yield sqs._act_create_queue({"QueueName": "orders"}, "")["QueueUrl"]
    sqs.reset()


def test_message_sent_during_a_deletion_is_kept(queue_url: str) -> None:
    send = sqs._HANDLERS["SendMessage"]
    send({"QueueUrl": queue_url, "MessageBody": "first"}, "")
    [received] = sqs._receive_messages_for_esm(queue_url, 10)
    sender = threading.Thread(target=send, args=({"QueueUrl": queue_url, "MessageBody": "second"}, ""))
    queue = sqs._queues[queue_url]
    queue["messages"] = ListReadDuringASend(queue["messages"], sender)

    sqs._delete_messages_for_esm(queue_url, {received["receipt_handle"]})
    sender.join()

    assert [message["body"] for message in sqs._queues[queue_url]["messages"]] == ["second"]
