"""Chromium, which tests of several folders share: Playwright can run only once in a process."""

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from support.prerequisites import require_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Debian's chromium-headless-shell has the same engine without the browser's windows and needs half the processor time.
_CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    # Hosts other than localhost and without TLS: a storefront behind an HTTP load balancer, and a hostile page.
    "--host-resolver-rules=MAP storefront.example 127.0.0.1, MAP hostile.example 127.0.0.1",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def chromium_options() -> dict[str, Any]:
    """The options with which Playwright starts Chromium."""
    found = next(filter(shutil.which, _CHROMIUMS), "chromium")
    executable = require_program(found, "install it for the browser tests (apt-get install chromium)")
    # Chromium's sandbox does not run as root.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {"executable_path": executable, "args": _ARGUMENTS + sandbox}


@pytest.fixture(scope="session")
def chromium(chromium_options: dict[str, Any]) -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium_options)
        yield browser
        browser.close()
