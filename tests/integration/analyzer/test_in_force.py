"""Which seals make jobs: those from the moment on at which a pass was put in force, all of them."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.request import urlopen

import pytest

from parley.codec import LogRecord
from parley.db.fence import Fence, FenceKey
from parley.errors import UserError
from parley.log.admin import incarnation_of
from parley.log.consumer import Batch
from parley.passes.applied import ActiveVersion, AppliedPass, PassActivation, SealsPosition
from parley.passes.planning import Wanted
from parley.passes.publishing import (
    apply_passes,
    disable,
    enable,
    finish_activations,
    publish,
    read_catalog,
    seals_position,
)
from parley.settings import Settings
from parley.topics import Topic
from services.analyzer.in_force import PassesInForce
from services.analyzer.passes import SHIPPED
from services.analyzer.stream import SealsHandler
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    Tables,
    analyzer_settings,
    publish_seals,
    record_of,
    sealed,
    talk,
)
from tests.support.passes import OPERATOR, apply_shipped
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NAMES = {one.definition.name for one in SHIPPED}
SENTIMENT = next(one.definition for one in SHIPPED if one.definition.name == "sentiment")


async def seal(tables: Tables, *names: str) -> None:
    """Segments of which the persister has the messages already."""
    seals = []
    for name in names:
        await tables.say(name, talk(name))
        seals.append(sealed(name, talk(name)))
    await publish_seals(tables.settings, seals)
    await tables.persister_is_at(DECIDED_OFFSET + 1)


async def jobs(tables: Tables, name: str = "sentiment") -> set[str]:
    """The conversations that have a job of the pass."""
    rows = await tables.pool.fetch(
        "SELECT conversation_id FROM operations.jobs WHERE pass_name = $1", name
    )
    return {row["conversation_id"] for row in rows}


async def all_read(tables: Tables, count: int) -> None:
    """Wait until the analyzer has read so many seals."""

    async def is_read() -> bool:
        query = "SELECT sum(next_offset) FROM fences WHERE consumer = 'analyzer'"
        return int(await tables.pool.fetchval(query) or 0) >= count

    await eventually(is_read, timeout=60)


async def test_a_version_is_run_over_what_is_sealed_after_it_was_applied(
    settings: Settings, tables: Tables
) -> None:
    await seal(tables, "a", "b", "c")
    second = replace(SENTIMENT, version=2, parameters={"else": 1})
    await apply_passes(settings, [Wanted(second)], OPERATOR)
    await seal(tables, "d", "e", "f")
    await disable(settings, "sentiment", OPERATOR)
    await enable(settings, "sentiment", 1, OPERATOR)
    await seal(tables, "g")
    with ServiceProcess("analyzer", settings):
        await all_read(tables, 7)
        rows = await tables.pool.fetch(
            "SELECT conversation_id, pass_version, fingerprint FROM operations.jobs"
            " WHERE pass_name = 'sentiment'"
        )
        # A pause ends what was before it; turn_statistics was in force all the time.
        assert [tuple(row) for row in rows] == [("g", 1, SENTIMENT.fingerprint)]
        assert await jobs(tables, "turn_statistics") == set("abcdefg")


async def test_versions_that_follow_each_other_share_the_seals_between_them(
    settings: Settings, tables: Tables
) -> None:
    await seal(tables, "a", "b", "c")
    second = replace(SENTIMENT, version=2, parameters={"else": 1})
    await apply_passes(settings, [Wanted(second)], OPERATOR)
    await seal(tables, "d", "e", "f")
    with ServiceProcess("analyzer", settings):
        await all_read(tables, 6)
        rows = await tables.pool.fetch(
            "SELECT conversation_id, pass_version FROM operations.jobs"
            " WHERE pass_name = 'sentiment' ORDER BY 1"
        )
    expected = [("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 2), ("f", 2)]
    assert [tuple(row) for row in rows] == expected


async def test_seals_between_the_two_records_of_an_activation_make_jobs(
    settings: Settings, tables: Tables
) -> None:
    await disable(settings, "sentiment", OPERATOR)
    await seal(tables, "before")
    pending = PassActivation("sentiment", True, (ActiveVersion(1, datetime.now(UTC)),))
    await publish(settings, [pending], OPERATOR)
    since = await seals_position(settings)
    with ServiceProcess("analyzer", settings) as analyzer:
        # One that was read before the second record, and one that is read after it.
        await seal(tables, "read meanwhile")
        await eventually(lambda: has_job(tables, "read meanwhile"), timeout=60)
        analyzer.kill()
        await seal(tables, "read later")
        await publish(settings, [pending.placed(since)], OPERATOR)
        analyzer.start()
        await eventually(lambda: has_job(tables, "read later"), timeout=60)
        await all_read(tables, 3)
    # It was read while nobody knew yet from where on the pass is in force.
    assert await jobs(tables) == {"before", "read meanwhile", "read later"}


async def has_job(tables: Tables, name: str) -> bool:
    return name in await jobs(tables)


async def test_a_command_that_died_between_the_two_records_is_finished_by_the_same_again(
    settings: Settings,
) -> None:
    await disable(settings, "sentiment", OPERATOR)
    pending = PassActivation("sentiment", True, (ActiveVersion(1, datetime.now(UTC)),))
    await publish(settings, [pending], OPERATOR)
    await apply_shipped(settings)
    said = (await read_catalog(settings)).activation("sentiment")
    assert said is not None
    assert said.body.is_placed
    before = said
    # Once more it changes nothing at all.
    await apply_shipped(settings)
    assert (await read_catalog(settings)).activation("sentiment") == before
    await finish_activations(settings, NAMES, OPERATOR)
    assert (await read_catalog(settings)).activation("sentiment") == before


async def test_first_installed_passes_begin_with_the_first_seal(settings: Settings) -> None:
    catalog = await read_catalog(settings)
    incarnation = await incarnation_of(settings, settings.topic(Topic.SEALS))
    for name in NAMES:
        said = catalog.activation(name)
        assert said is not None
        since = SealsPosition(incarnation, (0,) * settings.partitions)
        assert said.body.latest.since == since


async def test_who_has_a_seal_knows_what_was_enabled_before_it_was_written(
    settings: Settings,
) -> None:
    in_force = PassesInForce(settings, [])
    await in_force.start()
    stop = asyncio.Event()
    following = asyncio.create_task(in_force.run(stop))
    handler = SealsHandler(analyzer_settings(settings), in_force, asyncio.Event(), "w")
    key = FenceKey("analyzer", settings.topic(Topic.SEALS), 0)
    incarnation = await incarnation_of(settings, key.topic)
    record: LogRecord = record_of(settings, sealed("c", talk("c")))
    try:
        for number in range(20):
            definition = replace(SENTIMENT, name=f"pass_{number}")
            since = ActiveVersion(1, datetime.now(UTC), SealsPosition(incarnation, (0,) * 9))
            activation = PassActivation(definition.name, True, (since,))
            await publish(settings, [AppliedPass.of(definition), activation], OPERATOR)
            # At once, as the seal that comes right after the command would be.
            work = await handler.prepare(Batch(Fence(key, incarnation, 1, 0, None), [record]))
            assert definition.name in {job.pass_name for job in work.jobs}
    finally:
        stop.set()
        await following


async def test_a_disabled_pass_makes_no_more_jobs(settings: Settings, tables: Tables) -> None:
    with ServiceProcess("analyzer", settings):
        await seal(tables, "a")
        await eventually(lambda: has_job(tables, "a"), timeout=60)
        await disable(settings, "sentiment", OPERATOR)
        await seal(tables, "b")
        await all_read(tables, 2)
    assert await jobs(tables) == {"a"}
    assert await jobs(tables, "turn_statistics") == {"a", "b"}


async def test_other_code_than_was_applied_is_suspended_and_its_jobs_wait(
    settings: Settings, tables: Tables
) -> None:
    # As if another release had applied version 1 with other parameters.
    foreign = replace(SENTIMENT, parameters={"vader": "of another release"})
    await publish(settings, [AppliedPass.of(foreign)], OPERATOR)
    with pytest.raises(UserError, match="sentiment version 1 would give other results"):
        await apply_shipped(settings)
    with ServiceProcess("analyzer", settings) as analyzer:
        await seal(tables, "a")
        await eventually(lambda: verdict_of(tables, "turn_statistics"), timeout=60)
        health = await told(analyzer, "/health")
        assert health["status"] == "degraded"
        detail = health["dependencies"]["passes_in_force"]["detail"]
        assert "sentiment 1 other_fingerprint" in detail
        metrics = await asyncio.to_thread(body, analyzer, "/metrics")
        assert (
            'parley_analyzer_suspended_passes{pass_name="sentiment",reason="other_fingerprint"} 1.0'
            in metrics
        )
        # With what was applied being its own again, it goes on where it stopped.
        assert await waiting(tables) == [("open", foreign.fingerprint)]
        await publish(settings, [AppliedPass.of(SENTIMENT)], OPERATOR)

        async def is_healthy() -> bool:
            return bool((await told(analyzer, "/health"))["status"] == "healthy")

        await eventually(is_healthy)
    assert '"pass_suspended"' in analyzer.output
    assert '"pass_resumed"' in analyzer.output


async def waiting(tables: Tables) -> list[tuple[str, str]]:
    rows = await tables.pool.fetch(
        "SELECT state, fingerprint FROM operations.jobs WHERE pass_name = 'sentiment'"
    )
    return [tuple(row) for row in rows]


async def verdict_of(tables: Tables, name: str) -> bool:
    query = "SELECT count(*) FROM operations.jobs WHERE pass_name = $1 AND state = 'verdict'"
    return bool(await tables.pool.fetchval(query, name))


def body(analyzer: ServiceProcess, path: str) -> str:
    return str(urlopen(f"{analyzer.url}{path}").read().decode())  # noqa: S310


async def told(analyzer: ServiceProcess, path: str) -> Any:
    return json.loads(await asyncio.to_thread(body, analyzer, path))
