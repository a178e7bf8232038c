"""A compacted topic has gaps: what is missing from it is accounted for all the same."""

from datetime import UTC, datetime

from parley.codec import LogRecord
from parley.codec.config import config_record
from parley.config import ConfigChange, Tenant
from parley.db.fence import Fence, FenceKey
from parley.log.consumer import Batch
from services.persister.core.tallies import Tally
from services.persister.stream.config import ConfigHandler

AT = datetime(2026, 1, 1, tzinfo=UTC)


def record(offset: int, tenant: str, name: str = "") -> LogRecord:
    made = config_record("config", ConfigChange(tenant, "me", AT, Tenant(tenant, name)))
    return LogRecord("config", 0, offset, AT, made.key, made.value)


async def test_offsets_that_compaction_took_away_are_not_for_the_table() -> None:
    fence = Fence(FenceKey("persister-config", "config", 0), "i", 1, 3, None)
    unreadable = LogRecord("config", 0, 9, AT, b"tenant\0b\0b\0", b"\xff")
    batch = Batch(fence, [record(5, "a"), record(8, "a", "A"), unreadable])
    work = await ConfigHandler("letters").prepare(batch)
    assert work.tally == Tally(2, 0, 1, 4)
    assert sum(work.tally) == batch.last_offset + 1 - fence.next_offset
    said = {one.about.name: one.change and one.change.body for one in work.settings}
    assert said == {"a": Tenant("a", "A"), "b": None}


async def test_what_has_no_table_is_passed_over() -> None:
    fence = Fence(FenceKey("persister-config", "config", 0), "i", 1, 0, None)
    other = LogRecord("config", 0, 0, AT, b"pass\0\0p\x001", None)
    work = await ConfigHandler("letters").prepare(Batch(fence, [other]))
    assert (work.settings, work.letters, work.tally) == ([], [], Tally(0, 0, 0, 1))
