"""What `make bench` makes of the fresh interpreters that it starts, and of those that fail."""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import instructions, interpreters, starts, wires, work
from bench.interpreters import SERVICES


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a program in the place of the probe `start`."""
    monkeypatch.setattr(interpreters, "PROBES", tmp_path)

    def put(code: str) -> None:
        (tmp_path / "start.py").write_text(code)

    return put


def test_a_probe_that_fails_is_told_with_the_end_of_what_it_said(probe: Callable[[str], None]) -> None:
    probe("raise SystemExit('no boto3')")
    with pytest.raises(RuntimeError, match=r"^the probe start failed: no boto3$"):
        interpreters.run("start")


@pytest.mark.parametrize("code", ["pass", "import sys; sys.exit(1)", "print('ready', flush=True); raise SystemExit(1)"])
def test_a_start_that_did_not_get_ready_is_no_figure(probe: Callable[[str], None], code: str) -> None:
    probe(code)
    with pytest.raises(RuntimeError, match=r"^the probe start did not get ready$"):
        interpreters.seconds_until_ready("start")


def test_a_start_is_timed_up_to_the_first_byte_and_not_to_the_end(
    probe: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It ends well only if the clock was read the second time while it was still running.
    timed = tmp_path / "timed"
    probe(
        "import pathlib, sys, time; print('ready', flush=True); ends = time.monotonic() + 30\n"
        f"while not (timed := pathlib.Path({str(timed)!r}).exists()) and time.monotonic() < ends: time.sleep(0.01)\n"
        "sys.exit(not timed)"
    )
    moments = [10.25, 10.0]

    def clock() -> float:
        if len(moments) == 1:
            timed.touch()
        return moments.pop()

    monkeypatch.setattr(interpreters, "time", SimpleNamespace(perf_counter=clock))
    assert interpreters.seconds_until_ready("start") == 0.25


def test_a_probe_sees_no_account_and_nothing_of_the_persons_python(
    probe: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    probe("import json, os, sys; print('a line'); print(json.dumps([dict(os.environ), sys.path, sys.argv[1:]]))")

    environment, path, arguments = interpreters.run("start", "floor", "sqs")

    assert "AWS_PROFILE" not in environment
    assert environment["AWS_CONFIG_FILE"] == "/dev/null"
    assert "/elsewhere" not in path
    assert arguments == ["floor", "sqs"]


def test_each_cold_start_is_compared_with_its_own_service_after_one_that_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[tuple[Any, ...]] = []

    def seconds(probe: str, kind: str, name: str, folder: str = "") -> float:
        first = (kind, name) not in seen
        seen.append((kind, name))
        return 9.0 if first else {"function": 0.3, "floor": {"sqs": 0.2}.get(name, 0.25)}[kind]

    monkeypatch.setattr(starts, "seconds_until_ready", seconds)
    figures = {figure.name: figure for figure in starts.cold_starts(tmp_path, 2)}

    assert figures.keys() == {f"cold start, {name}" for name in SERVICES}
    assert len(seen) == (2 + 1) * (len(SERVICES) + 3)
    submission, status = figures["cold start, submission"], figures["cold start, status"]
    assert (submission.value, submission.floor, submission.ratio) == pytest.approx((300, 200, 1.5))
    assert status.ratio == pytest.approx(1.2)
    assert (submission.at_most, status.at_most) == (1.35, 1.10)


@pytest.mark.parametrize(("held", "names"), [(2048, list(SERVICES)), (0, [])])
def test_memory_is_told_only_where_the_system_tells_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, held: int, names: list[str]
) -> None:
    monkeypatch.setattr(starts, "run", lambda probe, kind, *_: {"memory_kib": held if kind == "function" else 1024})
    figures = list(starts.memory(tmp_path))
    assert [figure.name for figure in figures] == [f"memory of a worker, {name}" for name in names]
    assert all((figure.value, figure.ratio) == (2.0, 2.0) for figure in figures)


def test_own_work_is_told_for_an_order_and_not_for_a_batch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measured = {"function": [300.0, 310.0, 305.0], "sdk": [600.0, 620.0, 610.0]}
    monkeypatch.setattr(work, "run", lambda *_: measured)

    submission, processing = work.warm_costs(tmp_path, 3)

    assert (submission.value, submission.value_at_most, submission.met) == (305, 150, False)
    assert (processing.value, processing.floor, processing.met) == (30.5, 61, None)


def test_a_call_too_many_is_a_missed_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    operations = {name: {event: ["Call"] for event in events} for name, events in wires.CALLS_AT_MOST.items()}
    monkeypatch.setattr(wires, "run", lambda probe, folder, function: {"operations": operations[function]})

    met = {figure.name: figure.met for figure in wires.round_trips(tmp_path)}

    assert len(met) == sum(map(len, operations.values()))
    assert {name for name, each in met.items() if not each} == {
        "calls to AWS, submission, a request without an order",
        "calls to AWS, status, a typo",
    }


def put_valgrind_on_path(directory: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Make a `valgrind` of this Python code, which has its arguments in `arguments`."""
    program = directory / "valgrind"
    program.write_text(f"#!{sys.executable} -IS\nimport sys\narguments = sys.argv[1:]\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))


def test_instructions_can_be_counted_only_with_valgrind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not instructions.can_count()
    put_valgrind_on_path(tmp_path, monkeypatch, "pass")
    assert instructions.can_count()


def test_the_instructions_of_an_event_are_counted_without_those_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A start takes 1,500,000,000, with boto3 alone 1,000,000,000; an event 200,000 more, of the SDK 400,000.
    put_valgrind_on_path(
        tmp_path,
        monkeypatch,
        """
count = 1_000_000_000 if "floor" in arguments else 1_500_000_000
if "handle.py" in " ".join(arguments):
    events, who = int(arguments[-2]), arguments[-1]
    count += events * (400_000 if who == "sdk" else 200_000)
print(f"==1== I refs:        {count:,}", file=sys.stderr)
""",
    )
    figures = {figure.name: figure for figure in instructions.instructions(tmp_path)}

    assert len(figures) == len(SERVICES) + 2
    start = figures["instructions of a cold start, processing"]
    assert (start.value, start.floor, start.ratio, start.met) == (1500, 1000, 1.5, False)
    submission = figures["instructions of own work for an order, submission"]
    assert (submission.value, submission.floor, submission.ratio) == (200, 400, 0.5)
    processing = figures["instructions of own work for a message of ten, processing"]
    assert processing.value == 20


@pytest.mark.parametrize(
    "code", ["print('cannot execute', file=sys.stderr)", "sys.exit('I refs: 5, then it cannot execute')"]
)
def test_a_valgrind_that_does_not_count_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    put_valgrind_on_path(tmp_path, monkeypatch, code)
    with pytest.raises(RuntimeError, match=r"^valgrind could not count instructions: .*cannot execute$"):
        list(instructions.instructions(tmp_path))


def test_the_zip_is_unpacked_whole(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("orders/order.schema.json", json.dumps({}))
    folder = interpreters.unpack(tmp_path / "a.zip", tmp_path / "task")
    assert (folder / "orders" / "order.schema.json").read_text() == "{}"
    size, files = wires.package(tmp_path / "a.zip")
    assert files.value == 1
    assert size.value == pytest.approx((tmp_path / "a.zip").stat().st_size / 1e6)
