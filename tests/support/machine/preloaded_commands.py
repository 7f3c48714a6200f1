"""Run Python commands with preloaded libraries, for a shell that runs a hundred of them.

`serve SOCKET` imports the AWS CLI and the operator tool once. `run SOCKET PROGRAM …` runs the program in a fork of the
server, with the caller's arguments, standard streams, directory and environment, and exits with its status.
"""

import array
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

Programs = Mapping[str, Callable[[list[str]], int]]


def run(socket_path: str, program: str, arguments: list[str]) -> int:
    """Run a program in the server; return its exit status."""
    request = json.dumps([program, arguments, os.getcwd(), dict(os.environ)]).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(socket_path)
        streams = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", (0, 1, 2)))]
        connection.sendmsg([b" "], streams)
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        status = connection.recv(16)
    return int(status) if status else 1


def serve(socket_path: str) -> None:
    """Run each requested program in a fork, until killed."""
    before = dict(os.environ)
    programs = _programs()
    # The AWS CLI stores the location of its data in the environment.
    own = {name: value for name, value in os.environ.items() if name not in before}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(socket_path)
        listening.listen(16)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _run_requested(connection, programs, own)
            connection.close()


def _programs() -> Programs:
    import awscli.clidriver

    from orders_cli import program
    from support.stub_aws import command_line

    driver = awscli.clidriver.create_clidriver()
    return {
        "aws": lambda arguments: int(driver.main(arguments)),
        "aws-check": command_line.main,
        "orders": program.run,
    }


def _run_requested(connection: socket.socket, programs: Programs, own: dict[str, str]) -> None:
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as request:
        program, arguments, directory, environment = json.load(request)
    for stream, descriptor in enumerate(streams):
        os.dup2(descriptor, stream)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(own | environment)
    status = 1
    try:
        status = programs[program](arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(str(status).encode())
        os._exit(status)


@contextmanager
def preloaded(directory: Path) -> Iterator[Callable[[str], str]]:
    """Start a server; yield a function that returns a program's command for a shell script."""
    import shlex
    import subprocess

    from support.waiting import wait_for

    path, this = directory / "commands", str(Path(__file__))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    server = subprocess.Popen([sys.executable, "-W", "ignore", this, "serve", path], env=environment)
    try:
        wait_for("the preloaded commands", lambda: path.exists() or server.poll() is not None)
        assert server.poll() is None, "the server of preloaded commands has ended"
        yield lambda program: shlex.join([sys.executable, "-I", "-S", this, "run", str(path), program])
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(run(sys.argv[2], sys.argv[3], sys.argv[4:]))
