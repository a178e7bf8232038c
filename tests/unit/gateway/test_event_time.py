"""When something happened, from clocks that may be wrong."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from parley import event_time
from parley.event_time import MAX_AGE, MAX_SKEW

RECEIVED_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
MOMENTS = st.datetimes(timezones=st.just(UTC))


def test_without_the_clients_clock_it_happened_when_it_was_received() -> None:
    assert event_time.live(RECEIVED_AT).moment == RECEIVED_AT


def test_a_wrong_clock_cancels_out_and_a_buffered_message_keeps_its_age() -> None:
    wrong = datetime(1999, 1, 1, tzinfo=UTC)
    sent_at = wrong + timedelta(minutes=3)
    found = event_time.live(RECEIVED_AT, wrong, sent_at)
    assert found.moment == RECEIVED_AT - timedelta(minutes=3)
    assert not found.was_clamped


def test_a_message_sent_before_it_occurred_is_of_no_age() -> None:
    found = event_time.live(RECEIVED_AT, RECEIVED_AT, RECEIVED_AT - timedelta(seconds=1))
    assert found.moment == RECEIVED_AT
    assert found.was_clamped


def test_an_age_of_exactly_the_most_is_believed_and_a_greater_one_is_cut() -> None:
    exact = event_time.live(RECEIVED_AT, RECEIVED_AT - MAX_AGE, RECEIVED_AT)
    assert (exact.moment, exact.was_clamped) == (RECEIVED_AT - MAX_AGE, False)
    older = event_time.live(RECEIVED_AT, RECEIVED_AT - MAX_AGE - timedelta(seconds=1), RECEIVED_AT)
    assert (older.moment, older.was_clamped) == (RECEIVED_AT - MAX_AGE, True)


def test_the_greatest_age_can_be_set() -> None:
    hour = timedelta(hours=1)
    found = event_time.live(RECEIVED_AT, RECEIVED_AT - 2 * hour, RECEIVED_AT, max_age=hour)
    assert found.moment == RECEIVED_AT - hour


def test_without_sent_at_the_clients_time_counts_within_five_minutes() -> None:
    near = RECEIVED_AT - timedelta(minutes=4)
    assert event_time.live(RECEIVED_AT, near) == event_time.EventTime(near)
    far = event_time.live(RECEIVED_AT, RECEIVED_AT - timedelta(hours=1))
    assert (far.moment, far.was_clamped) == (RECEIVED_AT - MAX_SKEW, True)
    ahead = event_time.live(RECEIVED_AT, RECEIVED_AT + timedelta(hours=1))
    assert (ahead.moment, ahead.was_clamped) == (RECEIVED_AT + MAX_SKEW, True)


def test_sent_at_alone_says_nothing() -> None:
    found = event_time.live(RECEIVED_AT, None, RECEIVED_AT - timedelta(days=3))
    assert found == event_time.EventTime(RECEIVED_AT)


def test_an_import_keeps_its_time_however_long_ago() -> None:
    long_ago = datetime(2004, 12, 25, tzinfo=UTC)
    assert event_time.imported(long_ago) == event_time.EventTime(long_ago)


@given(st.none() | MOMENTS, st.none() | MOMENTS)
def test_whatever_a_clock_says_it_is_never_far_from_now(
    occurred_at: datetime | None, sent_at: datetime | None
) -> None:
    found = event_time.live(RECEIVED_AT, occurred_at, sent_at)
    assert RECEIVED_AT - MAX_AGE <= found.moment <= RECEIVED_AT + MAX_SKEW
