"""What a worker writes counts only under its token, once, together with its record."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from parley.analyses import JobEnded, JobEndKind
from parley.codec import decode_analysis
from parley.db.fence import Fence, FenceKey
from parley.digests import content_digest
from parley.ids import derived_id
from parley.log.consumer import Batch
from parley.passes.code import CodePass, Output, SegmentText
from parley.seals import SegmentRetracted, SegmentSealed
from parley.topics import Topic
from services.analyzer.core.outcomes import Attempting
from services.analyzer.known import FixedPasses
from services.analyzer.runner import Runner
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import JobStore, Slots
from services.analyzer.stream import SealsHandler
from services.analyzer.worker import Worker
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    INCARNATION,
    TWO_PASSES,
    Tables,
    claim,
    record_of,
    revised,
    sealed,
    talk,
)
from tests.support.passes import Known
from tests.unit.analyzer.samples import code_pass

pytestmark = pytest.mark.integration

RULES = Attempting("w", first_rest=timedelta(0))


class Analyzer:
    """The analyzer's parts without Kafka: seals go in by hand, the outbox is looked at."""

    def __init__(self, pool: Any, settings: AnalyzerSettings, passes: Sequence[CodePass]) -> None:
        self.pool = pool
        self.settings = settings
        self.rung: list[int] = []
        self.store = JobStore(pool, settings)
        known = FixedPasses(passes)
        self.runner = Runner(known, RULES)
        self.bell = asyncio.Event()
        self.handler = SealsHandler(settings, Known(passes), self.bell, "w")
        self.worker = Worker(
            self.store, known, self.runner, self.bell, self.rung.append, 5.0, Slots(64, 16)
        )

    async def read(self, *seals: SegmentSealed) -> None:
        """Apply a batch of seals of partition 0, as the fenced consumer would."""
        key = FenceKey("analyzer", self.settings.topic(Topic.SEALS), 0)
        records = [record_of(self.settings, seal, number) for number, seal in enumerate(seals)]
        work = await self.handler.prepare(Batch(Fence(key, INCARNATION, 1, 0, None), records))
        async with self.pool.acquire() as connection, connection.transaction():
            await self.handler.apply(connection, work)
        await self.handler.committed(work)

    async def ends(self) -> list[JobEnded]:
        """What the outbox holds, in order."""
        rows = await self.pool.fetch("SELECT value FROM outbox ORDER BY id")
        told = [decode_analysis(row["value"]) for row in rows]
        return [one for one in told if isinstance(one, JobEnded)]


@pytest.fixture
def make(pool: Any, own_settings: AnalyzerSettings) -> Callable[..., Analyzer]:
    def build(*passes: CodePass) -> Analyzer:
        return Analyzer(pool, own_settings, passes or TWO_PASSES)

    return build


@pytest.fixture
async def analyzer(make: Callable[..., Analyzer], tables: Tables) -> Analyzer:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    return make()


async def test_a_seal_becomes_one_verdict_for_each_pass(analyzer: Analyzer, tables: Tables) -> None:
    members = talk("c")
    await tables.say("c", members)
    seal = sealed("c", members)
    await analyzer.read(seal)
    assert analyzer.bell.is_set()
    assert await analyzer.worker.work_once() == 2
    assert await analyzer.worker.work_once() == 0
    ends = await analyzer.ends()
    assert {(one.pass_name, one.end) for one in ends} == {
        ("turn_statistics", JobEndKind.VERDICT),
        ("sentiment", JobEndKind.VERDICT),
    }
    assert {one.content_digest for one in ends} == {content_digest(members)}
    assert {one.member_digest for one in ends} == {seal.member_digest}
    assert analyzer.rung == [0]
    assert await tables.job_states() == {"verdict": 2}


async def test_a_seal_that_is_read_again_adds_nothing(analyzer: Analyzer, tables: Tables) -> None:
    await tables.say("c", talk("c"))
    for _ in range(2):
        await analyzer.read(sealed("c", talk("c")))
        await analyzer.worker.work_once()
    assert len(await analyzer.ends()) == 2


async def test_messages_outside_the_bounds_or_after_the_position_are_not_members(
    analyzer: Analyzer, tables: Tables
) -> None:
    spoken = talk("c", 6)
    members = [spoken[1], spoken[2], spoken[4]]
    await tables.say("c", [*spoken[:3], *spoken[4:]])
    await tables.say("c", [spoken[3]], first_offset=DECIDED_OFFSET + 1)
    await tables.say("other", talk("other"))
    await analyzer.read(sealed("c", members))
    await analyzer.worker.work_once()
    assert {one.content_digest for one in await analyzer.ends()} == {content_digest(members)}


