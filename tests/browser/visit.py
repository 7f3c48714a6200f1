"""A customer's visit to the storefront in Chromium."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Locator, Page, expect

# WCAG 2.2 A and AA, and axe's best practices.
_AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# Chromium logs this for every failed request.
_FAILED_REQUEST = "Failed to load resource:"


@dataclass
class Visit:
    page: Page
    storefront_url: str
    api_url: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', (event) =>"
            " console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"
        )

    def _on_console(self, message: ConsoleMessage) -> None:
        is_of_api = message.location["url"].startswith(self.api_url)
        if message.text.startswith(_FAILED_REQUEST) and is_of_api:
            return
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text}")

    def open(self) -> None:
        self.page.goto(self.storefront_url)
        expect(self.place_button).to_be_enabled()  # the page has started

    def another_tab(self) -> "Visit":
        visit = Visit(self.page.context.new_page(), self.storefront_url, self.api_url, self.errors, self.requests)
        visit.open()
        return visit

    @property
    def place_button(self) -> Locator:
        return self.page.locator("button[type=submit]")

    @property
    def notice(self) -> Locator:
        return self.page.locator(".notice")

    @property
    def summary(self) -> Locator:
        return self.page.locator(".summary")

    @property
    def receipts(self) -> Locator:
        return self.page.get_by_role("article")

    def error_of(self, name: str) -> Locator:
        return self.page.locator(f"#{name}-error")

    def fill(
        self, product: str = "Banana", quantity: str = "2", customer_id: str = "001", order_date: str = "2025-04-25"
    ) -> None:
        self.page.get_by_role("radio", name=product).check()
        self.page.get_by_label("Quantity").fill(quantity)
        self.page.get_by_label("Customer ID").fill(customer_id)
        self.page.get_by_label("Order date").fill(order_date)

    def place(self, **order: str) -> None:
        self.fill(**order)
        self.place_button.click()

    def advance_clock_until(self, text: str) -> None:
        """Advance the page's clock until the newest order contains `text`. Responses arrive in real time."""
        for _ in range(60):
            self.page.clock.run_for(1_000)
            with suppress(AssertionError):
                expect(self.receipts.first).to_contain_text(text, timeout=150)
                return
        expect(self.receipts.first).to_contain_text(text)

    def expect_accepted(self, title: str = "2 × Banana") -> None:
        """Require that this order is listed first, processed or not."""
        expect(self.receipts.first.get_by_role("heading")).to_have_text(title)

    def expect_processed(self, title: str = "2 × Banana", timeout_seconds: float = 5) -> None:
        self.expect_accepted(title)
        expect(self.receipts.first.locator(".timeline__step").last).to_contain_text(
            "Processed", timeout=timeout_seconds * 1000
        )

    def expect_accessible(self) -> None:
        options: dict[str, Any] = {"runOnly": {"type": "tag", "values": _AXE_TAGS}, "resultTypes": ["violations"]}
        results = Axe().run(self.page, options=options)
        assert results.violations_count == 0, results.generate_report()

    def expect_no_sideways_scrolling(self) -> None:
        widths = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert widths[0] <= widths[1], f"the page is {widths[0]} px wide in a window of {widths[1]} px"

    def expect_nothing_cut_off(self) -> None:
        """Require that no element is wider than its container."""
        cut_off = self.page.evaluate(
            """() => Array.from(document.querySelectorAll("body :not(.visually-hidden)"))
              .filter((element) => getComputedStyle(element).display !== "inline" && element.clientWidth > 1)
              .filter((element) => element.scrollWidth > element.clientWidth + 1)
              .map((element) => `${element.localName}.${element.className}`)"""
        )
        assert cut_off == [], f"cut off: {cut_off}"


NewVisit = Callable[..., Visit]
"""Returns a visit in a new context with these options."""
