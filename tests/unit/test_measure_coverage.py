"""`make coverage`: which tests it runs, and when it fails."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import measure_coverage
from measure_coverage import main
from repository.files import REPOSITORY


class Coverage:
    """Plays coverage.py: the tests end with this status, and of these folders too little is reached."""

    def __init__(self, tests_end_with: int = 0, short: tuple[str, ...] = ()) -> None:
        self.tests_end_with = tests_end_with
        self.short = short
        self.commands: list[tuple[str, ...]] = []

    def __call__(self, *arguments: str) -> int:
        self.commands.append(arguments)
        if arguments[0] == "run":
            return self.tests_end_with
        return 2 * any(f"--include={folder}/*" in arguments for folder in self.short)

    def named(self, command: str) -> list[tuple[str, ...]]:
        return [each for each in self.commands if each[0] == command]


@pytest.fixture
def coverage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Coverage]:
    played = Coverage()
    monkeypatch.setattr(measure_coverage, "coverage", played)
    monkeypatch.setattr(measure_coverage, "MEASURED", tmp_path / "measured")
    before = signal.getsignal(signal.SIGINT)
    yield played
    signal.signal(signal.SIGINT, before)


def test_the_functions_must_be_whole_and_the_programs_nearly(coverage: Coverage) -> None:
    assert main([]) == 0
    assert [each[0] for each in coverage.commands] == ["erase", "run", "combine", "report", "report"]
    assert [each[1:] for each in coverage.named("report")] == [
        ("--include=lambda/*", "--fail-under=100"),
        ("--include=scripts/*", "--fail-under=90"),
    ]
    [run] = coverage.named("run")
    assert "--source=lambda,scripts" in run


def test_the_functions_alone_need_no_test_that_starts_a_system(coverage: Coverage) -> None:
    assert main(["lambda"]) == 0
    [run], [report] = coverage.named("run"), coverage.named("report")
    assert report[1:] == ("--include=lambda/*", "--fail-under=100")
    assert "--source=lambda" in run
    tests = [argument for argument in run if argument.endswith(".py")]
    assert {"tests/unit/test_processing.py", "tests/integration/test_processing_handler.py"} <= set(tests)
    assert not [test for test in tests if "local_stack" in (REPOSITORY / test).read_text() and "unit" not in test]


def test_every_test_that_is_named_is_there(coverage: Coverage) -> None:
    main([])
    [run] = coverage.named("run")
    tests = [argument for argument in run if argument.startswith("tests/")]
    assert "tests/unit" in tests
    assert all((REPOSITORY / test).exists() for test in tests)
    assert any("test_operator_tool" in test for test in tests)


def test_too_little_is_a_failure_that_names_the_folder(coverage: Coverage, capsys: pytest.CaptureFixture[str]) -> None:
    coverage.short = ("scripts",)
    assert main([]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("make coverage: the tests reach less than 90 % of scripts/: ")


def test_failed_tests_are_a_failure_even_where_enough_is_reached(
    coverage: Coverage, capsys: pytest.CaptureFixture[str]
) -> None:
    coverage.tests_end_with = 1
    assert main([]) == 1
    assert len(coverage.named("report")) == 2, "the tables are shown all the same"
    assert "make coverage: tests failed, see above" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "reason"), [(2, "stopped"), (4, "the tests could not be run")])
def test_of_tests_that_did_not_run_to_their_end_nothing_is_told(
    coverage: Coverage, status: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    coverage.tests_end_with = status
    assert main(["lambda"]) == status
    assert not coverage.named("report")
    assert reason in capsys.readouterr().err


def test_an_unknown_folder_is_wrong_use(coverage: Coverage, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["docs"])
    assert "choose from" in capsys.readouterr().err
    assert not coverage.commands


def test_a_program_that_a_test_starts_is_measured_however_it_ends(tmp_path: Path) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "ended.py").write_text("""
import os, signal, sys
print("begun", flush=True)
if sys.argv[1] == "exit":
    os._exit(3)
signal.pause()
""")
    starter = f"""
import subprocess, sys
program = [sys.executable, {str(folder / "ended.py")!r}]
assert subprocess.run([*program, "exit"]).returncode == 3
with subprocess.Popen([*program, "pause"], stdout=subprocess.PIPE) as paused:
    paused.stdout.readline()
    paused.terminate()
"""
    environment = {**os.environ, "COVERAGE_FILE": str(tmp_path / "measured")}
    environment.pop("COVERAGE_PROCESS_CONFIG", None)  # of the coverage that may be measuring this
    command = [sys.executable, "-m", "coverage"]
    options = ["--rcfile", str(REPOSITORY / "pyproject.toml")]
    (tmp_path / "starter.py").write_text(starter)

    subprocess.run(
        [*command, "run", *options, f"--source={folder}", "starter.py"], cwd=tmp_path, env=environment, check=True
    )

    assert len(list(tmp_path.glob("measured.*"))) >= 2
    subprocess.run([*command, "combine", *options, "--quiet"], cwd=tmp_path, env=environment, check=True)
    report = subprocess.run(
        [*command, "report", *options, "--format=total"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert report.stdout.strip() == "100.0"
