"""A missing program skips a test. With CI=true the test fails."""

import pytest

from support.prerequisites import require_program

SKIPPED, FAILED = pytest.skip.Exception, pytest.fail.Exception


@pytest.mark.parametrize(("ci", "outcome"), [("", SKIPPED), ("true", FAILED)])
def test_missing_program_skips_a_test_and_fails_it_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises((SKIPPED, FAILED), match="the program 'no-such-tool' is missing: install it") as raised:
        require_program("no-such-tool", "install it")
    assert raised.type is outcome
