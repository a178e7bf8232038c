"""The analyzer as a process: seals in, ends of jobs out, whatever happens to it in between."""

import json
from collections import defaultdict
from urllib.request import urlopen

import pytest

from parley.analyses import JobEndKind
from parley.digests import SpokenMember
from parley.events import Content
from parley.log.producer import Producer
from parley.settings import Settings
from services.analyzer.passes import SHIPPED
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    Analyses,
    Tables,
    publish_seals,
    seal_to_publish,
    sealed,
    seals_partition,
    talk,
)
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

PASSES = len(SHIPPED)
# Claims are small and passes slow, so that a signal finds work under way.
OWN = {"PARLEY_ANALYZER_LEASE": "2", "PARLEY_ANALYZER_CLAIM_JOBS": "6"}


def slow_talk(conversation_id: str) -> list[SpokenMember]:
    """A conversation that takes sentiment some milliseconds."""
    text = Content("good, but bad 😀 " * 60)
    return [one._replace(content=text) for one in talk(conversation_id)]


async def set_stage(tables: Tables, count: int) -> None:
    """Segments whose seals are published, and decided one offset after the other."""
    seals = []
    for number in range(count):
        name = f"c{number}"
        await tables.say(name, slow_talk(name))
        seals.append(sealed(name, slow_talk(name), decided_offset=DECIDED_OFFSET + number))
    await publish_seals(tables.settings, seals)


async def count(tables: Tables, state: str) -> int:
    return (await tables.job_states()).get(state, 0)


async def assert_one_verdict_for_each_job(settings: Settings, jobs: int) -> None:
    async with Analyses(settings) as analyses:

        async def all_published() -> bool:
            return len(await analyses.read()) >= jobs

        await eventually(all_published)
        ends = await analyses.read()
    assert len(ends) == jobs
    assert {len(different) for different in ends.values()} == {1}
    assert {one.end for different in ends.values() for one in different} == {JobEndKind.VERDICT}


async def test_seals_become_verdicts(settings: Settings, tables: Tables) -> None:
    await set_stage(tables, 10)
    await tables.persister_is_at(DECIDED_OFFSET + 10)
    with ServiceProcess("analyzer", settings) as analyzer:
        await assert_one_verdict_for_each_job(settings, 10 * PASSES)
        metrics = urlopen(f"{analyzer.url}/metrics").read().decode()  # noqa: ASYNC210, S310
        assert analyzer.stop() == 0
    assert 'parley_analyzer_pass_seconds_count{pass_name="sentiment"} 10.0' in metrics
    assert "good, but bad" not in analyzer.output


async def test_a_record_that_is_no_seal_is_skipped_and_told(
    settings: Settings, tables: Tables
) -> None:
    good = seal_to_publish(settings, sealed("c0", slow_talk("c0")))
    bad = type(good)(good.topic, good.key, b"\xff\xff", good.headers)
    await tables.say("c0", slow_talk("c0"))
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    producer = Producer(settings)
    await producer.start()
    await producer.send_all([bad, good])
    await producer.stop()
    with ServiceProcess("analyzer", settings) as analyzer:
        await assert_one_verdict_for_each_job(settings, PASSES)
    assert '"seal_skipped"' in analyzer.output


@pytest.mark.timeout(240)
async def test_kills_at_any_moment_leave_exactly_one_verdict_for_each_job(
    settings: Settings, tables: Tables
) -> None:
    segments, kills = 150, 6
    await set_stage(tables, segments)
    with ServiceProcess("analyzer", settings, **OWN) as analyzer:
        for kill in range(1, kills + 1):
            done = await count(tables, "verdict")
            await tables.persister_is_at(DECIDED_OFFSET + segments * kill // kills)

            async def some_more(done: int = done) -> bool:
                return await count(tables, "verdict") > done

            await eventually(some_more, every=0.003)
            analyzer.kill()
            analyzer.start()

        async def all_done() -> bool:
            return await count(tables, "verdict") == segments * PASSES

        await eventually(all_done, timeout=90)
        await assert_one_verdict_for_each_job(settings, segments * PASSES)
    attempts = await tables.pool.fetchval("SELECT sum(attempt_count) FROM operations.jobs")
    assert attempts > segments * PASSES, "no kill found a job under way"


async def test_a_worker_that_slept_past_its_lease_changes_nothing(
    settings: Settings, tables: Tables
) -> None:
    await set_stage(tables, 40)
    await tables.persister_is_at(DECIDED_OFFSET + 40)

    async def all_done() -> bool:
        return await count(tables, "verdict") == 40 * PASSES

    with ServiceProcess("analyzer", settings, **OWN) as sleeper:
        await eventually(lambda: count(tables, "claimed"), every=0.003)
        sleeper.pause()
        with ServiceProcess("analyzer", settings, **OWN) as other:
            await eventually(all_done, timeout=60)
            sleeper.resume()
            await eventually(lambda: refused(sleeper))
            await assert_one_verdict_for_each_job(settings, 40 * PASSES)
            assert other.stop() == 0


async def refused(analyzer: ServiceProcess) -> bool:
    """Whether an outcome of this process had no effect."""
    metrics = urlopen(f"{analyzer.url}/metrics").read().decode()  # noqa: ASYNC210, S310
    lines = [line for line in metrics.splitlines() if not line.startswith("#")]
    (value,) = [line.split()[1] for line in lines if "outcomes_refused_total" in line]
    return float(value) > 0


async def test_a_worker_runs_jobs_of_partitions_that_another_owns(
    settings: Settings, tables: Tables
) -> None:
    await set_stage(tables, 40)
    with (
        ServiceProcess("analyzer", settings, **OWN) as one,
        ServiceProcess("analyzer", settings, **OWN) as other,
    ):

        async def both_own_some() -> bool:
            return all(owned_partitions(process) for process in (one, other))

        await eventually(both_own_some)
        await tables.persister_is_at(DECIDED_OFFSET + 40)
        await assert_one_verdict_for_each_job(settings, 40 * PASSES)
        assert (one.stop(), other.stop()) == (0, 0)
    async with Analyses(settings) as analyses:
        ends = [one for different in (await analyses.read()).values() for one in different]
    workers: dict[int, set[str]] = defaultdict(set)
    for ended in ends:
        workers[seals_partition(settings, ended.conversation_id)].add(ended.worker_id)
    assert max(len(ids) for ids in workers.values()) == 2


def owned_partitions(analyzer: ServiceProcess) -> list[int]:
    """The partitions of the seals topic that this process owns."""
    health = json.loads(urlopen(f"{analyzer.url}/health").read())  # noqa: S310
    owned: list[int] = health["services"]["partitions"]
    return owned
