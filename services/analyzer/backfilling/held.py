"""What a replaying process holds of a run, and how it goes on after a slice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from parley.backfilling.core import Plan, Tally
from parley.backfilling.order import Span
from parley.backfilling.runs import Run


@dataclass(frozen=True, slots=True)
class Unfinished:
    """How many of a run's jobs had not ended when the run had enqueued so many."""

    count: int
    enqueued_count: int

    def at_most(self, enqueued_count: int) -> int:
        """As many as that and all that were enqueued since, by whichever analyzer."""
        return self.count + enqueued_count - self.enqueued_count


@dataclass(slots=True)
class Held:
    """Partitions of a run that this process replays, under a token."""

    run: Run
    token: str
    incarnation: str
    spans: dict[int, Span]
    tallies: dict[int, Tally]
    cursor: str | None = None
    expected: dict[int, int] = field(init=False)
    counted: Unfinished | None = None

    def __post_init__(self) -> None:
        self.expected = {
            number: span.end if self.run.goes_down else span.begin
            for number, span in self.spans.items()
        }

    def key(self, partition: int) -> tuple[str, int, str, int]:
        """What a compare-and-set of the partition compares."""
        return self.run.id, partition, self.token, self.expected[partition]


def held_of(run: Run, token: str, rows: Sequence[Any]) -> Held:
    """The partitions of these rows."""
    spans = {
        row["partition"]: Span(row["begin_offset"], row["next_offset"])
        if run.goes_down
        else Span(row["next_offset"], row["end_offset"])
        for row in rows
    }
    tallies = {row["partition"]: Tally.from_json(orjson.loads(row["counts"])) for row in rows}
    return Held(run, token, rows[0]["incarnation"], spans, tallies, rows[0]["cursor"])


def is_at_end(held: Held, partition: int, place: int) -> bool:
    """Whether nothing is left to be read of a partition behind this place."""
    if held.run.is_from_segments:
        # How many there are may have changed: the last of them says it.
        return False
    span = held.spans[partition]
    return place == (span.begin if held.run.is_newest_first else span.end)


def take_over(held: Held, moved: Mapping[int, int], planned: Plan) -> None:
    """What is committed is what the next slice builds on."""
    goes_down = held.run.goes_down
    for partition, place in moved.items():
        span = held.spans[partition]
        held.expected[partition] = place
        held.spans[partition] = Span(span.begin, place) if goes_down else Span(place, span.end)
        held.tallies[partition].add(counted_in(held, planned, partition))


def counted_in(held: Held, planned: Plan, partition: int) -> Tally:
    """What a row of progress has to count: of stored segments there is one for all."""
    tally = Tally()
    for number, one in planned.tallies.items():
        if number == partition or held.run.is_from_segments:
            tally.add(one)
    return tally
