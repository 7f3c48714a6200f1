"""What `make check` says and returns: when all is well, when a step finds something, and when a tool is missing."""

import os
import shlex
import sys
from pathlib import Path

import pytest

import audit_packages
import check
from check import Step, StepFailedError, Tool

NOWHERE = Tool("no-such-program", "look in the attic")


def python(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


WELL = Step("well", "what is well", python("print('nothing to see')"))
WRONG = Step("wrong", "what is wrong", python("import sys; print('line 3'); sys.exit('too long')"))
MISSING = Step("missing", "what cannot be looked at", python(""), (NOWHERE,))


def touching(path: Path) -> Step:
    """Return a step that leaves a file behind."""
    return Step("touch", "what is touched", python(f"open({str(path)!r}, 'w')"))


@pytest.fixture
def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


def test_all_is_well_when_every_step_is(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.run([WELL, WELL], environment, tmp_path).startswith("all is well, after ")
    out = capsys.readouterr().out
    assert out.count("what is well") == len(out.splitlines()) == 2
    assert "nothing to see" not in out


def test_the_first_step_that_finds_something_ends_it_with_what_it_found(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = tmp_path / "later"
    with pytest.raises(StepFailedError, match=r"what is wrong has found .* `make check STEPS=wrong` repeats only that"):
        check.run([WELL, WRONG, touching(later)], environment, tmp_path)
    out = capsys.readouterr().out
    assert WRONG.command in out
    assert "line 3\ntoo long\n" in out
    assert not later.exists()


def test_what_a_step_says_on_standard_error_is_shown_though_it_succeeds(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = check.run(
        [Step("old", "age", python("import sys; print('deprecated', file=sys.stderr)"))], environment, tmp_path
    )
    assert said.startswith("all is well")
    assert "\n    deprecated\n" in capsys.readouterr().out


@pytest.mark.parametrize("ci", ["", "true"])
def test_a_step_that_could_not_look_at_anything_is_left_out(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], ci: str
) -> None:
    code = f"import sys; print('NOT AUDITED', file=sys.stderr); sys.exit({audit_packages.NOT_LOOKED_AT})"
    said = check.run([Step("audit", "packages", python(code)), WELL], {**environment, "CI": ci}, tmp_path)
    assert said.endswith("but left out: packages")
    assert "left out\n    NOT AUDITED\n" in capsys.readouterr().out


def test_a_step_whose_tool_is_missing_is_left_out_and_the_others_are_taken(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = tmp_path / "later"
    said = check.run([MISSING, touching(later)], environment, tmp_path)
    assert said.endswith("but left out: what cannot be looked at")
    assert "    no-such-program is not installed: look in the attic\n" in capsys.readouterr().out
    assert later.exists()


def test_in_ci_a_missing_tool_is_a_failure(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StepFailedError, match="what cannot be looked at cannot be left out"):
        check.run([MISSING, WELL], {**environment, "CI": "true"}, tmp_path)
    assert "no-such-program is not installed: look in the attic" in capsys.readouterr().out


def test_a_step_runs_in_the_repository_with_the_environment(environment: dict[str, str], tmp_path: Path) -> None:
    code = "import os; open('seen', 'w').write(os.environ['SEEN'])"
    check.run([Step("read", "reading", python(code))], {**environment, "SEEN": "it"}, tmp_path)
    assert (tmp_path / "seen").read_text() == "it"


def test_the_exit_status_tells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(check, "STEPS", (WELL, WRONG))
    assert check.main(["well"]) == 0
    step, end = capsys.readouterr().out.splitlines()
    assert "what is well" in step
    assert end.startswith("make check: all is well")
    assert check.main([]) == 1
    assert "make check: FAILED: what is wrong" in capsys.readouterr().err


def test_a_step_that_is_not_there_is_told_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "STEPS", (WELL, WRONG))
    assert check.main(["well", "typo"]) == 2
    assert capsys.readouterr().err == "make check: there is no step typo; there are well, wrong.\n"


def test_it_can_be_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "run", interrupt)
    assert check.main([]) == 130
    assert capsys.readouterr().err == "\nmake check: stopped.\n"