async def test_the_content_is_that_of_the_position(analyzer: Analyzer, tables: Tables) -> None:
    members = talk("c")
    first, second = derived_id("first revision"), derived_id("second revision")
    await tables.say("c", [members[0], *members[1:]])
    # What the table shows is the newest content; the seal was decided before the second revision.
    await tables.pool.execute(
        "UPDATE conversation_messages SET content = 'second', content_version = $1 WHERE id = $2",
        second,
        members[0].event_id,
    )
    message = members[0]
    await tables.add_version(message, message.event_id, message.content.text, 0)
    await tables.add_version(message, first, "first", 10, seconds=5)
    await tables.add_version(message, second, "second", DECIDED_OFFSET + 1, seconds=9)
    then = [revised(message, first, "first"), *members[1:]]
    await analyzer.read(sealed("c", then))
    await analyzer.worker.work_once()
    assert {one.content_digest for one in await analyzer.ends()} == {content_digest(then)}


async def test_before_its_first_revision_a_message_has_what_was_recorded(
    analyzer: Analyzer, tables: Tables
) -> None:
    members = talk("c")
    message, later = members[0], derived_id("revision")
    await tables.say("c", [revised(message, later, "later"), *members[1:]])
    await tables.add_version(message, message.event_id, message.content.text, 0)
    await tables.add_version(message, later, "later", DECIDED_OFFSET + 1, seconds=9)
    await analyzer.read(sealed("c", members))
    await analyzer.worker.work_once()
    assert {one.content_digest for one in await analyzer.ends()} == {content_digest(members)}


async def test_of_two_revisions_the_greater_by_time_and_id_wins(
    analyzer: Analyzer, tables: Tables
) -> None:
    members = talk("c")
    message = members[0]
    low, high = sorted((derived_id("one"), derived_id("two")))
    await tables.say("c", members)
    await tables.add_version(message, message.event_id, message.content.text, 0, seconds=99)
    await tables.add_version(message, high, "high", 10, seconds=5)
    await tables.add_version(message, low, "low", 11, seconds=5)
    then = [revised(message, high, "high"), *members[1:]]
    await analyzer.read(sealed("c", then))
    await analyzer.worker.work_once()
    assert {one.content_digest for one in await analyzer.ends()} == {content_digest(then)}


@pytest.mark.parametrize(("kind", "count"), [("interrupted", 1), ("corrected", 0)])
async def test_what_was_broken_off_is_an_interruption_and_a_correction_is_none(
    analyzer: Analyzer, tables: Tables, kind: str, count: int
) -> None:
    members = talk("c")
    message, cut = members[1], derived_id("cut")
    await tables.say("c", members)
    await tables.add_version(message, message.event_id, message.content.text, 0)
    await tables.add_version(message, cut, "this is", 10, seconds=5, kind=kind)
    await analyzer.read(sealed("c", [members[0], revised(message, cut, "this is"), *members[2:]]))
    await analyzer.worker.work_once()
    (one,) = [end for end in await analyzer.ends() if end.pass_name == "turn_statistics"]
    assert json.loads(one.output_json)["interruption_count"] == count


async def test_other_members_than_the_sealed_ones_park_the_jobs(
    analyzer: Analyzer, tables: Tables
) -> None:
    await tables.say("c", talk("c")[1:])
    await analyzer.read(sealed("c", talk("c")))
    assert await analyzer.worker.work_once() == 2
    assert await tables.job_states() == {"parked": 2}
    reasons = await tables.pool.fetch("SELECT DISTINCT reason FROM operations.jobs")
    assert [row["reason"] for row in reasons] == ["digest_mismatch"]
    assert await analyzer.ends() == []
    assert await analyzer.worker.work_once() == 0


async def test_a_later_revision_ends_open_claimed_and_parked_jobs_of_the_earlier(
    analyzer: Analyzer, tables: Tables
) -> None:
    await tables.say("c", talk("c", 5))
    await analyzer.read(sealed("c", talk("c", 4)))
    await tables.pool.execute(
        "UPDATE operations.jobs SET state = 'parked' WHERE pass_name = 'sentiment'"
    )
    found = await claim(analyzer.store)
    assert len(found.attempts) == 1
    await analyzer.read(sealed("c", talk("c", 5), revision=2))
    ends = await analyzer.ends()
    assert [(one.revision, one.end, one.reason) for one in ends] == [
        (1, JobEndKind.SUPERSEDED, "newer_revision")
    ] * 2
    assert await analyzer.worker.work_once() == 2
    assert await tables.job_states() == {"superseded": 2, "verdict": 2}


