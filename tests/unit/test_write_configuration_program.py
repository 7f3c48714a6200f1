"""`make docs` on a page, a variable or a template that is not as it should be."""

from pathlib import Path

import pytest

import write_configuration


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the page, to be written."""
    copy = tmp_path / "configuration.md"
    copy.write_text(write_configuration.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(write_configuration, "PAGE", copy)
    return copy


def test_a_page_that_is_out_of_date_is_written_anew_once(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = page.read_text(encoding="utf-8")
    page.write_text(whole.replace("\n| `notification_email` |", "\n| `old_name` |"), encoding="utf-8")

    assert write_configuration.main() == 0
    assert page.read_text(encoding="utf-8") == whole
    assert write_configuration.main() == 0
    assert capsys.readouterr().out == "configuration.md is written anew\nconfiguration.md is up to date\n"


def test_a_variable_without_a_description_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "variables.tf").write_text('variable "mute" {\n  type = string\n}\n')
    monkeypatch.setattr(write_configuration, "REPOSITORY", tmp_path)
    with pytest.raises(ValueError, match=r"^backend: variable mute needs a description"):
        list(write_configuration.variables("backend"))


def test_a_template_without_parameters_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Resources: {}\n")
    monkeypatch.setattr(write_configuration, "TEMPLATE", template)
    with pytest.raises(ValueError, match=r"^template\.yaml has no chapter Parameters$"):
        list(write_configuration.parameters())


def test_a_parameter_that_terraform_does_not_have_is_in_the_table_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Parameters:\n  Lonely:\n    Type: String\n    Default: ''\n    Description: Only here.\n")
    monkeypatch.setattr(write_configuration, "TEMPLATE", template)
    assert list(write_configuration.backend_table())[-1] == "|  |  | `Lonely` | empty | Only here. |"
