"""Records counted by what became of them, minute by minute."""

from datetime import timedelta

from services.persister.core.tallies import Outcomes, Tally, by_minute, minute_of
from tests.unit.persister.samples import NOON


def test_every_record_is_counted_once_in_its_minute() -> None:
    records = [(offset, NOON + timedelta(seconds=25 * offset)) for offset in range(6)]
    found = by_minute(records, Outcomes(stored={0, 3}, duplicate={1}, dead_lettered={4}))
    assert found == {
        NOON: Tally(1, 1, 0, 1),
        NOON + timedelta(minutes=1): Tally(1, 0, 1, 0),
        NOON + timedelta(minutes=2): Tally(0, 0, 0, 1),
    }


def test_a_minute_begins_with_its_first_moment() -> None:
    assert minute_of(NOON + timedelta(seconds=59, microseconds=999_999)) == NOON
    assert minute_of(NOON + timedelta(minutes=1)) == NOON + timedelta(minutes=1)
