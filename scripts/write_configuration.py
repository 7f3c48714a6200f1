"""Write the tables of docs/configuration.md from Terraform's variables and the template's parameters.

`make docs` runs it. It replaces only the text between comments such as these:

    <!-- terraform-backend, by `make docs` -->
    …
    <!-- end -->
"""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "configuration.md"
TEMPLATE = REPOSITORY / "cloudformation" / "order-processing.yaml"

# CloudFormation cannot compare numbers, so this setting is true or false there.
OTHER_NAMES = {"processing_reserved_concurrency": "ProcessingConcurrencyReserved"}

# `terraform fmt` allows only one way to write these.
_VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_DESCRIPTION = re.compile(r'^  description = (?:"(.*?)"$|<<-EOT\n(.*?)^  EOT$)', re.MULTILINE | re.DOTALL)
_DEFAULT = re.compile(r"^  default +=(.*)$", re.MULTILINE)
_END_OF_SENTENCE = re.compile(r"(?<=[.])(?<!e\.g\.)\s+")
_BLOCK = re.compile(r"(<!-- ([\w-]+), by `make docs` -->\n).*?(<!-- end -->)", re.DOTALL)

Setting = tuple[str, str]  # the cell with the default, and the description


def default_cell(default: object) -> str:
    return "**required**" if default is None else f"`{default}`" if default != "" else "empty"


def meaning(description: str) -> str:
    """Return the first sentence of a description, and the one about null."""
    first, *others = _END_OF_SENTENCE.split(description)
    text = " ".join([first, *(sentence for sentence in others if sentence.startswith("Null "))])
    return re.sub(r"([|*<])", r"\\\1", text)


def variables(folder: str) -> dict[str, Setting]:
    settings = {}
    for name, body in _VARIABLE.findall((REPOSITORY / folder / "variables.tf").read_text(encoding="utf-8")):
        found = _DESCRIPTION.search(body)
        if found is None:
            raise ValueError(f"{folder}: variable {name} needs a description, on one line or as <<-EOT")
        default = _DEFAULT.search(body)
        description = " ".join((found[1] or found[2]).replace('\\"', '"').split())
        settings[name] = default_cell(default and default[1].strip()), meaning(description)
    return settings


def parameters() -> dict[str, Setting]:
    # The rest of the template has tags that are not plain YAML.
    section = re.search(r"^Parameters:\n(?:(?:[ #].*)?\n)+", TEMPLATE.read_text(encoding="utf-8"), re.MULTILINE)
    assert section is not None
    found = yaml.safe_load(section[0])["Parameters"]
    return {name: (default_cell(each.get("Default")), meaning(each["Description"])) for name, each in found.items()}


def parameter_of(variable: str) -> str:
    """Return the name of the parameter for a Terraform variable."""
    return OTHER_NAMES.get(variable) or "".join(word.capitalize() for word in variable.split("_"))


def backend_rows() -> Iterator[list[str]]:
    yield ["Terraform", "default", "CloudFormation", "default", "description"]
    of_template = parameters()
    for name, (default, description) in variables("terraform-backend").items():
        parameter = parameter_of(name)
        of_parameter = [f"`{parameter}`", of_template.pop(parameter)[0]] if parameter in of_template else ["", ""]
        yield [f"`{name}`", default, *of_parameter, description]
    for name, (default, description) in of_template.items():
        yield ["", "", f"`{name}`", default, description]


def frontend_rows() -> Iterator[list[str]]:
    yield ["Terraform", "default", "description"]
    for name, (default, description) in variables("terraform-frontend").items():
        yield [f"`{name}`", default, description]


def updated(page: str) -> str:
    """Return the page with current tables."""
    tables = {"terraform-backend": backend_rows, "terraform-frontend": frontend_rows}

    def table(folder: str) -> str:
        head, *rows = tables[folder]()
        return "".join(f"| {' | '.join(row)} |\n" for row in [head, *rows]).replace(
            "\n", f"\n|{'---|' * len(head)}\n", 1
        )

    return _BLOCK.sub(lambda block: f"{block[1]}\n{table(block[2])}\n{block[3]}", page)


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
