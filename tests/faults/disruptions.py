"""Faults of the deployment itself; each is undone before it returns."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from faults.backend import PROCESSING_MAPPING, VISIBILITY_SECONDS
from faults.context import Context
from faults.fault_types import KEY_REUSED, SLOW_STORE, STORE_DOWN, TABLE_MISSING, TOPIC_DOWN
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


def disrupt(context: Context, name: str) -> None:
    """Inject a disruption and undo it."""
    _DISRUPTIONS[name](context)


def _poison(context: Context) -> None:
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
    context.faults.note("poison")


def _key_reused(context: Context) -> None:
    context.faults.note(KEY_REUSED)  # the plan has the orders


def _consumer_off(context: Context) -> None:
    backlog = len(context.plan.portions()[0]) // 2
    context.backend.update_mapping("processing", Enabled=False)
    try:
        context.wait_until(lambda: context.backend.visible() >= backlog, seconds=8)
        if context.backend.visible() >= min(backlog, PROCESSING_MAPPING["BatchSize"]):
            context.faults.note("consumer_off")
    finally:
        context.backend.update_mapping("processing", Enabled=True)


def _table_missing(context: Context) -> None:
    _inject(context, TABLE_MISSING, times=4)


def _announcements_given_up(context: Context) -> None:
    backend = context.backend
    before = backend.messages("notifications_dlq_url")
    backend.update_mapping("notification", MaximumRetryAttempts=0)
    try:
        with context.faults.active(context.plan.seed, [TOPIC_DOWN]):
            if context.wait_until(lambda: backend.messages("notifications_dlq_url") > before, seconds=20):
                context.faults.note("announcements_given_up")
    finally:
        backend.update_mapping("notification", MaximumRetryAttempts=_NOTIFICATION_RETRIES)


def _permission_removed(context: Context) -> None:
    function, action = context.chance("permission").choice(_PERMISSIONS)

    def denials() -> int:
        return sum(context.error_codes[code] for code in _DENIALS)

    before = denials()
    with context.backend.stack.permission_removed(function, action):
        if context.wait_until(lambda: denials() > before, seconds=8):
            context.faults.note("permission_removed")
        context.pause(1)


def _code_rolled_back(context: Context) -> None:
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
        context.faults.note("code_rolled_back")
    finally:
        for function in functions:
            backend.serve(function, former[function])
        backend.update_mapping("processing", **PROCESSING_MAPPING)


def _broken_code_rolled_back(context: Context) -> None:
    backend = context.backend
    former = backend.serving("processing")
    version = backend.publish(
        "processing", lambda path, text: "import no_such_module" if path.endswith("processing.py") else text
    )
    try:
        backend.serve("processing", version)
        # Messages that this version receives stay hidden.
        if context.wait_until(lambda: backend.messages() > backend.visible() + 4, seconds=8):
            context.faults.note("broken_code_rolled_back")
        context.pause(1)
    finally:
        backend.serve("processing", former)


def _emulator_restarted(context: Context) -> None:
    context.backend.stop_emulator()
    context.backend.start_emulator()
    context.faults.note("emulator_restarted")


def _redelivered_early(context: Context) -> None:
    with _visibility_timeout(context, 1):
        _inject(context, SLOW_STORE, times=7)


def _redriven_once(context: Context) -> None:
    _make_dead_letters(context)
    if _redrive(context):
        context.faults.note("redriven_once")


def _redriven_twice(context: Context) -> None:
    _make_dead_letters(context)
    with ThreadPoolExecutor(2) as operators:
        if sum(operators.map(_redrive, (context, context))):
            context.faults.note("redriven_twice")


def _redrive_killed(context: Context) -> None:
    _make_dead_letters(context)
    try:
        _redrive(context, killed_after=3)
    except Killed:
        context.faults.note("redrive_killed")
    _redrive(context)


def _make_dead_letters(context: Context) -> None:
    """Make processing fail. Messages are received again immediately until they are dead-lettered."""
    backend = context.backend
    wanted = backend.messages("orders_dlq_url") + _ENOUGH_DEAD_LETTERS
    with _visibility_timeout(context, 0), context.faults.active(context.plan.seed, [STORE_DOWN]):
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


def _inject(context: Context, name: str, times: int) -> None:
    """Inject a request fault into every request, until it has occurred this often."""
    wanted = context.faults.injected[name] + times
    with context.faults.active(context.plan.seed, [name]):
        context.wait_until(lambda: context.faults.injected[name] >= wanted, seconds=8)


@contextmanager
def _visibility_timeout(context: Context, seconds: int) -> Iterator[None]:
    context.backend.set_visibility_timeout(seconds)
    try:
        yield
    finally:
        context.backend.set_visibility_timeout(VISIBILITY_SECONDS)


_DISRUPTIONS: dict[str, Callable[[Context], None]] = {
    "poison": _poison,
    KEY_REUSED: _key_reused,
    "consumer_off": _consumer_off,
    TABLE_MISSING: _table_missing,
    "announcements_given_up": _announcements_given_up,
    "permission_removed": _permission_removed,
    "code_rolled_back": _code_rolled_back,
    "broken_code_rolled_back": _broken_code_rolled_back,
    "emulator_restarted": _emulator_restarted,
    SLOW_STORE: _redelivered_early,
    "redriven_once": _redriven_once,
    "redriven_twice": _redriven_twice,
    "redrive_killed": _redrive_killed,
}
