"""Where shell is found, and that what is wrong with it is told with the line of the file."""

from pathlib import Path

import pytest

import lint_shell
from lint_shell import LintError, findings, rendered, scripts_of
from repository.files import REPOSITORY
from requirements_of_tests import require_program


def found_in(path: str, text: str) -> list[tuple[str, int, str]]:
    """Return what is found in a file: where, in which line, by which rule."""
    return [(each.source, each.line, each.rule) for each in findings(list(scripts_of(path, text)))]


@pytest.mark.parametrize("shebang", ["#!/bin/sh", "#!/bin/bash", "#!/usr/bin/env bash", "#! /bin/sh"])
def test_a_script_is_known_by_its_first_line(shebang: str) -> None:
    assert found_in("scripts/run", f"{shebang}\nls $1\n") == [("scripts/run", 2, "SC2086")]


@pytest.mark.parametrize("text", ["#!/usr/bin/env python3\nls $1\n", "ls $1\n", ""])
def test_what_is_no_script_is_left_alone(text: str) -> None:
    assert found_in("scripts/run", text) == []


def test_a_template_is_no_script_before_it_is_rendered() -> None:
    assert found_in("script.sh.tftpl", "#!/bin/sh\n%{ if true ~}\nls $1\n") == []


def test_a_script_is_held_to_its_own_shell() -> None:
    assert found_in("a", "#!/bin/sh\nif [[ -f x ]]; then exit 1; fi\n") == [("a", 2, "SC3010")]
    assert found_in("a", "#!/bin/bash\nif [[ -f x ]]; then exit 1; fi\n") == []


def test_each_line_of_a_recipe_is_a_shell_of_its_own() -> None:
    recipes = 'NAME := value\n\nfirst:\n\t@exec ls\n\t@A=$$(ls); echo $$A "$(NAME)"\n\nsecond:\n\tif true; then \\\n\t  ls $$1; fi\n'
    assert found_in("Makefile", recipes) == [("Makefile", 5, "SC2086"), ("Makefile", 9, "SC2086")]


@pytest.mark.parametrize("style", ["run: ls $TARGET", "run: |\n          ls $TARGET", "run: >-\n          ls $TARGET"])
def test_the_steps_of_a_workflow_are_looked_at(style: str) -> None:
    workflow = f"name: Name\non: push\njobs:\n  job:\n    steps:\n      - uses: owner/action@hash\n      - {style}\n"
    line = workflow[: workflow.index("ls $TARGET")].count("\n") + 1
    path = ".github/workflows/ci.yml"
    assert found_in(path, workflow) == [(path, line, "SC2086")]


def test_what_a_document_tells_to_type_is_one_script() -> None:
    document = (
        "# Title\n\n    logged() {\n\nthen\n\n    orders show <order id>\n\n```\n$ orders $(ls\noutput (of it)\n```\n"
    )
    [script] = scripts_of("docs/page.md", document)
    numbered = {number: line for number, line in enumerate(script.text.splitlines(), 1) if line}
    assert numbered == {3: "logged() {", 7: "orders show order-id", 10: "orders $(ls"}


@pytest.mark.parametrize(
    ("block", "line", "rule"),
    [
        ("    curl $(stack api)/orders\n", 1, "SC2046"),
        ("    aws sqs list-queues \\ \n      --region eu-west-1\n", 1, "SC1101"),
        ('text\n\n    echo "$API\n', 3, "SC1073"),
    ],
)
def test_a_document_whose_command_does_not_do_what_it_says_is_found(block: str, line: int, rule: str) -> None:
    assert ("page.md", line, rule) in found_in("page.md", block)


def test_variables_of_another_block_are_no_fault_of_a_document() -> None:
    assert found_in("page.md", "    API=x\n    cd folder\n    orders show $order\n    echo '$default'\n") == []


def test_a_document_without_commands_holds_no_shell() -> None:
    assert list(scripts_of("page.md", "# Title\n\n- a list\n\n```json\n{}\n```\n")) == []


def test_a_template_is_looked_at_as_terraform_renders_it(tmp_path: Path) -> None:
    require_program("terraform", "install Terraform 1.9 or newer to render the script of the web servers")
    template = tmp_path / "script.sh.tftpl"
    template.write_text(
        '#!/bin/bash\necho "${name}" "%%{ENV}" "$${HOME}"\n%{ if is_https ~}\nls $1\n%{ endif ~}\n', encoding="utf-8"
    )
    first, second = rendered(template)
    assert first.text == '#!/bin/bash\necho "name" "%{ENV}" "${HOME}"\nls $1\n'
    assert second.text == '#!/bin/bash\necho "name" "%{ENV}" "${HOME}"\n'
    [finding] = findings([first, second])
    assert str(finding).splitlines()[0].endswith("rendered with is_https = true:3: SC2086: " + finding.message)
    assert str(finding).splitlines()[1] == "    ls $1"


def test_a_template_that_terraform_refuses_is_told(tmp_path: Path) -> None:
    require_program("terraform", "install Terraform 1.9 or newer to render the script of the web servers")
    template = tmp_path / "script.sh.tftpl"
    template.write_text("#!/bin/bash\n%{ if }\n")
    with pytest.raises(LintError, match=r"Terraform cannot render script\.sh\.tftpl"):
        list(rendered(template))


def test_all_the_shell_of_this_repository_is_seen() -> None:
    require_program("git", "install Git to look at all files that are checked in")
    sources = {script.source for script in lint_shell.all_scripts()}
    assert sources >= {
        ".ci/run",
        "Makefile",
        ".github/workflows/ci.yml",
        "README.md",
        "docs/runbook.md",
        "docs/cost.md",
    }
    assert (REPOSITORY / lint_shell.WEB_SERVER).is_file()


def test_what_is_found_is_told_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\nls $1\n")
    monkeypatch.setattr(lint_shell, "REPOSITORY", tmp_path)
    monkeypatch.setattr(lint_shell, "checked_in_files", lambda: ["script", "deleted"])
    assert lint_shell.main([]) == 1
    assert capsys.readouterr().out.startswith("script:2: SC2086: ")
    (tmp_path / "script").write_text('#!/bin/sh\nls "$1"\n')
    assert lint_shell.main([]) == 0


def test_where_there_is_no_repository_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require_program("git", "install Git to look at all files that are checked in")
    monkeypatch.setattr(lint_shell, "REPOSITORY", tmp_path)
    assert lint_shell.main([]) == 2
    assert "Git cannot list what is checked in" in capsys.readouterr().err
