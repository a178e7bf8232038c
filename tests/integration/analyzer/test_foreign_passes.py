"""An analyzer that does not have what was applied leaves it to others, and says so."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from parley import clock
from parley.config import ConfigBody, ConfigChange, ConfigKey, ConfigKind
from parley.passes.applied import AppliedPass, Subscription
from parley.passes.catalog import Catalog
from parley.passes.planning import Wanted
from parley.passes.publishing import apply_passes, publish
from parley.passes.suspended import suspended_passes
from parley.settings import Settings
from services.analyzer.in_force import PassesInForce
from services.analyzer.known import AppliedPasses
from services.analyzer.passes import SHIPPED
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.telling import Telling
from services.persister.store.config import Setting, write_settings
from tests.integration.analyzer.prompting import Prompting
from tests.integration.analyzer.provided import ASKING
from tests.integration.analyzer.stage import DECIDED_OFFSET, TENANT, Tables, sealed, talk
from tests.support.command import json_here, run_here
from tests.support.passes import OPERATOR
from tests.unit.analyzer.fake_model import FakeModel

pytestmark = pytest.mark.integration

OTHER = "f" * 64


@pytest.fixture
async def in_force(settings: Settings) -> AsyncIterator[PassesInForce]:
    """Of a release that computes another fingerprint of a prompt than the one that applied it."""
    await apply_passes(settings, [Wanted(ASKING)], OPERATOR)
    await publish(settings, [AppliedPass(ASKING, OTHER)], OPERATOR)
    passes = PassesInForce(settings, [one.definition for one in SHIPPED])
    yield passes
    await passes._tail.close()


async def test_a_prompt_under_another_fingerprint_is_told_of_as_long_as_somebody_lacks_it(
    in_force: PassesInForce, pool: Any
) -> None:
    with capture_logs() as lines:
        await in_force.start()
    suspended = [one for one in lines if one["event"] == "pass_suspended"]
    assert [(one["pass_name"], one["reason"]) for one in suspended] == [
        ("asking", "other_fingerprint")
    ]
    assert "asking" not in {one.name for one in AppliedPasses(in_force.catalog, ()).definitions()}
    with pytest.raises(RuntimeError, match="asking 1 other_fingerprint"):
        await in_force.check()
    first, second = (Telling(pool, name, in_force) for name in ("first", "second"))
    await first.tell()
    await first.tell()
    await second.tell()
    [found] = (await suspended_passes(pool)).values()
    assert (found.fingerprint, found.pass_name, found.pass_version) == (OTHER, "asking", 1)
    assert str(found) == "suspended by 2 analyzers: other_fingerprint"
    # One that is silent is gone.
    await pool.execute(
        "UPDATE operations.foreign_passes SET seen_at = now() - interval '1 min'"
        " WHERE worker_id = 'second'"
    )
    [found] = (await suspended_passes(pool)).values()
    assert found.analyzer_count == 1
    # What stops everybody is what is told.
    await pool.execute(
        "INSERT INTO operations.suspensions (fingerprint, pass_name, pass_version, reason)"
        " VALUES ($1, 'asking', 1, 'bad_key')",
        OTHER,
    )
    assert str((await suspended_passes(pool))[OTHER]) == "suspended: bad_key"
    await pool.execute("DELETE FROM operations.suspensions")
    in_force.clear()
    await first.tell()
    assert await suspended_passes(pool) == {}


async def test_jobs_of_a_former_version_that_nobody_here_can_run_are_told_of(
    in_force: PassesInForce, settings: Settings, own_settings: AnalyzerSettings, tables: Tables
) -> None:
    await apply_passes(settings, [Wanted(replace(ASKING, version=2))], OPERATOR)
    await in_force.start()
    assert in_force.suspended == set()
    telling = Telling(tables.pool, "w", in_force)
    await telling.tell()
    assert await suspended_passes(tables.pool) == {}
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await tables.say("c", talk("c"))
    prompting = Prompting(tables.pool, own_settings, FakeModel(), [ASKING])
    await prompting.read(sealed("c", talk("c")), fingerprint=OTHER)
    with capture_logs() as lines:
        await telling.tell()
        await telling.tell()
    assert [(one["event"], one["pass_version"]) for one in lines] == [("jobs_left_alone", 1)]
    assert set(await suspended_passes(tables.pool)) == {OTHER}
    await tables.pool.execute("UPDATE operations.jobs SET state = 'cancelled'")
    await telling.tell()
    assert await suspended_passes(tables.pool) == {}


async def test_missing_and_explain_say_why_jobs_wait(
    in_force: PassesInForce, settings: Settings, own_settings: AnalyzerSettings, tables: Tables
) -> None:
    await in_force.start()
    await Telling(tables.pool, "w", in_force).tell()
    seal = sealed("c", talk("c"))
    prompting = Prompting(tables.pool, own_settings, FakeModel(), [ASKING])
    await prompting.read(seal, fingerprint=OTHER)
    await tables.pool.execute(
        "INSERT INTO segments (tenant_id, segment_id, conversation_id, revision, channel,"
        " message_count, started_at, ended_at) VALUES ($1, $2, 'c', 1, 'test', 4, $3, $4)",
        *(TENANT, seal.segment_id, seal.started_at, seal.ended_at),
    )
    await let_tables_follow(tables.pool, in_force.catalog)
    told = "suspended by 1 analyzer: other_fingerprint"
    [lacking] = await json_here(settings, "missing", "--pass", "asking")
    assert (lacking["why"], lacking["reason"]) == ("open", told)
    whole = await json_here(settings, "explain", "c")
    [job] = [one for one in whole["entries"] if one["kind"] == "pass"]
    assert (job["state"], job["suspended"]) == ("open", told)
    text = (await run_here(settings, "explain", "c")).output
    assert f"open ({told})" in text
    [listed] = [
        one for one in await json_here(settings, "passes", "list") if one["pass"] == "asking"
    ]
    assert (listed["state"], listed["suspended"]) == ("in force", told)


async def let_tables_follow(pool: Any, catalog: Catalog) -> None:
    """What the persister makes of the records of the pass, and that the tenant wants it."""
    activation = catalog.activation("asking")
    assert activation is not None
    wanted = Subscription("asking", is_category=False, is_enabled=True)
    bodies: list[ConfigBody] = [AppliedPass(ASKING, OTHER), activation.body, wanted]
    kinds = [ConfigKind.DEFINITION, ConfigKind.ACTIVATION, ConfigKind.SUBSCRIPTION]
    rows = []
    for kind, body in zip(kinds, bodies, strict=True):
        tenant_id = TENANT if body is wanted else ""
        change = ConfigChange(tenant_id, OPERATOR, clock.now(), body)
        rows.append(Setting(ConfigKey(kind, tenant_id, "asking"), change))
    async with pool.acquire() as connection, connection.transaction():
        await write_settings(connection, rows)
