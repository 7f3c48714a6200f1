"""Changes of lambda/ are deployed to a running local stack."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

import local_stack.stack
from local_stack import LocalStack, Settings
from local_stack.machine import free_port
from local_stack.report import Report
from support.deployment.api import DeployedApi
from support.deployment.package import lambda_zip
from support.repository.files import REPOSITORY
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for

# About 2 s on an idle machine.
REDEPLOY_SECONDS = 30


class Lines(Report):
    """Records the lines about redeployments."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def line(self, text: str) -> None:
        if text.startswith("lambda/"):
            self.seen.append(text)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with a copy of lambda/, from which local stacks are deployed."""
    root = tmp_path / "checkout"
    shutil.copytree(REPOSITORY / "lambda", root / "lambda", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(local_stack.stack, "built_package", lambda *_: lambda_zip("local", root))
    return root


def status_of_new_order(stack: LocalStack) -> str:
    response = DeployedApi(stack.api_url).post(SAMPLE_BODY)
    assert response.status == 202, response.body
    return str(response.json()["status"])


@contextmanager
def continuous_orders(stack: LocalStack) -> Iterator[None]:
    """Place orders continuously; check that all are accepted and stored."""
    ids: list[str] = []
    failures: list[bytes] = []
    stop = threading.Event()

    def place() -> None:
        while not stop.is_set():
            response = DeployedApi(stack.api_url).post(SAMPLE_BODY)
            if response.status == 202:
                ids.append(response.json()["order_id"])
            else:
                failures.append(response.body)
            stop.wait(0.2)

    client = threading.Thread(target=place)
    client.start()
    try:
        yield
    finally:
        stop.set()
        client.join()
    assert ids
    assert not failures
    api = DeployedApi(stack.api_url)
    wait_for("all orders", lambda: all(api.get(each).json()["status"] == "PROCESSED" for each in ids))


def test_changed_code_is_deployed_and_broken_code_is_reported(tmp_path: Path, checkout: Path) -> None:
    settings = Settings(
        storefront_port=free_port(),
        aws_port=free_port(),
        local_directory=tmp_path / "local-stack",
        redeploy_from=checkout,
    )
    handler = checkout / "lambda" / "orders" / "handlers" / "submission.py"
    original = handler.read_text(encoding="utf-8")

    def save(status: str) -> None:
        handler.write_text(original.replace('"ACCEPTED"', f'"{status}"'), encoding="utf-8")

    def line_after(change: Callable[[], object], lines: Lines) -> str:
        count = len(lines.seen)
        change()
        return wait_for("the report", lambda: lines.seen[count:], REDEPLOY_SECONDS)[0]

    lines = Lines()
    with LocalStack(settings, lines) as stack:
        assert status_of_new_order(stack) == "ACCEPTED"
        assert lines.seen == []
        with continuous_orders(stack):
            assert line_after(partial(save, "SECOND"), lines).startswith("lambda/ was deployed in ")
            assert status_of_new_order(stack) == "SECOND"
            broken = line_after(lambda: handler.write_text("def handler(:\n", encoding="utf-8"), lines)
            assert broken == (
                "lambda/ was not deployed, its previous version keeps running: "
                "lambda/orders/handlers/submission.py, line 1: SyntaxError: invalid syntax."
            )
            assert status_of_new_order(stack) == "SECOND"
        stack.require_running()

    # The CloudFormation stack still has the first version, so its deployment changes nothing.
    save("ACCEPTED")
    with LocalStack(settings, lines) as stack:
        assert status_of_new_order(stack) == "ACCEPTED"
        started = tmp_path / "import"
        handler.write_text(f"import time; open({str(started)!r}, 'w'); time.sleep(60)", encoding="utf-8")
        wait_for("the import of the handler", started.exists, REDEPLOY_SECONDS)
    assert "takes longer than" not in lines.seen[-1], "the stack waited for the import when it was stopped"