async def test_a_verdict_of_a_superseded_job_is_refused(analyzer: Analyzer, tables: Tables) -> None:
    await tables.say("c", talk("c", 5))
    await analyzer.read(sealed("c", talk("c", 4)))
    found = await claim(analyzer.store)
    members = await analyzer.store.load([found.attempts[0].job.segment])
    outcomes = analyzer.runner.run(found.attempts, members)
    assert {outcome.state for outcome in outcomes} == {"verdict"}
    await analyzer.read(sealed("c", talk("c", 5), revision=2))
    assert await analyzer.store.settle(found, outcomes) == []
    assert {one.end for one in await analyzer.ends()} == {JobEndKind.SUPERSEDED}


async def test_a_verdict_without_the_token_is_refused(analyzer: Analyzer, tables: Tables) -> None:
    await tables.say("c", talk("c"))
    await analyzer.read(sealed("c", talk("c")))
    slow = await claim(analyzer.store)
    members = await analyzer.store.load([slow.attempts[0].job.segment])
    await tables.pool.execute("UPDATE operations.jobs SET due_at = now() - interval '1 s'")
    quick = [await claim(analyzer.store), await claim(analyzer.store)]
    late = analyzer.runner.run(slow.attempts, members)
    assert await analyzer.store.settle(slow, late) == []
    assert await analyzer.ends() == []
    for held in quick:
        outcomes = analyzer.runner.run(held.attempts, members)
        assert await analyzer.store.settle(held, outcomes) == outcomes
        assert await analyzer.store.settle(held, outcomes) == []
    assert await analyzer.store.settle(slow, late) == []
    assert sorted(one.attempt_count for one in await analyzer.ends()) == [2, 2]


async def test_a_revision_that_came_in_the_same_batch_as_its_successor_is_never_run(
    analyzer: Analyzer, tables: Tables
) -> None:
    await tables.say("c", talk("c", 5))
    await analyzer.read(sealed("c", talk("c", 4)), sealed("c", talk("c", 5), revision=2))
    await analyzer.worker.work_once()
    assert sorted((one.revision, one.end.value) for one in await analyzer.ends()) == [
        (1, "superseded"),
        (1, "superseded"),
        (2, "verdict"),
        (2, "verdict"),
    ]


async def test_a_retraction_ends_the_jobs_of_the_segment_that_is_no_more(
    analyzer: Analyzer, tables: Tables
) -> None:
    await tables.say("c", talk("c", 8))
    swallowed = sealed("c", talk("c", 8)[4:], segment_id=derived_id("swallowed"))
    await analyzer.read(swallowed)
    merged = sealed("c", talk("c", 8), revision=2)
    gone = SegmentRetracted(swallowed.segment_id, 1, merged.segment_id)
    await analyzer.read(replace(merged, retracted=(gone,)))
    await analyzer.worker.work_once()
    assert sorted((one.segment_id, one.end.value, one.reason) for one in await analyzer.ends()) == (
        sorted(
            [(swallowed.segment_id, "superseded", "retracted")] * 2
            + [(merged.segment_id, "verdict", "")] * 2
        )
    )


async def test_a_retraction_leaves_a_segment_that_was_revived_later(
    analyzer: Analyzer, tables: Tables
) -> None:
    await tables.say("c", talk("c", 8))
    revived = sealed("c", talk("c", 8)[4:], revision=3, segment_id=derived_id("swallowed"))
    gone = SegmentRetracted(revived.segment_id, 2, derived_id("other"))
    await analyzer.read(revived)
    await analyzer.read(sealed("c", talk("c", 4), retracted=(gone,)))
    await analyzer.worker.work_once()
    assert await tables.job_states() == {"verdict": 4}


async def test_a_later_revision_leaves_the_verdict_of_the_earlier(
    analyzer: Analyzer, tables: Tables
) -> None:
    await tables.say("c", talk("c", 5))
    await analyzer.read(sealed("c", talk("c", 4)))
    await analyzer.worker.work_once()
    await analyzer.read(sealed("c", talk("c", 5), revision=2))
    await analyzer.worker.work_once()
    assert await tables.job_states() == {"verdict": 4}


async def test_a_pass_that_raises_is_tried_again_and_then_has_failed(
    make: Callable[..., Analyzer], tables: Tables
) -> None:
    def raising(_: SegmentText) -> Output:
        raise LookupError("what was said")

    analyzer = make(code_pass("p", raising, attempts=2))
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await tables.say("c", talk("c"))
    await analyzer.read(sealed("c", talk("c")))
    assert [await analyzer.worker.work_once() for _ in range(3)] == [1, 1, 0]
    (ended,) = await analyzer.ends()
    assert (ended.end, ended.reason, ended.attempt_count) == (JobEndKind.FAILED, "LookupError", 2)
    assert "what was said" not in repr(await tables.pool.fetch("SELECT * FROM operations.jobs"))
