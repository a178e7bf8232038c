"""Backfills in the analyzer's process: every gap gets one job, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx
import pytest

from parley.backfilling import runs
from parley.backfilling.core import BackfillPass, Filters
from parley.backfilling.runs import Act, RunState
from parley.passes.applied import AppliedPass
from parley.settings import Settings
from services.analyzer.passes.sentiment import SENTIMENT
from services.analyzer.passes.turn_statistics import TURN_STATISTICS
from tests.integration.analyzer.provided import ASKING, ask_of_everybody, asks
from tests.integration.backfilling.past import NEW, OTHER, OWN, Past, conversations, past
from tests.support.acts import Answers
from tests.support.processes import ServiceProcess
from tests.support.provider import running_provider
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
async def then(settings: Settings, pool: Any) -> AsyncIterator[Past]:
    async with past(settings, pool) as made:
        yield made


def analyzer(then: Past, **own: str) -> ServiceProcess:
    return ServiceProcess("analyzer", then.settings, **{**OWN, **own})


async def test_a_new_pass_is_run_over_the_past_once(then: Past) -> None:
    await then.seal(conversations(300))
    await then.apply()
    with analyzer(then):
        run_id = await then.begin()
        found = await then.finish(run_id)
        await then.verdicts_are(300)
        assert found.tally.by_pass[NEW.name] == {"missing": 300}
        assert (found.jobs, found.passed) == ({"verdict": 300}, found.total)
        again = await then.finish(await then.begin())
        assert (again.run.enqueued_count, again.jobs) == (0, {})
        assert again.tally.by_pass[NEW.name] == {"covered": 300}
    rows = await then.pool.fetch("SELECT DISTINCT trigger, lane FROM operations.jobs")
    assert [tuple(row) for row in rows] == [("backfill", 1)]


async def test_a_dry_run_changes_nothing_and_says_what_then_happens(then: Past) -> None:
    names = conversations(90)
    await then.seal(names[:60])
    await then.seal(names[60:], channel="phone")
    await then.judge(names[:10], version=NEW.version + 6)
    await then.judge(names[10:25])
    await then.revise(names[15:25])
    await then.apply()
    with analyzer(then):
        await then.finish(await then.begin(filters=Filters(channel="phone")))
        await then.verdicts_are(10 + 15 + 30)
        expected = {"covered": 35, "missing": 35, "stale_revision": 10, "stale_version": 10}
        assert (await then.dry_run()).tally.by_pass[NEW.name] == expected
        for fields in ({"limit": 7, "is_newest_first": True}, {"is_from_segments": True}, {}):
            # What the run before has made is written a moment after its jobs have ended.
            await then.verdicts_are(10 + 15 + (await then.jobs())["verdict"])
            before = await then.everything()
            said = await then.dry_run(**fields)
            assert await then.everything() == before
            found = await then.finish(await then.begin(**fields))
            assert found.tally == said.tally
            assert found.run.enqueued_count == said.jobs
        assert said.jobs == 0
    assert await then.jobs() == {"verdict": 30 + 55}


@pytest.mark.timeout(240)
async def test_kills_at_any_moment_leave_no_gap_and_no_second_job(then: Past) -> None:
    count, chance = 400, Random(7)
    await then.seal(conversations(count))
    await then.apply()
    run_id = await then.begin(concurrency=40)
    with analyzer(then) as one:
        for _ in range(5):
            before = (await then.progress(run_id)).run.enqueued_count

            async def some_more(before: int = before) -> bool:
                return (await then.progress(run_id)).run.enqueued_count > before

            await eventually(some_more, every=0.01)
            await asyncio.sleep(chance.uniform(0, 0.1))
            one.kill()
            one.start()
        found = await then.finish(run_id, timeout_s=120)
        await then.verdicts_are(count)
    assert (found.run.enqueued_count, found.jobs) == (count, {"verdict": count})
    assert found.tally.by_pass[NEW.name] == {"missing": count}


async def test_only_current_revisions_get_jobs_also_of_those_that_come_while_it_runs(
    then: Past,
) -> None:
    names = conversations(120)
    await then.seal(names)
    await then.revise(names[:40])
    await then.apply()
    run_id = await then.begin(rate=20, concurrency=10)
    with analyzer(then):

        async def half() -> bool:
            return (await then.progress(run_id)).run.enqueued_count >= 50

        await eventually(half)
        await then.revise(names[30:90], messages=7)
        found = await then.finish(run_id)
    rows = await then.pool.fetch(
        "SELECT job.revision, segment.revision AS current, job.state, job.trigger"
        " FROM operations.jobs AS job JOIN segments AS segment USING (tenant_id, segment_id)"
        " WHERE pass_name = $1",
        NEW.name,
    )
    current = [row for row in rows if row["revision"] == row["current"]]
    assert len(current) == 120, "every segment has a job of its current revision"
    assert {row["state"] for row in rows if row["revision"] < row["current"]} <= {
        "superseded",
        "verdict",
    }
    # Of the first forty the first revision was over before the run began.
    assert found.run.enqueued_count < 120


async def test_a_retracted_segment_gets_no_job(then: Past) -> None:
    await then.seal(["a", "b"])
    await then.retract("b", into="a")
    await then.apply()
    with analyzer(then):
        await then.finish(await then.begin())
    rows = await then.pool.fetch("SELECT conversation_id, revision FROM operations.jobs")
    assert [tuple(row) for row in rows] == [("a", 2)]


async def test_a_paused_run_enqueues_and_runs_nothing_until_it_is_resumed(then: Past) -> None:
    await then.seal(conversations(200))
    await then.apply()
    run_id = await then.begin(rate=50, concurrency=20)
    with analyzer(then):

        async def some() -> bool:
            return (await then.progress(run_id)).run.enqueued_count >= 20

        await eventually(some)
        assert await runs.act(then.pool, run_id, Act.PAUSE, "tester")
        assert not await runs.act(then.pool, run_id, Act.PAUSE, "tester")
        await asyncio.sleep(1.5)
        before = await then.progress(run_id)
        await asyncio.sleep(1.5)
        after = await then.progress(run_id)
        assert (before.run.enqueued_count, before.jobs) == (after.run.enqueued_count, after.jobs)
        assert after.run.enqueued_count < 200
        assert await runs.act(then.pool, run_id, Act.RESUME, "tester")
        found = await then.finish(run_id)
    assert found.jobs == {"verdict": 200}


async def test_a_cancelled_run_ends_its_open_jobs_and_another_one_does_them(then: Past) -> None:
    await then.seal(conversations(100))
    await then.apply()
    run_id = await then.begin(rate=40, concurrency=100)
    # It enqueues, and no worker has the pass.
    await then.pool.execute(
        "UPDATE operations.backfill_runs SET passes = jsonb_set(passes, '{0,fingerprint}', '\"x\"')"
    )
    with analyzer(then):

        async def some() -> bool:
            return (await then.progress(run_id)).jobs.get("open", 0) >= 30

        await eventually(some)
        assert await runs.act(then.pool, run_id, Act.CANCEL, "tester")
        cancelled = await then.reach(run_id, RunState.CANCELLED)
        assert set(cancelled.jobs) == {"cancelled"}
        assert cancelled.jobs["cancelled"] == cancelled.run.enqueued_count < 100
        found = await then.finish(await then.begin())
        await then.verdicts_are(100)
    assert found.run.enqueued_count == 100
    assert await then.jobs() == {"verdict": 100}


async def test_two_analyzers_share_the_partitions_and_the_rate_holds_for_both(then: Past) -> None:
    await then.seal(conversations(120))
    await then.apply()
    with analyzer(then), analyzer(then):
        run_id = await then.begin(rate=40, concurrency=60)
        owners = set()
        while (await then.progress(run_id)).run.enqueued_at is None:
            rows = await then.pool.fetch(
                "SELECT owner FROM operations.backfill_partitions WHERE owner IS NOT NULL"
            )
            owners.add(len({row["owner"] for row in rows}))
            await asyncio.sleep(0.02)
        found = await then.finish(run_id)
    assert max(owners) == 2
    assert found.run.prepared_at is not None
    assert found.run.enqueued_at is not None
    took_s = (found.run.enqueued_at - found.run.prepared_at).total_seconds()
    # The first second's jobs go at once.
    assert took_s >= 120 / 40 - 1
    assert found.jobs == {"verdict": 120}


async def test_the_table_never_holds_more_unfinished_jobs_than_it_may(then: Past) -> None:
    await then.seal(conversations(150))
    await then.apply(SENTIMENT, TURN_STATISTICS)
    run_id = await then.begin(NEW, OTHER, concurrency=8)
    with analyzer(then):
        most = 0
        while (await then.progress(run_id)).run.state is RunState.RUNNING:
            most = max(
                most,
                await then.pool.fetchval(
                    "SELECT count(*) FROM operations.jobs WHERE state IN ('open', 'claimed')"
                ),
            )
        found = await then.progress(run_id)
    assert 0 < most <= 8
    assert found.jobs == {"verdict": 300}


async def test_a_limit_takes_the_newest_of_all_partitions(then: Past) -> None:
    for number in range(4):
        await then.seal(conversations(10, f"g{number}-"))
    await then.apply()
    with analyzer(then):
        found = await then.finish(await then.begin(limit=20, is_newest_first=True))
    assert found.run.enqueued_count == 20
    rows = await then.pool.fetch("SELECT conversation_id FROM operations.jobs")
    assert {row["conversation_id"][:2] for row in rows} == {"g2", "g3"}


async def test_the_stored_segments_serve_where_the_log_does_not_reach_back(then: Past) -> None:
    names = conversations(60)
    await then.seal(names)
    await then.revise(names[:20])
    await then.apply()
    with analyzer(then):
        found = await then.finish(await then.begin(is_from_segments=True, concurrency=10))
        await then.verdicts_are(60)
    assert found.jobs == {"verdict": 60}


async def test_filters_choose_segments(then: Past) -> None:
    await then.seal(["a", "b"], channel="phone")
    await then.seal(["c"], channel="chat")
    await then.apply()
    with analyzer(then):
        found = await then.finish(await then.begin(filters=Filters(channel="phone")))
        assert found.jobs == {"verdict": 2}
        one = await then.finish(await then.begin(filters=Filters(conversation_id="c")))
    assert one.jobs == {"verdict": 1}


async def test_a_topic_that_was_made_anew_stops_the_run(then: Past) -> None:
    await then.seal(conversations(20))
    await then.apply()
    run_id = await then.begin(rate=2)
    with analyzer(then) as process:

        async def told(metric: str) -> float:
            text = (await asyncio.to_thread(httpx.get, f"{process.url}/metrics")).text
            lines = [one for one in text.splitlines() if not one.startswith("#")]
            return next(float(one.split()[-1]) for one in lines if metric in one)

        async def some() -> bool:
            return (await then.progress(run_id)).run.enqueued_count > 0

        async def is_told_of_what_is_left() -> bool:
            return 0 < await told("parley_backfill_seals_left ") < 20

        await eventually(some)
        await eventually(is_told_of_what_is_left)
        assert await told('runs_ended_total{end="stopped"}') == 0
        await then.pool.execute("UPDATE operations.backfill_partitions SET incarnation = 'former'")
        found = await then.reach(run_id, RunState.STOPPED)

        async def is_told() -> bool:
            ended = await told('runs_ended_total{end="stopped"}')
            return (ended, await told("parley_backfill_seals_left ")) == (1, 0)

        await eventually(is_told)
    assert "is not the log that it began with" in found.run.reason


async def test_a_paused_run_that_is_cancelled_holds_no_job(then: Past) -> None:
    await then.seal(conversations(40))
    await then.apply()
    run_id = await then.begin(rate=10, concurrency=100)
    # It enqueues, and no worker has the pass.
    await then.pool.execute(
        "UPDATE operations.backfill_runs SET passes = jsonb_set(passes, '{0,fingerprint}', '\"x\"')"
    )
    with analyzer(then):
        await eventually(lambda: has_open_jobs(then, run_id))
        assert await runs.act(then.pool, run_id, Act.PAUSE, "tester")
        await eventually(lambda: has_held_jobs(then, run_id))
        assert await runs.act(then.pool, run_id, Act.CANCEL, "tester")
        await then.reach(run_id, RunState.CANCELLED)
    assert not await has_held_jobs(then, run_id)


async def has_open_jobs(then: Past, run_id: str) -> bool:
    return (await then.progress(run_id)).jobs.get("open", 0) >= 10


async def has_held_jobs(then: Past, run_id: str) -> bool:
    found: bool = await then.pool.fetchval(
        "SELECT EXISTS (SELECT FROM operations.jobs"
        " WHERE backfill_run_id = $1 AND due_at = 'infinity')",
        run_id,
    )
    return found


async def test_without_a_provider_the_other_passes_are_run_and_the_run_tells_what_is_parked(
    then: Past,
) -> None:
    await then.seal(conversations(60))
    await ask_of_everybody(then.settings)
    await then.apply()
    asking = BackfillPass.of(AppliedPass.of(ASKING))
    with analyzer(then):
        found = await then.finish(await then.begin(asking, NEW, concurrency=8))
        await then.verdicts_are(60)
    assert found.by_pass == {ASKING.name: {"parked": 60}, NEW.name: {"verdict": 60}}
    assert (found.parked, found.parked_because) == (60, {"no_provider": 60})
    async with running_provider() as provider:
        provider.otherwise = Answers()
        with analyzer(then, **asks(provider)):
            await then.verdicts_are(120)
        # Nobody is asked the same thing twice, and these talks are all alike.
        assert 0 < provider.call_count < 60
    assert (await then.progress(found.run.id)).parked == 0
