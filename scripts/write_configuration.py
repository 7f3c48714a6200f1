"""Write the tables of docs/configuration.md from the variables of both Terraform folders and the template's parameters.

`make docs` runs it; a test compares the result with the page. It replaces only what is between these comments:

    <!-- terraform-backend, by `make docs` -->
    …
    <!-- end -->
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "configuration.md"
TEMPLATE = REPOSITORY / "cloudformation" / "order-processing.yaml"

# CloudFormation cannot compare numbers, so there this setting is a choice with a name of its own.
OTHER_NAMES = {"processing_reserved_concurrency": "ProcessingConcurrencyReserved"}

# `terraform fmt` allows only one way to write these.
_VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_TEXT = re.compile(r'^  description = "(.*)"$', re.MULTILINE)
_LONG_TEXT = re.compile(r"^  description = <<-EOT\n(.*?)^  EOT$", re.MULTILINE | re.DOTALL)
_DEFAULT = re.compile(r"^  default +=(.*)$", re.MULTILINE)

_END_OF_SENTENCE = re.compile(r"(?<=[.])(?<!e\.g\.)\s+")
_BLOCK = re.compile(r"(<!-- ([\w-]+), by `make docs` -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Setting:
    """A variable or a parameter. A default of None means that a value is required."""

    name: str
    default: str | None
    description: str

    @property
    def meaning(self) -> str:
        """The first sentence of the description, and the one about null."""
        first, *others = _END_OF_SENTENCE.split(self.description)
        return " ".join([first, *(sentence for sentence in others if sentence.startswith("Null "))])


def variables(folder: str) -> Iterator[Setting]:
    text = (REPOSITORY / folder / "variables.tf").read_text(encoding="utf-8")
    for name, body in _VARIABLE.findall(text):
        found = _TEXT.search(body) or _LONG_TEXT.search(body)
        if found is None:
            raise ValueError(f"{folder}: variable {name} needs a description, on one line or as <<-EOT")
        default = _DEFAULT.search(body)
        description = " ".join(found[1].replace('\\"', '"').split())
        yield Setting(name, default[1].strip() if default else None, description)


def parameters() -> Iterator[Setting]:
    # Only this section: the rest has tags that plain YAML does not know.
    text = TEMPLATE.read_text(encoding="utf-8")
    chapter = re.search(r"^Parameters:\n(?:(?:[ #].*)?\n)+", text, re.MULTILINE)
    if chapter is None:
        raise ValueError(f"{TEMPLATE.name} has no chapter Parameters")
    for name, body in yaml.safe_load(chapter[0])["Parameters"].items():
        yield Setting(name, str(body["Default"]) if "Default" in body else None, body["Description"])


def parameter_of(variable: str) -> str:
    """Return the name of the parameter for a Terraform variable."""
    return OTHER_NAMES.get(variable) or "".join(word.capitalize() for word in variable.split("_"))


def backend_table() -> Iterator[str]:
    of_template = {parameter.name: parameter for parameter in parameters()}
    yield _row("Terraform", "default", "CloudFormation", "default", "what it is")
    yield "|---|---|---|---|---|"
    for variable in variables("terraform-backend"):
        parameter = of_template.pop(parameter_of(variable.name), None)
        yield _row(_code(variable.name), _default(variable), *_cells(parameter), _escaped(variable.meaning))
    for parameter in of_template.values():
        yield _row("", "", *_cells(parameter), _escaped(parameter.meaning))


def frontend_table() -> Iterator[str]:
    yield _row("Terraform", "default", "what it is")
    yield "|---|---|---|"
    for variable in variables("terraform-frontend"):
        yield _row(_code(variable.name), _default(variable), _escaped(variable.meaning))


def brought_up_to_date(page: str) -> str:
    """Return the page with current tables."""
    tables: Mapping[str, Iterable[str]] = {"terraform-backend": backend_table(), "terraform-frontend": frontend_table()}
    return _BLOCK.sub(lambda block: "\n".join([block[1], *tables[block[2]], "", block[3]]), page)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(parameter: Setting | None) -> tuple[str, str]:
    return (_code(parameter.name), _default(parameter)) if parameter else ("", "")


def _default(setting: Setting) -> str:
    if setting.default is None:
        return "**to be given**"
    return _code(setting.default) if setting.default else "empty"


def _code(text: str) -> str:
    return f"`{text}`"


def _escaped(text: str) -> str:
    return re.sub(r"([|*<])", r"\\\1", text)


if __name__ == "__main__":
    PAGE.write_text(brought_up_to_date(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
