"""What the local stack can tell of the emulator's last run."""

import os
from datetime import datetime
from pathlib import Path

import pytest

from local_stack.emulator import move_to_port, start_of_unsaved_run

STARTED = datetime(2025, 4, 25, 10, 0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path


def write(path: Path, moment: datetime) -> None:
    path.touch()
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def test_a_run_that_wrote_its_state_is_no_news(directory: Path) -> None:
    write(directory / "started", STARTED)
    write(directory / "state" / "dynamodb.json", STARTED.replace(hour=9))
    write(directory / "state" / "saved", STARTED.replace(hour=11))

    assert start_of_unsaved_run(directory) is None


@pytest.mark.parametrize("is_first", [True, False])
def test_a_run_that_never_wrote_all_of_its_state_is_told_by_its_start(directory: Path, is_first: bool) -> None:
    write(directory / "started", STARTED)
    if not is_first:
        write(directory / "state" / "saved", STARTED.replace(hour=9))
    write(directory / "state" / "sqs.json", STARTED.replace(hour=11))

    assert start_of_unsaved_run(directory) == STARTED


def test_addresses_move_to_the_port_of_the_next_run(tmp_path: Path) -> None:
    state, deployment = tmp_path / "emulator" / "state", tmp_path / "deployment"
    state.mkdir(parents=True)
    deployment.mkdir()
    (tmp_path / "emulator" / "started").write_text("4566")
    (state / "sqs.json").write_text('{"http://localhost:4566/0/orders": {"quantity": 4566}}')
    (deployment / "terraform.tfstate").write_text('{"id": "http://127.0.0.1:4566/0/orders"}')

    move_to_port(tmp_path, 4740)

    assert (state / "sqs.json").read_text() == '{"http://localhost:4740/0/orders": {"quantity": 4566}}'
    assert (deployment / "terraform.tfstate").read_text() == '{"id": "http://127.0.0.1:4740/0/orders"}'
