"""However much was said, what is read of it has a bound."""

from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.passes.reading import read


def test_what_is_short_is_read_whole() -> None:
    reading = read(["ab", "", "c"], 10, 100)
    assert (reading.parts, reading.cut_count) == (["ab", "", "c"], 0)


def test_a_long_message_is_shortened_and_the_next_is_read() -> None:
    reading = read(["abcdef", "gh"], 4, 100)
    assert (reading.parts, reading.cut_count) == (["abcd", "gh"], 1)


def test_what_comes_after_the_room_is_left_out_and_counted() -> None:
    reading = read(["abc", "def", "", "g"], 10, 6)
    assert (reading.parts, reading.cut_count) == (["abc", "de"], 3)


@given(st.lists(st.text(max_size=20)), st.integers(1, 10), st.integers(1, 50))
def test_the_bounds_hold_and_every_message_is_read_shortened_or_left_out(
    texts: list[str], one: int, total: int
) -> None:
    reading = read(texts, one, total)
    assert sum(map(len, reading.parts)) <= total
    assert len(reading.parts) <= total
    assert all(len(part) <= one for part in reading.parts)
    whole = sum(part == text for part, text in zip(reading.parts, texts, strict=False))
    assert reading.cut_count == len(texts) - whole
