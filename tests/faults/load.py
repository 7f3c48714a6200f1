"""The clients: several at a time, impatient, and each knows no more than its answers tell."""

import dataclasses
import http.client
import json
import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from faults.ledger import Answered, Request
from faults.plan import Submission
from faults.scene import Scene
from support.deployment.api import JSON_TYPE, Answer, DeployedApi

# Each may need a function of its own, which is a process of this machine.
CLIENTS = 4

# A client gives up before a submission function that gets no answer from SQS does.
_CLIENT_SECONDS = 6

# Of those who were told that their order is accepted, so many look at once.
_CURIOUS = 0.1


def place_orders(scene: Scene, submissions: list[Submission], clients: ThreadPoolExecutor) -> Iterator["Future[None]"]:
    """Let the clients place these orders; yield what tells when each is done."""
    api = dataclasses.replace(scene.backend.stack.api, timeout_seconds=_CLIENT_SECONDS)
    for submission in submissions:
        for click in range(2 if submission.doubled else 1):
            yield clients.submit(_place, scene, api, submission, click)


def _place(scene: Scene, api: DeployedApi, submission: Submission, click: int) -> None:
    chance = scene.chance(f"client {submission.order} {click}")
    for number in range(submission.tries):
        if number:
            scene.pause(chance.uniform(0.1, 0.4) * 2**number)
        request = _send(api, submission)
        scene.ledger.requests.append(request)
        if request.answered is not Answered.INDETERMINATE:
            _look(scene, api, request, chance)
            return


def _send(api: DeployedApi, submission: Submission) -> Request:
    order, key = submission.order, submission.key
    headers = {**JSON_TYPE, **({"Idempotency-Key": key} if key else {})}
    answer = _answer(api, "POST", "/orders", json.dumps(dataclasses.asdict(order)).encode(), headers)
    if answer is None or answer.status >= 500:
        return Request(order, key, Answered.INDETERMINATE)
    if answer.status == 202:
        return Request(order, key, Answered.ACKNOWLEDGED, answer.json()["order_id"])
    return Request(order, key, Answered.REFUSED)


def _look(scene: Scene, api: DeployedApi, request: Request, chance: random.Random) -> None:
    """Ask for an order that was accepted: whatever else the answer is, it must not be that there is none."""
    if request.order_id is None or chance.random() > _CURIOUS:
        return
    answer = _answer(api, "GET", f"/orders/{request.order_id}")
    if answer is not None and answer.status == 404:
        scene.ledger.denied.append(request.order_id)


def _answer(
    api: DeployedApi, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer | None:
    try:
        return api.send(method, path, body, headers)
    except (OSError, http.client.HTTPException):
        return None
