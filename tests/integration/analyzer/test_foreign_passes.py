"""An analyzer that does not have what was applied leaves it to others, and says so."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from parley.passes.applied import AppliedPass
from parley.passes.planning import Wanted
from parley.passes.publishing import apply_passes, publish
from parley.passes.suspended import suspended_passes
from parley.settings import Settings
from services.analyzer.in_force import PassesInForce
from services.analyzer.known import AppliedPasses
from services.analyzer.passes import SHIPPED
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.telling import Telling
from tests.integration.analyzer.prompting import Prompting
from tests.integration.analyzer.provided import ASKING
from tests.integration.analyzer.stage import DECIDED_OFFSET, Tables, sealed, talk
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
