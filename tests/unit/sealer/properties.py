"""Properties of sealing, each asked of one log: hypothesis and `make faults` make up the logs."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from unittest.mock import patch

from parley.events import Event, MessageRecorded
from services.sealer.core import (
    BEGINNING,
    Changes,
    ConversationKey,
    Decision,
    Key,
    PartitionSealer,
    Snapshot,
    rejected,
)
from services.sealer.core.partition import MANY
from services.sealer.core.window import Window
from tests.unit.sealer.model import Reader, bounds
from tests.unit.sealer.reference import partition_of
from tests.unit.sealer.samples import at
from tests.unit.sealer.strategies import Log, tick
from tests.unit.sealer.tables import Tables

INCARNATION = "topic-1"
PARTITIONS = 3
# Past the reach of a clock that is ten years ahead.
AFTER_ALL = (8_000.0, 12 * 365 * 86_400.0)


def run_at_once(log: Log, partition: int = 0) -> list[Decision]:
    """Everything in memory, from the first record to the last."""
    sealer = PartitionSealer(INCARNATION, partition)
    return [
        decision
        for offset, (event, append_time) in enumerate(log)
        for decision in sealer.observe(event, append_time, offset)
    ]


# --- batches, restores, workers ---------------------------------------------------------------


def check_batches(log: Log, chance: Random) -> None:
    """Batch by batch over tables, forgetting and restoring: as at once."""
    expected = run_at_once(log)
    if chance.random() < 0.2:
        found = run_in_batches(log, 1, 1.0, chance)
    else:
        found = run_in_batches(log, chance.choice([2, 4, 9, 50]), 0.4, chance)
    assert found == expected


def run_in_batches(log: Log, longest: int, restored_share: float, chance: Random) -> list[Decision]:
    """What a worker decides that saves every batch and now and then loses its memory."""
    sealer, tables = PartitionSealer(INCARNATION, 0), Tables()
    decided: list[Decision] = []
    offset = 0
    while offset < len(log):
        batch = log[offset : offset + chance.randint(1, longest)]
        decided.extend(fold(sealer, tables, batch, offset, chance.choice([1, 2, 5, MANY])))
        # Where much is decided at once, a part of the batch; of its first record perhaps.
        offset = sealer.applied_offset + 1
        tables.save(sealer.changes())
        sealer.forget()
        check_memory(sealer, tables)
        assert sealer.open_windows == len(tables.windows)
        if chance.random() < restored_share:
            sealer = restored(tables, 0, chance)
    return decided


def restored(tables: Tables, partition: int, chance: Random) -> PartitionSealer:
    """A new owner, with everything in memory or with all asleep that may sleep."""
    if chance.random() < 0.3:
        return PartitionSealer.restore(INCARNATION, partition, tables.snapshot())
    sealer = PartitionSealer.asleep(INCARNATION, partition, tables.outline())
    sealer.wake(tables.remembered(sealer.waking([], BEGINNING)))
    return sealer


def check_memory(sealer: PartitionSealer, tables: Tables) -> None:
    """What is awake is as the tables have it."""
    snapshot = sealer.snapshot()
    awake = {one.record.key for one in snapshot.segments} | {one.key for one in snapshot.sessions}
    assert snapshot == tables.remembered(sorted(awake))


def fold(
    sealer: PartitionSealer,
    tables: Tables,
    batch: list[tuple[Event | None, datetime]],
    first_offset: int,
    at_once: int = MANY,
) -> list[Decision]:
    """Recall what a batch may touch, and fold it in, or as much of it as has so many decisions."""
    events = [one for one, _ in batch if one]
    holders = tables.holders(rejected(events))
    sealer.wake(tables.remembered(sealer.waking(events, max(time for _, time in batch), holders)))
    for history in tables.histories(sealer.wants(events)):
        sealer.recall(history)
    observed = [
        (event, append_time, offset)
        for offset, (event, append_time) in enumerate(batch, first_offset)
    ]
    decided: list[Decision] = []
    for some in sealer.observing(observed, at_once):
        decided += some
        if len(decided) >= at_once:
            break
    return decided


def check_extending(log: Log, chance: Random) -> None:
    """A message that only makes its segment longer is told of as it is on the way of all others."""
    sizes = [chance.randint(1, 9) for _ in log]
    usual = states_after(log, sizes)
    with patch.object(Window, "is_extended_by", lambda *_: False):
        assert states_after(log, sizes) == usual


def states_after(log: Log, sizes: list[int]) -> list[tuple[list[Decision], Changes, Snapshot]]:
    """What is decided, changed and remembered after each batch."""
    sealer, tables = PartitionSealer(INCARNATION, 0), Tables()
    states: list[tuple[list[Decision], Changes, Snapshot]] = []
    offset = 0
    for size in sizes:
        if batch := log[offset : offset + size]:
            decided = fold(sealer, tables, batch, offset)
            changes = sealer.changes()
            tables.save(changes)
            sealer.forget()
            states.append((decided, changes, sealer.snapshot()))
        offset += size
    return states


@dataclass
class Partition:
    """One partition's log, its tables behind a fence, and what was decided in its transactions."""

    log: Log
    tables: Tables = field(default_factory=Tables)
    next_offset: int = 0
    epoch: int = 0
    decided: list[Decision] = field(default_factory=list)


