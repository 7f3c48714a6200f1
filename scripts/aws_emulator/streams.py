"""Save the records of a table's stream, where ministack 1.5.33 saves only how many of them a function has read.

Without the records, a function skips as many new ones after a restart: so many orders would never be announced.
"""

import copy
from typing import Any

from ministack.services import dynamodb

_get_state = dynamodb.get_state
_load_persisted_state = dynamodb.load_persisted_state


def patch_streams() -> None:
    """Keep a stream's records where its table is kept."""
    dynamodb.get_state = _state_with_streams
    dynamodb.load_persisted_state = _load_with_streams


def _state_with_streams() -> dict[str, Any]:
    return {
        **_get_state(),
        "stream_records": copy.deepcopy(dynamodb._stream_records),
        "stream_trimmed": copy.deepcopy(dynamodb._stream_trimmed),
        "stream_sequence": dynamodb._stream_seq_counter,
    }


def _load_with_streams(state: dict[str, Any]) -> None:
    # Before the table, which a function that reads the stream waits for.
    dynamodb._stream_records.update(state.get("stream_records", {}))
    dynamodb._stream_trimmed.update(state.get("stream_trimmed", {}))
    dynamodb._stream_seq_counter = state.get("stream_sequence", 0)
    _load_persisted_state(state)
