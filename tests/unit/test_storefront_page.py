"""Rules for the storefront's sources, checked in their text."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from support.storefront.server import FRONTEND

PAGE = (FRONTEND / "index.html").read_text()
MODULES = sorted(FRONTEND.glob("*.js"))
PICTURES = sorted((FRONTEND / "images").glob("*.svg"))


def test_page_has_no_inline_script_or_style() -> None:
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", PAGE) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)", PAGE) == []


def test_page_references_no_other_origin() -> None:
    sources = [PAGE, (FRONTEND / "style.css").read_text(), *(module.read_text() for module in MODULES)]
    assert [address for source in sources for address in re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+", source)] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_module_never_turns_text_into_markup_or_code(module: Path) -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setHTMLUnsafe"
    assert re.findall(forbidden, module.read_text()) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_only_the_view_accesses_the_document(module: Path) -> None:
    touches = re.findall(r"querySelector|getElementById|createElement|textContent", module.read_text())
    assert bool(touches) == (module.name == "view.js")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_plain_drawing(picture: Path) -> None:
    drawing = ElementTree.parse(picture).getroot()
    names = {element.tag.rpartition("}")[2] for element in drawing.iter()}
    assert names <= {"svg", "defs", "clipPath", "g", "path", "circle", "ellipse", "rect", "use"}
    attributes = {name for element in drawing.iter() for name in element.attrib}
    assert not any(name.startswith("on") or name == "style" for name in attributes)
    assert all(element.get("href", "#").startswith("#") for element in drawing.iter())
    assert picture.stat().st_size < 5_000


def test_every_picture_of_the_page_exists() -> None:
    named = set(re.findall(r"images/[\w-]+\.svg", PAGE))
    assert named == {f"images/{picture.name}" for picture in PICTURES}


def test_every_id_that_a_label_or_description_references_exists() -> None:
    identifiers = re.findall(r'\sid="([^"]+)"', PAGE)
    named = re.findall(r'\s(?:for|aria-labelledby|aria-describedby)="([^"]+)"', PAGE)
    assert len(identifiers) == len(set(identifiers))
    assert {name for names in named for name in names.split()} <= set(identifiers)


def test_style_sheet_uses_no_ids_and_no_important() -> None:
    style = (FRONTEND / "style.css").read_text()
    assert re.findall(r"!important|^\s*#[\w-]+[^;{]*\{", style, re.MULTILINE) == []


def test_every_style_sheet_variable_is_defined_and_used() -> None:
    style = (FRONTEND / "style.css").read_text()
    defined = set(re.findall(r"(?<![\w-])(--[\w-]+):", style))
    assert defined == set(re.findall(r"var\((--[\w-]+)", style))


def test_page_has_the_limits_of_the_schema() -> None:
    schema = json.loads((FRONTEND.parent / "lambda" / "orders" / "order.schema.json").read_text())
    rules = (FRONTEND / "rules.js").read_text()
    properties = schema["properties"]
    assert f"1 to {properties['customer_id']['maxLength']} letters" in rules
    assert f"from 1 to {properties['quantity']['anyOf'][0]['maximum']}" in rules
