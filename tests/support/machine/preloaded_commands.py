"""Run Python commands with preloaded libraries, for a shell that runs a hundred of them.

`serve SOCKET` imports the AWS CLI and the operator tool once. `run SOCKET PROGRAM …` runs the program in a fork of the
server, with the caller's arguments, standard streams, directory and environment, and exits with its status.
"""

import array
import json
import os
import shlex
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

Programs = Mapping[str, Callable[[list[str]], int]]


def run(socket_path: str, *request: str) -> int:
    """Run a program in the server; return its exit status."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(socket_path)
        streams = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", (0, 1, 2)))]
        connection.sendmsg([b" "], streams)
        connection.sendall(json.dumps([request, os.getcwd(), dict(os.environ)]).encode())
        connection.shutdown(socket.SHUT_WR)
        return int(connection.recv(16) or 1)


def serve(socket_path: str) -> None:
    """Run each requested program in a fork, until killed."""
    import socketserver

    before = dict(os.environ)
    programs = _programs()
    # The AWS CLI stores the location of its data in the environment.
    own = {name: value for name, value in os.environ.items() if name not in before}

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _, streams, _, _ = socket.recv_fds(self.connection, 1, 3)
            [program, *arguments], directory, environment = json.load(self.rfile)
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
            sys.stdout.flush()
            sys.stderr.flush()
            self.wfile.write(str(status).encode())

    class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
        request_queue_size = 16

    Server(socket_path, Handler).serve_forever()


def _programs() -> Programs:
    from awscli.argparser import CLIArgParser
    from awscli.clidriver import create_clidriver

    from orders_cli import program

    driver = create_clidriver()

    def check(arguments: list[str]) -> int:
        """Run the AWS CLI up to its first call: return 0 if command, options and parameters are valid."""

        class AboutToCall(BaseException):
            """A BaseException, so that the CLI does not handle it as a failure."""

        def stop(**_: object) -> None:
            raise AboutToCall

        # The AWS CLI accepts abbreviated options.
        CLIArgParser._get_option_tuples = lambda parser, text: []
        driver.session.register("before-call", stop)
        try:
            return int(driver.main(arguments)) or 1
        except AboutToCall:
            return 0

    return {"aws": lambda arguments: int(driver.main(arguments)), "aws-check": check, "orders": program.run}


@contextmanager
def preloaded(directory: Path) -> Iterator[Callable[[str], str]]:
    """Start a server; yield a function that returns a program's command for a shell script."""
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
        sys.exit(run(*sys.argv[2:]))
