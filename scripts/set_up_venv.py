#!/usr/bin/env python3
"""Create or update .venv from a lock file with hashes. Does nothing when .venv is up to date.

python3 scripts/set_up_venv.py run     packages for `make run`, `orders` and `orders-plan`
python3 scripts/set_up_venv.py test    also packages for tests and checks
"""

import fcntl
import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

# Each lock contains all packages of the ones before it, at the same versions.
LOCKS = {"run": "requirements-run.txt", "test": "requirements-test.txt"}

# The file in .venv with the lock file that is installed.
RECORD = "installed"

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
    if not str(root).isprintable():
        raise SetUpError("The path of this folder is not valid UTF-8. Rename or move the folder")
    if environment.is_symlink():  # venv would clear the folder of the link
        raise SetUpError(".venv is a symbolic link, but must be a folder. Delete the link")
    if not is_complete(environment, purpose, root):
        if None in (importlib.util.find_spec("venv"), importlib.util.find_spec("ensurepip")):
            advice = "Install its venv package (Debian and Ubuntu: apt install python3-venv)"
            raise SetUpError(f"{sys.executable} cannot create virtual environments. {advice}")
        (root / ".local").mkdir(exist_ok=True)
        with (root / ".local" / "set-up.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Waiting for another set-up of .venv", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            os.set_inheritable(lock.fileno(), True)  # a command that outlives this program keeps the lock
            if not is_complete(environment, purpose, root):  # another run may have completed it in the meantime
                install(environment, root / LOCKS[purpose])
    is_moved = f" {environment}\n" not in (environment / "pyvenv.cfg").read_text()
    if is_moved and (environment / "bin" / "activate").exists():  # it contains the path
        command = [str(environment / "bin" / "python"), "-I", "-m", "venv", "--without-pip", str(environment)]
        follow(command, "The virtual environment .venv cannot be updated. Run `make clean`")
    for name, module in COMMANDS.items():
        unfinished = environment / "bin" / f"{name}.{os.getpid()}"
        unfinished.write_text(COMMAND.format(module=module))
        unfinished.chmod(0o755)
        unfinished.replace(environment / "bin" / name)


def is_complete(environment: Path, purpose: str, root: Path) -> bool:
    """Return whether a lock that covers `purpose` is installed, with a Python that works."""
    covering = list(LOCKS.values())[list(LOCKS).index(purpose) :]
    return read_record(environment) in [(root / name).read_text() for name in covering] and works(environment)


def read_record(environment: Path) -> str:
    """Return the lock file that is installed completely, or an empty text."""
    record = environment / RECORD
    return record.read_text(errors="replace") if record.is_file() else ""


def works(environment: Path) -> bool:
    """Return whether the Python of .venv runs; an upgrade or removal of its base Python breaks it."""
    check = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    try:
        command = [str(environment / "bin" / "python"), "-I", "-c", check]
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def install(environment: Path, lock: Path) -> None:
    """Create or update .venv. The record is written last, so an interrupted installation starts over."""
    record, python = environment / RECORD, str(environment / "bin" / "python")
    recorded = read_record(environment) if works(environment) else ""
    record.unlink(missing_ok=True)
    if not recorded:
        print("Creating the virtual environment .venv", flush=True)
        command = [sys.executable, "-m", "venv", "--clear", str(environment)]
        follow(command, "The virtual environment .venv cannot be created. Fix the error above")
    print(f"Installing {lock.read_text().count('==')} packages from {lock.name}", flush=True)
    pip = [python, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar=off"]
    command = [*pip, "--require-hashes", "--requirement", str(lock)]
    try:
        follow(command, f"pip cannot install {lock.name}. Check `pip config list`")
    except SetUpError:
        if recorded:  # pip undoes what it did, so the previous installation still works
            record.write_text(recorded)
        raise
    for script in (environment / "bin").iterdir():
        text = script.read_bytes() if script.is_file() and not script.is_symlink() else b""
        if shebang := INSTALLED_SHEBANG.match(text):
            script.write_bytes(HEADER.format(options="").encode() + text[shebang.end() :])
    record.write_text(lock.read_text())


def follow(command: "list[str]", failure: str) -> None:
    """Run a command and show its latest line on a terminal; raise SetUpError with its output if it fails."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(MISLEADING)}
    if os.path.expanduser("~") == "~":  # an unknown user without HOME: pip would create a folder called ~
        variables["HOME"] = str(REPOSITORY / ".local")
    output, pipe = [], subprocess.PIPE
    with subprocess.Popen(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=subprocess.STDOUT,
        close_fds=False,  # inherits the lock
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                output.append(line)
                if sys.stdout.isatty():
                    print(f"\x1b[2K  {line.strip()[:77]}", end="\r", flush=True)
        except KeyboardInterrupt:
            process.terminate()
            raise
    print(end="\x1b[2K" if sys.stdout.isatty() else "", flush=True)
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
    except (SetUpError, OSError) as error:
        reason = str(error)
        if isinstance(error, OSError):
            path = os.path.relpath(error.filename or REPOSITORY)
            reason = f"{path}: {error.strerror}. Check permissions and free space"
        print(f"set-up: {reason}, and run this again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up: stopped. Run this again to complete it.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
