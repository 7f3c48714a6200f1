"""Deploy each change of lambda/ while the local stack runs."""

import base64
import hashlib
import re
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

from build_lambda import HANDLERS, BuildError, build
from local_stack.environment import tool_environment
from local_stack.machine import LocalStackError
from local_stack.processes import Process
from local_stack.report import Report
from local_stack.settings import Settings

# The last line is not reached if a handler ends the program; a handler's own work at exit does not count.
_IMPORT = """
import importlib, os, sys
[importlib.import_module(f"orders.handlers.{name}").handler for name in sys.argv[1:]]
print("imported")
os._exit(0)
"""
_IMPORT_SECONDS = 30

# The longest timeout of a function: an invocation of a replaced version may take this long.
_INVOCATION_SECONDS = 30


class Redeployment:
    """Deploys lambda/ of a directory whenever its package differs from the deployed functions."""

    def __init__(self, directory: Path, settings: Settings, report: Report) -> None:
        self._directory = directory
        self._names = {function: f"{settings.project}-{settings.environment}-{function}" for function in HANDLERS}
        self._environment = tool_environment(settings.connection)
        self._lambda = settings.connection.client("lambda")
        self._report = report
        self.stopping = threading.Event()
        self._modified: dict[Path, int] = {}
        self._published: dict[str, str] = {}
        self._replaced: list[tuple[float, str, str]] = []

    def step(self) -> None:
        """Deploy the package if a file has changed since the last step."""
        try:
            files = (path for path in (self._directory / "lambda").rglob("*.*") if path.suffix != ".pyc")
            modified = {path: path.lstat().st_mtime_ns for path in files}  # a link may lead nowhere
        except FileNotFoundError:  # an editor is replacing a file
            return
        if modified == self._modified:
            return
        self._modified = modified
        try:
            self._deploy()
        except (BuildError, LocalStackError, OSError) as error:
            if not self.stopping.is_set():
                self._report.line(f"lambda/ was not deployed, its previous version keeps running: {error}.")

    def _deploy(self) -> None:
        started = time.monotonic()
        package = build("local", self._directory, lambda _: None)
        content = package.read_bytes()
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        live = {
            function: self._lambda.get_function_configuration(FunctionName=name, Qualifier="live")
            for function, name in self._names.items()
        }
        outdated = [function for function in HANDLERS if live[function]["CodeSha256"] != digest]
        if outdated:
            variables = [live[function]["Environment"]["Variables"].items() for function in outdated]
            environment = self._environment | dict(item for each in variables for item in each)
            require_handlers(package, outdated, environment, self.stopping)
            self._publish(outdated, content)
            self._report.line(f"lambda/ was deployed in {time.monotonic() - started:.1f} s.")

    def _publish(self, functions: list[str], content: bytes) -> None:
        names = [self._names[function] for function in functions]
        code = {"ZipFile": content, "Publish": True}
        versions = {name: self._lambda.update_function_code(FunctionName=name, **code)["Version"] for name in names}
        for name, version in versions.items():
            self._lambda.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
            if name in self._published:
                self._replaced.append((time.monotonic(), name, self._published[name]))
            self._published[name] = version
        # The emulator keeps a process for each version. Versions of the deployment stay for a rollback.
        while self._replaced and time.monotonic() - self._replaced[0][0] > _INVOCATION_SECONDS:
            _, name, version = self._replaced.pop(0)
            self._lambda.delete_function(FunctionName=name, Qualifier=version)


def require_handlers(package: Path, functions: list[str], environment: dict[str, str], stop: threading.Event) -> None:
    """Raise LocalStackError if the handler of a function cannot be imported from the package, or after `stop`."""
    with tempfile.TemporaryDirectory(prefix="redeploy-") as unpacked:
        with zipfile.ZipFile(package) as archive:
            archive.extractall(unpacked)
        command = [sys.executable, "-P", "-u", "-c", _IMPORT, *functions]  # unbuffered: the error comes last
        variables = {**environment, "PYTHONPATH": unpacked}
        with Process("The import", command, environment=variables, log=Path(unpacked, "log"), grace_seconds=0) as ran:
            deadline = time.monotonic() + _IMPORT_SECONDS
            while ran.exit_status is None and time.monotonic() < deadline and not stop.wait(0.02):
                pass
            status, output = ran.exit_status, ran.output
    if status is None:
        raise LocalStackError(f"the import of its handlers takes longer than {_IMPORT_SECONDS} s")
    if not output.endswith("imported\n"):
        reason = [f"exit status {status}", *output.splitlines()][-1].rstrip(".")
        places = re.findall(rf'File "{re.escape(unpacked)}/(orders/.+)", line (\d+)', output)
        place = "lambda/{}, line {}: ".format(*places[-1]) if places else ""
        raise LocalStackError(f"{place}{reason}")
