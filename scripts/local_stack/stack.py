"""The local stack as a whole: starts its parts in order, and stops them in the other."""

import json
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from local_stack.access_key import description_of, make_private, write_private
from local_stack.alarms import Alarms
from local_stack.aws import AwsConnection
from local_stack.background import Background
from local_stack.deployment import Deployment, completion_mark, deployment_by, reconcile
from local_stack.email_rendering import alarm_text, completed_order_text
from local_stack.emulator import move_to_port, running_emulator, start_of_unsaved_run
from local_stack.errors import LocalStackError
from local_stack.machine import require_free, require_space
from local_stack.mailbox import Mailbox
from local_stack.package import built_package
from local_stack.processes import Process
from local_stack.queue_metrics import QueueMetrics
from local_stack.report import Report, Silence
from local_stack.run_lock import RunLock
from local_stack.settings import Settings
from local_stack.storefront import running_storefront

_WATCH_SECONDS = 0.5
_ALARM_SECONDS = 1.0

# A started system uses some 40 MB under its directory; each worker of a function unpacks its code there too.
_SPACE_TO_START = 100
# Enough to write the emulator's state, which is at most some MB.
_SPACE_TO_SAVE = 20


class LocalStack:
    """The running system: entering the `with` returns when an order can be placed, leaving it stops all.

    Orders, and all else that the emulator holds, are there again the next time, in the same `local_directory`
    and with the same way to deploy. Raises LocalStackError, with nothing left running, if it cannot start.
    """

    outputs: dict[str, str]
    """The backend's outputs, by the names that terraform-backend/outputs.tf gives them."""
    deployment: Deployment

    def __init__(self, settings: Settings, report: Report | None = None) -> None:
        self.settings = settings
        self.storefront_url = f"http://localhost:{settings.storefront_port}"
        self.mailbox = settings.local_directory / "mailbox"
        self._report: Report = report or Silence()
        self._processes: list[Process] = []
        self._background: list[Background] = []
        self._lock: RunLock | None = None
        self._started = ExitStack()

    @property
    def connection(self) -> AwsConnection:
        """The connection to the emulator as its root user."""
        return self.settings.connection

    @property
    def endpoint_url(self) -> str:
        """The emulator's address."""
        return self.connection.endpoint_url

    def client(self, service: str) -> Any:
        """Return a new boto3 client of an AWS service in the emulator, as its root user."""
        return self.connection.client(service)

    @property
    def api_url(self) -> str:
        """The order API's address for any client."""
        return resolvable_api_url(self.endpoint_url, self.outputs["api_endpoint"])

    def __enter__(self) -> Self:
        try:
            self._start(self._started)
        except BaseException as error:
            self._stop(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop(error)

    def require_running(self) -> None:
        """Raise LocalStackError if a part of the stack has ended by itself, or where it keeps its files is gone."""
        if not self._is_in_place():
            raise LocalStackError(
                f"{self.settings.local_directory} was deleted while the system ran, and with it what was placed in "
                "this run: start again, and stop the system before you delete it."
            )
        require_space(self.settings.local_directory, _SPACE_TO_SAVE)
        for process in self._processes:
            process.require_running()
        for background in self._background:
            if background.failure is not None:
                raise LocalStackError(f"{background.name} failed: {background.failure!r}") from background.failure

    def watch(self) -> None:
        """Return never; raise LocalStackError when a part of the stack ends by itself."""
        while True:
            self.require_running()
            time.sleep(_WATCH_SECONDS)

    def _start(self, started: ExitStack) -> None:
        settings, report = self.settings, self._report
        directory = settings.local_directory
        home = directory / settings.deploy
        logs = directory / "logs"
        # Everything that can be wrong is looked at before anything is started.
        make_private(directory)
        lock = self._lock = started.enter_context(RunLock(directory))
        stack_file = directory / "stack.json"
        stack_file.unlink(missing_ok=True)
        require_space(directory, _SPACE_TO_START)
        self.deployment = deployment_by(settings, home / "deployment", lock)
        self.deployment.require_tools()
        require_free(settings.storefront_port, "the storefront", "PORT")
        require_free(settings.aws_port, "the emulator of AWS", "AWS_PORT")

        report.step("Building the Lambda package")
        zip_path = built_package(logs / "build.log", lock, report)

        report.step("Starting the emulator of AWS")
        if unsaved := start_of_unsaved_run(home / "emulator"):
            report.line(
                f"  The run of {unsaved:%Y-%m-%d %H:%M} ended before the emulator could write its state: "
                "what was placed in it is lost."
            )
        move_to_port(home, settings.aws_port)
        reconcile(self.deployment, home / "emulator", report)
        emulator = started.enter_context(
            running_emulator(home / "emulator", settings.connection, logs / "emulator.log", lock, settings.origins)
        )
        self._processes.append(emulator)

        report.step(f"Deploying the backend with {settings.deploy}")
        alarms = Alarms(self.client("cloudwatch"))
        mailbox = Mailbox(self.client("sqs"), self.client("sns"), self.mailbox)
        mailbox.unsubscribe(alarms.topics())
        started_at = time.monotonic()
        self.outputs = dict(self.deployment.deploy(zip_path, report))
        completion_mark(self.deployment).touch()
        report.line(f"  Deployed in {time.monotonic() - started_at:.0f} s")
        alarms.settle()
        mailbox.subscribe(
            {
                self.outputs["alerts_topic_arn"]: alarm_text,
                self.outputs["order_completed_topic_arn"]: completed_order_text,
            }
        )
        self._watch_alarms(started, alarms)
        self._deliver_emails(started, mailbox)
        if settings.redeploy_from is not None:
            # Imported only here: the operator tool imports this package too, and starts faster without it.
            from local_stack.redeploy import Redeployment

            redeployment = Redeployment(settings.redeploy_from, settings, report)
            self._run_beside(started, "The deployment of changes", redeployment.step, 0)

        report.step("Serving the storefront")
        storefront = running_storefront(settings.storefront_port, self.api_url, logs / "storefront.log", lock)
        self._processes.append(started.enter_context(storefront))

        started.callback(self._remove, stack_file)
        write_private(stack_file, json.dumps(self._description(), indent=2) + "\n")

    def _stop(self, error: BaseException | None) -> None:
        if not self._processes:
            self._started.close()
            return
        self._report.step("Stopping")
        in_place = self._is_in_place()
        self._started.close()
        if not in_place:
            self._report.line("Stopped; the orders are gone with the directory that was deleted.")
        elif not completion_mark(self.deployment).exists():
            self._report.line("Stopped before the first deployment was complete; the next start begins with nothing.")
        elif self._processes[0].exit_status == 0:
            self._report.line("Stopped; the orders are kept for the next time.")
        else:
            failure = f"Stopped, but orders of this run may be lost. {self._processes[0].last_words()}"
            if not isinstance(error, Exception):  # a person has stopped it, and has seen no failure yet
                raise LocalStackError(failure) from error
            self._report.line(failure)

    def _is_in_place(self) -> bool:
        return self._lock is None or self._lock.in_place

    def _remove(self, stack_file: Path) -> None:
        # In the place of a deleted directory there may be another stack's by now.
        if self._is_in_place():
            stack_file.unlink(missing_ok=True)

    def _watch_alarms(self, started: ExitStack, alarms: Alarms) -> None:
        queue_metrics = QueueMetrics(self.client("sqs"), self.client("cloudwatch"), alarms)

        def step() -> None:
            queue_metrics.put()
            alarms.evaluate()

        self._run_beside(started, "The watch over the alarms", step, _ALARM_SECONDS)

    def _deliver_emails(self, started: ExitStack, mailbox: Mailbox) -> None:
        def step() -> None:
            for email in mailbox.deliver():
                self._report.email(email)

        self._run_beside(started, "The delivery of e-mails", step, 0)

    def _run_beside(self, started: ExitStack, name: str, step: Any, seconds: float) -> None:
        self._background.append(started.enter_context(Background(name, step, seconds)))

    def _description(self) -> dict[str, str]:
        return {
            **self.outputs,
            # With a host name that every client resolves.
            "api_endpoint": self.api_url,
            "endpoint_url": self.endpoint_url,
            "region": self.settings.region,
            "storefront_url": self.storefront_url,
            "mailbox": str(self.mailbox),
            **description_of(self.connection.credentials),
        }


def resolvable_api_url(endpoint_url: str, api_endpoint: str) -> str:
    """Return an API's address for any client: that of the output has a host name that only some resolve."""
    api_id = urlsplit(api_endpoint).netloc.split(".")[0]
    return f"{endpoint_url}/_aws/execute-api/{api_id}/$default"
