"""Faults of the deployment itself, by their names in fault_types.DISRUPTIONS.

Each function injects one fault, undoes it, and returns whether it had an effect.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from faults.backend import PROCESSING_MAPPING, Killed
from faults.ledger import customer_of
from faults.seed import Context

_NOTIFICATION_RETRIES = 10  # as deployed
_ENOUGH_DEAD_LETTERS = 8
_PERMISSIONS = (
    ("submission", "sqs:SendMessage"),
    ("processing", "dynamodb:PartiQLInsert"),
    ("notification", "sns:Publish"),
)


def poison(context: Context) -> bool:
    tag, message = f"poison-{context.plan.seed}", context.backend.stack.message("nobody")
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
    backend, backlog = context.backend, len(context.plan.portions()[0]) // 2
    with _mapping("processing", context, {"Enabled": False}, {"Enabled": True}):
        context.wait_until(lambda: backend.depth().visible >= backlog, seconds=8)
        return bool(backend.depth().visible >= min(backlog, PROCESSING_MAPPING["BatchSize"]))


def table_missing(context: Context) -> bool:
    return _inject(context, "no_table", times=4)


def announcements_given_up(context: Context) -> bool:
    backend = context.backend
    before = backend.depth("notifications_dlq_url").total
    retries = "MaximumRetryAttempts"
    with (
        _mapping("notification", context, {retries: 0}, {retries: _NOTIFICATION_RETRIES}),
        context.proxy.active(context.plan.seed, ["topic_down"]),
    ):
        return context.wait_until(lambda: backend.depth("notifications_dlq_url").total > before, seconds=20)


def permission_removed(context: Context) -> bool:
    function, action = context.rng("permission").choice(_PERMISSIONS)

    def denials() -> int:
        log = context.backend.stack.log_of(function)
        return sum(map(log.count, ("AccessDenied", "AuthorizationError")))

    before = denials()
    with context.backend.stack.permission_removed(function, action):
        was_denied = context.wait_until(lambda: denials() > before, seconds=8)
        context.pause(1)
    return was_denied


def code_rolled_back(context: Context) -> bool:
    def change(text: str) -> str:
        return f"{text}\n# seed {context.plan.seed}\n"

    versions = {
        function: context.backend.stack.publish(function, f"orders/handlers/{function}.py", change, MemorySize=512)
        for function in ("submission", "processing", "notification")
    }
    mapping = {"BatchSize": 3, "ScalingConfig": {"MaximumConcurrency": 2}}
    with _mapping("processing", context, mapping), context.backend.stack.serving(versions):
        context.pause(2)
    return True


def broken_code_rolled_back(context: Context) -> bool:
    backend = context.backend
    broken = backend.stack.publish("processing", "orders/handlers/processing.py", lambda text: "import no_such_module")
    with backend.stack.serving({"processing": broken}):
        # Messages that this version receives stay hidden.
        was_received = context.wait_until(lambda: backend.depth().in_flight > 4, seconds=8)
        context.pause(1)
    return was_received


def emulator_restarted(context: Context) -> bool:
    context.backend.stop_emulator()
    context.backend.start_emulator()
    return True


def redelivered_early(context: Context) -> bool:
    with context.backend.visibility_timeout(1):
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
    wanted = backend.depth("orders_dlq_url").total + _ENOUGH_DEAD_LETTERS
    with backend.visibility_timeout(0), context.proxy.active(context.plan.seed, ["store_down"]):
        context.wait_until(lambda: backend.depth("orders_dlq_url").total >= wanted, seconds=30)


def _redrive(context: Context, killed_after: int | None = None) -> int:
    return context.backend.redrive(lambda body: context.owns(customer_of(body)), killed_after)


def _inject(context: Context, name: str, times: int) -> bool:
    """Inject a request fault into every request, until it has occurred this often."""
    before = context.proxy.injected[name]
    with context.proxy.active(context.plan.seed, [name]):
        context.wait_until(lambda: context.proxy.injected[name] >= before + times, seconds=8)
    return context.proxy.injected[name] > before


@contextmanager
def _mapping(
    function: str, context: Context, settings: dict[str, object], normal: dict[str, object] = PROCESSING_MAPPING
) -> Iterator[None]:
    """Change settings of a function's mapping during a `with` block."""
    context.backend.update_mapping(function, **settings)
    try:
        yield
    finally:
        context.backend.update_mapping(function, **normal)
