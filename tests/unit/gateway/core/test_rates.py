"""Nobody takes more than a burst and the rate, and whoever waits as told is served."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.core.rates import RateBook, TokenBucket

RATES = st.sampled_from([0.1, 1.0, 3.0, 200.0, 1e6])
BURSTS = st.integers(1, 1_000)
PAUSES = st.lists(
    st.tuples(st.floats(0, 5, allow_nan=False), st.integers(1, 50)), min_size=1, max_size=60
)


def test_a_burst_is_taken_at_once_and_the_next_waits_for_one_token() -> None:
    bucket = TokenBucket(10, burst=3)
    assert [bucket.take(100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(100.0) == pytest.approx(0.1)
    assert bucket.take(100.05) == pytest.approx(0.05)
    assert bucket.take(100.1) == 0.0
    assert bucket.take(100.1) == pytest.approx(0.1)


def test_a_refusal_takes_nothing() -> None:
    bucket = TokenBucket(10, burst=1)
    assert bucket.take(0.0) == 0.0
    for _ in range(1_000):
        assert bucket.take(0.0) > 0
    assert bucket.take(0.1) == 0.0


def test_a_quiet_bucket_holds_a_burst_and_no_more() -> None:
    bucket = TokenBucket(10, burst=2)
    bucket.take(0.0)
    assert [bucket.take(1e6) for _ in range(3)][:2] == [0.0, 0.0]
    assert bucket.take(1e6) > 0


def test_more_than_a_burst_is_taken_from_a_full_bucket_and_paid_for_afterwards() -> None:
    bucket = TokenBucket(10, burst=5)
    assert bucket.take(0.0, 25) == 0.0
    assert bucket.take(0.0) == pytest.approx(2.1)
    assert bucket.take(2.1) == 0.0
    assert bucket.take(2.1, 25) == pytest.approx(0.5)


def test_a_rate_of_zero_is_no_limit() -> None:
    bucket, book = TokenBucket(0, burst=1), RateBook(0, burst=1)
    assert [bucket.take(0.0, 100) for _ in range(100)] == [0.0] * 100
    assert [book.take("u", 0.0, 100) for _ in range(100)] == [0.0] * 100
    assert len(book) == 0


@pytest.mark.parametrize(("rate", "burst"), [(-1, 1), (1, 0)])
def test_a_bucket_that_cannot_be_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="bucket"):
        RateBook(rate, burst)


@given(RATES, BURSTS, PAUSES, st.floats(0, 1e6))
def test_in_no_stretch_of_time_is_more_taken_than_a_burst_and_the_rate(
    rate: float, burst: int, pauses: list[tuple[float, int]], start_s: float
) -> None:
    bucket = TokenBucket(rate, burst)
    now_s, taken = start_s, []
    for pause_s, count in pauses:
        now_s += pause_s
        asked = min(count, burst)
        if bucket.take(now_s, asked) == 0.0:
            taken.append((now_s, asked))
    for first, (began_s, _) in enumerate(taken):
        total = 0
        for at_s, count in taken[first:]:
            total += count
            assert total <= (burst + rate * (at_s - began_s)) * (1 + 1e-9) + rate * 1e-9


@given(RATES, BURSTS, PAUSES, st.floats(0, 1e6))
def test_whoever_comes_back_when_told_is_served_and_not_before(
    rate: float, burst: int, pauses: list[tuple[float, int]], start_s: float
) -> None:
    bucket = TokenBucket(rate, burst)
    now_s = start_s
    for pause_s, count in pauses:
        now_s += pause_s
        wait_s = bucket.take(now_s, count)
        if wait_s > 0:
            assert wait_s <= 60 * 50 / rate
            if wait_s > 1e-4:
                assert bucket.take(now_s + wait_s * 0.99 - 1e-5, count) > 0
            now_s += wait_s
            assert bucket.take(now_s, count) == 0.0


def test_users_do_not_take_from_one_another() -> None:
    book = RateBook(1, burst=1)
    assert book.take("a", 0.0) == 0.0
    assert book.take("b", 0.0) == 0.0
    assert book.take("a", 0.0) > 0


def test_users_who_are_quiet_are_forgotten() -> None:
    book = RateBook(1, burst=1)
    for number in range(1_000):
        book.take(str(number), 0.0)
    assert len(book) == 1_000
    book.take("one", 1.5)
    assert len(book) == 1


def test_of_too_many_users_the_one_who_asked_longest_ago_is_forgotten() -> None:
    book = RateBook(0.001, burst=1, max_keys=2)
    assert (book.take("a", 0.0), book.take("b", 0.0)) == (0.0, 0.0)
    assert book.take("a", 0.0) > 0
    assert book.take("c", 0.0) == 0.0
    assert len(book) == 2
    assert book.take("a", 0.0) > 0
    assert book.take("b", 0.0) == 0.0


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 2)), max_size=80))
def test_a_book_with_room_is_as_a_bucket_for_each(asks: list[tuple[str, float]]) -> None:
    book, now_s = RateBook(2, burst=3), 0.0
    buckets: dict[str, TokenBucket] = {}
    for key, pause_s in asks:
        now_s += pause_s
        own = buckets.setdefault(key, TokenBucket(2, burst=3))
        assert book.take(key, now_s) == pytest.approx(own.take(now_s))


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 0.5)), max_size=80))
def test_a_book_never_holds_more_than_its_bound(asks: list[tuple[int, float]]) -> None:
    book, now_s = RateBook(0.5, burst=2, max_keys=5), 0.0
    for user, pause_s in asks:
        now_s += pause_s
        book.take(str(user), now_s)
        assert len(book) <= 5
