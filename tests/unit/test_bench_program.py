"""`make bench` from the command line: what it leaves behind, and when it fails."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bench.__main__ as program
import build_lambda
from bench.__main__ import Sizes
from bench.figures import Figure
from local_stack import LocalStackError

MET = Figure("size", 0.5, "MB", value_at_most=0.8)
MISSED = Figure("start", 15, "ms", 10, "boto3", 1.5, at_most=1.1)

Bench = Callable[..., int]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def bench(results: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Run the command line with these figures in the place of what takes minutes."""
    measured: dict[str, Any] = {}
    monkeypatch.setattr(build_lambda, "build", lambda target: Path(f"orders-{target}.zip"))
    monkeypatch.setattr(program, "unpack", lambda zip_path, folder: folder)
    monkeypatch.setattr(program, "Sizes", lambda: Sizes(results=results))
    monkeypatch.setattr(program, "QUICK", Sizes(results=results, is_enough_to_judge=False))
    for part in ("_in_process", "_deployed"):
        monkeypatch.setattr(program, part, lambda *_, part=part: measured.get(part, lambda: iter(()))())

    def run(*arguments: str, in_process: Any = lambda: iter(()), deployed: Any = lambda: iter(())) -> int:
        measured.update({"_in_process": in_process, "_deployed": deployed})
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        return program.main()

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


def test_a_run_tells_each_figure_and_writes_all_as_json_and_as_a_table(
    bench: Bench, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(in_process=lambda: iter([MET]), deployed=lambda: iter([Figure("rate", 90.0, "/s")])) == 0

    document = json.loads((results / "bench.json").read_text(encoding="utf-8"))
    assert [(each["name"], each["met"]) for each in document["figures"]] == [("size", True), ("rate", None)]
    assert document["machine"].endswith(f"{os.cpu_count()} processors")
    table = (results / "bench.md").read_text(encoding="utf-8")
    assert "| size | 0.5 MB |" in table
    said = capsys.readouterr().out
    assert "  size: 0.5 MB\n" in said
    assert table.strip() in said


def test_one_part_can_be_measured_alone(bench: Bench, results: Path) -> None:
    assert bench("--only", "deployed", in_process=lambda: iter([MISSED]), deployed=lambda: iter([MET])) == 0
    assert [each["name"] for each in json.loads((results / "bench.json").read_text())["figures"]] == ["size"]


def test_a_missed_target_fails_a_whole_run_and_is_named(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(in_process=lambda: iter([MET, MISSED])) == 1
    said = capsys.readouterr()
    assert "  start: 15 ms  ratio 1.50  MISSED\n" in said.out
    assert said.err == "\nmake bench: 1 targets missed: start\n"


def test_a_target_missed_in_a_quick_run_is_no_verdict(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--quick", in_process=lambda: iter([MISSED])) == 0
    said = capsys.readouterr()
    assert "says little; `make bench` measures all" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    "error", [LocalStackError("Port 4566 is taken."), RuntimeError("the probe start failed: no boto3")]
)
def test_what_cannot_be_measured_is_one_line_and_a_failure(
    bench: Bench, results: Path, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> Iterator[Figure]:
        yield MET
        raise error

    assert bench(in_process=fails) == 1
    assert capsys.readouterr().err == f"\nmake bench: {error}\n"
    assert not results.exists(), "half a run is no result"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_the_results_of_the_last_whole_one(
    bench: Bench, results: Path, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    bench(in_process=lambda: iter([MET]))
    before = (results / "bench.json").read_bytes()

    def is_stopped() -> Iterator[Figure]:
        signal.raise_signal(number)
        yield MISSED

    assert bench(in_process=is_stopped) == 130
    assert "stopped; the results of the last whole run are untouched" in capsys.readouterr().err
    assert (results / "bench.json").read_bytes() == before
