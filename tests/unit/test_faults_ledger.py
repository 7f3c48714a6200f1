"""The verdict of the fault campaign: every way in which a promise can be broken is seen, and nothing else."""

import dataclasses

import pytest

from faults.ledger import Answered, Findings, Ledger, Request, Verdict, customer_of
from orders.domain.message import write_message
from orders.domain.order import Order, ProcessedOrder, SubmittedOrder
from orders.domain.order_id import derived_order_id, random_order_id
from support.sample_orders import PROCESSED_AT, SUBMITTED_AT

ORDER = Order("s1-1", "Banana", 1, "2025-04-25")
OTHER_CONTENT = dataclasses.replace(ORDER, quantity=2)
KEYED = derived_order_id(ORDER, "key")
FIRST, SECOND = random_order_id(b"a" * 12), random_order_id(b"b" * 12)


def acknowledged(order_id: str, order: Order = ORDER, key: str | None = None) -> Request:
    return Request(order, key, Answered.ACKNOWLEDGED, order_id)


def unanswered(order: Order = ORDER, key: str | None = None) -> Request:
    return Request(order, key, Answered.INDETERMINATE)


def row(order_id: str, order: Order = ORDER) -> ProcessedOrder:
    return ProcessedOrder(order_id, order, SUBMITTED_AT, PROCESSED_AT)


def dead_letter(order_id: str, order: Order = ORDER) -> str:
    return write_message(SubmittedOrder(order_id, order, SUBMITTED_AT, "request"))


def judge(*requests: Request, poison: tuple[str, ...] = (), denied: tuple[str, ...] = (), **found: object) -> Verdict:
    """Judge a system in which every stored order was announced once, unless `found` says otherwise."""
    findings = Findings(**found)  # type: ignore[arg-type]
    if "announced" not in found:
        findings = dataclasses.replace(findings, announced={each.order_id: 1 for each in findings.rows})
    return Ledger(list(requests), list(poison), list(denied)).judge(findings)


def test_an_order_that_was_acknowledged_stored_and_announced_is_as_promised() -> None:
    verdict = judge(acknowledged(FIRST), rows=[row(FIRST)])
    assert verdict == Verdict(attempted=1, acknowledged=1, stored=1, notified=1)
    assert verdict.holds


def test_an_acknowledged_order_that_is_nowhere_is_lost() -> None:
    verdict = judge(acknowledged(FIRST))
    assert (verdict.lost, verdict.holds) == (1, False)
    assert FIRST in verdict.failures[0]


def test_an_acknowledged_order_in_the_dead_letter_queue_is_not_lost() -> None:
    verdict = judge(acknowledged(FIRST), dead_letters=[dead_letter(FIRST)])
    assert (verdict.lost, verdict.in_dlq, verdict.holds) == (0, 1, True)


def test_of_two_acknowledgements_of_one_order_without_a_key_each_must_be_stored() -> None:
    requests = acknowledged(FIRST), acknowledged(SECOND)
    assert judge(*requests, rows=[row(FIRST)]).lost == 1
    assert judge(*requests, rows=[row(FIRST), row(SECOND)]).holds


def test_two_orders_with_one_id_are_unexpected_although_both_are_kept() -> None:
    requests = acknowledged(KEYED, key="key"), acknowledged(KEYED, OTHER_CONTENT, "key")
    verdict = judge(*requests, rows=[row(KEYED)], dead_letters=[dead_letter(KEYED, OTHER_CONTENT)])
    assert (verdict.lost, verdict.unexpected) == (0, 1)


def test_an_acknowledged_order_under_whose_id_another_one_is_stored_is_lost() -> None:
    requests = acknowledged(KEYED, key="key"), acknowledged(KEYED, OTHER_CONTENT, "key")
    assert judge(*requests, rows=[row(KEYED, OTHER_CONTENT)]).lost == 1


def test_a_dead_letter_with_another_content_saves_nothing() -> None:
    assert judge(acknowledged(FIRST), dead_letters=[dead_letter(FIRST, OTHER_CONTENT)]).lost == 1


