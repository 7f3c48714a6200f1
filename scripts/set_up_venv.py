#!/usr/bin/env python3
"""Bring .venv up to date: make it, install what a lock file pins, and do nothing where that is done.

    python3 scripts/set_up_venv.py run     what the local stack and the operator's tool need
    python3 scripts/set_up_venv.py plan    that, and what `orders-plan capacity` and `orders-plan cost` need
    python3 scripts/set_up_venv.py test    that, and what the tests and checks need

It also writes the commands .venv/bin/orders (the operator's tool) and .venv/bin/orders-plan (capacity and cost).

It uses the standard library only and says so where Python is too old, so it is written for old ones too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = (3, 11)

# Each holds all of those before it, at the same versions; `make lock` sees to that.
LOCKS = {"run": "requirements-run.txt", "plan": "requirements-plan.txt", "test": "requirements-test.txt"}

# Where pip would install in place of .venv, or refuse to.
MISLEADING_VARIABLES = {"PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH"}

# Isolated (-I), so that nothing of the person's Python settings is in front of it; and not by a file of paths in the
# environment, which the emulator's functions would see as well.
COMMAND = """#!/bin/sh
# {description}, written by scripts/set_up_venv.py.
exec {python} -I -c {program} "$@"
"""
PROGRAM = """
import sys
sys.path[:0] = [{scripts!r}, {package!r}]
from {module} import main
main()
"""
COMMANDS = {
    "orders": ("The operator's tool", "orders_cli.program"),
    "orders-plan": ("Capacity and cost of a deployment", "planning.__main__"),
}

# A folder of somebody else's, a file system that is read-only, and one that is full.
UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}

PROGRESS_SECONDS = 10
PROGRESS_COLUMNS = 79
STOP_SECONDS = 10


class SetUpError(Exception):
    """The environment cannot be set up; the text is a sentence that says what is wrong and what to do."""


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit status."""
    if len(arguments) != 1 or arguments[0] not in LOCKS:
        print(f"usage: set_up_venv.py {'|'.join(LOCKS)}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        set_up(arguments[0], REPOSITORY)
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        print(
            f"set-up: {shown(Path(error.filename or REPOSITORY))} cannot be written ({error.strerror}): "
            "see that the project lies where you may write and there is room, and try again.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("\nset-up: stopped; the next run goes on from here", file=sys.stderr)
        return 130
    return 0


def set_up(purpose: str, root: Path) -> None:
    """Make `root`/.venv hold what `purpose`, a key of LOCKS, needs; raise SetUpError if it cannot be."""
    environment = root / ".venv"
    if is_satisfied(purpose, root) and works(environment):
        install_commands(root)
        return
    require_usable_python()
    (root / ".local").mkdir(exist_ok=True)
    with (root / ".local" / "set-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another set-up may have done it while this one waited.
        if not (is_satisfied(purpose, root) and works(environment)):
            if not works(environment):
                create(environment)
            install(environment, root / LOCKS[purpose])
            record(purpose, root)
    install_commands(root)


def is_satisfied(purpose: str, root: Path) -> bool:
    """Return whether the lock of `purpose`, or one that holds all of it, was installed as it is now."""
    try:
        installed = json.loads(record_path(root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(installed, dict):
        return False
    names = list(LOCKS)
    return any(installed.get(name) == digest(root / LOCKS[name]) for name in names[names.index(purpose) :])


def record(purpose: str, root: Path) -> None:
    """Note that the lock of `purpose`, as it is now, has been installed."""
    record_path(root).write_text(json.dumps({purpose: digest(root / LOCKS[purpose])}) + "\n", encoding="utf-8")


def record_path(root: Path) -> Path:
    """Return where it is noted what has been installed: in the environment, to go when it goes."""
    return root / ".venv" / "installed-locks.json"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def works(environment: Path) -> bool:
    """Return whether the environment is whole: an interrupted set-up, or an upgrade of its base, breaks it."""
    check = f"import pip, sys; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    python = environment / "bin" / "python"
    try:
        return subprocess.run([python, "-c", check], stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def require_usable_python() -> None:
    """Raise SetUpError unless this Python can make the environment."""
    wanted = ".".join(map(str, OLDEST_PYTHON))
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        raise SetUpError(
            f"{sys.executable} is Python {found}, but {wanted} or newer is needed: install one and name it, "
            f"as in `make run PYTHON=python{wanted}`."
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetUpError(
            f"{sys.executable} cannot make virtual environments: install its venv package "
            "(on Debian and Ubuntu `apt install python3-venv`) and try again."
        )


def create(environment: Path) -> None:
    """Make an empty environment, in place of a broken one."""
    print(f"Making the virtual environment {shown(environment)}", flush=True)
    shutil.rmtree(environment, ignore_errors=True)
    status = follow([sys.executable, "-m", "venv", str(environment)])
    if status != 0:
        shutil.rmtree(environment, ignore_errors=True)
        raise SetUpError(f"{shown(environment)} could not be made; the reason is above.")


def install(environment: Path, lock: Path) -> None:
    """Install exactly what a lock file pins."""
    packages = sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if line[:1].isalnum())
    print(f"Installing {packages} packages from {lock.name}; once, until it changes", flush=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    status = follow([*pip, "install", "--require-hashes", "--progress-bar", "off", "--requirement", str(lock)])
    if status != 0:
        raise SetUpError(
            f"pip could not install {lock.name}; the reason is above. It takes packages from where pip is "
            "configured to (`pip config list`), so a proxy or an index of your own goes there."
        )


def install_commands(root: Path) -> None:
    """Write each of COMMANDS into the environment, unless it is up to date."""
    directory = root / ".venv" / "bin"
    for name, (description, module) in COMMANDS.items():
        program = PROGRAM.format(scripts=str(root / "scripts"), package=str(root / "lambda"), module=module)
        text = COMMAND.format(
            python=shlex.quote(str(directory / "python")), program=shlex.quote(program), description=description
        )
        command = directory / name
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if command.read_text(encoding="utf-8") == text and os.access(command, os.X_OK):
                continue
        # Replace it in one step: another process may be running it.
        unfinished = directory / f"{name}.{os.getpid()}"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.chmod(0o755)
        unfinished.replace(command)


def follow(command: list[str]) -> int:
    """Run a command, show now and then what it is at, and all it said if it fails; return its status."""
    started = shown_last = time.monotonic()
    variables = {name: value for name, value in os.environ.items() if name not in MISLEADING_VARIABLES}
    said = []
    with subprocess.Popen(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said.append(line)
                now = time.monotonic()
                if now - shown_last >= (0.1 if sys.stdout.isatty() else PROGRESS_SECONDS):
                    shown_last = now
                    show_progress(f"  {now - started:3.0f} s  {line.strip()}"[:PROGRESS_COLUMNS])
        except KeyboardInterrupt:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            process.kill()
            raise
    status = process.returncode
    show_progress("")
    if status != 0:
        print("".join(said), end="", file=sys.stderr)
    return status


def show_progress(text: str) -> None:
    """Overwrite the line where that is possible."""
    if sys.stdout.isatty():
        print(f"\r\x1b[2K{text}", end="", flush=True)
    elif text:
        print(text, flush=True)


def shown(path: Path) -> str:
    """Return a path as a person in the project's folder would write it."""
    return os.path.relpath(path, Path.cwd())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
