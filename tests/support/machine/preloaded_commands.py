"""Commands written in Python, many times over, without loading their libraries each time.

`serve SOCKET` loads the AWS CLI and the operator's tool once. `run SOCKET PROGRAM …` has a fork of it be that program: with the
caller's arguments, standard streams, directory and environment, and to the caller's exit status. So a shell that types a
hundred commands takes seconds and not a minute; what runs is the same code.
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

_STREAMS = (0, 1, 2)


def run(socket_path: str, program: str, arguments: list[str]) -> int:
    """Have the server be `program`; return its exit status."""
    request = json.dumps(
        {"program": program, "arguments": arguments, "directory": os.getcwd(), "environment": dict(os.environ)}
    )
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(socket_path)
        connection.sendmsg(
            [f"{len(request.encode()):8}".encode()],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", _STREAMS))],
        )
        connection.sendall(request.encode())
        answer = connection.recv(16)
    return int(answer) if answer else 1


def serve(socket_path: str) -> None:
    """Be whatever program is asked for, in a fork each, until stopped."""
    before = dict(os.environ)
    programs = _programs()
    # The AWS CLI says to itself where its data is.
    of_libraries = {name: value for name, value in os.environ.items() if name not in before}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(socket_path)
        listening.listen(16)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _answer(connection, programs, of_libraries)
            connection.close()


def _programs() -> Mapping[str, Callable[[list[str]], int]]:
    import awscli.clidriver

    from orders_cli import program
    from support.stub_aws import command_line

    return {
        "aws": lambda arguments: int(awscli.clidriver.create_clidriver().main(arguments)),
        "aws-check": command_line.main,
        "orders": program.run,
    }


def _answer(
    connection: socket.socket, programs: Mapping[str, Callable[[list[str]], int]], of_libraries: dict[str, str]
) -> None:
    header, streams, _, _ = socket.recv_fds(connection, 8, len(_STREAMS))
    text = b""
    while len(text) < int(header):
        text += connection.recv(65536)
    request = json.loads(text)
    for stream, ours in zip(_STREAMS, streams, strict=True):
        os.dup2(ours, stream)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(of_libraries | request["environment"])
    status = 1
    try:
        status = programs[request["program"]](request["arguments"])
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
    """Start a server for the length of a `with` block; yield what gives a program's command for a shell script."""
    import shlex
    import subprocess

    from support.waiting import wait_for

    path = directory / "commands"
    this = Path(__file__)
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", this, "serve", path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
    )
    try:
        wait_for("the preloaded commands", lambda: path.exists() or server.poll() is not None)
        assert server.poll() is None, "the server of preloaded commands has ended"
        yield lambda program: shlex.join([sys.executable, "-I", "-S", str(this), "run", str(path), program])
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(run(sys.argv[2], sys.argv[3], sys.argv[4:]))
