"""The local stack: starts its parts in order, and stops them in reverse order."""

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self
from urllib.parse import urlsplit

from local_stack.alarms import Alarms
from local_stack.aws import AwsConnection
from local_stack.deployment import built_package, completion_mark, deployment_by, reconcile
from local_stack.emulator import move_to_port, running_emulator, start_of_unsaved_run
from local_stack.environment import without_user_settings
from local_stack.machine import (
    LOOPBACK,
    LocalStackError,
    RunLock,
    make_private,
    require_free,
    require_space,
    write_private,
)
from local_stack.mailbox import Mailbox, alarm_text, completed_order_text
from local_stack.processes import Background, Process
from local_stack.report import Report
from local_stack.settings import REPOSITORY, Settings

_WATCH_SECONDS = 0.5
# Each evaluation takes about 20 ms of CPU time, each delivery 6 ms.
_ALARM_SECONDS = 2
_EMAIL_SECONDS = 1
_REDEPLOY_SECONDS = 0.5
_STOREFRONT_STOP_SECONDS = 5

# A running system needs about 40 MB; each worker of a function unpacks its code too.
_MEGABYTES_TO_START = 100
# The emulator's state is a few MB.
_MEGABYTES_TO_SAVE = 20


class LocalStack:
    """The running system: the `with` block starts when an order can be placed, and its end stops everything.

    The emulator's data is kept for the next run with the same `local_directory` and `deploy`. If the stack cannot
    start, it raises LocalStackError and leaves nothing running.
    """

    outputs: dict[str, str]
    """The backend's outputs, by the names in terraform-backend/outputs.tf."""

    def __init__(self, settings: Settings, report: Report | None = None) -> None:
        self.settings = settings
        self.storefront_url = f"http://localhost:{settings.storefront_port}"
        self.mailbox = settings.local_directory / "mailbox"
        self._report = report or Report()
        self._parts: list[Process | Background] = []
        self._emulator: Process | None = None
        self._started = ExitStack()

    @property
    def connection(self) -> AwsConnection:
        return self.settings.connection

    @property
    def endpoint_url(self) -> str:
        return self.connection.endpoint_url

    def client(self, service: str) -> Any:
        """Return the boto3 client of an AWS service in the emulator, as its root user."""
        return self.connection.client(service)

    @property
    def api_url(self) -> str:
        """The address of the orders API, with a host name that every client can resolve."""
        return resolvable_api_url(self.endpoint_url, self.outputs["api_endpoint"])

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException as error:
            self._stop(error)
            raise
        return self

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        self._stop(error)

    def require_running(self) -> None:
        """Raise LocalStackError if a part of the stack has ended, or if its files cannot be written."""
        if not self.settings.local_directory.exists():
            raise LocalStackError(f"{self.settings.local_directory} was deleted while the system ran: start again.")
        require_space(self.settings.local_directory, _MEGABYTES_TO_SAVE)
        for part in self._parts:
            part.require_running()

    def watch(self) -> None:
        """Check every part, and raise LocalStackError when one ends."""
        while True:
            self.require_running()
            time.sleep(_WATCH_SECONDS)

    def _start(self) -> None:
        settings, report = self.settings, self._report
        directory = settings.local_directory
        home, logs = directory / settings.deploy, directory / "logs"
        # Check everything before starting anything.
        make_private(directory)
        lock = self._started.enter_context(RunLock(directory))
        stack_file = directory / "stack.json"
        stack_file.unlink(missing_ok=True)
        require_space(directory, _MEGABYTES_TO_START)
        deployment = deployment_by(settings, home / "deployment", lock)
        require_free(settings.storefront_port, "the storefront", "PORT")
        require_free(settings.aws_port, "the emulator of AWS", "AWS_PORT")

        report.step("Building the Lambda package")
        zip_path = built_package(report)

        report.step("Starting the emulator of AWS")
        if unsaved := start_of_unsaved_run(home / "emulator"):
            reason = "ended before the emulator could save its state: the orders of that run are lost."
            report.line(f"  The run of {unsaved:%Y-%m-%d %H:%M} {reason}")
        move_to_port(home, settings.aws_port)
        reconcile(home, report)
        self._emulator = self._started.enter_context(
            running_emulator(home / "emulator", settings.connection, logs / "emulator.log", lock, settings.origins)
        )
        self._parts.append(self._emulator)

        report.step(f"Deploying the backend with {settings.deploy}")
        alarms = Alarms(self.client("cloudwatch"), self.client("sqs"))
        mailbox = Mailbox(self.client("sqs"), self.client("sns"), self.mailbox)
        mailbox.unsubscribe()
        started_at = time.monotonic()
        self.outputs = dict(deployment.deploy(zip_path, report))
        completion_mark(home).touch()
        report.line(f"  Deployed in {time.monotonic() - started_at:.0f} s")
        alarms.initialize()
        alerts, completed = self.outputs["alerts_topic_arn"], self.outputs["order_completed_topic_arn"]
        mailbox.subscribe({alerts: alarm_text, completed: completed_order_text})

        def deliver_emails() -> None:
            for email in mailbox.deliver():
                report.email(email)

        self._repeat("The evaluation of alarms", alarms.evaluate, _ALARM_SECONDS)
        self._repeat("The delivery of e-mails", deliver_emails, _EMAIL_SECONDS)
        if settings.redeploy_from is not None:
            # Imported here because the operator's commands import this package and must start fast.
            from local_stack.redeploy import Redeployment

            redeployment = Redeployment(settings.redeploy_from, settings, report)
            redeployment.step()
            self._repeat("The deployment of changes", redeployment.step, _REDEPLOY_SECONDS)
            self._started.callback(redeployment.stopping.set)

        report.step("Serving the storefront")
        server, port = REPOSITORY / "frontend" / "server.py", settings.storefront_port
        storefront = Process(
            "The storefront",
            [sys.executable, server, "--port", str(port), "--api-url", self.api_url],
            environment=without_user_settings(),
            log=logs / "storefront.log",
            grace_seconds=_STOREFRONT_STOP_SECONDS,
            lock=lock,
        )
        self._parts.append(self._started.enter_context(storefront))
        storefront.wait_until_it_responds(f"http://{LOOPBACK}:{port}/")

        self._started.callback(stack_file.unlink, missing_ok=True)
        description = {
            **self.outputs,
            "api_endpoint": self.api_url,
            "endpoint_url": self.endpoint_url,
            "region": settings.region,
            "storefront_url": self.storefront_url,
            "mailbox": str(self.mailbox),
            **self.connection.credentials.description,
        }
        write_private(stack_file, json.dumps(description, indent=2) + "\n")

    def _repeat(self, name: str, step: Callable[[], None], seconds: float) -> None:
        self._parts.append(self._started.enter_context(Background(name, step, seconds)))

    def _stop(self, error: BaseException | None) -> None:
        if self._emulator is None:
            self._started.close()
            return
        self._report.step("Stopping")
        self._started.close()
        if not completion_mark(self.settings.local_directory / self.settings.deploy).exists():
            self._report.line("Stopped. No complete deployment is left, so the next start begins without data.")
        elif self._emulator.exit_status == 0:
            self._report.line("Stopped; the orders are kept for the next time.")
        else:
            failure = f"Stopped, but orders of this run may be lost. {self._emulator.end_of_output()}"
            if not isinstance(error, Exception):  # the user stopped it, so no failure was reported yet
                raise LocalStackError(failure) from error
            self._report.line(failure)


def resolvable_api_url(endpoint_url: str, api_endpoint: str) -> str:
    """Return an API's address that any client can resolve; only some clients resolve the host name in the output."""
    api_id = urlsplit(api_endpoint).netloc.split(".")[0]
    return f"{endpoint_url}/_aws/execute-api/{api_id}/$default"
