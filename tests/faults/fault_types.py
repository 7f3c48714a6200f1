"""The fault types by name."""

from dataclasses import dataclass
from typing import Final, Literal

SEND, STORE, PUBLISH = "SendMessage", "BatchExecuteStatement", "PublishBatch"
_WRITES = frozenset({SEND, STORE, PUBLISH})
_DYNAMODB = frozenset({STORE, "BatchGetItem", "GetItem"})
_SQS, _TABLE, _SNS = frozenset({SEND}), frozenset({STORE}), frozenset({PUBLISH})


@dataclass(frozen=True)
class RequestFault:
    """A fault that occurs in a share of the requests of `operations`."""

    description: str
    operations: frozenset[str]
    share: float
    effect: Literal["none", "half", "maybe", "all"] = "all"
    """How much of the request AWS does; "half" applies to batches only."""
    then: Literal["respond", "lose", "hang", "kill", "silence", "repeat"] = "respond"
    delay_seconds: tuple[float, float] | None = None
    errors: tuple[tuple[int, str], ...] = ()
    """Statuses and codes of a rejected request; it has no effect."""
    item_errors: tuple[str, ...] = ()
    """Codes of rejected items; the other items of the batch take effect."""


_UNAVAILABLE = ((500, "InternalError"), (503, "ServiceUnavailable"))
_SNS_ERRORS = ((400, "Throttled"), *_UNAVAILABLE)
_NO_TABLE = ((400, "ResourceNotFoundException"),)
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_THROTTLES = ("ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException")
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html
_STATEMENT_THROTTLES = ("ProvisionedThroughputExceeded", "RequestLimitExceeded", "ThrottlingError")

REQUEST_FAULTS: Final = {
    "send_refused": RequestFault(
        "SQS rejects SendMessage", _SQS, 0.15, errors=((400, "RequestThrottled"), *_UNAVAILABLE)
    ),
    "send_timed_out": RequestFault("SQS does not respond and does nothing", _SQS, 0.01, "none", "hang"),
    "send_response_lost": RequestFault("SQS stores the message; its response is lost", _SQS, 0.1, then="lose"),
    "store_throttled": RequestFault(
        "DynamoDB throttles a request", _DYNAMODB, 0.25, errors=tuple((400, code) for code in _THROTTLES)
    ),
    "store_throttled_in_part": RequestFault(
        "DynamoDB throttles some statements of a batch", _TABLE, 0.25, item_errors=_STATEMENT_THROTTLES
    ),
    "store_failed": RequestFault(
        "DynamoDB responds with 500, or fails some statements",
        _DYNAMODB,
        0.25,
        errors=((500, "InternalServerError"),),
        item_errors=("InternalServerError",),
    ),
    "store_timed_out": RequestFault("DynamoDB does not respond and does nothing", _DYNAMODB, 0.03, "none", "hang"),
    "store_response_lost": RequestFault("DynamoDB stores the batch; its response is lost", _TABLE, 0.15, then="lose"),
    "store_done_in_part": RequestFault(
        "DynamoDB stores half of a batch; its response is lost", _TABLE, 0.25, "half", "lose"
    ),
    "topic_failed": RequestFault("SNS rejects a request", _SNS, 0.2, errors=_SNS_ERRORS),
    "topic_failed_in_part": RequestFault("SNS publishes a part of a batch", _SNS, 0.2, item_errors=("InternalError",)),
    "topic_response_lost": RequestFault("SNS publishes; its response is lost", _SNS, 0.1, then="lose"),
    "killed_before_effect": RequestFault("a function is killed before its call", _WRITES, 0.02, "none", "kill"),
    "killed_between_effects": RequestFault(
        "a function is killed after half of its batch", _TABLE | _SNS, 0.1, "half", "kill"
    ),
    "killed_after_effect": RequestFault("a function is killed before the response", _WRITES, 0.02, then="kill"),
    "function_timed_out": RequestFault("processing times out during a batch", _TABLE, 0.04, "maybe", "silence"),
    "slow_network": RequestFault("calls are delayed", _DYNAMODB | _WRITES, 0.3, delay_seconds=(0.1, 1.0)),
    "disorder": RequestFault("messages overtake each other", _SQS, 0.15, delay_seconds=(0.2, 2.0)),
    "duplicate_delivery": RequestFault(
        "SQS delivers a message twice, some long after the first was processed", _SQS, 0.15, then="repeat"
    ),
}

# Disruptions inject these in all requests.
DISRUPTION_FAULTS: Final = {
    "no_table": RequestFault("the table is missing", _DYNAMODB, 1, errors=_NO_TABLE),
    "store_down": RequestFault("nothing can be stored", _DYNAMODB, 1, errors=_NO_TABLE),
    "topic_down": RequestFault("nothing can be published", _SNS, 1, errors=_SNS_ERRORS),
    "slow_store": RequestFault("storing exceeds the visibility timeout", _TABLE, 1, delay_seconds=(1.2, 2.5)),
}

DISRUPTIONS: Final = {
    "poison": "messages that are not valid orders",
    "key_reused": "customers reuse an Idempotency-Key for a second order",
    "consumer_off": "processing's mapping is disabled and a backlog builds up",
    "table_missing": "the table does not exist for a while",
    "announcements_given_up": "SNS rejects everything until announcements are given up",
    "permission_removed": "a function's role loses a permission for a while",
    "code_rolled_back": "code, settings and mapping are updated and rolled back",
    "broken_code_rolled_back": "code that cannot start is deployed and rolled back",
    "emulator_restarted": "everything is stopped and started again",
    "redelivered_early": "messages become visible while they are processed",
    "redriven_once": "dead letters are redriven",
    "redriven_twice": "two operators redrive dead letters at the same time",
    "redrive_killed": "a redrive is killed and repeated",
}

REDRIVES: Final = frozenset({"redriven_once", "redriven_twice", "redrive_killed"})

DESCRIPTIONS: Final = {name: fault.description for name, fault in REQUEST_FAULTS.items()} | DISRUPTIONS
"""All fault types."""
