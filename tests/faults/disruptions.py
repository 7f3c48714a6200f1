"""What is done to the deployment while orders come in; each leaves everything as it was."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from faults.backend import PROCESSING_MAPPING, VISIBILITY_SECONDS
from faults.kinds import DISRUPTIONS, KEY_REUSED
from faults.ledger import customer_of
from faults.redrive import Killed, redrive
from faults.scene import Scene
from faults.wire_faults import DEAD_LETTERS_MADE, SLOW_STORE, TABLE_MISSING, TOPIC_DOWN

# As deployed.
_NOTIFICATION_RETRIES = 10

_ENOUGH_DEAD_LETTERS = 8
# How SQS, DynamoDB and SNS call it.
_DENIALS = ("AccessDenied", "AccessDeniedException", "AuthorizationError")
_PERMISSIONS = (
    ("submission", "sqs:SendMessage"),
    ("processing", "dynamodb:PartiQLInsert"),
    ("notification", "sns:Publish"),
)


def disrupt(scene: Scene, kind: str) -> None:
    """Do one kind to the deployment, and return when it is undone."""
    _DISRUPTIONS[kind](scene)


def _poison(scene: Scene) -> None:
    tag = f"poison-{scene.plan.seed}"
    message = scene.backend.stack.message("nobody")
    bodies = [
        f"{tag} is not JSON",
        json.dumps({**message, "version": 99, "request_id": tag}),
        json.dumps({**message, "order_id": tag}),
        json.dumps({**message, "order": {**message["order"], "quantity": tag}}),
    ]
    scene.ledger.poison += bodies
    scene.backend.stack.send_to_queue(*bodies)
    scene.faults.note("poison")


def _key_reused(scene: Scene) -> None:
    # The second orders are among the clients' submissions.
    scene.faults.note(KEY_REUSED)


def _consumer_off(scene: Scene) -> None:
    backlog = len(scene.plan.portions()[0]) // 2
    scene.backend.update_mapping("processing", Enabled=False)
    try:
        scene.wait_until(lambda: scene.backend.waiting() >= backlog, seconds=8)
        if scene.backend.waiting() >= min(backlog, PROCESSING_MAPPING["BatchSize"]):
            scene.faults.note("consumer_off")
    finally:
        scene.backend.update_mapping("processing", Enabled=True)


def _table_missing(scene: Scene) -> None:
    before = scene.faults.fired[TABLE_MISSING]
    with scene.faults.active(scene.plan.seed, [TABLE_MISSING]):
        scene.wait_until(lambda: scene.faults.fired[TABLE_MISSING] > before + 3, seconds=8)
        scene.pause(2)


def _announcements_given_up(scene: Scene) -> None:
    """Let SNS refuse everything; without the retries that the mapping has, so that it need not take long."""
    backend = scene.backend
    before = backend.given_up()
    backend.update_mapping("notification", MaximumRetryAttempts=0)
    try:
        with scene.faults.active(scene.plan.seed, [TOPIC_DOWN]):
            if scene.wait_until(lambda: backend.given_up() > before, seconds=20):
                scene.faults.note("announcements_given_up")
    finally:
        backend.update_mapping("notification", MaximumRetryAttempts=_NOTIFICATION_RETRIES)


def _permission_removed(scene: Scene) -> None:
    function, action = scene.chance("permission").choice(_PERMISSIONS)

    def refusals() -> int:
        return sum(scene.faults.refusals[code] for code in _DENIALS)

    before = refusals()
    with scene.backend.stack.permission_removed(function, action):
        if scene.wait_until(lambda: refusals() > before, seconds=8):
            scene.faults.note("permission_removed")
        scene.pause(1)


def _code_rolled_back(scene: Scene) -> None:
    backend = scene.backend
    functions = ("submission", "processing", "notification")
    former = {function: backend.serving(function) for function in functions}
    package = backend.package(lambda path, text: f"{text}\n# seed {scene.plan.seed}\n")
    versions = {function: backend.publish(function, package, memory_megabytes=512) for function in functions}
    try:
        for function in functions:
            backend.serve(function, versions[function])
        backend.update_mapping("processing", BatchSize=3, ScalingConfig={"MaximumConcurrency": 2})
        scene.pause(2)
        scene.faults.note("code_rolled_back")
    finally:
        for function in functions:
            backend.serve(function, former[function])
        backend.update_mapping("processing", **PROCESSING_MAPPING)


def _broken_code_rolled_back(scene: Scene) -> None:
    backend = scene.backend
    former = backend.serving("processing")
    broken = backend.package(
        lambda path, text: "import nothing_of_this_name" if path.endswith("processing.py") else text
    )
    version = backend.publish("processing", broken)
    try:
        backend.serve("processing", version)
        # What it receives stays hidden, since it cannot answer.
        if scene.wait_until(lambda: backend.unsettled() > backend.waiting() + 4, seconds=8):
            scene.faults.note("broken_code_rolled_back")
        scene.pause(1)
    finally:
        backend.serve("processing", former)


def _emulator_restarted(scene: Scene) -> None:
    scene.backend.restart()
    scene.faults.note("emulator_restarted")


def _redelivered_early(scene: Scene) -> None:
    before = scene.faults.fired[SLOW_STORE]
    scene.backend.hide_received_messages(1)
    try:
        with scene.faults.active(scene.plan.seed, [SLOW_STORE]):
            scene.wait_until(lambda: scene.faults.fired[SLOW_STORE] > before + 6, seconds=8)
    finally:
        scene.backend.hide_received_messages(VISIBILITY_SECONDS)


def _redriven_once(scene: Scene) -> None:
    _make_dead_letters(scene)
    if _redrive(scene):
        scene.faults.note("redriven_once")


def _redriven_twice(scene: Scene) -> None:
    _make_dead_letters(scene)
    with ThreadPoolExecutor(2) as people:
        if sum(people.map(_redrive, (scene, scene))):
            scene.faults.note("redriven_twice")


def _redrive_killed(scene: Scene) -> None:
    _make_dead_letters(scene)
    try:
        _redrive(scene, killed_after=3)
    except Killed:
        scene.faults.note("redrive_killed")
    _redrive(scene)


def _make_dead_letters(scene: Scene) -> None:
    """Let processing fail until some orders are given up; soon, because they are not hidden in between."""
    before = scene.backend.dead()
    scene.backend.hide_received_messages(0)
    try:
        with scene.faults.active(scene.plan.seed, [DEAD_LETTERS_MADE]):
            scene.wait_until(lambda: scene.backend.dead() >= before + _ENOUGH_DEAD_LETTERS, seconds=30)
    finally:
        scene.backend.hide_received_messages(VISIBILITY_SECONDS)


def _redrive(scene: Scene, killed_after: int | None = None) -> int:
    outputs = scene.backend.outputs
    return redrive(
        scene.backend.sqs,
        outputs["orders_dlq_url"],
        outputs["orders_queue_url"],
        lambda body: scene.is_ours(customer_of(body)),
        killed_after,
    )


_DISRUPTIONS: dict[str, Callable[[Scene], None]] = {
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
assert _DISRUPTIONS.keys() == DISRUPTIONS.keys()
