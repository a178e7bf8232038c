"""Records counted by what became of them, minute by minute."""

from datetime import timedelta
from random import Random

from services.persister.core.tallies import (
    Outcomes,
    Tally,
    by_minute,
    minute_of,
    stored_by_minute,
)
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


def test_of_what_was_all_stored_each_minute_is_told_the_same() -> None:
    for seed in range(50):
        chance = Random(seed)
        # As topics are that keep their writers' times, these may go back.
        times = [
            NOON + timedelta(seconds=chance.choice((-1, 0, 59, 60, chance.randrange(600))))
            for _ in range(chance.randrange(40))
        ]
        outcomes = Outcomes(range(len(times)), (), ())
        assert stored_by_minute(times) == by_minute(enumerate(times), outcomes)
