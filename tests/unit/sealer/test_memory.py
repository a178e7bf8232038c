"""What memory keeps, saves and recalls: rare paths that made-up logs seldom meet."""

from collections.abc import Iterator
from random import Random
from typing import Any

from services.sealer.core import PartitionSealer
from tests.unit.sealer.properties import run_at_once, run_in_batches
from tests.unit.sealer.samples import Talk, at, message
from tests.unit.sealer.strategies import Log
from tests.unit.sealer.tables import Tables


def replayed(talk: Talk) -> Log:
    """The log that a talk was."""
    return Log(talk.log)


def test_a_segment_that_was_retracted_and_forgotten_goes_on_counting() -> None:
    talk = Talk()
    talk.say(1, 150)
    talk.say(2, 0, arrives=150)
    talk.tick(500)
    talk.say(3, 80, arrives=600)
    talk.tick(700)
    talk.reject(1, 0, 800)
    talk.tick(900)
    talk.say(1, 5_000, arrives=1_000)
    talk.tick(6_000)
    assert talk.seals[-1].revision == 3
    assert run_at_once(replayed(talk)) == talk.decided
    assert run_in_batches(replayed(talk), 1, 1.0, Random(0)) == talk.decided


def test_what_was_saved_is_not_saved_again() -> None:
    sealer = PartitionSealer("topic-1", 0)
    sealer.observe(message(1, 0, session_id="s1"), at(0), 0)
    first = sealer.changes()
    assert (len(first.open), len(first.entries), len(first.sessions)) == (1, 1, 1)
    sealer.observe(message(2, 1), at(1), 1)
    [entries] = sealer.changes().entries
    assert len(entries.entries) == 1
    last = sealer.changes()
    assert (last.open, last.closed, last.entries, last.sessions) == ((), (), (), ())


def test_a_conversation_with_nothing_open_leaves_memory() -> None:
    sealer = PartitionSealer("topic-1", 0)
    sealer.observe(message(1, 0), at(0), 0)
    sealer.observe(None, at(110), 1)
    sealer.changes()
    sealer.forget()
    assert sealer.snapshot().segments == ()
    assert sealer.next_deadline() is None


def test_a_conversation_that_memory_holds_whole_wants_nothing_recalled() -> None:
    sealer, tables = PartitionSealer("topic-1", 0), Tables()
    first = message(1, 0)
    for history in tables.histories(sealer.wants([first])):
        sealer.recall(history)
    sealer.observe(first, at(0), 0)
    tables.save(sealer.changes())
    sealer.forget()
    assert sealer.wants([message(2, 1)]).conversations == ()


class Unwalked(dict[Any, Any]):
    """A dict that finds keys, and shows nobody all of them."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("all conversations were walked")

    keys = values = items = __iter__  # type: ignore[assignment]


def test_open_windows_are_counted_without_walking_them() -> None:
    talk = Talk()
    talk.sealer._state.conversations = Unwalked()
    counts = []
    for number, seconds in ((1, 0), (2, 5), (3, 300), (4, 200), (5, 100), (6, 900)):
        talk.say(number, seconds, arrives=300)
        counts.append(talk.sealer.open_windows)
    talk.force(7, 300)
    assert [*counts, talk.sealer.open_windows] == [1, 1, 2, 2, 1, 2, 0]
