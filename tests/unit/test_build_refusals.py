"""What the builder of the Lambda package says, in one sentence, where it cannot build."""

import platform

import pytest

import build_lambda
from build_lambda import BuildError


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("Linux", "riscv64")])
def test_a_machine_that_no_package_is_for_is_told_how_to_go_on(
    system: str, machine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert build_lambda.main(["--target", "local"]) == 1
    said = capsys.readouterr().err
    assert f"arm64 or x86_64, not {system} on {machine}; build for AWS with --target arm64, or work in WSL" in said


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("WARNING: Retrying (Retry(total=0", "the package index cannot be reached"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "a downloaded library is not the one"),
        ("ERROR: No matching distribution found for rpds-py==0.27", "pip finds no wheel of rpds-py==0.27 for Linux"),
        ("WARNING: old\nERROR: Disk quota exceeded.\n", "could not download the libraries: Disk quota exceeded; mend"),
        ("Killed", "could not download the libraries: Killed; mend that"),
        ("", "could not download the libraries: nothing; mend that"),
    ],
)
def test_what_pip_complains_of_becomes_one_sentence(complaint: str, reason: str) -> None:
    sentence = build_lambda.reason_for_no_wheels(complaint, build_lambda.target_named("arm64"))
    assert reason in sentence
    assert "\n" not in sentence


def test_two_libraries_that_differ_on_a_file_are_not_put_into_one_zip() -> None:
    assert build_lambda.merge({"a": b"1"}, {"a": b"1", "b": b"2"}) == {"a": b"1", "b": b"2"}
    with pytest.raises(BuildError, match=r"^two packages bring a file a; take one out of lambda/requirements\.in$"):
        build_lambda.merge({"a": b"1"}, {"a": b"2"})
