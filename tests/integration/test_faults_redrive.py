"""How the fault campaign puts dead letters back: whoever is interrupted leaves a duplicate and never a gap."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from faults.redrive import Killed, all_bodies, redrive

BODIES = [f"order {number}" for number in range(25)]


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def queue(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="orders")["QueueUrl"])


@pytest.fixture
def dlq(sqs: Any) -> str:
    url = str(sqs.create_queue(QueueName="orders-dlq")["QueueUrl"])
    for body in BODIES:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    return url


def any_body(_: str) -> bool:
    return True


def test_every_dead_letter_goes_back_once(sqs: Any, queue: str, dlq: str) -> None:
    assert redrive(sqs, dlq, queue, any_body) == len(BODIES)
    assert sorted(all_bodies(sqs, queue)) == sorted(BODIES)
    assert all_bodies(sqs, dlq) == []


def test_what_is_not_wanted_stays_and_can_be_seen_at_once(sqs: Any, queue: str, dlq: str) -> None:
    redrive(sqs, dlq, queue, lambda body: body != "order 7")
    assert all_bodies(sqs, dlq) == ["order 7"]
    assert all_bodies(sqs, dlq) == ["order 7"], "looking takes nothing away"
    assert "order 7" not in all_bodies(sqs, queue)


def test_killed_half_way_it_has_doubled_one_and_lost_none(sqs: Any, queue: str, dlq: str) -> None:
    with pytest.raises(Killed):
        redrive(sqs, dlq, queue, any_body, killed_after=12)

    counts = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["All"])["Attributes"]
    left = sum(int(counts[f"ApproximateNumberOfMessages{suffix}"]) for suffix in ("", "NotVisible"))
    assert len(all_bodies(sqs, queue)) == 13, "twelve are done, the thirteenth is in both queues"
    assert left == len(BODIES) - 12
