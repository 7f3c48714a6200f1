"""The kinds of faults, by name, and what each is."""

from typing import Final

WIRE_FAULTS: Final = {
    "send_refused": "SQS refuses SendMessage",
    "send_timed_out": "SQS does not answer SendMessage and has not done it",
    "send_answer_lost": "SQS does SendMessage and its answer is lost",
    "store_throttled": "DynamoDB throttles a whole request, by each of its three codes",
    "store_throttled_in_part": "DynamoDB throttles some statements of a batch",
    "store_failed": "DynamoDB answers 500, or fails some statements",
    "store_timed_out": "DynamoDB does not answer and has done nothing",
    "store_answer_lost": "DynamoDB does the whole batch and its answer is lost",
    "store_done_in_part": "DynamoDB does a part of the batch and its answer is lost",
    "topic_failed": "SNS refuses to publish",
    "topic_failed_in_part": "SNS publishes a part of a batch",
    "topic_answer_lost": "SNS publishes and its answer is lost",
    "killed_before_effect": "a function is killed before its call has an effect",
    "killed_between_effects": "a function is killed when a part of its batch is done",
    "killed_after_effect": "a function is killed when its call is done and it does not know yet",
    "function_timed_out": "processing runs into its timeout in the middle of a batch",
    "slow_network": "every answer takes its time",
    "disorder": "messages reach the queue in another order than they were sent",
    "duplicate_delivery": "SQS delivers a message twice, some long after the first was settled",
}
"""What the proxy does to a request."""

KEY_REUSED: Final = "key_reused"

DISRUPTIONS: Final = {
    "poison": "messages that cannot be read",
    KEY_REUSED: "customers use an Idempotency-Key for a second order",
    "consumer_off": "the processing function's mapping is off and orders pile up",
    "table_missing": "the table is not there for a while",
    "announcements_given_up": "SNS refuses everything until announcements are given up",
    "permission_removed": "a function's role loses a permission for a while",
    "code_rolled_back": "code, settings and mapping are updated, and rolled back",
    "broken_code_rolled_back": "code that cannot start is deployed, and rolled back",
    "emulator_restarted": "everything is stopped and started again",
    "redelivered_early": "messages become visible again while they are at work",
    "redriven_once": "orders end in the dead-letter queue and are put back",
    "redriven_twice": "they are put back by two people at the same time",
    "redrive_killed": "putting them back is killed half-way and begun again",
}
"""What is done to the deployment, while orders come in."""

REDRIVES: Final = frozenset({"redriven_once", "redriven_twice", "redrive_killed"})

ALL_KINDS: Final = {**WIRE_FAULTS, **DISRUPTIONS}
