"""AWS mocked by moto in this process, and handlers imported as in Lambda."""

import gc
import importlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from moto import mock_aws


@contextmanager
def moto() -> Iterator[None]:
    """Replace AWS with moto, isolated from this machine's AWS settings."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE"):
            environment.delenv(name, raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


@pytest.fixture
def aws() -> Iterator[None]:
    with moto():
        yield


@pytest.fixture(scope="module")
def shared_aws() -> Iterator[None]:
    with moto():
        yield


@pytest.fixture(scope="module")
def import_handler(shared_aws: None) -> Iterator[Callable[..., ModuleType]]:
    """Return a function that reloads a handler module with the given environment variables."""
    with pytest.MonkeyPatch.context() as settings:

        def import_again(name: str, **environment: str) -> ModuleType:
            for variable, value in environment.items():
                settings.setenv(variable, value)
            module = importlib.import_module(f"orders.handlers.{name}")
            reloaded = importlib.reload(module)
            # The handler froze all objects, including those of other tests.
            gc.unfreeze()
            return reloaded

        yield import_again


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that lists the event and the given fields of each new log record."""

    def new_records(*fields: str) -> list[tuple[Any, ...]]:
        records = [vars(record) for record in caplog.records]
        caplog.clear()
        assert not re.search("secret|Banana", str(records)), "the log must not contain an order or an error's text"
        return [tuple(record.get(field) for field in ("message", *fields)) for record in records]

    return new_records
