"""The emulator splits, retries and discards failed stream batches as AWS documents."""

from typing import Any

import pytest

from aws_emulator.stream_mappings import Batch, batches_after_failure, first_failure

BISECTING = {"BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 2, "MaximumRecordAgeInSeconds": 60}
NUMBERS = ["100", "101", "102"]
SUCCESSES: list[Any] = [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, "", "null"]
LAST = {"itemIdentifier": "102"}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        *[(each, None) for each in SUCCESSES],
        ({"batchItemFailures": [LAST, {"itemIdentifier": "101"}]}, 1),
        # An item that identifies no record fails the whole batch.
        *(
            ({"batchItemFailures": [LAST, item]}, 0)
            for item in ({"itemIdentifier": ""}, {"itemIdentifier": None}, {"id": "101"}, "101")
        ),
    ],
)
def test_first_failure_is_the_lowest_sequence_number(response: object, expected: int | None) -> None:
    assert first_failure(response, NUMBERS) == expected


UNBISECTED = {"MaximumRetryAttempts": 1}
UNLIMITED = {"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1}


@pytest.mark.parametrize(
    ("batch", "checkpoint", "mapping", "age_seconds", "expected"),
    [
        (Batch(10, 20), 14, BISECTING, 1, (Batch(14, 20),)),
        # A failed batch is split, which does not count as a retry. A single record is retried, then discarded.
        (Batch(10, 20), 10, BISECTING, 1, (Batch(10, 15), Batch(15, 20))),
        (Batch(10, 11), 10, BISECTING, 1, (Batch(10, 11, 1),)),
        (Batch(10, 11, 2), 10, BISECTING, 1, "RetryAttemptsExhausted"),
        (Batch(10, 20), 10, BISECTING, 61, "MaxRecordAgeExceeded"),
        # Without bisecting, the rest of the batch is retried unsplit.
        (Batch(10, 20), 14, UNBISECTED, 1, (Batch(14, 20, 1),)),
        (Batch(14, 20, 1), 14, UNBISECTED, 1, "RetryAttemptsExhausted"),
        # Without limits no record is discarded.
        (Batch(10, 20, 9999), 10, {}, 1e9, (Batch(10, 20, 10000),)),
        (Batch(10, 20), 10, UNLIMITED, 1e9, (Batch(10, 20, 1),)),
    ],
)
def test_failed_batch_is_split_retried_and_discarded(
    batch: Batch, checkpoint: int, mapping: dict[str, Any], age_seconds: float, expected: object
) -> None:
    assert batches_after_failure(batch, checkpoint, mapping, age_seconds) == expected
