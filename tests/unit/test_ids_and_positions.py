"""Derived ids never collide by chance of their parts, and positions come back as they went."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.ids import IdFamily, derived_id, message_event_id, message_ids
from parley.position import InvalidPosition, Position


def test_a_retry_has_the_id_of_the_first_try() -> None:
    assert message_event_id("t", "c", "s", "phone", "1") == message_event_id(
        "t", "c", "s", "phone", "1"
    )


def test_ids_of_messages_never_change_between_releases() -> None:
    expected = "ca38d0bd-23b8-5f83-8796-f647f693baf7"
    assert message_event_id("t", "c", "s", "phone", "1") == expected


@given(st.lists(st.text(max_size=5), min_size=2, max_size=5), st.data())
def test_parts_never_run_into_each_other(parts: list[str], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.text(max_size=5), min_size=2, max_size=5))
    assert (derived_id(*parts) == derived_id(*other)) == (parts == other)


@given(st.lists(st.text(), max_size=5), st.text())
def test_the_ids_of_a_family_are_those_of_their_parts(shared: list[str], last: str) -> None:
    family = IdFamily(*shared)
    assert family.of(last) == derived_id(*shared, last)
    # Asking for one does not change the next.
    assert family.of(last) == derived_id(*shared, last)


def test_a_clients_messages_are_a_family() -> None:
    ids = message_ids("t", "c", "s", "phone")
    assert ids.of("1") == message_event_id("t", "c", "s", "phone", "1")


@given(st.integers(0, 2**31), st.integers(0, 2**62))
def test_a_position_comes_back_as_it_went(partition: int, offset: int) -> None:
    position = Position("q-_Z", partition, offset)
    assert Position.parse(str(position)) == position


@given(st.text(max_size=40))
def test_any_other_text_is_refused_by_name(text: str) -> None:
    try:
        Position.parse(text)
    except InvalidPosition as error:
        assert str(error)


def test_a_position_grows_within_a_partition() -> None:
    assert Position("i", 0, 9) < Position("i", 0, 10)


def test_a_position_of_another_form_is_refused() -> None:
    with pytest.raises(InvalidPosition):
        Position.parse("bm90IG9uZQ")
