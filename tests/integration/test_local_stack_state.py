"""What the emulator holds is written when it stops and read when it starts, or somebody is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local_stack.access_key import new_credentials
from local_stack.aws import AwsConnection
from local_stack.emulator import running_emulator, start_of_unsaved_run
from local_stack.errors import LocalStackError
from local_stack.machine import free_port
from local_stack.processes import Process
from local_stack.run_lock import RunLock


@contextmanager
def emulator(directory: Path) -> Iterator[tuple[AwsConnection, Process]]:
    connection = AwsConnection(f"http://127.0.0.1:{free_port()}", "us-east-1", new_credentials())
    with (
        RunLock(directory) as lock,
        running_emulator(directory, connection, directory / "emulator.log", lock) as process,
    ):
        yield connection, process


def test_a_queue_is_there_again_and_nothing_is_said(tmp_path: Path) -> None:
    for _ in range(2):
        with emulator(tmp_path) as (aws, process):
            aws.client("sqs").create_queue(QueueName="orders")
        assert process.exit_status == 0
        assert start_of_unsaved_run(tmp_path) is None


def test_state_that_cannot_be_written_fails_the_run_and_is_told_at_the_next_start(tmp_path: Path) -> None:
    with emulator(tmp_path) as (aws, process):
        aws.client("sqs").create_queue(QueueName="orders")
        # A folder is in the way of one of many files.
        (tmp_path / "state" / "sqs.json").mkdir(parents=True)
    assert process.exit_status == 1
    assert "failed to save sqs" in process.last_words()
    assert start_of_unsaved_run(tmp_path) is not None


def test_state_that_cannot_be_read_stops_the_start_and_stays_as_it_is(tmp_path: Path) -> None:
    with emulator(tmp_path) as (aws, _):
        aws.client("sqs").create_queue(QueueName="orders")
    state = tmp_path / "state" / "sqs.json"
    damaged = state.read_text()[:-20]
    state.write_text(damaged)
    with (
        pytest.raises(LocalStackError, match=r"sqs\.json cannot be read: .* Repair it, or move .*state away"),
        emulator(tmp_path),
    ):
        pass
    assert state.read_text() == damaged
    assert start_of_unsaved_run(tmp_path) is None