@dataclass
class Claim:
    """What a worker believes to own: its memory may be of the day before yesterday."""

    partition: Partition
    number: int
    epoch: int
    sealer: PartitionSealer
    next_offset: int

    def commit(self, size: int, is_killed: bool) -> bool:
        """Fold a batch and write it, where the fence allows; whether the claim still stands."""
        fence = self.partition
        batch = fence.log[self.next_offset : self.next_offset + size]
        try:
            decided = fold(self.sealer, fence.tables, batch, self.next_offset)
        except Exception:
            # A former owner's memory and today's tables may contradict each other.
            if self.epoch == fence.epoch:
                raise
            return False
        if is_killed or self.epoch != fence.epoch:
            return False
        fence.tables.save(self.sealer.changes())
        self.sealer.forget()
        fence.decided.extend(decided)
        self.next_offset = fence.next_offset = self.next_offset + len(batch)
        return True


def check_workers(log: Log, chance: Random) -> None:
    """One to four workers, of whom some are killed and some only believe to own a partition."""
    partitions = [Partition(one) for one in parted(log)]
    workers: list[dict[int, Claim]] = [{} for _ in range(chance.randint(1, 4))]
    while unread := [n for n, one in enumerate(partitions) if one.next_offset < len(one.log)]:
        number, worker = chance.choice(unread), chance.choice(workers)
        if number not in worker or chance.random() < 0.1:
            worker[number] = claim(partitions[number], number, chance)
        if not worker[number].commit(chance.randint(1, 9), is_killed=chance.random() < 0.1):
            del worker[number]
    for number, one in enumerate(partitions):
        assert one.decided == run_at_once(one.log, number)


def claim(partition: Partition, number: int, chance: Random) -> Claim:
    """Raise the fence's epoch, and restore what is open."""
    partition.epoch += 1
    sealer = restored(partition.tables, number, chance)
    return Claim(partition, number, partition.epoch, sealer, partition.next_offset)


def parted(log: Log) -> list[Log]:
    """The log in partitions, by conversation; what belongs to none is in each of them."""
    partitions = [Log() for _ in range(PARTITIONS)]
    for event, append_time in log:
        at_home = _home(event)
        for number, one in enumerate(partitions):
            if at_home in (number, None):
                one.append((event, append_time))
    return partitions


def _home(event: Event | None) -> int | None:
    if event is None or not event.conversation_id:
        return None
    return sum(map(ord, event.tenant_id + event.conversation_id)) % PARTITIONS


# --- what seals say ---------------------------------------------------------------------------


def check_seals(log: Log) -> None:
    """Every seal says what the messages within its bounds say; neighbours lie apart."""
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


def read(log: Log) -> tuple[Reader, set[tuple[ConversationKey, Key]]]:
    """Fold log and seals side by side; a seal counts after the record that it names."""
    sealer, reader = PartitionSealer(INCARNATION, 0), Reader()
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


# --- order, repetition, other conversations ---------------------------------------------------


def check_any_order(messages: list[Event], chance: Random) -> None:
    """Shuffled and repeated, messages end in the partition of the reference."""
    events = messages + [one for one in messages for _ in range(chance.randint(0, 2))]
    chance.shuffle(events)
    log = Log()
    now = 0.0
    for one in events:
        now += chance.choice([0, 0, 1, 5, 20, 120])
        log.append((one, at(now)))
        if chance.random() < 0.1:
            log.append((tick(), at(now)))
    log.extend((tick(), at(now + more)) for more in AFTER_ALL)
    reader, cuts = read(log)
    assert not cuts
    found = {
        frozenset(member.event_id for member in reader.members(seal))
        for seal in reader.current.values()
    }
    assert found == partition_of(messages)
    assert all(isinstance(one.body, MessageRecorded) for one in messages)


def check_isolation(log: Log) -> None:
    """A live conversation is sealed as if no other one were there, whatever their clocks say."""
    live = Log((_without_import(event), append_time) for event, append_time in log)
    decided = run_at_once(live)
    for key in {(one.tenant_id, one.conversation_id) for one in decided}:
        alone = Log((_only(event, key), append_time) for event, append_time in live)
        expected = [one for one in decided if (one.tenant_id, one.conversation_id) == key]
        assert run_at_once(alone) == expected


def _without_import(event: Event | None) -> Event | None:
    """Imports' progress and refused records are of a partition, not of a conversation."""
    if event is None or not event.conversation_id:
        return None
    return replace(event, import_id=None)


def _only(event: Event | None, key: ConversationKey) -> Event | None:
    if event is None or (event.tenant_id, event.conversation_id) != key:
        return None
    return event


def check_all(log: Log, messages: list[Event], chance: Random) -> None:
    """Every property, of one log and one heap of messages."""
    check_batches(log, chance)
    check_extending(log, chance)
    check_workers(log, chance)
    check_seals(log)
    check_isolation(log)
    check_any_order(messages, chance)
