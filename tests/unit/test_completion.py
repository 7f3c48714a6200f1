"""What is said of a completed order: one announcement in full, and what holds of the announcement of every order."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

from orders.adapters.messaging import _entry
from orders.adapters.order_schema import ORDER_RULES
from orders.domain.announcement import announce
from orders.domain.order import Order, ProcessedOrder, format_timestamp
from orders.domain.order_id import derived_order_id, random_order_id
from sample_orders import ORDER_SCHEMA, PROCESSED_AT, SAMPLE_ORDER, SUBMITTED_AT, processed

order_ids = st.binary(min_size=12, max_size=12).map(random_order_id) | st.from_regex(
    r"[!-~]{1,255}", fullmatch=True
).map(lambda key: derived_order_id(SAMPLE_ORDER, key))
moments = st.datetimes(datetime(2000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)).map(format_timestamp)
# Field by field, for hypothesis-jsonschema 0.23 knows no way into the objects of hypothesis 6.170.
orders = st.fixed_dictionaries({name: from_schema(rule) for name, rule in ORDER_SCHEMA["properties"].items()}).map(
    ORDER_RULES.validate
)
completed_orders = st.builds(ProcessedOrder, order_ids, orders, submitted_at=moments, processed_at=moments)

LONGEST = processed(order=Order("c" * 64, "p" * 128, 9999, "9999-12-31"))
ODDEST = processed(order=Order("0.", "._- -_.", 1, "0001-01-01"))


def of_every_order(test: Callable[[ProcessedOrder], None]) -> Callable[[], None]:
    """Run a test for every order that the schema admits, as far as hypothesis comes, and for the extremes."""
    return settings(deadline=None)(given(completed_orders)(example(LONGEST)(example(ODDEST)(test))))


def test_an_announcement_is_text_for_a_person_and_json_for_a_machine() -> None:
    order_id = processed().order_id

    announcement = announce(processed())

    assert announcement.subject == f"Order {order_id} completed"
    assert announcement.text.splitlines() == [
        "This order has been received and stored.",
        "",
        f"Order:      {order_id}",
        "Customer:   001",
        "Product:    Banana",
        "Quantity:   1",
        "Order date: 2025-04-25",
        "Submitted:  2025-04-25 10:00:00 UTC",
        "Processed:  2025-04-25 10:00:01 UTC",
    ]
    assert json.loads(announcement.document) == {
        "order_id": order_id,
        "customer_id": "001",
        "product_id": "Banana",
        "quantity": 1,
        "order_date": "2025-04-25",
        "submitted_at": SUBMITTED_AT,
        "processed_at": PROCESSED_AT,
    }
    assert announcement.attributes == {"customer_id": "001", "product_id": "Banana"}


@of_every_order
def test_the_subject_names_the_order_and_fits_sns(order: ProcessedOrder) -> None:
    subject = announce(order).subject

    # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    assert order.order_id in subject
    assert subject.isascii()
    assert subject.isprintable(), "no line break and no other control character"
    assert subject[0].isalnum()
    assert len(subject) < 100


@of_every_order
def test_the_text_tells_a_person_everything_on_one_line_each(order: ProcessedOrder) -> None:
    headline, blank, *rows = announce(order).text.splitlines()

    assert (headline, blank) == ("This order has been received and stored.", "")
    told = dict(row.split(":", 1) for row in rows)
    assert list(told) == ["Order", "Customer", "Product", "Quantity", "Order date", "Submitted", "Processed"]
    assert [told[name].strip() for name in ("Order", "Customer", "Product", "Quantity", "Order date")] == [
        order.order_id,
        order.order.customer_id,
        order.order.product_id,
        str(order.order.quantity),
        order.order.order_date,
    ]
    for name, moment in (("Submitted", order.submitted_at), ("Processed", order.processed_at)):
        read = datetime.strptime(told[name].strip(), "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
        assert read == datetime.fromisoformat(moment).replace(microsecond=0)
    assert all(row.isascii() and row.isprintable() for row in rows)


@of_every_order
def test_a_machine_reads_the_very_order_and_its_attributes(order: ProcessedOrder) -> None:
    announcement = announce(order)

    assert ProcessedOrder.from_document(json.loads(announcement.document)) == order
    assert announcement.attributes == {
        "customer_id": order.order.customer_id,
        "product_id": order.order.product_id,
    }
    assert all(announcement.attributes.values()), "SNS takes no attribute without a value"


def test_ten_of_the_longest_announcements_fit_into_one_request_to_sns() -> None:
    entries = [_entry(position, announce(LONGEST)) for position in range(10)]

    # https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
    assert len(json.dumps(entries).encode()) < 256 * 1024