def test_one_key_stored_under_two_ids_is_duplicated() -> None:
    verdict = judge(acknowledged(KEYED, key="key"), unanswered(key="key"), rows=[row(KEYED), row(FIRST)])
    assert (verdict.duplicated, verdict.holds) == (1, False)


def test_one_request_without_a_key_stored_twice_is_duplicated() -> None:
    assert judge(acknowledged(FIRST), rows=[row(FIRST), row(SECOND)]).duplicated == 1


def test_a_retry_without_a_key_may_be_a_second_order() -> None:
    assert judge(unanswered(), acknowledged(FIRST), rows=[row(FIRST), row(SECOND)]).holds


def test_two_rows_with_one_id_are_duplicated() -> None:
    assert judge(acknowledged(FIRST), rows=[row(FIRST), row(FIRST)]).duplicated == 1


def test_a_row_that_is_not_what_its_customer_sent_is_duplicated_and_the_order_lost() -> None:
    verdict = judge(acknowledged(FIRST), rows=[row(FIRST, OTHER_CONTENT)])
    assert (verdict.lost, verdict.duplicated) == (1, 1)


@pytest.mark.parametrize("found", [{"rows": [row(FIRST)]}, {"dead_letters": [dead_letter(FIRST)]}])
def test_an_order_that_nobody_attempted_is_unexpected(found: dict[str, object]) -> None:
    assert judge(**found).unexpected == 1  # type: ignore[arg-type]


def test_a_refused_order_that_is_stored_is_unexpected() -> None:
    verdict = judge(Request(ORDER, None, Answered.REFUSED), rows=[row(FIRST)])
    assert (verdict.refused, verdict.unexpected) == (1, 1)


def test_an_order_without_an_answer_may_be_stored_or_not() -> None:
    assert judge(unanswered()) == Verdict(attempted=1, indeterminate=1)
    assert judge(unanswered(), rows=[row(FIRST)]).holds


def test_an_order_is_indeterminate_only_while_no_request_for_it_was_acknowledged() -> None:
    verdict = judge(unanswered(key="key"), acknowledged(KEYED, key="key"), rows=[row(KEYED)])
    assert (verdict.attempted, verdict.acknowledged, verdict.indeterminate) == (1, 1, 0)


def test_a_stored_order_that_nobody_was_told_of_is_never_notified() -> None:
    verdict = judge(acknowledged(FIRST), rows=[row(FIRST)], announced={})
    assert (verdict.never_notified, verdict.holds) == (1, False)


def test_one_whose_announcement_waits_for_a_person_is_given_up_and_not_forgotten() -> None:
    verdict = judge(acknowledged(FIRST), rows=[row(FIRST)], announced={}, given_up=frozenset({FIRST}))
    assert (verdict.never_notified, verdict.notification_given_up, verdict.holds) == (0, 1, True)


def test_announcing_twice_is_counted_and_allowed() -> None:
    verdict = judge(acknowledged(FIRST), rows=[row(FIRST)], announced={FIRST: 3})
    assert (verdict.notified, verdict.notified_twice, verdict.holds) == (1, 1, True)


def test_announcing_what_is_not_stored_is_unexpected() -> None:
    assert judge(unanswered(), announced={FIRST: 1}).unexpected == 1


def test_a_message_that_cannot_be_read_must_be_kept() -> None:
    assert judge(poison=("poison",)).lost == 1
    assert judge(poison=("poison",), dead_letters=["poison"]).holds


def test_a_dead_letter_that_cannot_be_read_and_was_not_sent_is_unexpected() -> None:
    assert judge(dead_letters=["what is this?"]).unexpected == 1


def test_an_accepted_order_that_the_api_does_not_know_is_denied() -> None:
    verdict = judge(acknowledged(FIRST), denied=(FIRST,), rows=[row(FIRST)])
    assert (verdict.denied, verdict.holds) == (1, False)


@pytest.mark.parametrize("body", ["poison", "[]", "{}", '{"order": 1}', '{"order": {}}'])
def test_a_message_without_a_customer_has_none(body: str) -> None:
    assert customer_of(body) is None
    assert customer_of(dead_letter(FIRST)) == "s1-1"
