"""Lint all shell of this repository with shellcheck, wherever it stands.

    .venv/bin/python scripts/lint_shell.py                  scripts, recipes, steps of workflows, and what documents
                                                            tell a person to type
    .venv/bin/python scripts/lint_shell.py --web-server     the script that makes a web server, as Terraform renders it

Each piece is handed to shellcheck behind as many empty lines as stand above it, so that what is found has the line of
the file. https://www.shellcheck.net/wiki/ explains each finding by its number.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import yaml
from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).resolve().parents[1]

WEB_SERVER = "terraform-frontend/templates/user_data.sh.tftpl"

ACCEPTED_WHERE_TYPED: Final = (
    "SC2034",  # set here and used in a later block
    "SC2154",  # set in an earlier block
    "SC2086",  # a name that the reader has set, without spaces
    "SC2164",  # a person sees that `cd` has failed
    "SC2016",  # $default is the name of a stage
)
"""What shellcheck finds wrong in a script and is no fault in commands that a person types one by one."""

_SHEBANG = re.compile(r"#! */(?:usr/)?bin/(?:env )?(sh|bash)\b")
_PLACEHOLDER = re.compile(r"<([a-z][a-z _-]*)>")


class LintError(Exception):
    """The shell cannot be looked at; the message says why and what to do."""


@dataclass(frozen=True, order=True)
class Script:
    """A piece of shell."""

    dialect: str
    """sh or bash."""
    accepted: tuple[str, ...]
    """What may be found in it, as SC and a number."""
    source: str
    """Where it stands, for people."""
    text: str
    """Line by line where it stands."""


@dataclass(frozen=True)
class Finding:
    """What shellcheck has to say of a line."""

    source: str
    line: int
    rule: str
    message: str
    text: str
    """The line."""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.rule}: {self.message}\n    {self.text.strip()}"


def scripts_of(path: str, text: str) -> Iterator[Script]:
    """Return the shell of a file, which is a script of its own or holds some."""
    shebang = _SHEBANG.match(text)
    if path.endswith(".tftpl"):
        return  # no shell before it is rendered
    if shebang:
        yield Script(shebang[1], (), path, text)
    elif path == "Makefile":
        yield from recipes(path, text)
    elif path.startswith(".github/workflows/"):
        yield from steps_of_a_workflow(path, text)
    elif path.endswith(".md"):
        yield from typed_commands(path, text)


def recipes(path: str, text: str) -> Iterator[Script]:
    """Return the recipes of a Makefile, each line a script of its own, as make runs it."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        first = number
        if not lines[first].startswith("\t"):
            number += 1
            continue
        while lines[number].endswith("\\"):
            number += 1
        number += 1
        command = "\n".join(lines[first:number]).lstrip("\t@+-")
        # A variable of make stands for text that is not known here; $$ is how make writes the shell's $.
        command = re.sub(r"\$\(([A-Z_]+)\)", r"\1", command).replace("$$", "$")
        yield Script("sh", (), path, "\n" * first + command + "\n")


def steps_of_a_workflow(path: str, text: str) -> Iterator[Script]:
    """Return the commands of a workflow on GitHub, step by step."""
    for parent, node in _nodes(yaml.compose(text, yaml.SafeLoader)):
        if parent == "run" and isinstance(node, yaml.ScalarNode):
            is_block = node.style in ("|", ">")
            yield Script("bash", (), path, "\n" * (node.start_mark.line + is_block) + node.value.rstrip("\n") + "\n")


