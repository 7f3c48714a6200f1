"""Warm cost: what our code does for an order besides the call to AWS."""

from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, compared
from bench.interpreters import run

ORDERS_PER_EVENT = {"submission": 1, "processing": 10}
NAMES = {"submission": "own work for an order, submission", "processing": "own work for a message of ten, processing"}
FLOORS = {"submission": "SDK's work for SendMessage", "processing": "its part of the SDK's work for the batch"}
SUBMISSION_AT_MOST_MICROSECONDS = 150

_EVENTS_A_ROUND = 100


def warm_costs(folder: Path, rounds: int) -> Iterator[Figure]:
    """Yield the processor time of submission an order, and of processing a message of ten.

    The floor is what the SDK itself needs for the call that the function makes, without the network.
    """
    for function, orders in ORDERS_PER_EVENT.items():
        measured = run("handle", folder, function, str(rounds), str(_EVENTS_A_ROUND))
        own, sdk = ([each / orders for each in measured[who]] for who in ("function", "sdk"))
        targets = {"value_at_most": SUBMISSION_AT_MOST_MICROSECONDS} if function == "submission" else {}
        yield compared(NAMES[function], own, sdk, "µs", FLOORS[function], **targets)
