"""What a seal and the memory hold stays bounded, whoever takes part and however long."""

import gc
import time
from datetime import UTC, datetime, timedelta

from parley.codec import MAX_RECORD_BYTES, encode_seal
from parley.events import EndReason, Policy, SessionEnded, SessionStarted
from parley.seals import SegmentSealed, SessionSettled
from services.sealer.core import PartitionSealer
from services.sealer.core.window import Window
from tests.support.publish import event, message
from tests.unit.sealer.properties import fold
from tests.unit.sealer.tables import Tables

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_seal_of_5000_users_with_long_names_fits_into_a_record() -> None:
    sealer = PartitionSealer("i", 0)
    for number in range(4_000):
        user_id = f"{number:0>512}"
        one = message("room", number, at=NOON, received_at=NOON, user_id=user_id)
        sealer.observe(one, NOON, number)
    [seal] = sealer.observe(None, NOON + timedelta(hours=3), 4_000)
    assert isinstance(seal, SegmentSealed)
    assert len(encode_seal(seal)) < MAX_RECORD_BYTES // 2
    assert (seal.user_count, seal.message_count) == (4_000, 4_000)
    assert seal.user_ids == tuple(f"{number:0>512}" for number in range(128))


def test_to_open_a_segment_costs_the_same_however_many_are_open_beside_it() -> None:
    beside_many = min(seconds_to_open(4_000, 1) for _ in range(3))
    beside_few = min(seconds_to_open(4_000, 400) for _ in range(3))
    assert beside_many < 2.5 * beside_few


def seconds_to_open(count: int, conversations: int) -> float:
    """Processor time of so many messages, each of which is a segment of its own."""
    hour = timedelta(hours=1)
    told = [
        (message(f"c{n % conversations}", n, at=NOON + n * 2 * hour, received_at=NOON), NOON, n)
        for n in range(count)
    ]
    sealer = PartitionSealer("i", 0)
    begun = time.process_time()
    sealer.observe_all(told)
    return time.process_time() - begun


def test_imported_conversations_whose_sessions_nobody_ends_leave_memory_until_they_settle() -> None:
    sealer, tables = PartitionSealer("i", 0), Tables()
    count = 50
    for n in range(count):
        then = NOON - timedelta(days=9)
        said = message(f"c{n:02}", n, at=then, received_at=NOON, session_id="s", import_id="i1")
        fold(sealer, tables, [(said, NOON + n * SECOND)], n)
        tables.save(sealer.changes())
        sealer.forget()
        assert len(sealer.snapshot().sessions) <= 2
    fold(sealer, tables, [(None, NOON + count * SECOND)], count)
    assert sealer.next_deadline() == NOON + timedelta(minutes=30)
    decided = fold(sealer, tables, [(None, NOON + timedelta(minutes=31))], count + 1)
    settled = [one.conversation_id for one in decided if isinstance(one, SessionSettled)]
    assert settled == [f"c{n:02}" for n in range(count)]


def test_members_of_ended_calls_do_not_stay_in_memory() -> None:
    sealer = PartitionSealer("i", 0)
    sealer.observe(message("open", 0, at=NOON, received_at=NOON), NOON, 0)
    policy = Policy("call", 1, seal_on_end=True, grace=SECOND)
    offset, now = 1, NOON
    for call in range(20):
        name = f"call-{call}"
        fields = {"session_id": "s", "policy": policy, "event_time": now, "received_at": now}
        talk = [
            message(name, n, at=now, received_at=now, session_id="s", policy=policy)
            for n in range(50)
        ]
        started = event(name, SessionStarted(1), **fields)
        ended = event(name, SessionEnded(1, EndReason.EXPLICIT), **fields)
        for one in (started, *talk, ended):
            sealer.observe(one, now, offset)
            offset += 1
        now += 5 * SECOND
        sealer.observe(None, now, offset)
        offset += 1
        sealer.changes()
        sealer.forget()
    assert sealer.open_windows == 1
    gc.collect()
    windows = [one for one in gc.get_objects() if isinstance(one, Window)]
    assert sum(len(one.members or ()) for one in windows) == 1
