"""Faults of the deployment itself, by their names in fault_types.DISRUPTIONS.

Each function injects one fault, undoes it, and returns whether it had an effect.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from faults.backend import PROCESSING_MAPPING, VISIBILITY_SECONDS
from faults.context import Context
from faults.ledger import customer_of
from faults.redrive import Killed, redrive

_NOTIFICATION_RETRIES = 10  # as deployed
_ENOUGH_DEAD_LETTERS = 8
_DENIALS = ("AccessDenied", "AccessDeniedException", "AuthorizationError")  # of SQS, DynamoDB and SNS
_PERMISSIONS = (
    ("submission", "sqs:SendMessage"),
    ("processing", "dynamodb:PartiQLInsert"),
    ("notification", "sns:Publish"),
)


def poison(context: Context) -> bool:
    tag = f"poison-{context.plan.seed}"
    message = context.backend.stack.message("nobody")
    bodies = [
        f"{tag} is not JSON",
        json.dumps({**message, "version": 99, "request_id": tag}),
        json.dumps({**message, "order_id": tag}),
        json.dumps({**message, "order": {**message["order"], "quantity": tag}}),
    ]
    context.ledger.poison += bodies
    context.backend.stack.send_to_queue(*bodies)
    return True


def key_reused(context: Context) -> bool:
    return True  # the plan has the orders


def consumer_off(context: Context) -> bool:
    backlog = len(context.plan.portions()[0]) // 2
    context.backend.update_mapping("processing", Enabled=False)
    try:
        context.wait_until(lambda: context.backend.visible() >= backlog, seconds=8)
        return bool(context.backend.visible() >= min(backlog, PROCESSING_MAPPING["BatchSize"]))
    finally:
        context.backend.update_mapping("processing", Enabled=True)


def table_missing(context: Context) -> bool:
    return _inject(context, "no_table", times=4)


def announcements_given_up(context: Context) -> bool:
    backend = context.backend
    before = backend.messages("notifications_dlq_url")
    backend.update_mapping("notification", MaximumRetryAttempts=0)
    try:
        with context.faults.active(context.plan.seed, ["topic_down"]):
            return context.wait_until(lambda: backend.messages("notifications_dlq_url") > before, seconds=20)
    finally:
        backend.update_mapping("notification", MaximumRetryAttempts=_NOTIFICATION_RETRIES)


def permission_removed(context: Context) -> bool:
    function, action = context.rng("permission").choice(_PERMISSIONS)

    def denials() -> int:
        return sum(context.error_codes[code] for code in _DENIALS)

    before = denials()
    with context.backend.stack.permission_removed(function, action):
        was_denied = context.wait_until(lambda: denials() > before, seconds=8)
        context.pause(1)
    return was_denied


def code_rolled_back(context: Context) -> bool:
    backend, functions = context.backend, ("submission", "processing", "notification")
    former = {function: backend.serving(function) for function in functions}

    def change(path: str, text: str) -> str:
        return f"{text}\n# seed {context.plan.seed}\n"

    versions = {function: backend.publish(function, change, memory_megabytes=512) for function in functions}
    try:
        for function in functions:
            backend.serve(function, versions[function])
        backend.update_mapping("processing", BatchSize=3, ScalingConfig={"MaximumConcurrency": 2})
        context.pause(2)
    finally:
        for function in functions:
            backend.serve(function, former[function])
        backend.update_mapping("processing", **PROCESSING_MAPPING)
    return True


def broken_code_rolled_back(context: Context) -> bool:
    backend = context.backend
    former = backend.serving("processing")
    version = backend.publish(
        "processing", lambda path, text: "import no_such_module" if path.endswith("processing.py") else text
    )
    try:
        backend.serve("processing", version)
        # Messages that this version receives stay hidden.
        was_received = context.wait_until(lambda: backend.messages() > backend.visible() + 4, seconds=8)
        context.pause(1)
    finally:
        backend.serve("processing", former)
    return was_received


def emulator_restarted(context: Context) -> bool:
    context.backend.stop_emulator()
    context.backend.start_emulator()
    return True


def redelivered_early(context: Context) -> bool:
    with _visibility_timeout(context, 1):
        return _inject(context, "slow_store", times=7)


def redriven_once(context: Context) -> bool:
    _make_dead_letters(context)
    return _redrive(context) > 0


def redriven_twice(context: Context) -> bool:
    _make_dead_letters(context)
    with ThreadPoolExecutor(2) as operators:
        return sum(operators.map(_redrive, (context, context))) > 0


def redrive_killed(context: Context) -> bool:
    _make_dead_letters(context)
    try:
        _redrive(context, killed_after=3)
    except Killed:
        _redrive(context)
        return True
    return False


def _make_dead_letters(context: Context) -> None:
    """Make processing fail. Messages are received again immediately until they are dead-lettered."""
    backend = context.backend
    wanted = backend.messages("orders_dlq_url") + _ENOUGH_DEAD_LETTERS
    with _visibility_timeout(context, 0), context.faults.active(context.plan.seed, ["store_down"]):
        context.wait_until(lambda: backend.messages("orders_dlq_url") >= wanted, seconds=30)


def _redrive(context: Context, killed_after: int | None = None) -> int:
    outputs = context.backend.outputs
    return redrive(
        context.backend.sqs,
        outputs["orders_dlq_url"],
        outputs["orders_queue_url"],
        lambda body: context.owns(customer_of(body)),
        killed_after,
    )


def _inject(context: Context, name: str, times: int) -> bool:
    """Inject a request fault into every request, until it has occurred this often."""
    before = context.faults.injected[name]
    with context.faults.active(context.plan.seed, [name]):
        context.wait_until(lambda: context.faults.injected[name] >= before + times, seconds=8)
    return context.faults.injected[name] > before


@contextmanager
def _visibility_timeout(context: Context, seconds: int) -> Iterator[None]:
    context.backend.set_visibility_timeout(seconds)
    try:
        yield
    finally:
        context.backend.set_visibility_timeout(VISIBILITY_SECONDS)
