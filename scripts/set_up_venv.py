#!/usr/bin/env python3
"""Create or update .venv from a lock file with hashes. Does nothing when .venv is up to date.

python3 scripts/set_up_venv.py run     packages for `make run`, `orders` and `orders-plan`
python3 scripts/set_up_venv.py test    also packages for tests and checks
"""

import fcntl
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

# Each lock contains all packages of the ones before it, at the same versions.
LOCKS = {"run": "requirements-run.txt", "test": "requirements-test.txt"}

# These variables would make pip or venv use another location.
MISLEADING = ("PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHON")

# Scripts find Python in their own folder, so they work in a path with a space and after the folder was moved.
HEADER = """#!/bin/sh
'''exec' "$(dirname "$(readlink -f "$0")")/python" {options}"$0" "$@"
' '''
"""
# sys.prefix is .venv. -I ignores the user's PYTHON variables.
COMMAND = f"""{HEADER.format(options="-I ")}import sys
from pathlib import Path

sys.path[:0] = [str(Path(sys.prefix).parent / folder) for folder in ("scripts", "lambda")]

from {{module}} import main

main()
"""
COMMANDS = {"orders": "orders_cli.program", "orders-plan": "planning.__main__"}
INSTALLED_SHEBANG = re.compile(rb"#!(/bin/sh\n'''exec' .*\n' '''|.*/python[\d.]*)\n")


class SetUpError(Exception):
    """.venv cannot be set up; the text says why and what to do."""


def set_up(purpose: str, root: Path = REPOSITORY) -> None:
    """Install the lock file for `purpose` into `root`/.venv, unless it is already installed."""
    environment = root / ".venv"
    if not is_complete(environment, purpose, root):
        if None in (importlib.util.find_spec("venv"), importlib.util.find_spec("ensurepip")):
            raise SetUpError(
                f"{sys.executable} cannot create virtual environments. Install its venv package "
                "(Debian and Ubuntu: apt install python3-venv)"
            )
        if not str(root).isprintable():
            raise SetUpError("The path of this folder is not valid UTF-8. Rename or move the folder")
        (root / ".local").mkdir(exist_ok=True)
        with (root / ".local" / "set-up.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_complete(environment, purpose, root):  # another run may have completed it in the meantime
                install(environment, purpose, root)
    for name, module in COMMANDS.items():
        command, text = environment / "bin" / name, COMMAND.format(module=module)
        if not (os.access(command, os.X_OK) and command.read_text() == text):
            unfinished = command.with_name(f"{name}.{os.getpid()}")
            unfinished.write_text(text)
            unfinished.chmod(0o755)
            unfinished.replace(command)


def record_text(name: str, root: Path) -> str:
    """Return the content of .venv/installed after this lock file was installed at this path."""
    return f"{root}\n{(root / LOCKS[name]).read_text()}"


def read_record(environment: Path) -> "str | None":
    """Return the text of .venv/installed: empty after an interrupted installation, None without one."""
    record = environment / "installed"
    return record.read_text() if record.is_file() else None


def is_complete(environment: Path, purpose: str, root: Path) -> bool:
    """Return whether a lock that covers `purpose` is installed, at this path, with a Python that works."""
    covering = list(LOCKS)[list(LOCKS).index(purpose) :]
    return read_record(environment) in [record_text(name, root) for name in covering] and works(environment)


def works(environment: Path) -> bool:
    """Return whether the Python of .venv runs; an upgrade or removal of its base Python breaks it."""
    check = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    try:
        command = [str(environment / "bin" / "python"), "-I", "-c", check]
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def install(environment: Path, purpose: str, root: Path) -> None:
    """Create, repair or update .venv. The record is empty until the end, so an interrupted installation starts over."""
    record, lock, python = environment / "installed", root / LOCKS[purpose], str(environment / "bin" / "python")
    recorded = read_record(environment)
    if recorded == "" or not works(environment):
        print("Creating the virtual environment .venv", flush=True)
        # Remove bin first: after an interrupted removal, the record is empty or Python does not run.
        for folder in (environment / "bin", environment):
            shutil.rmtree(folder, ignore_errors=True)
        environment.mkdir()
        record.touch()
        follow([sys.executable, "-m", "venv", str(environment)], "The virtual environment cannot be created")
    elif recorded and recorded.splitlines()[0] != str(root):
        print("Repairing .venv, because its folder was moved or copied", flush=True)
        follow([python, "-I", "-m", "venv", str(environment)], "The virtual environment cannot be repaired")
    record.write_text("")
    count = sum(line[:1].isalnum() for line in lock.read_text().splitlines())
    print(f"Installing {count} packages from {lock.name}", flush=True)
    pip = [python, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar=off"]
    command, failure = [*pip, "--require-hashes", "--requirement", str(lock)], f"pip cannot install {lock.name}"
    try:
        follow(command, f"{failure}. Check `pip config list`")
    except SetUpError:
        record.write_text(recorded or "")  # pip undoes what it did, so the previous installation still works
        raise
    for script in (environment / "bin").iterdir():
        text = script.read_bytes() if script.is_file() and not script.is_symlink() else b""
        if shebang := INSTALLED_SHEBANG.match(text):
            script.write_bytes(HEADER.format(options="").encode() + text[shebang.end() :])
    record.write_text(record_text(purpose, root))


def follow(command: "list[str]", failure: str) -> None:
    """Run a command and show its latest line; raise SetUpError after printing its output if it fails."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(MISLEADING)}
    if os.path.expanduser("~") == "~":  # an unknown user without HOME: pip would create a folder called ~
        variables["HOME"] = str(REPOSITORY / ".local")
    terminal, output = sys.stdout.isatty(), []
    started = shown = time.monotonic()
    with subprocess.Popen(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                output.append(line)
                if (now := time.monotonic()) - shown >= (0.1 if terminal else 10):
                    shown = now
                    text = f"  {now - started:3.0f} s  {line.strip()}"[:79]
                    print(f"\r\x1b[2K{text}" if terminal else text, end="" if terminal else "\n", flush=True)
        except KeyboardInterrupt:
            process.terminate()
            raise
    print("\r\x1b[2K" if terminal else "", end="", flush=True)
    if process.returncode != 0:
        sys.stderr.writelines(output)
        raise SetUpError(failure)


def main(purpose: str) -> int:
    """Set up .venv; return the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, signal.default_int_handler)
    try:
        set_up(purpose)
    except SetUpError as error:
        print(f"set-up: {error}, and run this again.", file=sys.stderr)
        return 1
    except OSError as error:
        path = os.path.relpath(error.filename or REPOSITORY)
        print(
            f"set-up: {path}: {error.strerror}. Check permissions and free space, and run this again.", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        print("\nset-up: stopped. Run this again to complete it.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
