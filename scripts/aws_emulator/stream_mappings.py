"""Retry failed batches of a table's stream as Lambda does, where ministack 1.5.33 differs.

ministack treats `batchItemFailures` as success, never splits a batch and never counts retries. On AWS:

- ReportBatchItemFailures: the lowest sequence number in the response is the checkpoint. The records from there on are
  retried. An empty or unknown item fails the whole batch.
- BisectBatchOnFunctionError: a failed batch is split in two, at the checkpoint if there is one. A split is not a
  retry.
- MaximumRetryAttempts and MaximumRecordAgeInSeconds: records over either go to the on-failure destination.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ministack.core import responses
from ministack.services import dynamodb, lambda_svc

from aws_emulator.queues import holding_the_lock

_STREAM_ARN = re.compile("arn:aws:dynamodb:[^:]+:[0-9]+:table/([^/:]+)/stream/.+")


@dataclass(frozen=True)
class Batch:
    """The records of a stream from `start` up to, but not including, `end`; the function failed `failures` times."""

    start: int
    end: int
    failures: int = 0


def batches_after_failure(
    batch: Batch, checkpoint: int, mapping: Mapping[str, Any], age_seconds: float
) -> tuple[Batch, ...] | str:
    """Return the batches that a mapping sends next, or the reason why Lambda discards the failed records.

    The records failed from position `checkpoint` on; `age_seconds` is the age of the oldest one.
    """
    rest = replace(batch, start=checkpoint)
    bisects = mapping.get("BisectBatchOnFunctionError")
    if bisects and checkpoint > batch.start:
        return (rest,)
    if age_seconds > _limit(mapping, "MaximumRecordAgeInSeconds"):
        return "MaxRecordAgeExceeded"
    if bisects and rest.end - rest.start > 1:
        middle = (rest.start + rest.end) // 2
        return replace(rest, end=middle), replace(rest, start=middle)
    if rest.failures >= _limit(mapping, "MaximumRetryAttempts"):
        return "RetryAttemptsExhausted"
    return (replace(rest, failures=rest.failures + 1),)


def _limit(mapping: Mapping[str, Any], name: str) -> float:
    value = int(mapping.get(name, -1))
    return math.inf if value < 0 else value  # -1 means no limit


def first_failure(response: Any, sequence_numbers: Sequence[str]) -> int | None:
    """Return the index of the first record that the function's response reports as failed.

    None if the batch succeeded; 0 if the response names no record of the batch, which fails it as a whole.
    """
    if isinstance(response, str):
        with suppress(ValueError):
            response = json.loads(response)
    failures = response.get("batchItemFailures") if isinstance(response, dict) else None
    if not failures:
        return None
    try:
        return min(sequence_numbers.index(failure["itemIdentifier"]) for failure in failures)
    except (KeyError, TypeError, ValueError):
        return 0


def patch() -> None:
    """Replace ministack's poller of tables' streams."""
    lambda_svc._poll_dynamodb_streams = _poll
    lambda_svc._send_ddb_stream_failure_record = holding_the_lock(lambda_svc._send_ddb_stream_failure_record)


_pending: dict[str, list[Batch]] = {}
"""The unfinished batches of each mapping, oldest first. After a restart they are read from the stream again."""


def _poll() -> bool:
    """Send the next batch of every mapping that is due and has none in flight; return whether there is any."""
    # Not any(), because it would stop at the first mapping that has a batch.
    return sum(_poll_mapping(*found) for found in lambda_svc._iter_all_esms()) > 0


def _poll_mapping(account: str, region: str, mapping: dict[str, Any]) -> bool:
    mapping_id = mapping["UUID"]
    if (
        not mapping.get("Enabled", True)
        or lambda_svc._esm_inflight.get(mapping_id, 0)
        or lambda_svc._esm_backoff_until._data.get((account, region, mapping_id), 0) > time.time()
    ):
        return False
    with responses.request_scope(account, region):
        table_name = _table_of(mapping)
        function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
        if table_name is None or function is None:
            return False
        batch = _next_batch(mapping, table_name)
        if batch is None:
            return False
        lambda_svc._dispatch_esm_batch(mapping_id, _send, mapping, function, table_name, batch)
        return True


def _table_of(mapping: Mapping[str, Any]) -> str | None:
    """Return the name of the table whose stream the mapping reads; None if it reads something else."""
    arn = mapping.get("EventSourceArn", "")
    found = _STREAM_ARN.fullmatch(arn)
    table = dynamodb._tables.get(found[1]) if found else None
    return found[1] if found and table and table.get("LatestStreamArn") == arn else None


def _next_batch(mapping: Mapping[str, Any], table_name: str) -> Batch | None:
    pending = _pending.setdefault(mapping["UUID"], [])
    if not pending:
        position = _position(mapping, table_name)
        records = dynamodb.stream_records_since(table_name, position, mapping.get("BatchSize", 100))
        if records:
            pending.append(Batch(position, position + len(records)))
    return pending[0] if pending else None


def _position(mapping: Mapping[str, Any], table_name: str) -> int:
    horizon: int = dynamodb.stream_start_position(table_name)
    end: int = dynamodb.stream_end_position(table_name)
    positions = lambda_svc._dynamodb_stream_positions
    with lambda_svc._dynamodb_stream_positions_lock:
        if mapping["UUID"] not in positions:
            positions[mapping["UUID"]] = horizon if mapping.get("StartingPosition") == "TRIM_HORIZON" else end
        # Skip records that have expired.
        return max(int(positions[mapping["UUID"]]), horizon)


def _send(mapping: dict[str, Any], function: dict[str, Any], table_name: str, batch: Batch) -> None:
    records = dynamodb.stream_records_since(table_name, batch.start, batch.end - batch.start)
    event = lambda_svc._apply_filter_criteria(records, mapping)
    result = lambda_svc._execute_function(function, {"Records": event}) if event else {"body": None}
    failed_at = _failed_at(mapping, result, records)
    batches: tuple[Batch, ...] = ()
    if failed_at is None:
        mapping["LastProcessingResult"] = f"OK - {len(event)} records"
    else:
        mapping["LastProcessingResult"] = "FAILED"
        lambda_svc._esm_backoff_until[mapping["UUID"]] = time.time() + lambda_svc._ESM_BACKOFF_SECONDS
        failed = records[failed_at:]
        created = [float(record["dynamodb"]["ApproximateCreationDateTime"]) for record in failed]
        age_seconds = time.time() - min(created, default=math.inf)
        match batches_after_failure(batch, batch.start + failed_at, mapping, age_seconds):
            case str(reason):
                source = mapping["EventSourceArn"]
                lambda_svc._send_ddb_stream_failure_record(mapping, function, failed, source, result, reason)
            case following:
                batches = following
    pending = _pending[mapping["UUID"]]
    pending[:1] = batches
    with lambda_svc._dynamodb_stream_positions_lock:
        lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = pending[0].start if pending else batch.end


def _failed_at(mapping: Mapping[str, Any], result: Mapping[str, Any], records: Sequence[Any]) -> int | None:
    if result.get("error"):
        return 0
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        return None
    return first_failure(result.get("body"), [record["dynamodb"]["SequenceNumber"] for record in records])