def _nodes(node: yaml.Node | None, key: str = "") -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _nodes(value, name.value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _nodes(value)
    elif node is not None:
        yield key, node


def typed_commands(path: str, text: str) -> Iterator[Script]:
    """Return what a document tells a person to type: its indented blocks, and in the others what stands behind a $.

    All of a document in one script, for the blocks continue each other.
    """
    lines = text.splitlines()
    kept = [""] * len(lines)
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.map is None or token.type not in ("code_block", "fence"):
            continue
        for number in range(token.map[0], min(token.map[1], len(lines))):
            line = lines[number].lstrip()
            if token.type == "code_block":
                kept[number] = _PLACEHOLDER.sub(lambda found: found[1].replace(" ", "-"), line)
            elif line.startswith("$ "):
                kept[number] = line.removeprefix("$ ")
    if any(kept):
        yield Script("bash", ACCEPTED_WHERE_TYPED, path, "\n".join(kept) + "\n")


def rendered(template: Path, terraform: str = "terraform") -> Iterator[Script]:
    """Return the script of a template of Terraform, once with all its conditions true and once with none.

    A variable's value is its name. Raises LintError where Terraform cannot render it.
    """
    text = template.read_text(encoding="utf-8")
    conditions = set(re.findall(r"%\{ *if !?(\w+)", text))
    names = set(re.findall(r"\$\{ *(\w+) *\}", text)) - conditions
    for truth in (True, False):
        values = {**dict.fromkeys(conditions, truth), **{name: name for name in names}}
        expression = f"jsonencode(templatefile({json.dumps(str(template))}, {json.dumps(values)}))"
        with TemporaryDirectory() as nothing:
            ran = subprocess.run(
                [terraform, "console"], cwd=nothing, input=expression, capture_output=True, text=True, check=False
            )
        if ran.returncode != 0:
            raise LintError(f"Terraform cannot render {template.name}: {ran.stderr.strip()}")
        # A string of HCL that holds a string of JSON.
        script = json.loads(json.loads(ran.stdout))
        settings = ", ".join(f"{name} = {str(truth).lower()}" for name in sorted(conditions))
        shebang = _SHEBANG.match(script)
        yield Script(shebang[1] if shebang else "sh", (), f"{WEB_SERVER}, rendered with {settings}", script)


def findings(scripts: Sequence[Script]) -> list[Finding]:
    """Return what shellcheck finds in these scripts; raise LintError where it cannot run."""
    shellcheck = Path(sys.executable).with_name("shellcheck")
    found = []
    with TemporaryDirectory() as directory:
        for (dialect, accepted), group in groupby(sorted(scripts), lambda script: (script.dialect, script.accepted)):
            files = {}
            for number, script in enumerate(group):
                path = Path(directory) / f"{dialect}-{len(accepted)}-{number}"
                path.write_text(script.text, encoding="utf-8")
                files[str(path)] = script
            command = [shellcheck, "--norc", "--format", "json1", "--shell", dialect]
            command += ["--exclude", ",".join(accepted)] if accepted else []
            try:
                ran = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
            except FileNotFoundError:
                raise LintError("shellcheck is not installed: run `make set-up-test`.") from None
            if ran.returncode not in (0, 1):
                raise LintError(f"shellcheck cannot look at it: {ran.stderr.strip()}")
            for comment in json.loads(ran.stdout)["comments"]:
                script, line = files[comment["file"]], comment["line"]
                text = script.text.splitlines()[line - 1 : line]
                rule = f"SC{comment['code']}"
                found.append(Finding(script.source, line, rule, comment["message"], "".join(text)))
    return found


def checked_in_files() -> list[str]:
    """Return the paths of all files that are checked in or about to be; raise LintError where Git cannot tell."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        raise LintError(f"Git cannot list what is checked in: {listed.stderr.strip()}")
    return [path for path in sorted(set(listed.stdout.split("\0"))) if (REPOSITORY / path).is_file()]


def all_scripts() -> list[Script]:
    """Return all shell that is checked in, and the command that set-up writes."""
    paths = [*checked_in_files(), ".venv/bin/orders"]
    return [
        script
        for path in paths
        if (REPOSITORY / path).is_file()
        for script in scripts_of(path, (REPOSITORY / path).read_bytes().decode("utf-8", "replace"))
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at the shell and tell what is found; return 0 if that is nothing."""
    parser = argparse.ArgumentParser(description="Lint all shell of this repository with shellcheck.")
    parser.add_argument("--web-server", action="store_true", help=f"only {WEB_SERVER}, as Terraform renders it")
    try:
        only_web_server = parser.parse_args(arguments).web_server
        scripts = list(rendered(REPOSITORY / WEB_SERVER)) if only_web_server else all_scripts()
        found = findings(scripts)
    except LintError as error:
        print(f"lint_shell: {error}", file=sys.stderr)
        return 2
    for finding in found:
        print(finding)
    if not found:
        print(f"lint_shell: {len(scripts)} pieces of shell in {len({script.source for script in scripts})} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
