"""Sealing is a pure function of the log, and its result one of the messages alone."""

import random
from collections.abc import Callable

from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from parley.events import Event, MessageRecorded
from services.sealer.core import Decision, PartitionSealer
from tests.unit.sealer.model import Reader, bounds
from tests.unit.sealer.reference import partition_of
from tests.unit.sealer.samples import at
from tests.unit.sealer.strategies import Log, logs, plain_messages, tick
from tests.unit.sealer.tables import Tables


def run_at_once(log: Log) -> list[Decision]:
    """Everything in memory, from the first record to the last."""
    sealer = PartitionSealer("topic-1", 0)
    return [
        decision
        for offset, (event, append_time) in enumerate(log)
        for decision in sealer.observe(event, append_time, offset)
    ]


def run_in_batches(
    log: Log, sizes: Callable[[], int], restores: Callable[[], bool]
) -> list[Decision]:
    """Batch by batch over tables, forgetting what is closed, restoring now and then."""
    sealer, tables = PartitionSealer("topic-1", 0), Tables()
    decided: list[Decision] = []
    offset = 0
    while offset < len(log):
        batch = log[offset : offset + sizes()]
        for history in tables.histories(sealer.wants([one for one, _ in batch if one])):
            sealer.recall(history)
        for event, append_time in batch:
            decided.extend(sealer.observe(event, append_time, offset))
            offset += 1
        tables.save(sealer.changes())
        sealer.forget()
        assert sealer.snapshot() == tables.snapshot()
        assert sealer.open_windows == len(tables.windows)
        if restores():
            sealer = PartitionSealer.restore("topic-1", 0, tables.snapshot())
    return decided


@given(logs(), st.randoms(use_true_random=False))
def test_batches_restores_and_forgetting_do_not_show(log: Log, chance: random.Random) -> None:
    expected = run_at_once(log)
    note(f"decisions: {min(len(expected), 10)}")
    assert run_in_batches(log, lambda: 1, lambda: True) == expected
    found = run_in_batches(log, lambda: chance.randint(1, 9), lambda: chance.random() < 0.3)
    assert found == expected


@given(logs())
def test_every_seal_says_what_the_messages_within_its_bounds_say(log: Log) -> None:
    read(log)


@given(logs())
def test_current_segments_neither_overlap_nor_meet_without_a_cut(log: Log) -> None:
    reader, cuts = read(log)
    for left, right in reader.neighbours():
        assert bounds(left)[1] < bounds(right)[0]
        key = (left.tenant_id, left.conversation_id)
        reaches = [
            event.event_time + event.policy.idle_gap
            for event, _ in reader.messages[key].values()
            if bounds(left)[0] <= (event.event_time, event.event_id) <= bounds(left)[1]
        ]
        if reaches and right.started_at <= max(reaches):
            assert any(
                at_key == key and bounds(left)[1] <= cut < bounds(right)[0] for at_key, cut in cuts
            )


def read(log: Log) -> tuple[Reader, set[tuple[tuple[str, str], tuple[object, str]]]]:
    """Fold log and seals side by side; a seal counts after the record that it names."""
    sealer, reader = PartitionSealer("topic-1", 0), Reader()
    for offset, (event, append_time) in enumerate(log):
        decisions = sealer.observe(event, append_time, offset)
        early = [one for one in decisions if one.decided_offset < offset]
        assert decisions[: len(early)] == early
        for decision in early:
            reader.seal(decision)
        reader.record(event, offset)
        for decision in decisions[len(early) :]:
            reader.seal(decision)
    return reader, set(sealer.snapshot().cuts)


@given(plain_messages(), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_end_in_the_partition_of_the_reference(
    messages: list[Event], chance: random.Random
) -> None:
    events = messages + [one for one in messages for _ in range(chance.randint(0, 2))]
    chance.shuffle(events)
    log = Log()
    now = 0.0
    for one in events:
        now += chance.choice([0, 0, 1, 5, 20, 120])
        log.append((one, at(now)))
        if chance.random() < 0.1:
            log.append((tick(), at(now)))
    log.extend((tick(), at(now + 8_000 * more)) for more in (1, 2))
    reader, cuts = read(log)
    assert not cuts
    found = {
        frozenset(member.event_id for member in reader.members(seal))
        for seal in reader.current.values()
    }
    assert found == partition_of(messages)
    assert all(isinstance(one.body, MessageRecorded) for one in messages)
