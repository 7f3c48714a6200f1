"""How the emulator goes on after a function failed on records of a stream: as AWS documents it."""

import pytest

from aws_emulator.stream_mappings import Batch, Continuation, continue_after_failure, first_failure

BISECTING = {"BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 2, "MaximumRecordAgeInSeconds": 60}
NUMBERS = ["100", "101", "102"]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, "", "null"])
def test_an_answer_without_failures_is_success(answer: object) -> None:
    assert first_failure(answer, NUMBERS) is None


def test_the_lowest_sequence_number_is_the_checkpoint() -> None:
    failures = [{"itemIdentifier": "102"}, {"itemIdentifier": "101"}]
    assert first_failure({"batchItemFailures": failures}, NUMBERS) == 1


@pytest.mark.parametrize("item", [{"itemIdentifier": ""}, {"itemIdentifier": None}, {"id": "101"}, "101"])
def test_an_item_that_names_no_record_fails_the_whole_batch(item: object) -> None:
    assert first_failure({"batchItemFailures": [{"itemIdentifier": "102"}, item]}, NUMBERS) == 0


def test_a_batch_is_split_at_its_checkpoint() -> None:
    assert continue_after_failure(Batch(10, 20), 14, BISECTING, 1) == Continuation((Batch(14, 20),))


def test_a_batch_that_failed_as_a_whole_is_split_in_two_and_that_is_no_retry() -> None:
    assert continue_after_failure(Batch(10, 20), 10, BISECTING, 1) == Continuation((Batch(10, 15), Batch(15, 20)))


def test_a_single_record_is_retried_as_often_as_the_mapping_says_and_then_given_up() -> None:
    batch, sent = Batch(10, 11), 1
    while (continuation := continue_after_failure(batch, 10, BISECTING, 1)).batches:
        [batch] = continuation.batches
        sent += 1
    assert sent == 1 + 2
    assert continuation == Continuation(given_up=Batch(10, 11, 2), condition="RetryAttemptsExhausted")


def test_without_bisecting_the_rest_of_the_batch_is_retried_as_it_is() -> None:
    mapping = {"MaximumRetryAttempts": 1}
    assert continue_after_failure(Batch(10, 20), 14, mapping, 1) == Continuation((Batch(14, 20, 1),))
    assert continue_after_failure(Batch(14, 20, 1), 14, mapping, 1).given_up == Batch(14, 20, 1)


def test_what_is_too_old_is_given_up() -> None:
    assert continue_after_failure(Batch(10, 20), 10, BISECTING, 61) == Continuation(
        given_up=Batch(10, 20), condition="MaxRecordAgeExceeded"
    )


@pytest.mark.parametrize("mapping", [{}, {"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1}])
def test_without_limits_nothing_is_ever_given_up(mapping: dict[str, int]) -> None:
    assert continue_after_failure(Batch(10, 20, 9999), 10, mapping, 1e9) == Continuation((Batch(10, 20, 10000),))
