"""A log that was copied into more partitions seals as the log that it was copied from."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from parley.codec import LogRecord, Outgoing, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.events import (
    Event,
    ImportFinished,
    ImportStarted,
    MessageRevised,
    RecordRejected,
)
from parley.incarnations.merging import merged
from parley.incarnations.plan import Planner, Shape, rejected_place
from parley.seals import SegmentSealed
from parley.topics import partition_of
from services.sealer.core import Decision, PartitionSealer
from services.sealer.reading import read
from tests.unit.sealer.samples import at
from tests.unit.sealer.strategies import SOON_AFTER, random_log

SEEDS = int(os.environ.get("PARLEY_HYPOTHESIS_EXAMPLES", "40"))
OLD, NEW = 4, 6
LATER = at(0) + timedelta(days=400)

Log = list[list[LogRecord]]


def made_up(chance: Random, conversations: int = 5) -> Log:
    """A topic of four partitions: everything that the sealer's own tests know, mixed."""
    entries: list[tuple[datetime, int, int, Event | None]] = []
    for number in range(conversations):
        now = at(0)
        for index, (event, time) in enumerate(random_log(chance, SOON_AFTER)):
            now = max(now, time)
            entries.append((now, number, index, _renamed(event, number, time)))
    entries.sort(key=lambda one: one[:3])
    log: Log = [[] for _ in range(OLD)]
    places: dict[str, tuple[int, int]] = {}
    in_order = Sorted()
    for time, number, _, given in entries:
        event = in_order.as_imported(given)
        # Now and then the broker's clock goes back.
        stepped = time - timedelta(seconds=chance.choice([0, 0, 0, 0, 2, 30]))
        for partition in _partitions(event, number, places):
            _append(log[partition], partition, event, stepped, places)
    return log


class Sorted:
    """Imports come by (conversation, time) within a partition; what does not is live here."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], tuple[str, datetime]] = {}

    def as_imported(self, event: Event | None) -> Event | None:
        if event is None or event.import_id is None or not event.conversation_id:
            return event
        key = event_key(event.tenant_id, event.conversation_id)
        lane, here = (
            (event.import_id, partition_of(key, OLD)),
            (event.conversation_id, event.event_time),
        )
        if here < self._last.get(lane, here):
            return replace(event, import_id=None)
        self._last[lane] = here
        return event


def _renamed(event: Event | None, number: int, time: datetime) -> Event | None:
    if event is None:
        return None
    body = event.body
    if isinstance(body, MessageRevised):
        body = replace(body, target_event_id=_own_id(body.target_event_id, number))
    if isinstance(body, RecordRejected):
        body = replace(body, rejected_event_id=_own_id(body.rejected_event_id, number))
    name = event.conversation_id and f"{event.conversation_id}{number}"
    return replace(
        event,
        event_id=_own_id(event.event_id, number),
        conversation_id=name,
        received_at=time,
        body=body,
    )


def _own_id(event_id: str, number: int) -> str:
    return f"{number:08d}{event_id[8:]}"


def _partitions(
    event: Event | None, number: int, places: dict[str, tuple[int, int]]
) -> Iterable[int]:
    if event is None:
        return [number % OLD]
    if event.conversation_id:
        return [partition_of(event_key(event.tenant_id, event.conversation_id), OLD)]
    if isinstance(event.body, ImportStarted | ImportFinished):
        return range(OLD)
    if isinstance(event.body, RecordRejected):
        return [places.get(event.body.rejected_event_id, (number % OLD, 0))[0]]
    return [number % OLD]


def _append(
    records: list[LogRecord],
    partition: int,
    event: Event | None,
    time: datetime,
    places: dict[str, tuple[int, int]],
) -> None:
    offset, key, value = len(records), None, b"\xff"
    if event is not None:
        if isinstance(event.body, RecordRejected):
            rejected = places.get(event.body.rejected_event_id, (0, 0))[1]
            event = replace(event, body=replace(event.body, rejected_offset=rejected))
        if event.conversation_id:
            key = event_key(event.tenant_id, event.conversation_id)
            places.setdefault(event.event_id, (partition, offset))
        value = encode_event(event)
    records.append(LogRecord("old", partition, offset, time, key, value, EVENT_HEADERS))


def copied(log: Log, partitions: int, incarnation: str = "one") -> Log:
    """The same in a new incarnation, which the broker appended much later."""
    rejected = {place for records in log for one in records if (place := rejected_place(one))}
    planner = Planner(Shape("new", incarnation, len(log), partitions, True), rejected)

    async def plan() -> list[Outgoing]:
        made = []
        async for record in merged([_given(one) for one in log], planner.merge_key):
            made += planner.copies(record)
        return made + planner.end_marks()

    new: Log = [[] for _ in range(partitions)]
    for one in asyncio.run(plan()):
        assert one.partition is not None
        records = new[one.partition]
        records.append(
            LogRecord("new", one.partition, len(records), LATER, one.key, one.value, one.headers)
        )
    return new


async def _given(records: Sequence[LogRecord]) -> AsyncIterator[LogRecord]:
    for record in records:
        yield record


def seals(log: Log) -> dict[Any, list[Any]]:
    """What each conversation's decisions say, apart from where and when they were made."""
    said: dict[Any, list[Any]] = defaultdict(list)
    for partition, records in enumerate(log):
        sealer = PartitionSealer("whatever", partition)
        for record in records:
            event, time = read(record)
            for decision in sealer.observe(event, time, record.offset):
                said[decision.tenant_id, decision.conversation_id].append(_told(decision))
        # All that is still open, in either log.
        for decision in sealer.observe(None, at(0) + timedelta(days=300), len(records)):
            said[decision.tenant_id, decision.conversation_id].append(_told(decision))
    return said


def _told(decision: Decision) -> Decision:
    nowhere = {"incarnation": "", "partition": 0, "decided_offset": 0, "watermark": at(0)}
    if isinstance(decision, SegmentSealed):
        return replace(decision, first_offset=0, last_offset=0, **nowhere)  # type: ignore[arg-type]
    return replace(decision, **nowhere)  # type: ignore[arg-type]


@pytest.mark.parametrize("partitions", [4, 5, 6, 8])
def test_the_copy_seals_as_its_source_did(partitions: int) -> None:
    for seed in range(SEEDS):
        log = made_up(Random(seed))
        assert seals(copied(log, partitions)) == seals(log), f"seed {seed}"


def test_a_copy_of_a_copy_seals_as_the_first_source_did() -> None:
    for seed in range(SEEDS // 3):
        log = made_up(Random(seed))
        again = copied(copied(log, NEW), 9, "two")
        assert seals(again) == seals(log), f"seed {seed}"
