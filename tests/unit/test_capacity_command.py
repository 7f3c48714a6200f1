"""`orders-plan capacity` as a person types it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planning import needed_packages
from planning.capacity_command import capacity
from repository.files import REPOSITORY

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(capacity, list(arguments))


def test_a_run_prints_what_happens_and_writes_numbers_and_a_picture(run: Run, tmp_path: Path) -> None:
    result = run("constant", "--rate", "1000", "--for", "1min")
    assert result.exit_code == 0, result.output
    assert "the API's own throttle answers 429" in result.output
    assert "api_throttling_rate_limit" in result.output
    written = json.loads((tmp_path / ".local/capacity/constant.json").read_text())
    assert written["offered"] == written["accepted"] + written["throttled_429"] + written["refused_503"]
    assert (tmp_path / ".local/capacity/constant.svg").read_text().startswith("<?xml")


def test_a_picture_can_be_png(run: Run, tmp_path: Path) -> None:
    assert run("constant", "--rate", "10", "--for", "10s", "--plot", "png").exit_code == 0
    assert (tmp_path / ".local/capacity/constant.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_all_that_is_printed_where_asked_for(run: Run) -> None:
    result = run("flash-sale", "--peak", "2000", "--for", "30s", "--json", "--plot", "none")
    document = json.loads(result.output)
    assert document["limits"][0]["is_variable"] in {True, False}
    assert {limit["setting"] for limit in document["limits"]} >= {"api_throttling_rate_limit"}


def test_a_setting_is_changed_by_name(run: Run) -> None:
    arguments = ("constant", "--rate", "1000", "--for", "1min", "--json", "--plot", "none")
    settings = ("api_throttling_rate_limit=2000", "processing_maximum_concurrency=10", "completed_order_email=none")
    more = [argument for setting in settings for argument in ("--set", setting)]
    assert json.loads(run(*arguments).output)["throttled_429"] > 0
    changed = json.loads(run(*arguments, *more).output)
    assert changed["throttled_429"] == 0
    assert changed["limits"] == []


def test_advice_changes_settings_until_nothing_is_refused(run: Run) -> None:
    stages = json.loads(run("constant", "--rate", "3000", "--for", "2min", "--advise", "--json").output)
    changes = {name: value for stage in stages for name, value in stage["changes"].items()}
    assert changes["api_throttling_rate_limit"] >= 3000
    assert changes["processing_maximum_concurrency"] >= 15
    assert changes["completed_order_email"] == "none"
    assert stages[-1]["changes"] == {}
    assert stages[-1]["outcome"]["throttled_429"] == 0
    assert stages[-1]["outcome"]["drain_seconds"] < 1


def test_recorded_orders_and_a_day_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("".join(f"{second}\n" for second in range(100)))
    assert '"stored": 100' in run("recorded", "orders.csv", "--json", "--plot", "none").output
    assert run("daily", "--orders", "100000", "--plot", "none").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "speed=1"], "sets nothing"),
        (["--set", "api_throttling_rate_limit"], "sets nothing"),
        (["--set", "processing_maximum_concurrency=many"], "wants a whole number"),
        (["--set", "processing_maximum_concurrency=1"], "at least 2"),
        (["--set", "processing_seconds=0"], "cannot be 0"),
        (["--set", "processing_seconds=inf"], "cannot be inf"),
        (["--set", "processing_reserved_concurrency=2000"], "no more than lambda_concurrency"),
        (["--for", "soon"], "is no time"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(run: Run, arguments: list[str], said: str) -> None:
    result = run("constant", "--rate", "1", *arguments)
    assert result.exit_code != 0
    assert said in result.output
    assert "Traceback" not in result.output


def test_missing_packages_are_said_with_the_command_that_installs_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needed_packages, "NEEDED", ("numpy", "not_installed_anywhere"))
    result = run("constant", "--rate", "1")
    assert result.exit_code == 1
    assert result.output == (
        "Error: The capacity model needs not_installed_anywhere: install what it needs with `make install-plan`.\n"
    )


def test_the_commands_load_no_heavy_package_before_they_run() -> None:
    program = (
        "import sys, planning.capacity_command, planning.cost_command; "
        "print(sorted({'numpy', 'simpy', 'matplotlib', 'boto3'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": str(REPOSITORY / "scripts")}
    output = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert output.stdout == "[]\n"


def test_settings_lists_all_that_set_changes(run: Run) -> None:
    output = run("settings").output
    assert "api_throttling_rate_limit" in output
    assert "https://docs.aws.amazon.com/" in output
    assert "processing_seconds" in output
