"""Rules for the storefront's sources. Browser tests detect inline code and references to missing elements."""

import re

from orders.adapters.order_schema import ORDER_RULES
from support.sample_orders import ORDER_SCHEMA
from support.storefront.server import FRONTEND

PAGE = (FRONTEND / "index.html").read_text()
MODULES = {path.name: path.read_text() for path in FRONTEND.glob("*.js")}


def test_modules_never_turn_text_into_markup_or_code() -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setHTMLUnsafe"
    assert [name for name, module in MODULES.items() if re.search(forbidden, module)] == []


def test_only_the_view_accesses_the_document() -> None:
    access = r"querySelector|getElementById|createElement|textContent"
    assert [name for name, module in MODULES.items() if re.search(access, module)] == ["view.js"]


def test_pictures_are_small_and_exactly_those_of_the_page() -> None:
    pictures = list((FRONTEND / "images").iterdir())
    assert set(re.findall(r"images/([\w-]+\.svg)", PAGE)) == {picture.name for picture in pictures}
    assert max(picture.stat().st_size for picture in pictures) < 5_000


def test_style_sheet_declares_exactly_the_variables_that_it_uses() -> None:
    style = (FRONTEND / "style.css").read_text()
    assert set(re.findall(r"(?<![\w-])(--[\w-]+):", style)) == set(re.findall(r"var\((--[\w-]+)", style))


def test_every_product_on_the_page_is_valid() -> None:
    products = re.findall(r'name="product_id" value="([^"]*)"', PAGE)
    assert {"Apple", "Banana", "Grapes", "Orange"} <= set(products)
    assert all(ORDER_RULES.fields["product_id"](product) for product in products)


def test_error_messages_of_the_page_have_the_limits_of_the_schema() -> None:
    properties = ORDER_SCHEMA["properties"]
    assert f"1 to {properties['customer_id']['maxLength']} letters" in MODULES["rules.js"]
    assert f"MAXIMUM_QUANTITY = {properties['quantity']['anyOf'][0]['maximum']};" in MODULES["rules.js"]
