"""How `make run` is told what to do, and what it refuses before anything is started."""

import errno
import os
import signal
import socket
from pathlib import Path

import pytest

from local_stack import LocalStackError, Settings
from local_stack import __main__ as program
from local_stack.deployment import deployment_by
from local_stack.machine import require_free
from local_stack.run_lock import RunLock
from support.repository.files import REPOSITORY


def test_nothing_needs_to_be_chosen() -> None:
    assert Settings.from_environment({}) == Settings(redeploy_from=REPOSITORY)


def test_an_empty_variable_means_its_default() -> None:
    assert Settings.from_environment({"PORT": "", "DEPLOY": "", "NOTIFICATION_EMAIL": ""}) == Settings.from_environment(
        {}
    )


def test_ports_way_to_deploy_and_address_can_be_chosen() -> None:
    chosen = Settings.from_environment(
        {"PORT": "8081", "AWS_PORT": "4567", "DEPLOY": "by-hand", "NOTIFICATION_EMAIL": "ops@example.com"}
    )
    assert (chosen.storefront_port, chosen.aws_port) == (8081, 4567)
    assert (chosen.deploy, chosen.notification_email) == ("by-hand", "ops@example.com")


@pytest.mark.parametrize("variable", ["PORT", "AWS_PORT"])
@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "80.0", "8_0", " 80", "٨٠", "9" * 5000])
def test_what_is_no_port_is_refused_by_name(variable: str, text: str) -> None:
    with pytest.raises(LocalStackError, match=rf"^{variable}=.* is not a port: give a whole number from 1 to 65535"):
        Settings.from_environment({variable: text})


def test_one_port_cannot_serve_both() -> None:
    with pytest.raises(LocalStackError, match="PORT and AWS_PORT are both 4566"):
        Settings.from_environment({"PORT": "4566"})


@pytest.mark.parametrize("text", ["nobody", "a@b", "a b@example.com", "a@example.com,b@example.com", "a@example.com\n"])
def test_what_is_no_address_is_refused_by_name(text: str) -> None:
    with pytest.raises(
        LocalStackError, match=r"(?s)^NOTIFICATION_EMAIL=.* is not an e-mail address: give one, such as"
    ):
        Settings.from_environment({"NOTIFICATION_EMAIL": text})


def test_an_unknown_way_to_deploy_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with RunLock(tmp_path) as lock, pytest.raises(LocalStackError, match=r"^DEPLOY=by-hand .* choose .*terraform"):
        deployment_by(Settings(deploy="by-hand"), tmp_path, lock)


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_with_a_listener_is_taken_on_either_loopback_address(family: int, address: str) -> None:
    with socket.socket(family) as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(LocalStackError, match=rf"^Port {port}, meant for the shop, is taken .* with SHOP_PORT="):
            require_free(port, "the shop", "SHOP_PORT")


def test_a_port_is_free_again_right_after_its_server_has_gone() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        client.connect(("127.0.0.1", port))
        # The server closes first, so the port lingers in TIME_WAIT.
        server.accept()[0].close()
    require_free(port, "the shop", "SHOP_PORT")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_is_one_sentence(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), str(Path.cwd() / ".local" / "stack.json"))

    monkeypatch.setattr(program, "LocalStack", refuse)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert program.main() == 1
    assert capsys.readouterr().err == (
        f"\nmake run: .local/stack.json cannot be written ({os.strerror(number)}): "
        "see that the project lies where you may write and there is room, and try again.\n"
    )


def test_what_is_no_fault_of_the_disk_is_not_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    monkeypatch.setattr(program, "LocalStack", fail)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(ConnectionResetError):
        program.main()
