"""The file of dropped messages: on the disk before anything is deleted, and complete enough to bring them back."""

import contextlib
import json
import os
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fake_aws.sqs import Crash, FakeSqs
from orders_cli.archive import entry_of, new_archive, read_archive
from orders_cli.errors import OperatorError
from orders_cli.queue import Message, Queue
from orders_cli.redrive import take_out

SENT = datetime(2025, 4, 25, 10, tzinfo=UTC)
MESSAGE = {
    "MessageId": "m1",
    "Body": "poison \x1b[2J \U0001f34c",
    "MessageAttributes": {
        "text": {"DataType": "String", "StringValue": "1"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    },
}


def entry(message: Message) -> dict[str, Any]:
    return entry_of(message, order_id=None, reason="the message is not JSON", sent_at=SENT, now=SENT)


def test_a_message_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "dropped.jsonl"
    with new_archive(path) as archive:
        archive.keep([entry(MESSAGE)])
    [(message, letter, reason)] = read_archive(path)
    assert message == MESSAGE
    assert (letter.message_id, letter.order_id, letter.sent_at) == ("m1", None, SENT)
    assert reason == "the message is not JSON"


def test_what_is_kept_is_on_the_disk_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    path = tmp_path / "dropped.jsonl"
    with new_archive(path) as archive:
        monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.read_bytes()))
        archive.keep([entry(MESSAGE)])
    assert [len(content.splitlines()) for content in synced] == [1]


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "dropped.jsonl"
    with new_archive(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "dropped.jsonl"
    path.write_text("precious")
    with pytest.raises(OperatorError, match="not overwritten"), new_archive(path):
        pass
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OperatorError, match="not overwritten"), new_archive(link):
        pass
    assert path.read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "no such directory" / "dropped.jsonl"
    with pytest.raises(OperatorError, match=r"cannot be made .*name another file with --to"), new_archive(path):
        pass


def test_a_line_that_was_never_finished_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "dropped.jsonl"
    whole = json.dumps(entry(MESSAGE))
    path.write_text(f"{whole}\n{whole[:50]}")
    assert len(list(read_archive(path))) == 1


@pytest.mark.parametrize("line", ["", "{", "[]", "5", '{"body": "text"}', '{"body": 5, "message_id": "m"}', "\xff"])
def test_another_file_cannot_be_brought_back(tmp_path: Path, line: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(line + "\n", encoding="latin-1")
    with pytest.raises(OperatorError, match=r"Line 1 of .* is no dropped message"):
        list(read_archive(path))


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(OperatorError, match="cannot be read"):
        list(read_archive(tmp_path / name))


@pytest.mark.parametrize("call", range(1, 14))
def test_killed_at_any_call_every_message_is_in_the_file_or_in_the_queue(tmp_path: Path, call: int) -> None:
    sqs = FakeSqs("dlq")
    bodies = {f"poison {number}" for number in range(25)}
    for body in sorted(bodies):
        sqs.put("dlq", body)

    def kill(number: int) -> None:
        if number >= call:
            raise Crash

    sqs.before_call = kill
    path = tmp_path / "dropped.jsonl"
    ids = {message["id"] for message in sqs.queues["dlq"]}

    def keep(messages: Sequence[Message]) -> Sequence[Message]:
        archive.keep([entry(message) for message in messages])
        return messages

    with contextlib.suppress(Crash), new_archive(path) as archive:
        take_out(ids, source=Queue(sqs, "dlq"), keep_safe=keep, advance=lambda _: None)
    kept = {message["Body"] for message, _, _ in read_archive(path)}
    assert kept | set(sqs.bodies("dlq")) == bodies
