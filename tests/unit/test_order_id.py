"""Order ids that tell by themselves whether this system issued them."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.errors import IdempotencyKeyInvalidError
from orders.domain.order_id import derived_order_id, parse_order_id, random_order_id

RANDOMNESS = st.binary(min_size=12, max_size=12)


@given(RANDOMNESS)
def test_an_order_id_is_a_uuid_of_version_8(randomness: bytes) -> None:
    order_id = random_order_id(randomness)

    assert str(uuid.UUID(order_id)) == order_id
    assert uuid.UUID(order_id).version == 8
    assert uuid.UUID(order_id).variant == uuid.RFC_4122


@given(RANDOMNESS)
def test_an_issued_id_is_recognised_in_either_case(randomness: bytes) -> None:
    order_id = random_order_id(randomness)

    assert parse_order_id(order_id) == order_id
    assert parse_order_id(order_id.upper()) == order_id


@given(RANDOMNESS, st.data())
def test_an_id_with_one_wrong_digit_was_never_issued(randomness: bytes, data: st.DataObject) -> None:
    order_id = random_order_id(randomness)
    place = data.draw(st.sampled_from([i for i, digit in enumerate(order_id) if digit != "-"]))
    wrong = data.draw(st.sampled_from([digit for digit in "0123456789abcdef" if digit != order_id[place]]))

    assert parse_order_id(order_id[:place] + wrong + order_id[place + 1 :]) is None


@given(RANDOMNESS, st.data())
def test_an_id_with_two_neighbours_swapped_was_never_issued(randomness: bytes, data: st.DataObject) -> None:
    order_id = random_order_id(randomness)
    place = data.draw(st.integers(0, len(order_id) - 2))
    swapped = order_id[:place] + order_id[place + 1] + order_id[place] + order_id[place + 2 :]

    assert (parse_order_id(swapped) is None) == (swapped != order_id)


@pytest.mark.parametrize("text", ["", "x", "null", "{}", str(uuid.UUID(int=0)), "..", "a" * 10_000])
def test_other_text_was_never_issued(text: str) -> None:
    assert parse_order_id(text) is None


@pytest.mark.parametrize("make", [uuid.uuid1, uuid.uuid4])
def test_other_uuids_were_never_issued(make: object) -> None:
    assert parse_order_id(str(make())) is None  # type: ignore[operator]


def test_only_the_usual_spelling_of_a_uuid_is_read() -> None:
    order_id = random_order_id(bytes(12))

    for spelling in (
        order_id.replace("-", ""),
        "{" + order_id + "}",
        "urn:uuid:" + order_id,
        order_id + "\n",
        " " + order_id,
        order_id.translate({ord("0"): "\N{FULLWIDTH DIGIT ZERO}"}),
    ):
        assert parse_order_id(spelling) is None, spelling


def test_the_randomness_reaches_the_id() -> None:
    assert len({random_order_id(i.to_bytes(12, "big")) for i in range(1000)}) == 1000


def test_a_wrong_amount_of_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="12 random bytes"):
        random_order_id(bytes(11))


# Written out: a change of the derivation would make every retry across it a second order. Of the two, one has set what
# the other has clear beside the bits of version and variant.
@pytest.mark.parametrize(
    ("customer_id", "key", "order_id"),
    [
        ("001", "key-1", "b0860a34-579b-8626-8339-1aa3eb705b7b"),
        ("c.2", "key-125", "4eac6faf-3241-8f17-ba98-87d6c01e6147"),
    ],
)
def test_the_same_customer_and_key_give_the_same_id(customer_id: str, key: str, order_id: str) -> None:
    assert derived_order_id(customer_id, key) == order_id
    assert parse_order_id(order_id) == order_id


def test_another_customer_or_key_gives_another_id() -> None:
    pairs = [("001", "key"), ("002", "key"), ("001", "yek"), ("001k", "ey"), ("00", "1key")]

    assert len({derived_order_id(*pair) for pair in pairs}) == len(pairs)


@pytest.mark.parametrize("key", ["!", "~", "k" * 255, "3f0c9b8e-1,2;\"'<>"])
def test_admits_1_to_255_visible_ascii_characters_as_a_key(key: str) -> None:
    assert derived_order_id("001", key)


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "a\n", "\x7f", "\x00", "é", "１"])
def test_refuses_any_other_key(key: str) -> None:
    with pytest.raises(IdempotencyKeyInvalidError):
        derived_order_id("001", key)


CUSTOMER = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


@given(CUSTOMER, st.text(max_size=260) | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=260))
def test_any_text_is_a_key_that_gives_one_issued_id_or_is_refused(customer_id: str, key: str) -> None:
    is_key = 1 <= len(key) <= 255 and all("!" <= character <= "~" for character in key)
    try:
        order_id = derived_order_id(customer_id, key)
    except IdempotencyKeyInvalidError:
        assert not is_key
    else:
        assert is_key
        assert parse_order_id(order_id) == order_id == derived_order_id(customer_id, key)


@given(
    st.text(max_size=60)
    | st.uuids().map(str)
    | st.text("0123456789abcdefABCDEF-", min_size=36, max_size=36)
    | st.builds(
        lambda order_id, place, more: order_id[:place] + more + order_id[place:],
        RANDOMNESS.map(random_order_id),
        st.sampled_from([0, 36]) | st.integers(0, 36),
        st.sampled_from(["\n", " ", "0", "-", "}"]) | st.text(max_size=2),
    )
)
def test_any_text_is_read_as_an_id_that_spells_itself_or_as_none(text: str) -> None:
    order_id = parse_order_id(text)

    if order_id is not None:
        assert order_id == text.lower()
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant) == (8, uuid.RFC_4122)
        assert random_order_id(parsed.bytes[:12]) == order_id
